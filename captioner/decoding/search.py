"""Searches compiled once and run over batches of images of any number.

Dimension key: N images.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from captioner.decoding.beam import GRAIN, search_beams
from captioner.decoding.captions import DecodedCaptions, join_captions
from captioner.decoding.greedy import decode_greedily, sample_captions
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.decoding.steps import Start, Step
from captioner.errors import DecoderError

_METHODS: dict[str, Callable[..., tuple[tf.Tensor, ...]]] = {
    "beam": search_beams,
    "greedy": decode_greedily,
    "sample": sample_captions,
}


class CaptionSearch:
    """Finds captions for batches of images with one compiled graph.

    The graph takes any number of images, so that nothing is compiled twice and few images cost
    little; it is filled up to a multiple of `beam.GRAIN` by repeating the last one.

    Args:
        start: encodes images: features (N, ...) -> (context, state).
        step: maps (tokens_B, state, context) to (log-probabilities_BV, state); neither has `if` or
            `for` over tensors, but `tf.cond` and `tf.while_loop`.
        settings: how to search.
        tokens: the ids that are no words.
        batch_size: most images searched for at a time, 1 or more.

    Example:
        search = CaptionSearch(decoder.start, decoder.step, SearchSettings(num_beams=3))
        captions = search(vectors_NF)
        captions.words_of(0)  # word ids of the best caption of the first image
    """

    def __init__(
        self,
        start: Start,
        step: Step,
        settings: SearchSettings,
        *,
        tokens: SpecialTokens | None = None,
        batch_size: int = 64,
    ) -> None:
        special = SpecialTokens() if tokens is None else tokens
        self.settings = settings
        self.batch_size = batch_size

        # Searches, and whoever gives `step`, write loops and conditions as operations; to look
        # for Python's in every function takes seconds.
        @tf.function(autograph=False)
        def search(*features: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return _METHODS[settings.method](step, start(*features), settings, special)

        self._search = search

    def __call__(self, *features: np.ndarray) -> DecodedCaptions:
        """Finds captions for N images.

        Args:
            features: float32 (N, ...) each, what `start` takes; N is 0 or more.

        Returns:
            The captions of the N images, in order.

        Raises:
            DecoderError: the decoder's log-probabilities are not numbers.
        """
        num_images = len(features[0])
        starts = range(0, max(num_images, 1), self.batch_size)
        parts = [self._search_batch([f[i : i + self.batch_size] for f in features]) for i in starts]
        return join_captions(parts)

    def _search_batch(self, features: Sequence[np.ndarray]) -> DecodedCaptions:
        num_images = len(features[0])
        any_number = [tf.TensorSpec([None, *array.shape[1:]], array.dtype) for array in features]
        graph = self._search.get_concrete_function(*any_number)  # the same one each time
        columns = graph(*(tf.convert_to_tensor(_fill_up(array)) for array in features))
        captions = DecodedCaptions(*(column.numpy()[:num_images] for column in columns))
        _check_captions(captions)
        return captions


def _fill_up(features: np.ndarray) -> np.ndarray:
    missing = -len(features) % GRAIN
    if missing == 0:
        return features
    return np.concatenate([features, np.repeat(features[-1:], missing, axis=0)])


def _check_captions(captions: DecodedCaptions) -> None:
    bad = ~np.isfinite(captions.log_probs[:, 0]) | (captions.lengths[:, 0] < 1)
    if bad.any():
        raise DecoderError(
            f"No caption was found for {int(bad.sum())} of {len(bad)} images: the decoder's "
            "log-probabilities are not numbers, or rule out every word. Its weights are damaged "
            "or its training went astray; train it again with a lower learning rate."
        )
