"""The command line as a person meets it: help, slips, exit codes, speed of start-up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.cli.app import COMMANDS, INTERRUPTED, run_command_line
from captioner.errors import CaptionerError, ConfigError

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def call(capsys):
    """Runs a command in this process and returns (exit code, stdout, stderr)."""

    def run(*arguments):
        code = run_command_line([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_ends_in_examples(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"captioner {command}" in out.partition("Examples:")[2]


def test_the_list_of_commands_is_complete(call):
    _, out, _ = call("--help")
    for command, summary in COMMANDS.items():
        assert f"{command} " in out
        assert summary.split()[0] in out
    modules = {path.stem for path in (PROJECT / "captioner" / "cli").glob("*.py")}
    assert set(COMMANDS) <= modules


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rnu",), "Did you mean 'run'?"),
        (("run", "--stage", "fly"), "'fly' is not one of"),
        (("run", "--frmo", "train"), "No such option"),
        (("run", "nowhere.toml"), "There is no pipeline file nowhere.toml"),
        (("run", "--set", "train.epohcs=3"), "Did you mean 'epochs'?"),
        (("status", "nothing"), "no pipeline named 'nothing'"),
        (("clean", "--artifacts", "/nowhere/at/all"), "no artifacts folder"),
        (("data", "flickr9k", "--to", "x"), "'flickr9k' is not"),
    ],
)
def test_a_slip_is_told_in_words_and_exits_2(call, arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [(CaptionerError("x"), 1), (ConfigError("x"), 2), (KeyboardInterrupt(), INTERRUPTED)],
)
def test_exit_codes(monkeypatch, call, error, code):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("captioner.cli.app.captioner.main", fail)
    assert call("run")[0] == code


def test_an_interrupt_within_a_string_of_code_still_exits_130(tmp_path):
    """Importing a module with dataclasses runs such strings; a process killed by 2 has no code."""
    (tmp_path / "interrupted.py").write_text(
        "import signal, sys\n"
        "from captioner.cli import app\n"
        "app.captioner.main = lambda *_, **__: exec('signal.raise_signal(signal.SIGINT)')\n"
        "sys.exit(app.run_command_line([]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (result.returncode, result.stderr) == (INTERRUPTED, "captioner: interrupted\n")


def test_tensorflow_is_not_loaded_for_help_or_import():
    script = (
        "import sys, captioner; from captioner.cli.app import run_command_line; "
        "run_command_line(['--help']); run_command_line(['status', '--help']);"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'nltk')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_python_dash_m_runs_it():
    result = subprocess.run(
        [sys.executable, "-m", "captioner", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("captioner, version ")


def test_a_reader_that_leaves_early_is_no_fault():
    command = f"{sys.executable} -m captioner --help | true"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert result.stderr == b""
