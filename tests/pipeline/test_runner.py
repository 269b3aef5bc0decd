"""The runner on toy stages: what runs, what is kept, what is said, what survives."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from captioner.errors import ArtifactError, CaptionerError, LockedError, UsageError
from captioner.pipeline import artifacts
from captioner.pipeline.artifacts import ArtifactStore
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.fingerprint import Collection
from captioner.pipeline.lock import hold_lock
from captioner.pipeline.plan import Selection, Verdict
from captioner.pipeline.runner import Runner
from captioner.pipeline.stage import Stage, StageOutcome


class ToyPipeline:
    """Two stages: `grind` writes a word, `brew` writes the word twice. Counts what runs."""

    def __init__(self, root):
        self.root = root
        self.ran = []
        self.said = []
        self.word = "bean"
        self.beans = {"a": "1"}
        self.fail_in = None

    def stages(self):
        inputs = {"word": self.word, "beans": Collection("bean", dict(self.beans))}
        grind = Stage("grind", 1, inputs, self._grind, reuse_on=("word",))
        brew = Stage("brew", 1, {**inputs, "twice": True}, self._brew, needs=("grind",))
        return [grind, brew]

    def store(self):
        return ArtifactStore(self.root, DigestCache(self.root / ".digests.sqlite"))

    def runner(self):
        return Runner(self.stages(), self.store(), "toy", self.said.append)

    def run(self, **selection):
        self.ran.clear()
        return self.runner().run(Selection(**selection))

    def _grind(self, run):
        self._note("grind", run)
        (run.folder / "ground.txt").write_text(self.word)
        return StageOutcome(f"ground {self.word}", num_failures=self.word.count("x"))

    def _brew(self, run):
        self._note("brew", run)
        (run.folder / "cup.txt").write_text((run.needs["grind"] / "ground.txt").read_text() * 2)
        return StageOutcome("brewed")

    def _note(self, name, run):
        self.ran.append(name)
        self.earlier = run.earlier
        if self.fail_in == name:
            (run.folder / "half.txt").write_text("half")
            raise CaptionerError(f"{name} broke")


@pytest.fixture
def toy(tmp_path):
    return ToyPipeline(tmp_path / "artifacts")


def test_a_second_run_executes_nothing(toy):
    assert toy.run().executed == ("grind", "brew")
    assert toy.run().executed == ()
    assert toy.ran == []
    assert (toy.root / "toy" / "brew" / "cup.txt").read_text() == "beanbean"


def test_going_back_to_earlier_settings_restores_the_earlier_artifact(toy):
    toy.run()
    toy.word = "leaf"
    toy.run()
    assert (toy.root / "toy" / "brew" / "cup.txt").read_text() == "leafleaf"
    toy.word = "bean"
    assert toy.run().executed == ()
    assert (toy.root / "toy" / "brew" / "cup.txt").read_text() == "beanbean"


def test_the_reason_is_told_in_words(toy):
    toy.run()
    toy.beans = {"a": "1", "b": "2", "c": "3"}
    grind, brew = toy.runner().examine()
    assert str(grind) == str(brew) == "stale, 2 beans added"
    toy.word = "leaf"
    assert 'word changed from "bean" to "leaf"' in str(toy.runner().examine()[0])


def test_inputs_are_compared_once_in_a_run(toy, monkeypatch):
    toy.run()
    toy.word = "leaf"
    compared = []
    explain_change = artifacts.explain_change
    monkeypatch.setattr(
        artifacts, "explain_change", lambda *both: compared.append(both) or explain_change(*both)
    )
    assert toy.run().executed == ("grind", "brew")
    assert len(compared) == 2


def test_before_the_first_run_nothing_is_stale(toy):
    assert [state.verdict for state in toy.runner().examine()] == [Verdict.MISSING] * 2


def test_a_failed_stage_keeps_what_it_had_done_and_continues(toy):
    toy.fail_in = "brew"
    with pytest.raises(CaptionerError, match="brew broke"):
        toy.run()
    state = toy.runner().examine()[1]
    assert state.verdict is Verdict.INTERRUPTED
    assert (toy.store().staging("brew", state.stage.fingerprint()) / "half.txt").exists()
    toy.fail_in = None
    assert toy.run().executed == ("brew",)


def test_stage_runs_what_it_needs_and_nothing_else(toy):
    assert toy.run(stage="grind").executed == ("grind",)
    toy.word = "leaf"
    assert toy.run(stage="brew").executed == ("grind", "brew")


def test_from_needs_the_stages_above_to_be_up_to_date(toy):
    with pytest.raises(UsageError, match="'brew' needs the result of 'grind', which is not yet"):
        toy.run(first="brew")
    toy.run(until="grind")
    assert toy.run(first="brew").executed == ("brew",)


def test_force_runs_the_selected_stages_alone(toy):
    toy.run()
    assert toy.run(stage="brew", force=True).executed == ("brew",)
    assert toy.run(force=True).executed == ("grind", "brew")


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"stage": "roast"}, "no stage 'roast'"),
        ({"stage": "brew", "until": "brew"}, "leave out --from"),
        ({"first": "brew", "until": "grind"}, "comes after"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(toy, selection, message):
    with pytest.raises(UsageError, match=message):
        toy.run(**selection)


def test_a_forced_run_that_fails_leaves_the_old_artifact(toy):
    toy.run()
    toy.fail_in = "brew"
    with pytest.raises(CaptionerError):
        toy.run(stage="brew", force=True)
    assert (toy.root / "toy" / "brew" / "cup.txt").read_text() == "beanbean"


MANIFESTS_OF_OTHER_SHAPES = {
    "outputs in a list": {"outputs": []},
    "an output without a digest": {"outputs": {"ground.txt": {"bytes": 4}}},
    "a number for a summary": {"summary": 7},
    "inputs in a list": {"inputs": []},
    "no time": {"created": None},
}


@pytest.mark.parametrize(
    "change", MANIFESTS_OF_OTHER_SHAPES.values(), ids=MANIFESTS_OF_OTHER_SHAPES
)
def test_a_manifest_of_another_shape_is_damage(toy, change):
    toy.run()
    path = toy.root / "toy" / "grind" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert toy.runner().examine()[0].verdict is Verdict.DAMAGED
    assert toy.run().executed == ("grind",)


def test_what_a_killed_writer_left_is_no_part_of_the_artifact(toy):
    toy.fail_in = "brew"
    with pytest.raises(CaptionerError):
        toy.run()
    staging = toy.store().staging("brew", toy.stages()[1].fingerprint())
    (staging / "deep").mkdir()
    for name in (".cup.txt.k2x9.tmp", "deep/.cup.txt.a8d1.tmp"):
        (staging / name).write_text("ha")
    toy.fail_in = None
    artifact = toy.run().artifacts["brew"]
    assert sorted(artifact.manifest["outputs"]) == ["collections.json", "cup.txt", "half.txt"]


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_a_damaged_artifact_is_said_aloud_and_made_again(toy, damage):
    toy.run()
    folder = (toy.root / "toy" / "grind").resolve()
    match damage:
        case "change":
            (folder / "ground.txt").write_text("weed")
        case "remove":
            (folder / "ground.txt").unlink()
        case "manifest":
            (folder / "manifest.json").write_text('{"fingerprint": ')
    assert toy.runner().examine()[0].verdict is Verdict.DAMAGED
    assert toy.run().executed == ("grind",)
    assert any(line.startswith("grind     damaged, ") for line in toy.said)
    assert (toy.root / "toy" / "grind" / "ground.txt").read_text() == "bean"


def test_a_replacement_that_was_cut_short_is_put_right(toy):
    toy.run()
    folder = (toy.root / "toy" / "grind").resolve()
    folder.rename(folder.with_name(f".retired-{folder.name}"))
    assert toy.run().executed == ()
    assert (folder / "ground.txt").exists()


def test_earlier_artifacts_are_offered_when_they_agree(toy):
    toy.run()
    toy.beans["b"] = "2"
    toy.run(stage="grind")
    assert len(toy.earlier) == 1
    toy.word = "leaf"
    toy.run(stage="grind")
    assert toy.earlier == ()


def test_a_damaged_earlier_artifact_is_not_offered(toy):
    toy.run()
    (toy.root / "toy" / "grind" / "ground.txt").write_text("weed")
    toy.beans["b"] = "2"
    toy.run(stage="grind")
    assert toy.earlier == ()


def test_failures_are_counted_also_when_nothing_runs(toy):
    toy.word = "xx"
    assert toy.run().num_failures == 2
    assert toy.run().num_failures == 2


def test_the_manifest_records_how_it_was_made(toy):
    artifact = toy.run().artifacts["brew"]
    manifest = json.loads((artifact.folder / "manifest.json").read_text())
    assert manifest["fingerprint"] == toy.stages()[1].fingerprint()
    assert manifest["inputs"]["word"] == "bean"
    assert set(manifest["outputs"]) == {"cup.txt", "collections.json"}
    assert manifest["versions"]["python"]
    assert manifest["seconds"] >= 0


def test_a_second_run_at_the_same_time_names_the_holder(toy):
    with hold_lock(toy.root), pytest.raises(LockedError, match=f"process {os.getpid()} on"):
        toy.run()
    toy.run()


def test_an_up_to_date_run_needs_no_lock(toy):
    toy.run()
    with hold_lock(toy.root):
        assert toy.run().executed == ()


def test_a_folder_that_cannot_be_made_is_an_artifact_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="Cannot write to the artifacts folder"):
        ToyPipeline(tmp_path / "file" / "artifacts").run()


def test_a_full_disk_is_told_and_what_was_done_is_kept(toy, monkeypatch):
    def full(_run):
        raise OSError(28, "No space left on device", "ground.txt")

    stages = toy.stages()
    stages[0] = replace(stages[0], run=full)
    with pytest.raises(ArtifactError, match=r"'grind' could not go on: No space left .*ground.txt"):
        Runner(stages, toy.store(), "toy", toy.said.append).run(Selection())


def test_unreferenced_lists_old_artifacts_and_leftovers_only(toy):
    toy.run()
    toy.word = "leaf"
    toy.fail_in = "brew"
    with pytest.raises(CaptionerError):
        toy.run()
    names = [folder.name for folder in toy.store().unreferenced()]
    old_grind = toy.word  # the old grind and the half-made brew; the old brew is still current
    assert len(names) == 2, old_grind
    assert sum(name.startswith(".staging-") for name in names) == 1


@pytest.mark.parametrize("content", ["", "null", "[1]", '{"grind": 1}', "\0" * 40])
def test_nothing_is_unreferenced_where_a_pipeline_cannot_be_read(toy, content):
    toy.run()
    (toy.root / "toy" / "pipeline.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"pipeline\.json is damaged.*what toy made last"):
        toy.store().unreferenced()
    assert toy.run().executed == ()  # which writes it anew
    assert toy.store().unreferenced() == []


def test_links_tell_what_a_pipeline_made_where_its_file_has_gone(toy):
    toy.run()
    (toy.root / "toy" / "pipeline.json").unlink()
    assert toy.store().unreferenced() == []


KILLED_STAGE = """
    import os, signal, sys
    from pathlib import Path
    from captioner.pipeline.artifacts import ArtifactStore
    from captioner.pipeline.digests import DigestCache
    from captioner.pipeline.plan import Selection
    from captioner.pipeline.runner import Runner
    from captioner.pipeline.stage import Stage, StageOutcome

    root = Path(sys.argv[1])

    def count(run):
        path = run.folder / "count.txt"
        done = len(path.read_text()) if path.exists() else 0
        with open(path, "a") as file:
            for _ in range(done, 3):
                file.write("x")
                file.flush()
                if sys.argv[2] == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
        return StageOutcome("counted")

    store = ArtifactStore(root, DigestCache(root / ".digests.sqlite"))
    Runner([Stage("count", 1, {}, count)], store, "toy", print).run(Selection())
"""


def test_a_killed_run_lets_go_of_the_lock_and_is_continued(tmp_path):
    script = textwrap.dedent(KILLED_STAGE)
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", script, tmp_path, "kill"], check=False)
        assert killed.returncode == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", script, tmp_path, "finish"], check=True)
    assert (tmp_path / "toy" / "count" / "count.txt").read_text() == "xxx"
