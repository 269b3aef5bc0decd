"""The description in a JPEG file: segments before the first scan (ISO 10918-1, JFIF, Exif, XMP).

Everything from the first scan on, pixels and whatever cameras append, is passed through.
"""

import contextlib
from dataclasses import dataclass

from captioner.captioning.metadata import exif, xmp
from captioner.captioning.metadata.exif import DamagedMetadataError

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MULTI_PICTURE = b"MPF\0"
_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_MAX_PAYLOAD = 0xFFFF - 2


@dataclass(frozen=True)
class _Segment:
    marker: int
    payload: bytes
    raw: bytes  # as it stood in the file, fill bytes included

    @classmethod
    def app1(cls, payload: bytes) -> "_Segment":
        length = (len(payload) + 2).to_bytes(2, "big")
        return cls(_APP1, payload, bytes([0xFF, _APP1]) + length + payload)

    def holds(self, identifier: bytes, marker: int = _APP1) -> bool:
        return self.marker == marker and self.payload.startswith(identifier)


def read_description(content: bytes) -> str | None:
    """Returns the description that Exif or else XMP holds, or None.

    Raises:
        DamagedMetadataError: the file's segments cannot be followed.
    """
    segments, _ = _split(content)
    for identifier, reader in ((_EXIF, exif.read_description), (_XMP, xmp.read_description)):
        with contextlib.suppress(DamagedMetadataError):
            payload = _payload(segments, identifier)
            text = None if payload is None else reader(payload)
            if text is not None:
                return text
    return None


def write_description(content: bytes, text: str) -> bytes:
    """Returns the file with `text` as Exif ImageDescription and as XMP dc:description.

    A block that is damaged or full is left alone, as long as the other can be written.

    Raises:
        DamagedMetadataError: the segments cannot be followed, or neither block can be written.
    """
    segments, rest = _split(content)
    faults = []
    for identifier, writer in ((_EXIF, exif.write_description), (_XMP, xmp.write_description)):
        try:
            payload = identifier + writer(_payload(segments, identifier), text)
            segments = _put(segments, identifier, payload)
        except DamagedMetadataError as fault:
            faults.append(str(fault))
    if len(faults) == 2:
        raise DamagedMetadataError(" and ".join(faults))
    return b"\xff\xd8" + b"".join(segment.raw for segment in segments) + rest


def _payload(segments: list[_Segment], identifier: bytes) -> bytes | None:
    held = (s.payload[len(identifier) :] for s in segments if s.holds(identifier))
    return next(held, None)


def _put(segments: list[_Segment], identifier: bytes, payload: bytes) -> list[_Segment]:
    """Replaces the first segment with this identifier, or inserts one where readers look."""
    if len(payload) > _MAX_PAYLOAD:
        raise DamagedMetadataError(f"its {_title(identifier)} block has no room left")
    places = [i for i, segment in enumerate(segments) if segment.holds(identifier)]
    place = places[0] if places else _first_place(segments, identifier)
    if any(segment.holds(_MULTI_PICTURE, _APP2) for segment in segments[:place]):
        # Its offsets to further pictures count from its own place on.
        raise DamagedMetadataError(f"its {_title(identifier)} block stands behind an MPF block")
    return [*segments[:place], _Segment.app1(payload), *segments[place + len(places[:1]) :]]


def _first_place(segments: list[_Segment], identifier: bytes) -> int:
    """Returns where a new block goes: behind JFIF, and XMP behind Exif."""
    leading = 0
    while leading < len(segments) and (
        segments[leading].marker == _APP0 or (identifier == _XMP and segments[leading].holds(_EXIF))
    ):
        leading += 1
    return leading


def _title(identifier: bytes) -> str:
    return "Exif" if identifier == _EXIF else "XMP"


def _split(content: bytes) -> tuple[list[_Segment], bytes]:
    """Returns the segments before the first scan, and the rest of the file."""
    segments: list[_Segment] = []
    place = 2
    while True:
        start = place
        while content[place : place + 2] == b"\xff\xff":  # fill bytes
            place += 1
        if content[place : place + 1] != b"\xff" or place + 4 > len(content):
            raise DamagedMetadataError("its JPEG segments are cut short")
        marker = content[place + 1]
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return segments, content[start:]
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        end = place + 2 + length
        if length < 2 or end > len(content):
            raise DamagedMetadataError("its JPEG segments are cut short")
        segments.append(_Segment(marker, content[place + 4 : end], content[start:end]))
        place = end
