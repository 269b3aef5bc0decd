"""score_captions: what goes in, what comes out, what is refused."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import ScoreError, UsageError
from captioner.metrics.bleu import PROTOCOLS
from captioner.metrics.bootstrap import Resampling
from captioner.metrics.scores import METRICS, average_scores, compare_scores, score_captions
from captioner.metrics.signature import Origin

FEW = Resampling(num_samples=50)
HYPOTHESES = {"1": "A dog runs on the grass.", "2": "two men"}
REFERENCES = {
    "1": ["A dog runs on the green grass .", "The brown dog is running ."],
    "2": ["Two men", "Two men stand together"],
}
CAPTION = st.lists(st.sampled_from(["a", "dog", "runs", "two"]), min_size=1, max_size=6)
CORPUS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(CAPTION.map(" ".join), st.lists(CAPTION.map(" ".join), min_size=1, max_size=3)),
    min_size=1,
)


def test_golden_scores_from_raw_text():
    coco = score_captions(HYPOTHESES, REFERENCES)
    assert coco.bleu == pytest.approx([1.0, 0.91287, 0.85499, 0.80343], abs=5e-6)
    nltk = score_captions(HYPOTHESES, REFERENCES, protocol="nltk")
    assert nltk.bleu == pytest.approx([1.0, 0.91287, 0.79370, 0.70711], abs=5e-6)
    assert (nltk.cider, nltk.rouge_l) == (None, None)


def test_tutorial_cleaning_drops_the_article():
    scores = score_captions({"1": "a dog"}, {"1": ["the dog", "A dog!"]}, protocol="tutorial")
    plain = score_captions({"1": "dog"}, {"1": ["the dog", "dog"]}, protocol="nltk")
    assert scores.bleu == plain.bleu
    assert "tok:tutorial-1" in str(scores)


@settings(max_examples=25, deadline=None)
@given(corpus=CORPUS, data=st.data())
def test_the_order_of_images_and_references_does_not_matter(corpus, data):
    hypotheses = {key: caption for key, (caption, _) in corpus.items()}
    references = {key: own for key, (_, own) in corpus.items()}
    order = data.draw(st.permutations(list(corpus)))
    shuffled = {key: data.draw(st.permutations(references[key])) for key in order}
    first = score_captions(hypotheses, references, resampling=FEW)
    second = score_captions(hypotheses, shuffled, resampling=FEW)
    assert second.values == pytest.approx(first.values, abs=1e-12)
    assert second.signature == first.signature


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=25, deadline=None)
@given(captions=st.lists(CAPTION.map(" ".join), min_size=2, max_size=5))
def test_repeating_a_reference_scores_one(captions, protocol):
    captions = [f"{caption} on the green grass" for caption in captions]
    references = {str(i): [caption, "something else"] for i, caption in enumerate(captions)}
    hypotheses = {str(i): caption for i, caption in enumerate(captions)}
    scores = score_captions(hypotheses, references, protocol=protocol, resampling=FEW)
    assert scores.bleu == pytest.approx([1.0] * 4, abs=1e-8)
    if protocol == "coco":
        assert scores.rouge_l == 1.0


def test_inputs_are_left_alone():
    hypotheses, references = copy.deepcopy(HYPOTHESES), copy.deepcopy(REFERENCES)
    for protocol in PROTOCOLS:
        score_captions(hypotheses, references, protocol=protocol, resampling=FEW)
    assert (hypotheses, references) == (HYPOTHESES, REFERENCES)


def test_special_tokens_never_count():
    plain = score_captions(HYPOTHESES, REFERENCES)
    marked = score_captions(
        {key: f"startseq {caption} <end>" for key, caption in HYPOTHESES.items()},
        {key: [f"<start> {own} endseq" for own in owns] for key, owns in REFERENCES.items()},
    )
    assert marked.values == plain.values
    assert (plain.num_sentinels, marked.num_sentinels) == (0, 4)


def test_empty_captions_are_scored_and_counted():
    scores = score_captions({"1": "", "2": "?!"}, REFERENCES)
    assert scores.num_empty == 2
    assert scores.values == pytest.approx(dict.fromkeys(METRICS, 0.0), abs=1e-6)
    half = score_captions({**HYPOTHESES, "2": ""}, REFERENCES)
    assert half.num_empty == 1
    assert 0 < half.bleu[0] < 1


def test_a_score_is_printed_with_its_signature():
    scores = score_captions(HYPOTHESES, REFERENCES, origin=Origin(split="dev", beam=3))
    assert str(scores).startswith("BLEU-1..4 100.0 / 91.3 / 85.5 / 80.3, CIDEr ")
    assert str(scores).endswith(f"[{scores.signature}]")
    assert "nrefs:2|" in str(scores)
    assert "|beam:3|split:dev@" in str(scores)


def test_json_holds_scores_intervals_and_signature():
    scores = score_captions(HYPOTHESES, REFERENCES)
    record = json.loads(json.dumps(scores.to_json()))
    assert record["bleu_4"] == scores.bleu[3]
    assert set(record["intervals"]) == set(METRICS)
    assert record["signature"]["text"] == str(scores.signature)
    for name, (low, high) in record["intervals"].items():
        assert low <= record[name] + 1e-9, name
        assert high >= record[name] - 1e-9, name


def test_images_have_scores_of_their_own():
    scores = score_captions(HYPOTHESES, REFERENCES)
    rows = scores.per_image.rows()
    assert list(rows) == ["1", "2"]
    assert rows["2"]["bleu_1"] == pytest.approx(1.0)
    assert np.mean([row["cider"] for row in rows.values()]) == pytest.approx(scores.cider)


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ({}, {}, "no images to score"),
        ({"1": "a"}, REFERENCES, r"images without caption: 1 \(2\)\.$"),
        ({**HYPOTHESES, "9": "a"}, REFERENCES, r"captions without image: 1 \(9\)\.$"),
        (
            {f"x{i}": "a" for i in range(1200)},
            {f"y{i}": ["a"] for i in range(7)},
            r"7 images and 1,200 captions; images without caption: 7 \(y0, y1, y2, y3, y4 and 2 "
            r"more\); captions without image: 1,200 \(x0, .* and 1,195 more\)",
        ),
        (HYPOTHESES, {**REFERENCES, "2": []}, r"without a reference caption .*: 1 \(2\)"),
        (HYPOTHESES, {**REFERENCES, "2": ["...", " "]}, r"without a reference caption .*: 1 \(2\)"),
    ],
)
def test_what_does_not_match_is_listed(hypotheses, references, message):
    with pytest.raises(ScoreError, match=message):
        score_captions(hypotheses, references)


def test_references_emptied_by_tutorial_cleaning_are_no_fault():
    references = {**REFERENCES, "2": ["I"]}
    assert score_captions(HYPOTHESES, references, protocol="tutorial").bleu[0] > 0


def test_unknown_protocols_are_named():
    with pytest.raises(UsageError, match=r"'bleu' is unknown\. Known: coco, nltk, tutorial"):
        score_captions(HYPOTHESES, REFERENCES, protocol="bleu")


def make_corpus(num_images: int, share_right: float):
    references = {str(i): [f"dog number {i} runs on grass"] for i in range(num_images)}
    hypotheses = {
        key: own[0] if int(key) < share_right * num_images else "something else altogether here"
        for key, own in references.items()
    }
    return hypotheses, references


def test_two_systems_are_compared_in_pairs():
    good, references = make_corpus(60, 0.9)
    bad, _ = make_corpus(60, 0.3)
    first, second = score_captions(good, references), score_captions(bad, references)
    lead = compare_scores(first, second)
    assert lead["bleu_4"].value == pytest.approx(first.bleu[3] - second.bleu[3])
    assert lead["bleu_4"].is_significant
    assert lead["cider"].share_above == 1.0
    none = compare_scores(first, first)
    assert none["cider"].interval.to_json() == [0.0, 0.0]
    assert not none["cider"].is_significant


def test_scores_of_other_images_are_not_compared():
    first = score_captions(*make_corpus(10, 0.5))
    second = score_captions(*make_corpus(11, 0.5))
    with pytest.raises(ScoreError, match=r"Only scores of the same images.*images:10.*images:11"):
        compare_scores(first, second)


def test_the_average_of_one_score_is_that_score():
    scores = score_captions(HYPOTHESES, REFERENCES)
    mean = average_scores([scores, scores])
    assert mean.values == pytest.approx(scores.values)
    for name, span in scores.intervals.items():
        assert mean.intervals[name].to_json() == pytest.approx(span.to_json())
    assert mean.per_image is None
