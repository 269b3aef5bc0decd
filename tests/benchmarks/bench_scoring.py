"""Measures scoring 1,000 captions, bootstrap included, against pycocoevalcap's own classes.

    python tests/benchmarks/bench_scoring.py [--images 1000] [--rounds 5]

Captions are invented: five references an image from a vocabulary like Flickr8k's, and hypotheses
that share words with them. pycocoevalcap gets them normalised and joined already, and gives no
intervals; captioner starts from raw text and draws 1,000 samples. The bar is a ratio of 1 or
less. METEOR and SPICE, which need Java, are in neither.
"""

import random

from harness import RATE_CELLS, alternate, make_parser, print_table
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from captioner.metrics.bleu import count_ngrams
from captioner.metrics.bootstrap import Resampling
from captioner.metrics.cider import score_cider, score_rouge_l
from captioner.metrics.pairs import pair_captions
from captioner.metrics.scores import score_captions

NUM_REFERENCES = 5
VOCABULARY_SIZE = 3000


def invent_captions(num_images: int) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Returns hypotheses and references; a few words are frequent, as in any language."""
    draw = random.Random(0)
    words = [f"w{index}" for index in range(VOCABULARY_SIZE)]
    weights = [1 / (rank + 1) for rank in range(VOCABULARY_SIZE)]
    hypotheses, references = {}, {}
    for image in range(num_images):
        own = [draw.choices(words, weights, k=draw.randint(7, 16)) for _ in range(NUM_REFERENCES)]
        first, second = own[0], own[1]
        hypotheses[str(image)] = " ".join(first[:5] + second[:5])
        references[str(image)] = [" ".join(caption) for caption in own]
    return hypotheses, references


def main() -> None:
    """Prints one table of the whole, and one of the parts."""
    parser = make_parser(__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    hypotheses, references = invent_captions(options.images)
    results = {image_id: [caption] for image_id, caption in hypotheses.items()}

    def score_with_library() -> None:
        Bleu(4).compute_score(references, results, verbose=0)
        Cider().compute_score(references, results)
        Rouge().compute_score(references, results)

    whole = alternate(
        {
            "captioner, 1,000 samples": lambda: score_captions(hypotheses, references),
            "pycocoevalcap, no intervals": score_with_library,
        },
        options.rounds,
    )
    ours, theirs = whole.values()
    rows = [[name, *timing.per(options.images)] for name, timing in whole.items()]
    print_table("Scoring", ["who", *RATE_CELLS], rows)
    print(f"\ncaptioner takes {ours.seconds / theirs.seconds:.2f} of pycocoevalcap's time")

    pairs = pair_captions(hypotheses, references, "default")
    texts = pairs.hypotheses, pairs.references
    scores = score_captions(hypotheses, references)
    assert scores.per_image is not None
    per_image = scores.per_image
    parts = alternate(
        {
            "normalise": lambda: pair_captions(hypotheses, references, "default"),
            "BLEU": lambda: count_ngrams(*texts),
            "CIDEr-D": lambda: score_cider(*texts),
            "ROUGE-L": lambda: score_rouge_l(*texts),
            "bootstrap": lambda: per_image.resample(Resampling()),
            "pycocoevalcap CIDEr-D": lambda: Cider().compute_score(references, results),
        },
        options.rounds,
    )
    rows = [[name, f"{1000 * part.seconds:,.0f} ms"] for name, part in parts.items()]
    print_table("Where the time is", ["part", "each time"], rows)


if __name__ == "__main__":
    main()
