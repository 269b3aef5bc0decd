"""Captions grouped into batches of like length, so that little time goes into padding.

Dimension key: N images of a batch, M captions of a batch, T positions, P real positions,
C captions in all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioner.errors import DecoderError
from captioner.text.tokens import TokenisedCaptions


class CaptionWords(NamedTuple):
    """Whole captions as a decoder reads them, as arrays or as tensors.

    Args:
        tokens_MT: int32 (M, T), captions from START on, without their last token, then zeros.
        image_index_M: int32 (M,), which of the N images each caption is of.
        positions_P: int32 (P,), the places among M x T that hold a token. Only there is the next
            token predicted, since the projection to all tokens is the dearest part.
    """

    tokens_MT: np.ndarray
    image_index_M: np.ndarray
    positions_P: np.ndarray


@dataclass(frozen=True, eq=False)
class Batch:
    """Captions for one step of training, and the images they belong to.

    Args:
        image_ids: the N images, each once, however many of its captions are in the batch.
        words: what is read.
        targets_P: int32 (P,), the token that follows each of those read.
    """

    image_ids: tuple[str, ...]
    words: CaptionWords
    targets_P: np.ndarray


class CaptionBatches:
    """The captions of one split, dealt into batches anew each epoch.

    Args:
        captions: captions of a data set.
        split: the split to take.
        batch_size: captions a batch; the last batch of an epoch may be smaller, and with
            `together` above 1 others hold a few more or less.
        together: how many captions of one image, at most, are kept in one batch, so that what is
            made of the image is made once for them. An image with more has them dealt as evenly
            as can be, captions like in length together: five by threes go 3 and 2.

    Raises:
        DecoderError: the split holds no captions.
    """

    def __init__(
        self, captions: TokenisedCaptions, split: str, batch_size: int, together: int = 1
    ) -> None:
        self._captions = captions
        self._members_C = captions.select(split)
        self._batch_size = batch_size
        self._together = min(together, batch_size)
        if not len(self._members_C):
            raise DecoderError(
                f"The {split} split holds no captions. Check the data set's splits: "
                "a decoder needs captions to train on and captions to be judged by."
            )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return -(-len(self._members_C) // self._batch_size)

    def in_order(self) -> Iterator[Batch]:
        """Yields all captions, shortest first."""
        for members_M in self._deal(self._members_C):
            yield self._make_batch(members_M)

    def shuffled(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Yields all captions in an order that (seed, epoch) alone decides.

        Captions of one length are dealt at random, and so is the order of the batches; nothing
        is carried from epoch to epoch, so that an interrupted training resumes exactly.
        """
        random = np.random.default_rng([seed, epoch])
        dealt = self._deal(random.permutation(self._members_C))
        for batch in random.permutation(len(dealt)):
            yield self._make_batch(dealt[batch])

    def _deal(self, members_C: np.ndarray) -> Sequence[np.ndarray]:
        """Sorts captions by length, those of equal length as they come, and cuts them up."""
        lengths_C = self._captions.lengths[members_C]
        runs = sorted(self._gather(members_C), key=lambda run: lengths_C[run[-1]])
        ends = np.cumsum([len(run) for run in runs])
        # A run belongs to the batch that its last caption falls into; as none is longer than a
        # batch, no batch stays empty.
        is_last = np.diff((ends - 1) // self._batch_size, append=len(self)) > 0
        return np.split(members_C[np.concatenate(runs)], ends[is_last][:-1])

    def _gather(self, members_C: np.ndarray) -> Sequence[np.ndarray]:
        """Returns runs of captions that stay together, as places in `members_C`.

        Each run is sorted by length, and runs come as the first of their captions do.
        """
        if self._together == 1:
            return list(np.arange(len(members_C))[:, None])
        images_C = self._captions.image_index[members_C]
        order_C = np.lexsort((self._captions.lengths[members_C], images_C))
        of_images = np.split(order_C, np.flatnonzero(np.diff(images_C[order_C])) + 1)
        runs = [
            run for own in of_images for run in np.array_split(own, -(-len(own) // self._together))
        ]
        return sorted(runs, key=np.min)

    def _make_batch(self, members_M: np.ndarray) -> Batch:
        images, image_index_M = np.unique(
            self._captions.image_index[members_M], return_inverse=True
        )
        tokens_MT, lengths_M = _pad([self._captions[int(member)] for member in members_M])
        is_real_MT = np.arange(tokens_MT.shape[1] - 1) < lengths_M[:, None] - 1
        return Batch(
            image_ids=tuple(self._captions.image_ids[image] for image in images),
            words=CaptionWords(
                tokens_MT=np.where(is_real_MT, tokens_MT[:, :-1], 0),
                image_index_M=image_index_M.astype(np.int32),
                positions_P=np.flatnonzero(is_real_MT).astype(np.int32),
            ),
            targets_P=tokens_MT[:, 1:][is_real_MT],
        )


def _pad(captions: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths_M = np.array([len(caption) for caption in captions])
    tokens_MT = np.zeros((len(captions), lengths_M.max()), np.int32)
    for row, caption in enumerate(captions):
        tokens_MT[row, : len(caption)] = caption
    return tokens_MT, lengths_M
