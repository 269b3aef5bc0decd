"""CIDEr-D and ROUGE-L, image by image, as pycocoevalcap defines them and without Java.

CIDEr-D: Vedantam, Zitnick and Parikh 2015, arXiv:1411.5726; document frequencies come from the
references that are scored against. ROUGE-L: Lin 2004, aclanthology.org/W04-1013, with the beta of
1.2 that coco-caption uses. The score of a set of captions is the mean over its images.

CIDEr-D is counted on numbered words, which takes a tenth of the library's time and gives its
values to nine digits.
"""

from collections.abc import Sequence

import numpy as np
from pycocoevalcap.cider.cider_scorer import CiderScorer
from pycocoevalcap.rouge.rouge import Rouge

from captioner.metrics.ngrams import MAX_ID, count_caption_ngrams, pad_captions
from captioner.metrics.reference_index import ReferenceIndex

Words = Sequence[str]


def score_cider(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> np.ndarray:
    """Returns the CIDEr-D of each image, float64 (N,), 0 to 10; 0.5 is usual for Flickr8k.

    A single image scores 0, for every word of its references is in "every document".

    Args:
        hypotheses: N captions as normalised words; one may be empty.
        references: for each, one or more reference captions; not all of them empty.
    """
    texts = [*hypotheses, *(caption for own in references for caption in own)]
    numbers: dict[str, int] = {}
    ids = [np.array([numbers.setdefault(w, len(numbers) + 1) for w in words]) for words in texts]
    if len(numbers) > MAX_ID:
        return _score_cider_of_words(hypotheses, references)
    num_images = len(hypotheses)
    images_C = np.repeat(np.arange(num_images), [len(own) for own in references])
    index = ReferenceIndex(
        count_caption_ngrams(pad_captions(ids[num_images:])), images_C, num_images
    )
    ngrams = count_caption_ngrams(pad_captions(ids[:num_images]))
    return index.score_cider(index.look_up(ngrams, np.arange(num_images)))


def _score_cider_of_words(
    hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]
) -> np.ndarray:
    """Returns the same from the library, for more words than there are numbers."""
    scorer = CiderScorer()
    for words, alternatives in zip(hypotheses, references, strict=True):
        scorer += (" ".join(words), [" ".join(reference) for reference in alternatives])
    return np.asarray(scorer.compute_score()[1], dtype=np.float64)


def score_rouge_l(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> np.ndarray:
    """Returns the ROUGE-L of each image, float64 (N,), 0 to 1.

    Args:
        hypotheses: N captions as normalised words; one may be empty.
        references: for each, one or more reference captions as normalised words.
    """
    scorer = Rouge()
    return np.array(
        [
            scorer.calc_score(
                [" ".join(words)], [" ".join(reference) for reference in alternatives]
            )
            for words, alternatives in zip(hypotheses, references, strict=True)
        ],
        dtype=np.float64,
    )
