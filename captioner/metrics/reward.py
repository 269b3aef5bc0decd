"""The reward of self-critical sequence training: CIDEr-D of many captions, as token ids.

Rennie et al. 2017, arXiv:1612.00563, train a captioner on the metric that it is scored by: each
caption that it draws is compared with the references of its image, thousands a second. So what
depends on the references alone is counted once, and captions stay token ids.

Dimension key: H hypotheses, T words, N images, C captions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioner.metrics.ngrams import count_caption_ngrams, pad_captions
from captioner.metrics.reference_index import ReferenceIndex
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import END, PAD


@dataclass(frozen=True)
class RewardSettings:
    """What a caption is rewarded for.

    Args:
        count_end: whether the end token is a word of captions and references. Where it is not,
            training learns to stop too early, "a man in a": the words that are missing cost less
            than wrong ones would. Published scores differ in it (SacreEOS, Hu et al. 2023,
            arXiv:2305.12254); CIDEr-D as it is reported never counts it.
        cider: weight of CIDEr-D, which is 0 to 10.
        bleu: weight of the caption's own BLEU-4, 0 to 1: coco-caption's, unsmoothed, so that a
            caption without four words in a row right gets almost nothing.
    """

    count_end: bool = True
    cider: float = 1.0
    bleu: float = 0.0


DEFAULT_REWARD = RewardSettings()


class CaptionReward:
    """Scores captions against the references of their images, quickly and many times.

    Document frequencies are those of the references given here: those of all training images.
    Scoring changes nothing, so that several threads may do it at once.

    Args:
        references: for each of N images its references, integers (T,): word ids and then the
            end token, unless the reference was cut. An image without references rewards nothing.
        settings: what is rewarded.

    Raises:
        ScoreError: there are no references, or ids do not fit into 16 bits.

    Example:
        reward = CaptionReward([[np.array([5, 9, 7, END])], [np.array([6, 8, END])]])
        reward.score(np.array([[5, 9, 7, END, 0], [8, END, 0, 0, 0]]), np.array([0, 1]))
    """

    def __init__(
        self,
        references: Sequence[Sequence[np.ndarray]],
        settings: RewardSettings = DEFAULT_REWARD,
    ) -> None:
        self.settings = settings
        ids_CT = pad_captions([caption for own in references for caption in own])
        images_C = np.repeat(np.arange(len(references)), [len(own) for own in references])
        ngrams = count_caption_ngrams(self._words_of(ids_CT))
        self._index = ReferenceIndex(ngrams, images_C, len(references))

    @classmethod
    def from_captions(
        cls, captions: TokenisedCaptions, settings: RewardSettings = DEFAULT_REWARD
    ) -> "CaptionReward":
        """Takes all of `captions` as references; images are numbered as they are there."""
        references: list[list[np.ndarray]] = [[] for _ in captions.image_ids]
        for image, caption in zip(captions.image_index.tolist(), captions, strict=True):
            references[image].append(caption[1:])  # without the start token
        return cls(references, settings)

    def score(self, ids_HT: np.ndarray, image_index_H: np.ndarray) -> np.ndarray:
        """Returns the reward of each caption, float64 (H,).

        Args:
            ids_HT: integers (H, T): word ids as they were drawn, then the end token unless the
                caption was cut, then padding. Whatever follows the end token is ignored.
            image_index_H: integers (H,), 0 to N - 1: whose references count for each.
        """
        ngrams = count_caption_ngrams(self._words_of(ids_HT))
        found = self._index.look_up(ngrams, image_index_H)
        reward_H = np.zeros(len(ids_HT))
        if self.settings.cider:
            reward_H += self.settings.cider * self._index.score_cider(found)
        if self.settings.bleu:
            reward_H += self.settings.bleu * self._index.score_bleu(found)
        return reward_H

    def _words_of(self, ids_CT: np.ndarray) -> np.ndarray:
        """Puts zeros where a caption has ended."""
        stops_CT = (ids_CT == END) | (ids_CT == PAD)
        is_before_CT = ~np.logical_or.accumulate(stops_CT, axis=1)
        if self.settings.count_end:
            is_first_stop_CT = stops_CT.cumsum(axis=1) == 1
            is_before_CT |= stops_CT & is_first_stop_CT
        return np.where(is_before_CT, ids_CT, PAD)


def append_end(ids_HT: np.ndarray, lengths_H: np.ndarray, finished_H: np.ndarray) -> np.ndarray:
    """Writes the end token behind captions that a search returned without it.

    Args:
        ids_HT: int32 (H, T), word ids, then zeros.
        lengths_H: integers (H,), words of each caption.
        finished_H: bool (H,), whether it ended by itself.

    Returns:
        int32 (H, T + 1), what `CaptionReward.score` takes.
    """
    longer_HT = np.pad(ids_HT, ((0, 0), (0, 1)), constant_values=PAD)
    longer_HT[finished_H, lengths_H[finished_H]] = END
    return longer_HT
