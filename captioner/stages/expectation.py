"""What people can be expected to say of an image, learnt from what a pipeline has made."""

from pathlib import Path
from typing import TYPE_CHECKING

from captioner.errors import UsageError
from captioner.pipeline.current import find_current
from captioner.stages import tokenize

if TYPE_CHECKING:
    from captioner.metrics.expectation import Expectation

_BATCH_IMAGES = 256  # grids read at a time, 64 MB of 7 x 7 places of 1,280 features


def learn_expectation(pipeline: Path) -> "Expectation":
    """Learns from the features and captions of a pipeline's training images.

    Args:
        pipeline: the pipeline's folder among the artifacts.

    Raises:
        UsageError: the pipeline has not been run, takes its features from elsewhere, or its
            decoder was trained before its words or features changed.
        ScoreError: it has too few training images.
    """
    import numpy as np

    from captioner.decoders.storage import load_spec
    from captioner.features.store import FeatureStore
    from captioner.metrics.expectation import Expectation, average_places
    from captioner.text.tokens import TokenisedCaptions

    folders = {name: find_current(pipeline, name) for name in ("tokenize", "extract", "train")}
    missing = [name for name, folder in folders.items() if folder is None]
    if missing:
        raise UsageError(
            "What people say of images is learnt from a pipeline's features and captions, and "
            f"{pipeline} has no result of {' and '.join(missing)}. Name a pipeline that has been "
            "run here, or export without --expectation."
        )
    tokens, store, decoder = (folder for folder in folders.values() if folder is not None)
    tokenised = TokenisedCaptions.load(tokens / tokenize.TOKENS)
    features = FeatureStore.open(store)
    spec = load_spec(decoder)
    kind = spec.feature_kind
    words = [(folder / tokenize.VOCABULARY).read_bytes() for folder in (tokens, decoder)]
    if words[0] != words[1] or features.shapes.get(kind) != spec.feature_shape:
        raise UsageError(
            f"The decoder of {pipeline} was trained on other words or features than it holds now. "
            f"Bring it up to date first: captioner run {pipeline.name}"
        )
    known = set(features.image_ids)
    training = tokenised.restrict(id_ for id_ in tokenised.image_ids_in("train") if id_ in known)
    ids = training.image_ids
    batches = (ids[first : first + _BATCH_IMAGES] for first in range(0, len(ids), _BATCH_IMAGES))
    vectors = [average_places(features.read(kind, batch)) for batch in batches]
    return Expectation.learn(training, np.concatenate(vectors))
