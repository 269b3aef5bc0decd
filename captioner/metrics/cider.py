"""CIDEr-D and ROUGE-L, image by image, through pycocoevalcap and without Java.

CIDEr-D: Vedantam, Zitnick and Parikh 2015, arXiv:1411.5726; document frequencies come from the
references that are scored against. ROUGE-L: Lin 2004, aclanthology.org/W04-1013, with the beta of
1.2 that coco-caption uses. The score of a set of captions is the mean over its images.
"""

from collections.abc import Sequence

import numpy as np
from pycocoevalcap.cider.cider_scorer import CiderScorer
from pycocoevalcap.rouge.rouge import Rouge

Words = Sequence[str]


def score_cider(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> np.ndarray:
    """Returns the CIDEr-D of each image, float64 (N,), 0 to 10; 0.5 is usual for Flickr8k.

    A single image scores 0, for every word of its references is in "every document".

    Args:
        hypotheses: N captions as normalised words; one may be empty.
        references: for each, one or more reference captions; not all of them empty.
    """
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
