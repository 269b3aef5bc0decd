"""A pipeline file as typed, validated objects.

    pipeline = Pipeline.load("quickstart", ["train.epochs=3"])

Every default is the best value known, so a short file is a good file. All faults of a file and
its overrides are reported together, each with the key, the value, what is allowed and the
nearest known name.
"""

import os
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from captioner.config_faults import describe_faults
from captioner.errors import ConfigError
from captioner.names import nearest
from captioner.settings import PRETRAINED, STAGE_NAMES, Settings
from captioner.settings_faults import (
    PATH_KEYS,
    find_dataset_faults,
    find_feature_faults,
    find_path_faults,
    find_pretrain_faults,
)

_RESERVED_NAMES = (*STAGE_NAMES, "datasets")


class Pipeline:
    """A named set of settings: what `captioner run` runs.

    Args:
        name: under which results are shown in the artifacts folder.
        settings: the validated sections.
        source: the file it was read from, if any.
        overrides: the `section.key=value` that were put over the file's settings.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        source: Path | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = settings
        self.source = source
        self.overrides = tuple(overrides)

    @classmethod
    def load(
        cls, source: str | Path, overrides: Sequence[str] = (), *, check_paths: bool = False
    ) -> "Pipeline":
        """Reads and validates a pipeline file.

        Args:
            source: a path, or the name of a pipeline that ships with the package.
            overrides: `section.key=value` each; values are written as in TOML, and text needs
                no quotes.
            check_paths: also report paths that do not exist.

        Raises:
            ConfigError: with every fault of the file and the overrides.

        Example:

        >>> Pipeline.load("quickstart", ["train.epochs=3"]).settings.train.epochs
        3
        """
        path = find_pipeline(source)
        faults = _name_faults(path.stem)
        raw, override_faults = _override(_read_toml(path), overrides)
        faults += override_faults
        raw = _name_trained_encoder(_expand_home(raw))
        settings: Settings | None = None
        try:
            settings = Settings.model_validate(raw)
        except ValidationError as error:
            faults += describe_faults(error, Settings)
        faults += [*find_dataset_faults(raw), *find_pretrain_faults(raw)]
        if settings is not None:
            faults += find_feature_faults(settings)
        if check_paths:
            faults += find_path_faults(raw)
        if faults or settings is None:
            raise ConfigError(_faults_text(path, faults))
        return cls(path.stem, settings, path, overrides)

    def command(self) -> str | None:
        """Returns the command line that runs this pipeline; None if it was made in Python."""
        if self.source is None:
            return None
        is_shipped = self.source.parent == _shipped_folder()
        name = self.name if is_shipped else os.fspath(self.source)
        settings = [word for override in self.overrides for word in ("--set", override)]
        return shlex.join(["captioner", "run", name, *settings])


def list_pipelines() -> list[Path]:
    """Returns the pipeline files that ship with the package, by name."""
    return sorted(_shipped_folder().glob("*.toml"))


def find_pipeline(source: str | Path) -> Path:
    """Returns the file of a pipeline given by path or by name.

    Raises:
        ConfigError: there is no such file, and no shipped pipeline of that name.
    """
    text = os.fspath(source)
    if text.endswith(".toml") or os.sep in text:
        if Path(text).is_file():
            return Path(text)
        raise ConfigError(f"There is no pipeline file {text}. {_known_pipelines(Path(text).stem)}")
    shipped = _shipped_folder() / f"{text}.toml"
    if shipped.is_file():
        return shipped
    raise ConfigError(f"There is no pipeline named '{text}'. {_known_pipelines(text)}")


def _name_faults(name: str) -> list[str]:
    if name in _RESERVED_NAMES:
        return [f"the file's name '{name}' is taken in the artifacts folder; rename the file"]
    return []


def _override(raw: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Returns `raw` with the overrides in it, and the faults of those that are not of the form."""
    merged = {name: dict(v) if isinstance(v, dict) else v for name, v in raw.items()}
    faults = []
    for override in overrides:
        path, equals, text = override.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (equals and dot and section and key):
            faults.append(f"--set {override}: expected section.key=value, as in train.epochs=3")
        elif not isinstance(merged.setdefault(section, {}), dict):
            faults.append(f"--set {override}: [{section}] is not a section")
        else:
            merged[section][key] = _parse_value(text.strip())
    return merged, faults


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # words and paths need no quotes on a command line


def _expand_home(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns `raw` with `~` in paths replaced: a shell does not do so behind `key=`."""
    expanded = {name: dict(v) if isinstance(v, dict) else v for name, v in raw.items()}
    for section, key in PATH_KEYS:
        values = expanded.get(section)
        if isinstance(values, dict) and isinstance(values.get(key), str):
            values[key] = os.path.expanduser(values[key])
    return expanded


def _name_trained_encoder(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns `raw` with the encoder that [pretrain] trains as the one that is used."""
    backbone = raw.get("backbone", {})
    if not isinstance(raw.get("pretrain"), dict) or not isinstance(backbone, dict):
        return raw
    return {**raw, "backbone": {"weights": PRETRAINED, **backbone}}


def _faults_text(path: Path, faults: Sequence[str]) -> str:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return "\n  ".join([f"{path} has {count}:", *faults])


def _shipped_folder() -> Path:
    package = Path(__file__).parent
    installed = package / "pipelines"
    return installed if installed.is_dir() else package.parent / "pipelines"


def _known_pipelines(name: str) -> str:
    names = [path.stem for path in list_pipelines()]
    return f"Shipped with captioner: {', '.join(names)}.{nearest(name, names)}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
