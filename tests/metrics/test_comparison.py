"""compare_systems: pairs where images and references agree, words where they do not."""

import pytest

from captioner.errors import ScoreError
from captioner.metrics.bootstrap import Resampling
from captioner.metrics.comparison import System, compare_systems, find_faults, keep_common
from captioner.metrics.scores import score_captions
from captioner.metrics.signature import Origin

FEW = Resampling(num_samples=50)
REFERENCES = {
    "1": ("A dog runs on the grass .", "The brown dog is running"),
    "2": ("Two men stand together", "two men on a street"),
    "3": ("A child plays with a red ball", "a girl throws a ball"),
}
GOOD = {"1": "a dog runs on the grass", "2": "two men", "3": "a child plays with a ball"}
POOR = {"3": "a cat sleeps", "1": "A dog runs on the grass!", "2": "two men stand together"}
good = System("good", GOOD, REFERENCES, Origin(split="dev"))
poor = System("poor", POOR, {key: REFERENCES[key] for key in ("3", "2", "1")})


def test_scores_are_those_of_score_captions_and_differences_are_paired():
    comparison = compare_systems([good, poor], resampling=FEW)
    alone = score_captions(POOR, REFERENCES, resampling=FEW)
    assert comparison.scores[1].values == pytest.approx(alone.values)
    first, lead = comparison.leads
    assert first is None
    bleu = lead.differences["bleu_4"]
    assert bleu.value == comparison.scores[1].bleu[3] - comparison.scores[0].bleu[3]
    assert (lead.num_better, lead.num_worse, lead.num_alike) == (1, 1, 1)


def test_a_system_against_its_double_differs_nowhere():
    double = System("double", dict(reversed(GOOD.items())), REFERENCES)
    comparison = compare_systems([good, double], resampling=FEW)
    assert all(
        (d.value, d.interval.low, d.interval.high) == (0, 0, 0)
        for d in comparison.leads[1].differences.values()
    )
    assert comparison.examples(5) == []


def test_examples_are_the_images_that_differ_most():
    comparison = compare_systems([good, poor, good], resampling=FEW)
    examples = comparison.examples(5)
    assert [example.image_id for example in examples] == ["3", "2"]
    assert examples[0].captions == (GOOD["3"], POOR["3"], GOOD["3"])
    assert examples[0].cider[0] == examples[0].cider[2] > examples[0].cider[1]
    assert examples[0].references == REFERENCES["3"]
    assert len(comparison.examples(1)) == 1


def test_other_images_and_other_references_are_told_apart():
    fewer = good.restrict(["1", "2"])
    foreign = System("foreign", {"9": "a cat"}, {"9": ("a cat",)}, Origin(split="test"))
    changed = System("changed", GOOD, {**REFERENCES, "2": ("two men",)})
    assert find_faults([good, poor]) == []
    assert find_faults([good, fewer, foreign, changed]) == [
        "good captioned 3 images of split dev and good 2 images of split dev; "
        "2 of them are the same",
        "good captioned 3 images of split dev and foreign 1 image of split test; none are the same",
        "good and changed were given different references for 1 of 3 images, such as 2 "
        "(2 and 1 captions)",
    ]
    comparison = compare_systems([good, fewer, poor, changed], resampling=FEW)
    assert comparison.paired == [0, 2]
    assert [lead is None for lead in comparison.leads] == [True, True, False, True]


def test_common_images_are_kept_in_the_first_ones_order():
    kept = keep_common([good.restrict(["3", "1"]), poor])
    assert [list(system.captions) for system in kept] == [["3", "1"], ["3", "1"]]
    foreign = System("foreign", {"9": "a cat"}, {"9": ("a cat",)})
    with pytest.raises(ScoreError, match="No image is common to all systems; they captioned 3 im"):
        keep_common([good, foreign])


def test_one_system_is_no_comparison():
    with pytest.raises(ScoreError, match=r"two systems or more\. Received: 1"):
        compare_systems([good])
