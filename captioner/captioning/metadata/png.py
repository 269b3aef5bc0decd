"""The description in a PNG file: a text chunk with the keyword Description (ISO 15948)."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from captioner.captioning.metadata import xmp
from captioner.captioning.metadata.exif import DamagedMetadataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"Description"
_XMP_HEAD = b"XML:com.adobe.xmp\0\0\0\0\0"
_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
_MAX_TEXT_BYTES = 1 << 20  # a text chunk that unpacks to more is no description


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    data: bytes
    raw: bytes

    @classmethod
    def make(cls, kind: bytes, data: bytes) -> "_Chunk":
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return cls(kind, data, len(data).to_bytes(4, "big") + kind + data + check)

    @property
    def is_description(self) -> bool:
        return self.kind in _TEXT_KINDS and self.data.startswith(_KEYWORD + b"\0")

    @property
    def is_xmp(self) -> bool:
        return self.kind == b"iTXt" and self.data.startswith(_XMP_HEAD)


def read_description(content: bytes) -> str | None:
    """Returns the text of the Description chunk, or else of XMP, or None.

    Raises:
        DamagedMetadataError: the file's chunks cannot be followed.
    """
    chunks, _ = _split(content)
    texts: list[str | None] = [
        _read_text(chunk).strip() for chunk in chunks if chunk.is_description
    ]
    for chunk in chunks:
        if chunk.is_xmp:
            with suppress(DamagedMetadataError):
                texts.append(xmp.read_description(chunk.data[len(_XMP_HEAD) :]))
    return next((text for text in texts if text), None)


def write_description(content: bytes, text: str) -> bytes:
    """Returns the file with `text` as its Description, and in its XMP where it has any.

    Raises:
        DamagedMetadataError: the file's chunks cannot be followed.
    """
    chunks, rest = _split(content)
    new = _Chunk.make(*_text_chunk(text))
    if not any(chunk.is_description for chunk in chunks):
        chunks.insert(1, new)  # behind the header, before the pixels
    replaced = _replace(chunks, new, text)
    return SIGNATURE + b"".join(chunk.raw for chunk in replaced) + rest


def _replace(chunks: list[_Chunk], new: _Chunk, text: str) -> Iterator[_Chunk]:
    """Yields the chunks; the first description is the new one, and no other is left."""
    is_written = False
    for chunk in chunks:
        if not chunk.is_description:
            yield _edit_xmp(chunk, text) if chunk.is_xmp else chunk
        elif not is_written:
            yield new
            is_written = True


def _edit_xmp(chunk: _Chunk, text: str) -> _Chunk:
    try:
        packet = xmp.write_description(chunk.data[len(_XMP_HEAD) :], text)
    except DamagedMetadataError:
        return chunk
    return _Chunk.make(b"iTXt", _XMP_HEAD + packet)


def _text_chunk(text: str) -> tuple[bytes, bytes]:
    """Returns kind and data: the plain kind, which every reader knows, wherever it suffices."""
    if text.isascii():
        return b"tEXt", _KEYWORD + b"\0" + text.encode("ascii")
    return b"iTXt", _KEYWORD + b"\0\0\0\0\0" + text.encode("utf-8")


def _read_text(chunk: _Chunk) -> str:
    data = chunk.data[len(_KEYWORD) + 1 :]
    try:
        if chunk.kind == b"tEXt":
            return data.decode("latin-1")
        if chunk.kind == b"zTXt":
            return _inflate(data[1:]).decode("latin-1")
        is_compressed = data[:1] == b"\1"
        value = data[2:].split(b"\0", 2)[2]
        return (_inflate(value) if is_compressed else value).decode("utf-8", "replace")
    except (zlib.error, IndexError):
        return ""


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_TEXT_BYTES)


def _split(content: bytes) -> tuple[list[_Chunk], bytes]:
    """Returns the chunks up to the end chunk, and whatever follows it."""
    chunks: list[_Chunk] = []
    place = len(SIGNATURE)
    while not chunks or chunks[-1].kind != b"IEND":
        length = int.from_bytes(content[place : place + 4], "big")
        end = place + 12 + length
        if end > len(content):
            raise DamagedMetadataError("its PNG chunks are cut short")
        kind, data = content[place + 4 : place + 8], content[place + 8 : end - 4]
        chunks.append(_Chunk(kind, data, content[place:end]))
        place = end
    return chunks, content[place:]
