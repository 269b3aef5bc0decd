"""README, pipeline headers and help say what the program does, and nothing else."""

import itertools
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from captioner.cli.app import COMMANDS, captioner
from captioner.config import Pipeline, list_pipelines
from captioner.settings import STAGE_NAMES

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
HEADERS = {
    path.name: path.read_text(encoding="utf-8").partition("\n\n[")[0] for path in list_pipelines()
}


def commands_in(text):
    """Yields every `captioner ...` command line in a text."""
    pattern = r"(?:^ *|`|python -m |# +)captioner ((?:[a-z]+)(?: [^`\n]*)?)"
    for match in re.finditer(pattern, text, flags=re.MULTILINE):
        yield re.split(r"   +|#", match[1])[0].strip()


def help_texts():
    context = click.Context(captioner, info_name="captioner")
    for name in COMMANDS:
        yield name, captioner.get_command(context, name).get_help(context)


SHOWN = sorted(
    {
        command
        for text in [README, *HEADERS.values(), *(text for _, text in help_texts())]
        for command in commands_in(text)
        if command.split()[0] in COMMANDS or "--" in command
    }
)


def test_commands_are_found_in_the_texts():
    assert len(SHOWN) > 20


@pytest.mark.parametrize("shown", SHOWN)
def test_every_command_shown_exists_with_its_options(shown):
    name, *arguments = shlex.split(shown)
    assert name in COMMANDS
    command = captioner.get_command(click.Context(captioner), name)
    known = {option for parameter in command.params for option in parameter.opts}
    for argument in arguments:
        if argument.startswith("-") and argument != "-":
            assert argument.split("=")[0] in known, f"{name} has no {argument}"


@pytest.mark.parametrize("shown", [text for text in SHOWN if "--set" in text])
def test_every_setting_shown_exists(shown):
    words = shlex.split(shown)
    for option, setting in itertools.pairwise(words):
        if option == "--set":
            overrides = [setting.replace("PATH", ".")]
            Pipeline.load("quickstart", overrides)


def test_every_command_is_in_the_readme():
    for name in COMMANDS:
        assert f"captioner {name}" in README


def test_every_shipped_pipeline_is_in_the_readme_with_its_encoder_and_decoder():
    joint = "efficientnet_lite0+efficientnet_lite1+efficientnet_lite2"
    titles = {"efficientnet_lite0": "EfficientNet-Lite0", "vgg16": "VGG16"}
    titles[joint] = "EfficientNet-Lite0, 1 and 2 side by side"
    for path in list_pipelines():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{path.stem}`"))
        settings = Pipeline.load(path).settings
        assert titles[settings.backbone.name] in row
        assert row.rstrip(" |").endswith(settings.decoder.kind)


def test_every_header_tells_command_data_and_cost():
    for name, header in HEADERS.items():
        stem = name.removesuffix(".toml")
        assert header.startswith(f"# {stem}: ")
        assert f"captioner run {stem}" in header
        for word in ("# Data ", "# Cost "):
            assert word in header, name


def test_every_stage_is_in_the_readme():
    for stage in STAGE_NAMES:
        assert f"| {stage} |" in README


def test_there_are_exactly_two_commands_that_set_up_everything():
    setups = re.findall(r"^pip install .*$", README, flags=re.MULTILINE)
    assert setups == [
        "pip install . && python -m captioner run",
        "pip install '.[test]' && python -m pytest -n auto",
    ]


def test_no_figure_was_left_open():
    for text in (README, *HEADERS.values()):
        assert not re.search(r"@\w+@", text)


def test_the_pipeline_in_the_readme_is_valid(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "my.toml"
    path.write_text(block)
    assert Pipeline.load(path).settings.dataset.format == "table"
    formats = re.search(r"# (scenes, .*)", block)[1].split(", ")
    from captioner.datasets.formats import FORMATS

    assert formats == list(dict.fromkeys(formats))
    assert set(formats) == set(FORMATS)


def test_the_extras_are_those_of_the_package():
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert {"heif", "test"} <= set(extras["optional-dependencies"])
