"""evaluate_captions: the whole picture, ready for scores.json and a table."""

import json

import pytest

from captioner.metrics.bootstrap import Resampling
from captioner.metrics.evaluation import COLUMNS, evaluate_captions
from captioner.metrics.scores import score_captions
from captioner.metrics.signature import Origin

ANIMALS = ["dog", "cat", "horse", "bird", "sheep", "cow"]
REFERENCES = {
    animal: [f"a {animal} runs on the grass", f"the {animal} is running over green grass"]
    for animal in ANIMALS
}
HYPOTHESES = {animal: f"a {animal} runs on the green grass" for animal in ANIMALS}
TRAINING = {"t1": ["a dog runs on the grass"], "t2": ["a man sits on a bench"]}
FEW = Resampling(num_samples=100)


@pytest.fixture(scope="module")
def report():
    nearest = dict.fromkeys(ANIMALS, "a man sits on a bench")
    return evaluate_captions(
        HYPOTHESES,
        REFERENCES,
        training=TRAINING,
        nearest=nearest,
        origin=Origin(split="dev", beam=3),
        resampling=FEW,
    )


def test_every_protocol_and_baseline_is_there(report):
    assert list(report.model) == ["coco", "nltk", "tutorial"]
    assert list(report.baselines) == ["constant", "nearest", "human"]
    assert report.missing == {}
    assert report.warnings == ()
    assert report.constant_caption == "a dog runs on the grass"
    assert report.collapse.share_copied == 0.0


def test_scores_are_those_of_score_captions(report):
    alone = score_captions(
        HYPOTHESES, REFERENCES, origin=Origin(split="dev", beam=3), resampling=FEW
    )
    assert report.scores.to_json() == alone.to_json()


def test_the_model_leads_the_nearest_neighbour(report):
    lead = report.to_json()["baselines"]["nearest"]["model_above"]["bleu_4"]
    assert lead["difference"] > 0
    assert lead["interval"][0] > 0
    assert report.to_json()["baselines"]["human"]["model_above"] is None


def test_rows_are_ready_to_print(report):
    rows = report.rows()
    assert [row.label for row in rows] == [
        "model",
        "model, NLTK",
        "model, tutorial cleaning",
        "one caption for all",
        "nearest neighbour",
        "a person against the others",
    ]
    for row in rows:
        assert len(row.values) == len(row.intervals) == len(COLUMNS)
        assert row.signature.startswith("protocol:")
    assert rows[0].values[0] == pytest.approx(100 * report.scores.bleu[0])
    assert rows[1].values[4:] == (None, None)


def test_a_baseline_has_no_beam_in_its_signature(report):
    assert "beam:3" in str(report.scores.signature)
    assert "beam" not in str(report.baselines["constant"].signature)
    assert "nrefs:1|" in str(report.baselines["human"].signature)


def test_json_is_json(report):
    record = report.to_json()
    assert json.loads(json.dumps(record)) == record


def test_what_cannot_be_made_is_told():
    references = {key: own[:1] for key, own in REFERENCES.items()}
    report = evaluate_captions(HYPOTHESES, references, resampling=FEW)
    assert report.baselines == {}
    assert list(report.missing) == ["constant", "nearest", "human"]
    assert "no training captions" in report.missing["constant"]
    assert report.collapse.share_copied is None


def test_a_model_below_the_baselines_is_told():
    wrong = dict.fromkeys(ANIMALS, "nothing of this kind is here")
    report = evaluate_captions(wrong, REFERENCES, training=TRAINING, resampling=FEW)
    (warning,) = report.warnings
    assert warning.startswith("The captions are no better than one caption for all: BLEU-4 0.0")
