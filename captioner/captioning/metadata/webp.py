"""The description in a WebP file: its EXIF and XMP chunks (RFC 9649)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from captioner.captioning.metadata import exif, xmp
from captioner.captioning.metadata.exif import DamagedMetadataError

_EXIF, _XMP, _EXTENDED = b"EXIF", b"XMP ", b"VP8X"
_FLAGS = {_EXIF: 0x08, _XMP: 0x04}
_ALPHA_FLAG = 0x10
_ORDER = (_EXIF, _XMP)
_EXIF_PREFIX = b"Exif\0\0"  # some writers leave it in front, as in JPEG


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    data: bytes
    raw: bytes

    @classmethod
    def make(cls, kind: bytes, data: bytes) -> "_Chunk":
        padding = b"\0" * (len(data) % 2)
        return cls(kind, data, kind + len(data).to_bytes(4, "little") + data + padding)


def read_description(content: bytes) -> str | None:
    """Returns the description that Exif or else XMP holds, or None.

    Raises:
        DamagedMetadataError: the file's chunks cannot be followed.
    """
    chunks, _ = _split(content)
    readers = {_EXIF: _read_exif, _XMP: xmp.read_description}
    for kind in _ORDER:
        for chunk in chunks:
            if chunk.kind == kind:
                with suppress(DamagedMetadataError):
                    text = readers[kind](chunk.data)
                    if text is not None:
                        return text
    return None


def write_description(content: bytes, text: str) -> bytes:
    """Returns the file with `text` as Exif ImageDescription and as XMP dc:description.

    A file of the simple layout becomes one of the extended layout; the picture's own chunks are
    passed through in both.

    Raises:
        DamagedMetadataError: the chunks cannot be followed, or neither block can be written.
    """
    chunks, rest = _split(content)
    writers: dict[bytes, Callable[[bytes | None, str], bytes]] = {
        _EXIF: _write_exif,
        _XMP: xmp.write_description,
    }
    faults = []
    chunks = _extend(chunks)
    for kind in _ORDER:
        try:
            chunks = _put(chunks, kind, text, writers[kind])
        except DamagedMetadataError as fault:
            faults.append(str(fault))
    if len(faults) == len(_ORDER):
        raise DamagedMetadataError(" and ".join(faults))
    body = b"WEBP" + b"".join(chunk.raw for chunk in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body + rest


def _put(
    chunks: list[_Chunk], kind: bytes, text: str, write: Callable[[bytes | None, str], bytes]
) -> list[_Chunk]:
    """Replaces the chunk of this kind, or adds one at the end, and sets its flag."""
    old = next((chunk for chunk in chunks if chunk.kind == kind), None)
    new = _Chunk.make(kind, write(None if old is None else old.data, text))
    chunks = [*chunks, new] if old is None else [new if c is old else c for c in chunks]
    flags = chunks[0].data
    return [_Chunk.make(_EXTENDED, bytes([flags[0] | _FLAGS[kind]]) + flags[1:]), *chunks[1:]]


def _extend(chunks: list[_Chunk]) -> list[_Chunk]:
    """Puts the header of the extended layout in front, where there is none."""
    if chunks[0].kind == _EXTENDED:
        return chunks
    width, height, has_alpha = _measure(chunks[0])
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    header = bytes([_ALPHA_FLAG if has_alpha else 0, 0, 0, 0]) + size
    return [_Chunk.make(_EXTENDED, header), *chunks]


def _measure(chunk: _Chunk) -> tuple[int, int, bool]:
    """Returns width, height and whether there is alpha, from the header of a bit stream."""
    data = chunk.data
    if chunk.kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10:
        sides = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (6, 8))
        return *sides, False  # type: ignore[return-value]
    if chunk.kind == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    raise DamagedMetadataError("its WebP picture has no size")


def _read_exif(data: bytes) -> str | None:
    return exif.read_description(data.removeprefix(_EXIF_PREFIX))


def _write_exif(data: bytes | None, text: str) -> bytes:
    if data is None or not data.startswith(_EXIF_PREFIX):
        return exif.write_description(data, text)
    return _EXIF_PREFIX + exif.write_description(data.removeprefix(_EXIF_PREFIX), text)


def _split(content: bytes) -> tuple[list[_Chunk], bytes]:
    """Returns the chunks of the RIFF file, and whatever follows it."""
    end = 8 + int.from_bytes(content[4:8], "little")
    chunks: list[_Chunk] = []
    place = 12
    while place < end:
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        stop = place + 8 + length + length % 2
        if place + 8 + length > len(content):
            raise DamagedMetadataError("its WebP chunks are cut short")
        kind, data = content[place : place + 4], content[place + 8 : place + 8 + length]
        chunks.append(_Chunk(kind, data, content[place:stop].ljust(stop - place, b"\0")))
        place = stop
    if not chunks:
        raise DamagedMetadataError("its WebP file has no chunks")
    return chunks, content[place:]
