"""The description in an Exif block (CIPA DC-008, TIFF 6.0), changed without moving anything.

Exif is full of offsets, some of them in makers' private notes that nobody else can read. So
nothing is ever moved: a new text, and a new first directory where one is needed, go to the end
of the block, and only the numbers that point at them change.
"""

import struct
from dataclasses import dataclass

_IMAGE_DESCRIPTION = 0x010E
_ASCII = 2
_ENTRY_BYTES = 12
_EMPTY_BLOCK = b"II*\0\x08\0\0\0" + b"\0\0" + b"\0\0\0\0"


class DamagedMetadataError(ValueError):
    """A metadata block or its container cannot be followed; the text says where it ends."""


@dataclass(frozen=True)
class _Directory:
    """The first directory of a block: where it is, its entries, what follows them."""

    order: str  # "<" or ">" for `struct`
    entries: tuple[bytes, ...]
    offset: int

    def find(self, tag: int) -> int | None:
        """Returns the index of a tag's entry, or None."""
        tags = [struct.unpack(self.order + "H", entry[:2])[0] for entry in self.entries]
        return tags.index(tag) if tag in tags else None


def read_description(block: bytes) -> str | None:
    """Returns the text of ImageDescription, or None where there is none.

    Args:
        block: from the byte order mark on, without "Exif\\0\\0".

    Raises:
        DamagedMetadataError: the block's first directory cannot be read.
    """
    directory = _read_directory(block)
    index = directory.find(_IMAGE_DESCRIPTION)
    if index is None:
        return None
    start, length = _locate(block, directory, directory.entries[index])
    return block[start : start + length].split(b"\0")[0].decode("utf-8", "replace").strip() or None


def write_description(block: bytes | None, text: str) -> bytes:
    """Returns the block with another ImageDescription, in UTF-8; all else keeps its place.

    Args:
        block: from the byte order mark on, or None where there is none yet.
        text: without NUL.

    Raises:
        DamagedMetadataError: the block's first directory cannot be read.
    """
    block = _EMPTY_BLOCK if block is None else block
    directory = _read_directory(block)
    value = text.encode("utf-8") + b"\0"
    index = directory.find(_IMAGE_DESCRIPTION)
    if index is None:
        return _add_entry(block, directory, value)
    start, length = _locate(block, directory, directory.entries[index])
    if 4 < len(value) <= length:
        return block[:start] + value.ljust(length, b"\0") + block[start + length :]
    block, entry = _append_value(block, directory.order, value)
    place = directory.offset + 2 + index * _ENTRY_BYTES
    return block[:place] + entry + block[place + _ENTRY_BYTES :]


def _add_entry(block: bytes, directory: _Directory, value: bytes) -> bytes:
    order = directory.order
    end = directory.offset + 2 + len(directory.entries) * _ENTRY_BYTES
    next_directory = block[end : end + 4].ljust(4, b"\0")
    block, entry = _append_value(block, order, value)
    # Entries stand in the order of their tags, whatever the byte order.
    entries = sorted((*directory.entries, entry), key=lambda e: struct.unpack(order + "H", e[:2]))
    offset = struct.pack(order + "I", len(block))
    count = struct.pack(order + "H", len(entries))
    return block[:4] + offset + block[8:] + count + b"".join(entries) + next_directory


def _append_value(block: bytes, order: str, value: bytes) -> tuple[bytes, bytes]:
    """Returns the block with `value` at its end, and the entry that points there."""
    head = struct.pack(order + "HHI", _IMAGE_DESCRIPTION, _ASCII, len(value))
    if len(value) <= 4:
        return block, head + value.ljust(4, b"\0")
    block += b"\0" * (len(block) % 2)
    offset = len(block)
    block += value + b"\0" * (len(value) % 2)  # what follows starts at an even offset
    return block, head + struct.pack(order + "I", offset)


def _read_directory(block: bytes) -> _Directory:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        raise DamagedMetadataError("its Exif block has no byte order mark")
    (offset,) = struct.unpack(order + "I", block[4:8])
    if not 8 <= offset <= len(block) - 2:
        raise DamagedMetadataError("its Exif block points outside itself")
    (count,) = struct.unpack(order + "H", block[offset : offset + 2])
    start = offset + 2
    if start + count * _ENTRY_BYTES > len(block):
        raise DamagedMetadataError("its Exif block is cut short")
    entries = [block[start + i * _ENTRY_BYTES :][:_ENTRY_BYTES] for i in range(count)]
    return _Directory(order, tuple(entries), offset)


def _locate(block: bytes, directory: _Directory, entry: bytes) -> tuple[int, int]:
    """Returns where the bytes of a text are, and how many."""
    kind, length = struct.unpack(directory.order + "HI", entry[2:8])
    if kind != _ASCII:
        return 0, 0
    if length <= 4:
        index = directory.entries.index(entry)
        return directory.offset + 2 + index * _ENTRY_BYTES + 8, length
    (start,) = struct.unpack(directory.order + "I", entry[8:])
    if start + length > len(block):
        raise DamagedMetadataError("its Exif description points outside the block")
    return start, length
