"""Descriptions inside images: what is asked for changes, and nothing else does."""

import io
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from captioner.captioning.descriptions import read_description, write_description
from captioner.captioning.metadata import exif, jpeg, png, webp, xmp
from captioner.errors import ImageError

RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8))
TEXTS = [
    "a dog runs",
    "x",
    "\N{DOG FACE} d\N{LATIN SMALL LETTER E WITH ACUTE}j\N{LATIN SMALL LETTER A WITH GRAVE} vu",
    "\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED} \N{ARABIC LETTER BEH}",
    "quotes \" ' & <tags> ]]>",
    "two\nlines\tand a tab",
    "long " * 400,
]
PACKET = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><!-- kept -->'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"'
    b' xmlns:d="http://purl.org/dc/elements/1.1/">%s</rdf:Description></rdf:RDF></x:xmpmeta>'
    + b" " * 100
    + b'<?xpacket end="w"?>'
)
OLD = (
    b'<d:description><rdf:Alt><rdf:li xml:lang="x-default">old</rdf:li>'
    b'<rdf:li xml:lang="de">alt</rdf:li></rdf:Alt></d:description>'
)


def save(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, kind, **options)
    return buffer.getvalue()


def full_exif() -> bytes:
    """A camera's block: orientation, maker, GPS and a thumbnail's worth of private bytes."""
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x927C] = bytes(range(256))
    tags.get_ifd(0x8825)[1] = "N"
    return tags.tobytes()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FILES = {
    "plain.jpg": save("JPEG"),
    "camera.jpg": save("JPEG", exif=full_exif(), icc_profile=PROFILE, comment=b"a comment"),
    "edited.jpg": save("JPEG", exif=full_exif(), xmp=PACKET % OLD, progressive=True),
    "trailing.jpg": save("JPEG") + b"a film behind the picture",
    "plain.png": save("PNG"),
    "profile.png": save("PNG", icc_profile=PROFILE, exif=full_exif()),
    "lossy.webp": save("WEBP"),
    "lossless.webp": save("WEBP", lossless=True),
    "camera.webp": save("WEBP", exif=full_exif(), icc_profile=PROFILE, xmp=PACKET % b""),
}


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def pieces(content: bytes) -> list[bytes]:
    """All segments or chunks of a file but those that hold the description."""
    if content.startswith(b"\xff\xd8"):
        segments, rest = jpeg._split(content)
        return [s.raw for s in segments if not s.holds(b"Exif") and not s.holds(b"http:")] + [rest]
    if content.startswith(png.SIGNATURE):
        chunks, rest = png._split(content)
        return [c.raw for c in chunks if not c.is_description] + [rest]
    chunks, rest = webp._split(content)
    return [c.raw for c in chunks if c.kind not in (b"EXIF", b"XMP ", b"VP8X")] + [rest]


def container_of(name: str):
    return {"jpg": jpeg, "png": png, "ebp": webp}[name[-3:]]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", FILES)
def test_only_the_description_changes(name, text):
    before = FILES[name]
    after = container_of(name).write_description(before, text)
    assert container_of(name).read_description(after) == text.strip()
    assert np.array_equal(pixels(after), pixels(before))
    assert pieces(after) == pieces(before)
    old, new = Image.open(io.BytesIO(before)), Image.open(io.BytesIO(after))
    assert new.info.get("icc_profile") == old.info.get("icc_profile")
    tags = {k: v for k, v in new.getexif().items() if k != 0x010E}
    assert tags == dict(old.getexif())
    assert new.getexif().get_ifd(0x8769) == old.getexif().get_ifd(0x8769)
    assert new.getexif().get_ifd(0x8825) == old.getexif().get_ifd(0x8825)


@pytest.mark.parametrize("name", FILES)
def test_writing_again_replaces_and_does_not_pile_up(name):
    module = container_of(name)
    once = module.write_description(FILES[name], "a brown dog runs on grass")
    twice = module.write_description(once, "a cat")
    assert module.read_description(twice) == "a cat"
    assert len(twice) <= len(once)
    assert module.write_description(twice, "a cat") == twice


@pytest.mark.parametrize("name", ["plain.jpg", "edited.jpg", "camera.webp"])
def test_other_programs_read_it(name):
    content = container_of(name).write_description(FILES[name], "a dog & a cat")
    image = Image.open(io.BytesIO(content))
    assert image.getexif()[0x010E] == "a dog & a cat"
    alternatives = str(image.getxmp())
    assert "a dog & a cat" in alternatives


def test_png_readers_find_the_text():
    content = png.write_description(FILES["plain.png"], "a dog")
    assert Image.open(io.BytesIO(content)).text == {"Description": "a dog"}
    content = png.write_description(content, "\N{DOG FACE}")
    assert Image.open(io.BytesIO(content)).text == {"Description": "\N{DOG FACE}"}


@pytest.mark.parametrize("compressed", [False, True])
def test_earlier_png_texts_are_found(compressed):
    for text in ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{DOG FACE}"):
        info = PngImagePlugin.PngInfo()
        info.add_text("Title", "kept")
        info.add_itxt("Description", text, zip=compressed)
        content = save("PNG", pnginfo=info)
        assert png.read_description(content) == text
        edited = png.write_description(content, "new")
        assert Image.open(io.BytesIO(edited)).text == {"Title": "kept", "Description": "new"}


def test_animations_stay_animations():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for kind, module in (("PNG", png), ("WEBP", webp)):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100)
        image = Image.open(io.BytesIO(module.write_description(buffer.getvalue(), "colours")))
        assert image.n_frames == 3
        image.seek(2)
        assert image.convert("RGB").getpixel((4, 4))[2] > 200


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_survives_exif(text):
    block = exif.write_description(full_exif()[6:], text)
    assert exif.read_description(block) == (text.strip() or None)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_survives_xmp(text):
    legal = "".join(c for c in text if c not in "\ufffe\uffff")
    for packet in (None, PACKET % b"", PACKET % OLD):
        edited = xmp.write_description(packet, legal)
        assert (xmp.read_description(edited) or "") == legal.strip()


def test_xmp_keeps_every_other_byte():
    edited = xmp.write_description(PACKET % OLD, "new")
    assert edited == PACKET % OLD.replace(b">old<", b">new<")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<d:description>plain</d:description>", b"new"),
        (b"<d:description/>", b"new"),
        (
            b'<d:description><rdf:Alt><rdf:li xml:lang="de">alt</rdf:li></rdf:Alt></d:description>',
            b">alt<",
        ),
        (b'<d:description><rdf:Alt><rdf:li xml:lang="x-default"/></rdf:Alt></d:description>', b""),
    ],
)
def test_xmp_written_by_others(before, after):
    edited = xmp.write_description(PACKET % before, "new")
    assert xmp.read_description(edited) == "new"
    assert after in edited
    assert b"<!-- kept -->" in edited


def test_xmp_with_everything_in_attributes():
    packet = (
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<r:Description r:about="a > b"/></r:RDF>'
    )
    assert xmp.read_description(xmp.write_description(packet, "new")) == "new"


def test_damaged_blocks_are_left_alone_where_the_other_can_be_written():
    content = save("JPEG", exif=b"Exif\0\0nonsense", xmp=PACKET % b"")
    edited = jpeg.write_description(content, "a dog")
    assert b"nonsense" in edited
    assert jpeg.read_description(edited) == "a dog"
    content = save("JPEG", exif=full_exif(), xmp=b"<torn")
    edited = jpeg.write_description(content, "a dog")
    assert b"<torn" in edited
    assert exif.read_description(jpeg._payload(jpeg._split(edited)[0], b"Exif\0\0")) == "a dog"


def test_a_full_exif_segment_leaves_the_description_to_xmp():
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x927C] = bytes(65_300)
    content = save("JPEG", exif=tags.tobytes())
    edited = jpeg.write_description(content, "a dog " * 50)
    assert pieces(edited) == pieces(content)
    assert jpeg.read_description(edited) == ("a dog " * 50).strip()


def test_blocks_behind_a_multi_picture_index_are_not_resized():
    segments, rest = jpeg._split(FILES["camera.jpg"])
    index = b"MPF\0" + bytes(60)
    mpf = b"\xff\xe2" + struct.pack(">H", len(index) + 2) + index
    content = b"\xff\xd8" + mpf + b"".join(s.raw for s in segments) + rest
    edited = jpeg.write_description(content, "a dog")
    assert edited.index(b"MPF\0") > edited.index(b"a dog")
    assert edited.endswith(content[content.index(b"MPF\0") :])


def test_a_big_endian_block():
    block = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + bytes(4)
    edited = exif.write_description(block, "a dog")
    assert exif.read_description(edited) == "a dog"
    tags = Image.Exif()
    tags.load(b"Exif\0\0" + edited)
    assert dict(tags) == {0x010E: "a dog", 0x0112: 6}


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png", "lossy.webp"])
def test_files_are_replaced_whole_with_their_permissions(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_description(path) is None
    write_description(link, "a dog")
    assert read_description(path) == "a dog"
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    inode = path.stat().st_ino
    write_description(path, "a dog")
    assert path.stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == sorted([name, "link"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (save("GIF"), "into JPEG, PNG and WebP files, and this is none of them"),
        (FILES["plain.jpg"][:40], "JPEG segments are cut short"),
        (FILES["plain.png"][:60], "PNG chunks are cut short"),
        (FILES["lossy.webp"][:60], "WebP chunks are cut short"),
    ],
)
def test_what_cannot_hold_a_description_stays_as_it_is(tmp_path, content, reason):
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        write_description(path, "a dog")
    assert path.read_bytes() == content
