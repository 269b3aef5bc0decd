"""Sixty files that break batch captioners, and what should become of each.

An outcome is the colour that the picture must have on a white background, within a tolerance
for lossy formats, or a part of the reason why there is none.
"""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

RED, LIME, WHITE, GREY = (255, 0, 0), (0, 255, 0), (255, 255, 255), (128, 128, 128)
Outcome = tuple[int, int, int] | str
Maker = bytes | Callable[[Path], None]


def save(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(colour=RED, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, colour).convert(mode)


def animated(kind: str) -> bytes:
    frames = [plain(LIME), plain((0, 0, 255))]
    return save(plain(RED), kind, save_all=True, append_images=frames, duration=50)


def palette_with_transparency() -> bytes:
    image = Image.new("P", (40, 30), 1)
    image.putpalette([255, 0, 0, 0, 0, 0])
    return save(image, "PNG", transparency=1)


def bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: some kilobytes on disk, gigabytes in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", rows + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def turned() -> bytes:
    """Lime on the left of the file, and an EXIF tag that turns it to the right side."""
    image = plain(LIME, size=(60, 20))
    image.paste(RED, (0, 0, 59, 20))
    exif = Image.Exif()
    exif[0x0112] = 3
    return save(image, "JPEG", exif=exif, quality=100)


def sixteen_bit() -> bytes:
    return save(Image.fromarray(np.full((30, 40), 32896, np.uint16)), "PNG")


def socket_at(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket is limited to 108 bytes
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def heic() -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return save(plain(), "HEIF", quality=100)


def files() -> dict[str | bytes, tuple[Maker, Outcome]]:
    """Name -> (content, or what makes it; outcome)."""
    jpeg, png = save(plain(), "JPEG", quality=100), save(plain(), "PNG")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8))
    big = save(noise, "JPEG")
    return {
        # what is not an image at all
        "empty.jpg": (b"", "is empty"),
        "html.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
        "text.png": (b"this is a text\n", "holds text"),
        "zeros.jpg": (bytes(5000), "nothing but zeros"),
        "random.webp": (bytes(range(128, 256)) * 9, "no known image format"),
        "archive.png": (b"PK\x03\x04" + bytes(100) + b"\xff", "is no image"),
        "pdf.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "is no image"),
        "json.gif": (b'{"error": "not found"}', "holds text"),
        "pipe.jpg": (lambda path: os.mkfifo(path), "is a named pipe"),
        "socket.png": (socket_at, "is a socket"),
        "broken_link.jpg": (lambda path: path.symlink_to("gone.jpg"), "not there"),
        "own_link.jpg": (lambda path: path.symlink_to("own_link.jpg"), "symbolic links"),
        "device.jpg": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        # damaged
        "truncated.jpg": (big[: len(big) // 2], "damaged"),
        "header_only.jpg": (jpeg[:20], "is"),
        "truncated.png": (save(noise, "PNG")[:9000], "damaged"),
        "truncated.webp": (save(noise, "WEBP")[:900], "damaged"),
        "truncated.gif": (save(noise.convert("P"), "GIF")[:900], "damaged"),
        "truncated.tif": (save(noise, "TIFF")[:900], "is"),
        "truncated.bmp": (save(noise, "BMP")[:900], "damaged"),
        "bad_checksum.png": (png[:45] + b"\0" + png[46:], "is"),
        # too large, or hardly there
        "bomb.png": (bomb(20_000, 20_000), "too many pixels"),
        "flat_bomb.png": (bomb(400_000, 1000), "pixels"),
        "one_pixel.png": (save(plain(size=(1, 1)), "PNG"), RED),
        "one_row.png": (save(plain(size=(5000, 1)), "PNG"), RED),
        "one_column.jpg": (save(plain(size=(1, 3000)), "JPEG", quality=100), RED),
        # modes and depths
        "grey.jpg": (save(plain(GREY, "L"), "JPEG"), GREY),
        "grey_alpha.png": (save(Image.new("LA", (9, 9), (0, 0)), "PNG"), WHITE),
        "one_bit.png": (save(plain(WHITE, "1"), "PNG"), WHITE),
        "one_bit.tif": (save(plain(WHITE, "1"), "TIFF"), WHITE),
        "palette.png": (save(plain(RED, "P"), "PNG"), RED),
        "palette_transparent.png": (palette_with_transparency(), WHITE),
        "rgba.png": (save(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "PNG"), WHITE),
        "half_transparent.png": (save(Image.new("RGBA", (9, 9), (0, 0, 0, 127)), "PNG"), GREY),
        "rgba.webp": (save(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "WEBP"), WHITE),
        "colour_key.png": (save(plain(), "PNG", transparency=RED), WHITE),
        "transparent.gif": (save(Image.new("P", (9, 9)), "GIF", transparency=0), WHITE),
        "sixteen_bit.png": (sixteen_bit(), GREY),
        "sixteen_bit.tif": (
            save(Image.fromarray(np.full((9, 9), 65535, np.uint16)), "TIFF"),
            WHITE,
        ),
        "float.tif": (save(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), WHITE),
        "cmyk.jpg": (save(plain(WHITE, "CMYK"), "JPEG", quality=100), WHITE),
        "cmyk.tif": (save(plain(RED, "CMYK"), "TIFF"), RED),
        "ycbcr.tif": (save(plain(WHITE, "YCbCr"), "TIFF"), WHITE),
        "progressive.jpg": (save(plain(), "JPEG", progressive=True, quality=100), RED),
        "interlaced.png": (save(plain(), "PNG", interlace=1), RED),
        # frames and directions
        "turned.jpg": (turned(), RED),
        "damaged_exif.jpg": (save(plain(), "JPEG", exif=b"Exif\0\0torn", quality=100), RED),
        "animated.gif": (animated("GIF"), RED),
        "animated.webp": (animated("WEBP"), RED),
        "animated.png": (animated("PNG"), RED),
        "pages.tif": (save(plain(), "TIFF", save_all=True, append_images=[plain(LIME)]), RED),
        # formats, suffixes, names
        "bitmap.bmp": (save(plain(), "BMP"), RED),
        "photo.avif": (save(plain(), "AVIF", quality=100), RED),
        "photo.heic": (heic(), RED),
        "UPPER.JPG": (jpeg, RED),
        "Mixed.JpEg": (jpeg, RED),
        "png_inside.jpg": (png, RED),
        "webp_inside.png": (save(plain(), "WEBP", lossless=True), RED),
        "line\nend.png": (png, RED),
        "\N{CAT FACE} \N{HEBREW LETTER SHIN}.png": (png, RED),
        "quote\"s 'and' $(spaces).png": (png, RED),
        b"latin1-caf\xe9.png": (png, RED),
        "x" * 240 + ".png": (png, RED),
        "-dash.png": (png, RED),
        "trailing bytes.jpg": (jpeg + b"film" * 100, RED),
    }


def make_files(folder: Path) -> dict[str, Outcome]:
    """Makes the files; returns name -> outcome."""
    outcomes = {}
    for name, (maker, outcome) in files().items():
        path = folder / os.fsdecode(name)
        if isinstance(maker, bytes):
            path.write_bytes(maker)
        else:
            maker(path)
        outcomes[path.name] = outcome
    return outcomes
