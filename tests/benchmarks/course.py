"""What the course does, in the sizes of our decoders: the slow side of some benchmarks."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import layers

from captioner.decoding.settings import SearchSettings
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import START

NUM_FEATURES, UNITS, EMBEDDING_SIZE, VOCABULARY_SIZE = 1280, 512, 256, 3478


def build_course_network(num_tokens: int, vocabulary_size: int = VOCABULARY_SIZE) -> keras.Model:
    """Builds the course's merge network, as wide as ours.

    Args:
        num_tokens: of the longest prefix.
        vocabulary_size: words that it tells apart.
    """
    vector = keras.Input((NUM_FEATURES,))
    tokens = keras.Input((num_tokens,))
    image = layers.Dense(UNITS, "relu")(layers.Dropout(0.5)(vector))
    words = layers.Embedding(vocabulary_size, EMBEDDING_SIZE, mask_zero=True)(tokens)
    words = layers.LSTM(UNITS)(layers.Dropout(0.5)(words))
    mixed = layers.Dense(UNITS, "relu")(layers.add([image, words]))
    network = keras.Model([vector, tokens], layers.Dense(vocabulary_size, "softmax")(mixed))
    network.compile("adam", "categorical_crossentropy")
    return network


class CourseTraining:
    """Training on some images: all prefixes of one image's captions are a step.

    Args:
        captions: of the images, in any number.
        num_images: the first of them, which are trained on.
        vectors: float32 (num_images, 1280).
        vocabulary_size: words of the captions.
        longest: tokens that every prefix is padded to; None takes those of the longest caption.
    """

    def __init__(
        self,
        captions: TokenisedCaptions,
        num_images: int,
        vectors: np.ndarray,
        vocabulary_size: int,
        longest: int | None = None,
    ) -> None:
        self._captions, self._num_images, self._vectors = captions, num_images, vectors
        self._vocabulary_size = vocabulary_size
        self._longest = max(map(len, captions)) if longest is None else longest
        self._network = build_course_network(self._longest, vocabulary_size)
        self._network.train_on_batch(*next(self._steps()))  # compiles

    def __call__(self) -> None:
        """Trains on each image once."""
        for inputs, targets in self._steps():
            self._network.train_on_batch(inputs, targets)

    def caption(self, vectors: np.ndarray, num_words: int) -> np.ndarray:
        """Returns the likeliest next word again and again, int (N, num_words), of other images.

        All images at once, which is kinder to the course than what it does.
        """
        ids_NT = np.full((len(vectors), 1), START)
        for _ in range(num_words):
            padded = keras.utils.pad_sequences(ids_NT, self._longest)
            probs_NV = self._network.predict((vectors, padded), batch_size=250, verbose=0)
            ids_NT = np.concatenate([ids_NT, probs_NV.argmax(axis=1)[:, None]], axis=1)
        return ids_NT[:, 1:]

    def _steps(self) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
        for image in range(self._num_images):
            own: Sequence[np.ndarray] = [
                self._captions[int(c)] for c in np.flatnonzero(self._captions.image_index == image)
            ]
            prefixes = [caption[:end] for caption in own for end in range(1, len(caption))]
            nexts = [caption[end] for caption in own for end in range(1, len(caption))]
            padded = keras.utils.pad_sequences(prefixes, self._longest)
            vectors = np.repeat(self._vectors[image : image + 1], len(prefixes), axis=0)
            yield (vectors, padded), keras.utils.to_categorical(nexts, self._vocabulary_size)


class CourseSearch:
    """A search that asks `predict` for one beam's next word at a time.

    Args:
        num_images: to be captioned by a call.
        settings: how many beams, and words at most.
    """

    def __init__(self, num_images: int, settings: SearchSettings) -> None:
        self._num_images, self._settings = num_images, settings
        self._network = build_course_network(settings.max_length)
        self._vector = np.random.default_rng(0).random((1, NUM_FEATURES), np.float32)
        self._predict([START])  # compiles

    def __call__(self) -> None:
        """Captions the images, one after another."""
        for _ in range(self._num_images):
            self._search()

    def _search(self) -> None:
        beams = [([START], 0.0)]
        for _ in range(self._settings.max_length):
            longer = [
                ([*prefix, int(word)], score + float(log_probs[word]))
                for prefix, score in beams
                for log_probs in [self._predict(prefix)]
                for word in np.argsort(-log_probs)[: self._settings.num_beams]
            ]
            beams = sorted(longer, key=lambda beam: -beam[1])[: self._settings.num_beams]

    def _predict(self, prefix: list[int]) -> np.ndarray:
        padded = keras.utils.pad_sequences([prefix], self._settings.max_length)
        return np.log(self._network.predict((self._vector, padded), verbose=0)[0])
