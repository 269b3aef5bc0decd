"""captioner compare, from the command line down, on artifacts written by hand."""

import json
import shutil
import subprocess
import sys

import pytest

from captioner.cli.app import run_command_line
from captioner.metrics.scores import score_captions
from captioner.metrics.signature import Origin

REFERENCES = {
    "sea/1": ["A dog runs on the grass .", "The brown dog is running"],
    "sea/2": ["Two men stand together", "two men on a street"],
    "sea/3": ["A child plays with a red ball", "a girl throws a ball"],
}
CAPTIONS = {"sea/1": "a dog runs on the grass", "sea/2": "two men", "sea/3": "a child with a ball"}
OTHERS = {"sea/1": "a dog runs on the grass", "sea/2": "two men", "sea/3": "a cat sleeps"}


@pytest.fixture
def call(capsys):
    def run(*arguments):
        code = run_command_line(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def write_evaluation(root, name, captions, *, units=512, split="dev", references=None):
    """Writes what stage evaluate leaves, with links as the runner makes them."""
    references = REFERENCES if references is None else references
    fingerprint = format(units, "064x")
    folder = root / "evaluate" / f"{name}{fingerprint}"[:16]
    folder.mkdir(parents=True)
    lines = [
        {"image_id": key, "caption": captions[key], "references": references[key]}
        for key in references
    ]
    (folder / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    scores = score_captions(captions, references, origin=Origin(split=split, beam=3))
    (folder / "scores.json").write_text(json.dumps({"model": {"coco": scores.to_json()}}))
    manifest = {
        "fingerprint": fingerprint,
        "inputs": {"decoder.units": units, "train.epochs": 12},
        "outputs": {},
        "created": "2026",
        "summary": "scored",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shown = root / name
    shown.mkdir()
    (shown / "pipeline.json").write_text(json.dumps({"evaluate": folder.name}))
    return folder


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_evaluation(tmp_path / "artifacts", "large", CAPTIONS)
    write_evaluation(tmp_path / "artifacts", "small", OTHERS, units=16)
    return tmp_path / "artifacts"


def test_settings_scores_differences_and_examples_are_shown(artifacts, call):
    code, out, err = call("large", "small", "--bootstrap", 50)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["A", "large"] in rows
    assert ["decoder.units", "512", "16"] in rows
    assert "train.epochs" not in out
    assert sum(row[:3] == ["B", "-", "A"] for row in rows) == 1
    assert "sea/3\n" in out
    assert "B against A, image by image: CIDEr higher on 0, lower on 1" in out
    assert out.count("split:dev@") == 2


def test_json_holds_the_same(artifacts, call):
    code, out, _ = call("large", "small", "--json", "--examples", 1, "--bootstrap", 50)
    content = json.loads(out)
    assert code == 0
    assert content["differing_settings"] == {"decoder.units": [512, 16]}
    assert [system["lead"] is None for system in content["systems"]] == [True, False]
    (example,) = content["examples"]
    assert example["captions"] == [CAPTIONS["sea/3"], OTHERS["sea/3"]]
    assert content["warnings"] == []


def test_folders_links_and_files_name_the_same_evaluation(artifacts, call):
    folder = next((artifacts / "evaluate").glob("small*"))
    (artifacts / "linked").mkdir()
    (artifacts / "linked" / "evaluate").symlink_to(folder)
    for name in (folder, folder / "captions.jsonl", artifacts / "small", "linked"):
        code, out, _ = call("large", name, "--json", "--bootstrap", 10)
        assert code == 0
        assert json.loads(out)["differing_settings"] == {"decoder.units": [512, 16]}


def test_captions_made_elsewhere_borrow_the_references(artifacts, call, tmp_path):
    (tmp_path / "mine.csv").write_text("1.jpg,a dog\n2.jpg,two men\n3.jpg,a ball\n")
    code, out, _ = call("large", "mine.csv", "--bootstrap", 10)
    assert code == 0
    assert "mine.csv: its settings are not known; there is no manifest" in out
    code, _, err = call("mine.csv", tmp_path / "mine.csv")
    assert code == 1
    assert "holds references, so there is nothing to score against" in err


@pytest.mark.parametrize("name", ["some.jsonl", "some.csv"])
def test_captions_of_some_images_need_the_images_in_common(artifacts, call, tmp_path, name):
    lines = {
        "some.jsonl": [json.dumps({"image_id": f"sea/{n}", "caption": "two men"}) for n in (3, 2)],
        "some.csv": ["sea/3,two men", "sea/2,two men"],
    }[name]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    for order in (["large", name], [name, "large"]):
        code, out, err = call(*order)
        assert (code, out) == (2, "")
        assert "2 images" in err
        assert "2 of them are the same" in err
        assert "--common" in err
        code, out, _ = call(*order, "--common", "--json", "--bootstrap", 10)
        assert code == 0
        content = json.loads(out)
        assert [own["scores"]["num_images"] for own in content["systems"]] == [2, 2]
        assert any("2 of 3" in warning for warning in content["warnings"])
    code, out, _ = call("large", name, "--anyway", "--bootstrap", 10)
    assert code == 0
    assert "B - A" not in out


def test_captions_of_no_image_are_told(artifacts, call, tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    for option, message in ((), "none.jsonl 0 images"), (("--common",), "No image is common"):
        code, out, err = call("large", "none.jsonl", *option)
        assert code != 0
        assert out == ""
        assert message in err
    code, _, err = call("large", "none.jsonl", "--anyway")
    assert code == 1
    assert "no image" in err.lower()


@pytest.mark.parametrize("references", ['"two men"', "[null, 1]", "null", "{}"], ids=str)
def test_references_that_are_no_list_of_captions_are_told(artifacts, call, tmp_path, references):
    """Text would otherwise be scored letter by letter."""
    line = f'{{"image_id": "sea/1", "caption": "a dog", "references": {references}}}\n'
    (tmp_path / "mine.jsonl").write_text(line)
    code, out, err = call("mine.jsonl", "large", "--anyway", "--bootstrap", 10)
    assert (code, out) == (1, "")
    assert "mine.jsonl:1" in err


def test_half_an_emoji_is_shown_as_it_is_written_in_json(artifacts, tmp_path):
    """On a real standard output: one made for tests takes any text."""
    path = tmp_path / "mine.jsonl"
    captions = {**CAPTIONS, "sea/3": "a \ud83d cat"}
    path.write_text(
        "".join(json.dumps({"image_id": k, "caption": v}) + "\n" for k, v in captions.items())
    )
    options = ["--bootstrap", "10", "--html", "page.html"]
    for option, shown in ([], "a \\ud83d cat"), (["--json"], "a \\ud83d cat"):
        command = [sys.executable, "-m", "captioner", "compare", "large", "mine.jsonl"]
        result = subprocess.run(
            [*command, *options, *option], cwd=tmp_path, capture_output=True, check=True
        )
        assert shown in result.stdout.decode()
    assert json.loads(result.stdout)["examples"][0]["captions"][1] == "a \ud83d cat"
    assert "\\ud83d" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_pipeline_may_be_named_by_its_file(artifacts, call, tmp_path):
    (tmp_path / "small.toml").write_text("[train]\nepochs = 1\n")
    code, out, _ = call("large", "small.toml", "--bootstrap", 10)
    assert code == 0
    assert "decoder.units" in out


def test_another_split_is_refused_in_words(artifacts, call):
    elsewhere = {"lake/7": ["a boat on a lake", "the boat"], "sea/1": REFERENCES["sea/1"]}
    captions = {"lake/7": "a boat on a lake", "sea/1": "a dog"}
    write_evaluation(artifacts, "tested", captions, split="test", references=elsewhere)
    code, out, err = call("large", "tested")
    assert (code, out) == (2, "")
    assert "3 images of split dev and tested 2 images of split test; 1 of them are the same" in err
    code, out, _ = call("large", "tested", "--anyway", "--bootstrap", 10)
    assert code == 0
    assert "B - A" not in out
    assert "Warning: large captioned 3 images" in out
    code, out, _ = call("large", "tested", "--common", "--bootstrap", 10)
    assert code == 0
    assert "Scored on the images that all systems captioned: 1 of 3." in out


def test_scores_of_another_signature_or_of_other_captions_are_noticed(artifacts, call):
    path = next((artifacts / "evaluate").glob("small*")) / "scores.json"
    stored = json.loads(path.read_text())
    stored["model"]["coco"]["signature"]["tokeniser"] = "captioner-0"
    path.write_text(json.dumps(stored))
    code, out, _ = call("large", "small", "--bootstrap", 10)
    assert code == 0
    assert "another signature (tokeniser 'captioner-0', now 'captioner-1')" in out
    shutil.copy(next((artifacts / "evaluate").glob("large*")) / "scores.json", path)
    _, out, _ = call("large", "small", "--bootstrap", 10)
    assert "do not give the scores in its scores.json" in out


def test_a_page_is_written_beside_the_table(artifacts, call, tmp_path):
    code, out, err = call("large", "small", "--bootstrap", 10, "--html", "page.html")
    assert code == 0
    assert err == "page.html: the comparison as a page\n"
    assert "scores x 100" in out
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>large and small: comparison</title>" in html
    assert "was never known" in html, "no evaluation says where the photographs are"
    code, out, err = call("large", "small", "--html", "no/page.html")
    assert (code, out) == (2, "")
    assert err == "captioner: no/page.html cannot be written: there is no folder no.\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["large", "smal"], "Did you mean 'small'?"),
        (["large", "quickstart"], "Pipeline 'quickstart' has not been evaluated"),
        (["large"], "Name two different systems"),
        (["large", "large"], "large twice"),
        ([], "Missing argument"),
    ],
)
def test_slips_exit_2_and_say_what_there_is(artifacts, call, names, message):
    code, out, err = call(*names)
    assert (code, out) == (2, "")
    assert message in err


def test_a_damaged_file_is_named_with_its_line(artifacts, call):
    path = next((artifacts / "evaluate").glob("small*")) / "captions.jsonl"
    path.write_text(path.read_text() + "{broken\n")
    code, _, err = call("large", "small")
    assert code == 1
    assert f"{path}:4: this line is no JSON".replace(str(artifacts.parent) + "/", "") in err
