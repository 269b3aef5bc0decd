"""Where the decoders of an ensemble lie. Reading this module loads no TensorFlow."""

from pathlib import Path

_MEMBERS = "members"  # beside an ensemble's first decoder, the folder of the others: 1, 2 ...


def list_members(folder: Path) -> list[Path]:
    """Returns the folders of all decoders in the folder of a decoder or an ensemble, in order."""
    others = [path for path in folder.glob(f"{_MEMBERS}/*") if path.name.isdigit()]
    return [folder, *sorted(others, key=lambda path: int(path.name))]


def member_folder(folder: Path, member: int) -> Path:
    """Returns where a decoder of an ensemble belongs: the first in `folder` itself."""
    return folder if member == 0 else folder / _MEMBERS / str(member)
