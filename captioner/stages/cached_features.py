"""Finished features, found by a pipeline's name, a folder or a features.pkl."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.config import Pipeline
from captioner.datasets.records import CaptionDataset
from captioner.errors import ConfigError, UsageError
from captioner.features.index import is_finished
from captioner.pipeline.current import find_current
from captioner.pipeline.plan import Verdict
from captioner.stages.chain import open_dataset, open_runner
from captioner.stages.train import LEARNT_FROM

if TYPE_CHECKING:
    from captioner.features.reading import Features

STAGE = "extract"


@dataclass(frozen=True)
class CachedFeatures:
    """Features that are there already.

    Args:
        name: what the user called them.
        features: opened for reading.
        pipeline: the pipeline they belong to, where it was a pipeline that was named.
    """

    name: str
    features: "Features"
    pipeline: Pipeline | None


def find_features(name: str, artifacts: Path, overrides: Sequence[str] = ()) -> CachedFeatures:
    """Opens the features that a name stands for.

    Args:
        name: a features.pkl, a folder with a feature store, a pipeline's name or file, or the
            name of a folder in `artifacts`.
        artifacts: where pipelines keep their results.
        overrides: settings of pipelines, `section.key=value` each.

    Raises:
        UsageError: there are none of that name, or they are not up to date.
        FeatureError: they are damaged.
        UnsafePickleError: a pickle holds something other than arrays.
    """
    from captioner.features.pickles import read_features_pickle
    from captioner.features.store import FeatureStore

    path = Path(name)
    if path.is_file() and path.suffix != ".toml":
        return CachedFeatures(name, read_features_pickle(path), None)
    folder = _find_store(path)
    if folder is not None:
        return CachedFeatures(name, FeatureStore.open(folder), None)
    try:
        pipeline = Pipeline.load(name, overrides, check_paths=True)
    except ConfigError as error:
        folder = _find_store(artifacts / name)
        if folder is None:
            error.add_note("Expected a pipeline, a features.pkl or a folder of features.")
            raise
        return CachedFeatures(name, FeatureStore.open(folder), None)
    return CachedFeatures(pipeline.name, _open_features(pipeline, artifacts), pipeline)


def captions_to_learn_from(pipeline: Pipeline, artifacts: Path) -> dict[str, tuple[str, ...]]:
    """Returns image id -> captions of the train and dev images: nothing is chosen on test.

    Raises:
        UsageError: the pipeline has no data set with captions.
        DatasetError: its data set cannot be read.
    """
    section = pipeline.settings.dataset
    if section is None:
        raise UsageError(f"Pipeline '{pipeline.name}' has no section [dataset], so no captions.")
    dataset: CaptionDataset = open_dataset(section, artifacts, draw=False)
    return {
        image.image_id: image.captions for split in LEARNT_FROM for image in dataset.in_split(split)
    }


def _find_store(folder: Path) -> Path | None:
    for candidate in (folder, find_current(folder, STAGE)):
        if candidate is not None and is_finished(candidate):
            return candidate
    return None


def _open_features(pipeline: Pipeline, artifacts: Path) -> "Features":
    from captioner.features.pickles import read_features_pickle
    from captioner.features.store import FeatureStore

    pickle = pipeline.settings.train.features
    if pickle is not None:
        return read_features_pickle(Path(pickle))
    states = open_runner(pipeline, artifacts, draw=False).examine()
    (state,) = (state for state in states if state.stage.name == STAGE)
    if state.verdict is not Verdict.UP_TO_DATE or state.artifact is None:
        raise UsageError(
            f"The features of pipeline '{pipeline.name}' in {artifacts} are not ready: {state}. "
            f"Extract them first: {pipeline.command() or 'run it'} --stage extract (with the same "
            "--artifacts)"
        )
    return FeatureStore.open(state.artifact.folder)
