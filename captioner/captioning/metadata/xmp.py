"""The description in an XMP packet (ISO 16684-1: dc:description), edited as text.

Rewriting the packet through an XML library would reorder attributes and lose the padding and
the comments of others. So a parser finds the place, and only the bytes there change.
"""

from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from captioner.captioning.metadata.exif import DamagedMetadataError

_DC = "http://purl.org/dc/elements/1.1/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
_DESCRIPTION = f"{_DC} description"
_LANGUAGES = f"{_RDF} Alt"
_ITEM = f"{_RDF} li"
_SUBJECT = f"{_RDF} Description"
_EMPTY_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""></rdf:Description></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
)


def read_description(packet: bytes) -> str | None:
    """Returns the text of dc:description, in the default language, or None.

    Raises:
        DamagedMetadataError: the packet is no XML in UTF-8.
    """
    found = _scan(packet)
    return found.text.strip() or found.plain.strip() or None


def write_description(packet: bytes | None, text: str) -> bytes:
    """Returns the packet with another dc:description; descriptions in other languages stay.

    Args:
        packet: UTF-8, or None where there is none yet.
        text: characters that XML cannot hold are left out.

    Raises:
        DamagedMetadataError: the packet is no XML in UTF-8, or describes nothing.
    """
    packet = _EMPTY_PACKET.encode("utf-8") if packet is None else packet
    found = _scan(packet)
    content = escape(_keep_legal(text)).encode("utf-8")
    if found.item is not None:
        start, end = found.item
        return packet[:start] + _fill(packet[start:end], content) + packet[end:]
    if found.languages is not None:
        return _insert(packet, found.languages, _item(content))
    element = _element(content)
    if found.description is not None:
        start, end = found.description
        return packet[:start] + element + packet[end:]
    if found.subject is None:
        raise DamagedMetadataError("its XMP packet describes nothing")
    return _insert(packet, found.subject, element)


@dataclass
class _Found:
    """Where things are in a packet: byte ranges from the start tag to the end tag."""

    text: str = ""
    plain: str = ""  # straight inside dc:description, as XMP does not allow but some write
    item: tuple[int, int] | None = None
    languages: tuple[int, int] | None = None
    description: tuple[int, int] | None = None
    subject: tuple[int, int] | None = None
    open_elements: list[tuple[str, int]] = field(default_factory=list)
    is_default: bool = False


def _scan(packet: bytes) -> _Found:
    found = _Found()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")

    def start(name: str, attributes: dict[str, str]) -> None:
        found.open_elements.append((name, parser.CurrentByteIndex))
        if _is_item(found.open_elements):
            language = attributes.get(f"{_XML} lang", "x-default")
            found.is_default = language == "x-default" and found.item is None

    def end(name: str) -> None:
        is_item = _is_item(found.open_elements)
        _, begin = found.open_elements.pop()
        span = (begin, _end_of_element(packet, begin, parser.CurrentByteIndex))
        if is_item and found.is_default:
            found.item, found.is_default = span, False
        elif name == _LANGUAGES and _depth_of(found, _DESCRIPTION) and found.languages is None:
            found.languages = span
        elif name == _DESCRIPTION and found.description is None:
            found.description = span
        elif name == _SUBJECT and found.subject is None and _depth_of(found, _SUBJECT) == 0:
            found.subject = span

    def characters(text: str) -> None:
        if found.is_default and _is_item(found.open_elements):
            found.text += text
        elif found.open_elements[-1][0] == _DESCRIPTION:
            found.plain += text

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(packet.rstrip(b"\0"), True)
    except (expat.ExpatError, ValueError) as error:
        raise DamagedMetadataError(f"its XMP packet is damaged: {error}") from error
    return found


def _is_item(open_elements: list[tuple[str, int]]) -> bool:
    names = [name for name, _ in open_elements]
    return len(names) > 2 and names[-1] == _ITEM and names[-3] == _DESCRIPTION


def _depth_of(found: _Found, name: str) -> int:
    return sum(open_name == name for open_name, _ in found.open_elements)


def _end_of_tag(packet: bytes, index: int) -> int:
    """Returns the offset behind the tag at `index`; ">" may stand in an attribute's quotes."""
    quote = 0
    for place in range(index, len(packet)):
        byte = packet[place]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return place + 1
    return len(packet)


def _end_of_element(packet: bytes, begin: int, index: int) -> int:
    """Returns the offset behind an element, of which expat has told where its end tag begins."""
    is_empty_tag = _end_of_tag(packet, begin) == index and packet[index - 2 : index] == b"/>"
    return index if is_empty_tag else _end_of_tag(packet, index)


def _fill(element: bytes, content: bytes) -> bytes:
    """Returns an element with other content."""
    head = element[: _end_of_tag(element, 0)]
    name = head[1:].split(None, 1)[0].rstrip(b"/>")
    if head.endswith(b"/>"):
        head = head[:-2] + b">"
    return head + content + b"</" + name + b">"


def _insert(packet: bytes, subject: tuple[int, int], element: bytes) -> bytes:
    """Returns the packet with `element` as the last child of what it describes."""
    start, end = subject
    body = packet[start:end]
    if body.endswith(b"/>"):
        return packet[:start] + _fill(body, element) + packet[end:]
    place = start + body.rindex(b"</")
    return packet[:place] + element + packet[place:]


def _element(content: bytes) -> bytes:
    head = f'<dc:description xmlns:dc="{_DC}" xmlns:rdf="{_RDF}"><rdf:Alt>'
    return head.encode("ascii") + _item(content) + b"</rdf:Alt></dc:description>"


def _item(content: bytes) -> bytes:
    head = f'<rdf:li xmlns:rdf="{_RDF}" xml:lang="x-default">'
    return head.encode("ascii") + content + b"</rdf:li>"


def _keep_legal(text: str) -> str:
    return "".join(c for c in text if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or c > "\udfff")
