"""The artifacts folder: finished results under their fingerprints, never half-written.

    artifacts/<stage>/<fingerprint>/            outputs, manifest.json, collections.json
    artifacts/<stage>/.staging-<fingerprint>/   a stage at work, or interrupted
    artifacts/<pipeline>/<stage>                link to the current artifact of a pipeline
    artifacts/<pipeline>/pipeline.json          the same as a file

A folder's name holds the first 16 digits of the fingerprint; its manifest holds all 64.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.errors import ArtifactError
from captioner.files import parse_json, sync_file, sync_folder, write_json
from captioner.pipeline.collections_file import read_collections, write_collections
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.fingerprint import explain_change, summarise
from captioner.pipeline.stage import Stage

MANIFEST = "manifest.json"
POINTERS = "pipeline.json"
_STAGING = ".staging-"
_RETIRED = ".retired-"
_NAME_DIGITS = 16


@dataclass(frozen=True)
class Artifact:
    """A finished result of one stage."""

    stage: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """The full SHA-256 of the stage's inputs."""
        return str(self.manifest["fingerprint"])

    @property
    def num_failures(self) -> int:
        """How many inputs the stage had to leave out."""
        return int(self.manifest.get("num_failures", 0))

    def inputs(self) -> dict[str, Any]:
        """Returns the inputs it was made from, collections included."""
        return {**self.manifest["inputs"], **read_collections(self.folder)}


class DamagedArtifactError(ArtifactError):
    """An artifact's files are not the ones that its manifest vouches for."""


class ArtifactStore:
    """Finds, seals, points to and removes artifacts in one folder.

    Args:
        root: the artifacts folder; made when something is first written.
        digests: remembers the digests of outputs that were checked before.
    """

    def __init__(self, root: Path, digests: DigestCache) -> None:
        self.root = root
        self._digests = digests
        self._changes: dict[tuple[str, str], tuple[str, ...]] = {}  # from, to -> in words

    def find(self, stage: str, fingerprint: str) -> Artifact | None:
        """Returns the whole artifact with this fingerprint, or None where there is none.

        Raises:
            DamagedArtifactError: there is one, but its files are not what they should be.
        """
        folder = self.folder(stage, fingerprint)
        if not folder.is_dir():
            return None
        artifact = read_artifact(stage, folder)
        if artifact.fingerprint != fingerprint:
            raise DamagedArtifactError(f"{folder / MANIFEST} belongs to another fingerprint")
        self._check_outputs(artifact)
        return artifact

    def list_whole(self, stage: str) -> list[Artifact]:
        """Returns the undamaged artifacts of a stage, newest first."""
        found = []
        for folder in _subfolders(self.root / stage):
            with contextlib.suppress(DamagedArtifactError):
                artifact = read_artifact(stage, folder)
                self._check_outputs(artifact)
                found.append(artifact)
        return sorted(found, key=lambda artifact: artifact.manifest["created"], reverse=True)

    def folder(self, stage: str, fingerprint: str) -> Path:
        """Returns where the artifact lies once it is finished."""
        return self.root / stage / fingerprint[:_NAME_DIGITS]

    def staging(self, stage: str, fingerprint: str) -> Path:
        """Returns where the artifact is made; it exists while a stage works or is interrupted."""
        return self.root / stage / f"{_STAGING}{fingerprint[:_NAME_DIGITS]}"

    def _retired(self, stage: str, fingerprint: str) -> Path:
        return self.root / stage / f"{_RETIRED}{fingerprint[:_NAME_DIGITS]}"

    def recover(self) -> None:
        """Puts back artifacts whose replacement was cut short. Call while holding the lock."""
        for retired in self.root.glob(f"*/{_RETIRED}*"):
            final = retired.with_name(retired.name.removeprefix(_RETIRED))
            if not final.exists():
                os.replace(retired, final)

    def seal(self, stage: Stage, facts: Mapping[str, Any]) -> Artifact:
        """Turns a stage's staging folder into its artifact, replacing an older one if need be.

        Args:
            stage: the stage that has finished its work.
            facts: what else the manifest records: summary, seconds, versions, ...

        Raises:
            OSError: the disk is full or read-only; the older artifact is still there.
        """
        fingerprint = stage.fingerprint()
        staging = self.staging(stage.name, fingerprint)
        write_collections(staging, stage.inputs)
        outputs = {name: self._vouch(staging / name) for name in _output_names(staging)}
        manifest = {
            "stage": stage.name,
            "schema": stage.schema,
            "fingerprint": fingerprint,
            "inputs": summarise(stage.inputs),
            "outputs": outputs,
            **facts,
        }
        write_json(staging / MANIFEST, manifest)
        self._swap_in(stage.name, fingerprint, staging)
        return Artifact(stage.name, self.folder(stage.name, fingerprint), manifest)

    def point(self, pipeline: str, current: Mapping[str, Artifact]) -> None:
        """Shows the current artifact of each stage under `artifacts/<pipeline>/`."""
        folder = self.root / pipeline
        folder.mkdir(parents=True, exist_ok=True)
        pointers = {**self.pointers(pipeline)}
        pointers |= {stage: artifact.fingerprint for stage, artifact in current.items()}
        if pointers != self.pointers(pipeline):
            write_json(folder / POINTERS, pointers)
        for stage, artifact in current.items():
            _link(folder / stage, artifact.folder)

    def pointers(self, pipeline: str) -> dict[str, str]:
        """Returns stage -> fingerprint of what a pipeline made last; empty if it never ran."""
        with contextlib.suppress(OSError, ValueError):
            pointers = parse_json((self.root / pipeline / POINTERS).read_text(encoding="utf-8"))
            if isinstance(pointers, dict) and all(isinstance(v, str) for v in pointers.values()):
                return pointers
        return {}

    def last_change(self, pipeline: str, stage: Stage) -> tuple[str, ...]:
        """Says in words what differs from what a pipeline made last in a stage.

        Nothing where it made nothing that is still there. Compared once, since a run asks
        three times and the inputs may be hundreds of thousands.
        """
        before = self.pointers(pipeline).get(stage.name)
        if before is None:
            return ()
        key = (before, stage.fingerprint())
        if key not in self._changes:
            self._changes[key] = self._compare(self.folder(stage.name, before), stage)
        return self._changes[key]

    def _compare(self, folder: Path, stage: Stage) -> tuple[str, ...]:
        try:
            before = read_artifact(stage.name, folder).inputs()
        except (ArtifactError, OSError, ValueError, KeyError):
            return ()
        return tuple(explain_change(before, stage.inputs)) or ("its format changed",)

    def unreferenced(self) -> list[Path]:
        """Returns the folders of artifacts and leftovers that no pipeline points to.

        Raises:
            ArtifactError: it cannot be told what a pipeline points to.
        """
        pipelines = [path.parent.name for path in self.root.glob(f"*/{POINTERS}")]
        kept = {folder for pipeline in pipelines for folder in self._pointed_to(pipeline)}
        kept |= self._linked()
        stages = [folder for folder in _subfolders(self.root) if folder.name not in pipelines]
        return sorted(
            candidate
            for stage in stages
            for candidate in _subfolders(stage, hidden=True)
            if candidate.resolve() not in kept and _is_artifact_name(candidate.name)
        )

    def _pointed_to(self, pipeline: str) -> set[Path]:
        pointers = self.pointers(pipeline)
        if not pointers:  # it is written with at least one
            raise ArtifactError(
                f"{self.root / pipeline / POINTERS} is damaged, so it cannot be told what "
                f"{pipeline} made last. `captioner run` of that pipeline writes it anew; if its "
                "results may go, remove that folder."
            )
        return {self.folder(*pointer).resolve() for pointer in pointers.items()}

    def _linked(self) -> set[Path]:
        """Returns what links show as a pipeline's, even where its file of pointers has gone."""
        links = (path for folder in _subfolders(self.root) for path in folder.iterdir())
        return {path.resolve() for path in links if path.is_symlink()}

    def save_digests(self) -> None:
        """Remembers the digests that were computed, for the next run."""
        self._digests.save()

    def _check_outputs(self, artifact: Artifact) -> None:
        for name, vouched in artifact.manifest["outputs"].items():
            path = artifact.folder / name
            try:
                digest = self._digests.digest(path)
            except OSError as error:
                raise DamagedArtifactError(f"{path} cannot be read: {error.strerror}") from error
            if digest != vouched["sha256"]:
                raise DamagedArtifactError(f"{path} was changed after it was made")

    def _vouch(self, path: Path) -> dict[str, Any]:
        sync_file(path)
        return {"bytes": path.stat().st_size, "sha256": self._digests.digest(path)}

    def _swap_in(self, stage: str, fingerprint: str, staging: Path) -> None:
        final, retired = self.folder(stage, fingerprint), self._retired(stage, fingerprint)
        sync_folder(staging)
        if final.exists():
            shutil.rmtree(retired, ignore_errors=True)
            os.replace(final, retired)
        os.replace(staging, final)
        sync_folder(final.parent)
        shutil.rmtree(retired, ignore_errors=True)


def read_artifact(stage: str, folder: Path) -> Artifact:
    """Reads an artifact's manifest; its outputs are not checked.

    Raises:
        DamagedArtifactError: the manifest is missing or not a manifest.
    """
    path = folder / MANIFEST
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        _check_manifest(manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArtifactError(f"{path} is not a whole manifest") from error
    return Artifact(stage, folder, manifest)


def _check_manifest(manifest: Any) -> None:
    """Raises TypeError or KeyError where something that is read of a manifest is not there."""
    inputs, outputs = manifest["inputs"], manifest["outputs"]
    if not (isinstance(inputs, dict) and isinstance(outputs, dict)):
        raise TypeError("inputs and outputs have names")
    texts = [manifest[key] for key in ("fingerprint", "created", "summary")]
    texts += [vouched["sha256"] for vouched in outputs.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("fingerprints, times, summaries and digests are text")


def folder_bytes(folder: Path) -> int:
    """Returns the size of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _output_names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files if path.name != MANIFEST)


def _subfolders(folder: Path, *, hidden: bool = False) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and (hidden or not path.name.startswith(".")):
            yield path


def _is_artifact_name(name: str) -> bool:
    digits = name.removeprefix(_STAGING).removeprefix(_RETIRED)
    return len(digits) == _NAME_DIGITS and set(digits) <= set("0123456789abcdef")


def _link(link: Path, target: Path) -> None:
    """Points `link` at `target`, in one step; where links are not to be had, pointers suffice."""
    relative = os.path.relpath(target, link.parent)
    with contextlib.suppress(OSError):
        if link.is_symlink() and os.readlink(link) == relative:
            return
    temporary = link.with_name(f".{link.name}.new")
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(relative, target_is_directory=True)
        os.replace(temporary, link)
