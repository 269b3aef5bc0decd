"""What people can be expected to say of an image, in a form small enough to ship with a model.

`consensus` asks the captions of the training images themselves. Here they have been asked
beforehand: a reduced-rank ridge regression (Izenman 1975, J. Multivariate Analysis 5) foretells
from an image's features which share of its captions would hold each n-gram.

Dimension key: N images, T training images, F features, G n-grams, R rank, H captions to judge, S
words, E distinct n-grams of each caption, O = 4 n-gram orders.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import linalg, sparse

from captioner.errors import DecoderError, ScoreError
from captioner.files import replace_file
from captioner.metrics.agreement import (
    Agreement,
    average_norms,
    count_training_ngrams,
    expect_cider,
    expect_precision,
)
from captioner.metrics.feature_scale import FeatureScale
from captioner.metrics.ngrams import NUM_ORDERS, CaptionNgrams, count_caption_ngrams
from captioner.metrics.tf_idf import find
from captioner.text.tokens import TokenisedCaptions

RANK = 256  # half of it loses a quarter of the gain, all 1,280 features give little more
MIN_IMAGES = 10  # n-grams said of fewer training images are taken to be said of none
RIDGE = 1.0

_VERSION = 1
_RARE_SHARE = 0.002  # what the error of an n-gram's share is measured in, added to its mean


@dataclass(frozen=True, eq=False)
class Expectation:
    """Foretells which n-grams people would use of an image, and judges captions by them.

    Args:
        mean_F: float32 (F,), see `FeatureScale`.
        factor_F: float32 (F,), likewise.
        map_FR: float32 (F, R), from features to R numbers.
        table_GR: float32 (G, R), from those to the share of captions that hold each n-gram.
        mean_G: float32 (G,), the mean share over the training images.
        keys_G: uint64 (G,), the n-grams as `ngrams` packs them, ascending.
        rarity_G: float32 (G,), of each n-gram, as CIDEr-D weighs it.
        unknown_rarity: float32 (), that of any other n-gram.
        norms_O: float32 (4,), mean length of the training captions' vectors, order by order.
    """

    mean_F: np.ndarray
    factor_F: np.ndarray
    map_FR: np.ndarray
    table_GR: np.ndarray
    mean_G: np.ndarray
    keys_G: np.ndarray
    rarity_G: np.ndarray
    unknown_rarity: np.ndarray
    norms_O: np.ndarray

    @classmethod
    def learn(
        cls, captions: TokenisedCaptions, vectors_TF: np.ndarray, *, rank: int = RANK
    ) -> "Expectation":
        """Learns from what people said of training images.

        Args:
            captions: of the T training images.
            vectors_TF: float (T, F), their features, in the order of `captions.image_ids`.
            rank: R, at most; 1 or more.

        Raises:
            ScoreError: the number of images and of features differ, or no n-gram is frequent.
        """
        num_images = len(captions.image_ids)
        ngrams = count_training_ngrams(captions, vectors_TF)
        keys, grams_E = np.unique(ngrams.keys_E, return_inverse=True)
        shares_TG = _share_ngrams(ngrams, grams_E, captions.image_index, num_images)
        frequency_G = np.diff(shares_TG.indptr)
        kept = np.flatnonzero(frequency_G >= MIN_IMAGES)
        if not len(kept):
            raise ScoreError(
                f"What people say is learnt from n-grams said of {MIN_IMAGES} training images or "
                f"more, and in {num_images:,} there is none. Train on more images."
            )
        rarity = np.log(num_images) - np.log(np.maximum(frequency_G, 1))
        scale = FeatureScale.learn(vectors_TF)
        map_FR, table_GR, mean_G = _regress(scale(vectors_TF), shares_TG[:, kept], rank)
        return cls(
            scale.mean_F,
            scale.factor_F,
            map_FR,
            table_GR,
            mean_G,
            keys[kept],
            rarity[kept].astype(np.float32),
            np.array(np.log(num_images), np.float32),
            average_norms(ngrams, rarity[grams_E]).astype(np.float32),
        )

    def score(
        self, ids_HS: np.ndarray, vectors_NF: np.ndarray, image_index_H: np.ndarray
    ) -> Agreement:
        """Returns how far each caption agrees with what people can be expected to say.

        Args:
            ids_HS: integers (H, S), the words of each caption, then zeros.
            vectors_NF: float (N, F), the features of the images.
            image_index_H: integers (H,), 0 to N - 1: the image of each caption.
        """
        ngrams = count_caption_ngrams(ids_HS)
        grams_E = find(self.keys_G, ngrams.keys_E)
        shares_E = self._foretell(vectors_NF, image_index_H[ngrams.captions_E], grams_E)
        rarity_E = np.append(self.rarity_G, self.unknown_rarity)[grams_E]
        return Agreement(
            expect_cider(ngrams, shares_E, rarity_E, self.norms_O),
            expect_precision(ngrams, shares_E),
        )

    def _foretell(
        self, vectors_NF: np.ndarray, images_E: np.ndarray, grams_E: np.ndarray
    ) -> np.ndarray:
        """Returns the share of captions that would hold each n-gram, float64 (E,), 0 to 1."""
        scale = FeatureScale(self.mean_F, self.factor_F)
        mapped_NR = scale(vectors_NF) @ self.map_FR
        shares_E = np.zeros(len(grams_E))
        known = np.flatnonzero(grams_E < len(self.keys_G))
        grams, images = grams_E[known], images_E[known]
        shares_E[known] = np.einsum("er,er->e", self.table_GR[grams], mapped_NR[images])
        shares_E[known] += self.mean_G[grams]
        return np.clip(shares_E, 0, 1)

    def save(self, path: Path) -> None:
        """Writes it as `.npz`, the tables at half precision; whole or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays |= {name: arrays[name].astype(np.float16) for name in ("map_FR", "table_GR")}
        with replace_file(path) as file:
            np.savez(file, version=np.array(_VERSION), **arrays)

    @classmethod
    def load(cls, path: Path, num_features: int) -> "Expectation":
        """Reads what `save` wrote.

        Args:
            path: the file.
            num_features: F, of the images that are to be judged.

        Raises:
            DecoderError: the file cannot be read, is damaged, of a later version, or of images
                with another number of features.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                version = int(file["version"])
                arrays = {field.name: file[field.name] for field in fields(cls)}
        except Exception as error:  # NumPy and zipfile raise whatever a damaged file leads to
            raise DecoderError(
                f"{path} cannot be read as what people are expected to say: {error}. Export the "
                "model again, or remove the file to search without."
            ) from error
        if version != _VERSION:
            raise DecoderError(
                f"{path} is of version {version}, and this captioner reads version {_VERSION}. "
                "Update captioner, or export the model again."
            )
        if faults := list(_find_faults(arrays, num_features)):
            raise DecoderError(
                f"{path} does not fit the model: {'; '.join(faults)}. Export the model again, or "
                "remove the file to search without."
            )
        arrays |= {name: arrays[name].astype(np.float32) for name in ("map_FR", "table_GR")}
        return cls(**arrays)


def average_places(features: np.ndarray) -> np.ndarray:
    """Returns one vector an image, float32 (N, F), of features (N, F) or (N, ..., F)."""
    return features.reshape(len(features), -1, features.shape[-1]).mean(axis=1, dtype=np.float32)


def _find_faults(arrays: Mapping[str, np.ndarray], num_features: int) -> Iterator[str]:
    """Yields which arrays have other sizes or kinds of numbers than `Expectation` says."""
    rank = arrays["map_FR"].shape[-1] if arrays["map_FR"].ndim else 0
    sizes = {"F": num_features, "R": rank, "G": arrays["keys_G"].size, "O": NUM_ORDERS}
    for name, array in arrays.items():
        dimensions = name.rpartition("_")[2] if name != "unknown_rarity" else ""
        shape = tuple(sizes[letter] for letter in dimensions)
        kind = "u" if name == "keys_G" else "f"
        if array.shape != shape or array.dtype.kind != kind:
            yield f"{name} is {array.dtype} {array.shape}, not {shape}"


def _share_ngrams(
    ngrams: CaptionNgrams, grams_E: np.ndarray, images_C: np.ndarray, num_images: int
) -> sparse.csc_array:
    """Returns which share of each image's captions hold each n-gram, float32 (T, G)."""
    num_captions_T = np.bincount(images_C, minlength=num_images)
    images_E = images_C[ngrams.captions_E]
    values_E = (1 / num_captions_T[images_E]).astype(np.float32)
    shape = (num_images, int(grams_E.max(initial=-1)) + 1)
    shares = sparse.csc_array((values_E, (images_E, grams_E)), shape=shape)
    shares.sum_duplicates()
    return shares


def _regress(
    features_TF: np.ndarray, shares_TG: sparse.csc_array, rank: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the map (F, R), the table (G, R) and the mean (G,) of reduced-rank regression.

    Of all maps of that rank it is the one whose foretold shares are nearest to those of full
    ridge regression, errors being measured by the usual scatter of each n-gram's share.
    """
    mean_G = np.asarray(shares_TG.mean(axis=0)).ravel()
    gram_FF = features_TF.T.astype(np.float64) @ features_TF
    gram_FF[np.diag_indices_from(gram_FF)] += RIDGE
    lower_FF = linalg.cholesky(gram_FF, lower=True)
    targets_FG = np.asarray((shares_TG.T @ features_TF.astype(np.float64)).T)
    targets_FG -= features_TF.sum(axis=0, dtype=np.float64)[:, None] * mean_G
    units_G = np.sqrt(mean_G + _RARE_SHARE)
    # With gram = L L', the fitted values' part within the features is L^-1 X' Y.
    fitted_FG = linalg.solve_triangular(lower_FF, targets_FG / units_G, lower=True)
    _, directions_FF = linalg.eigh(fitted_FG @ fitted_FG.T)
    leading_FR = directions_FF[:, ::-1][:, :rank]
    map_FR = linalg.solve_triangular(lower_FF, leading_FR, lower=True, trans=1)
    table_GR = (leading_FR.T @ fitted_FG).T * units_G[:, None]
    return map_FR.astype(np.float32), table_GR.astype(np.float32), mean_G.astype(np.float32)
