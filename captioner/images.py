"""Image files into RGB arrays, once and for every caller.

Whatever a folder of photographs holds: turned by EXIF, transparent, palette, grey, 16-bit, CMYK,
animated (the first frame counts). A file is read by its content; its suffix does not matter. A
file that cannot be used raises one error, `ImageError`, that names the file and the cause.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from captioner.errors import ImageError
from captioner.pixel_room import PixelRoom
from captioner.resizing import WHITE, Colour, ResizeRule

Source = str | Path | bytes | bytearray | Image.Image | np.ndarray

MAX_PIXELS = 150_000_000  # of one image; decoded it takes four bytes a pixel and more

_EXPECTED = "a path, a file's content, a PIL image or an array"
_STRIP_ROWS = 256
_ORIENTATION = 0x0112  # of EXIF; 1 is upright
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

# Pillow keeps pixels in blocks of this size. In its own, of 16 MB, what large images took stays
# with the process for each thread that ever had one: glibc gives back blocks of 32 MB and more
# at once, and keeps smaller ones once it has seen them freed.
Image.core.set_block_size(1 << 26)

_DECODING = PixelRoom(MAX_PIXELS)

# We check the header against a limit of our own, so Pillow's warning would only repeat it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def load_image(
    source: Source,
    rule: ResizeRule | None = None,
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Returns an image as an array.

    Args:
        source: a path, a file's content, a PIL image or an array, see `open_image`.
        rule: the size to bring it to; None keeps its own.
        background: RGB, 0-255, laid under what is transparent.
        max_pixels: images with more pixels are refused before they are decoded.

    Returns:
        uint8 (H, W, 3), RGB, 0-255.

    Raises:
        ImageError: the image cannot be used; says which and why.

    Example:

        image_HWC = load_image("beach.jpg", ResizeRule(224, 224))
    """
    size_hint = None if rule is None else (rule.width, rule.height)
    with _decoded(source, background, max_pixels, size_hint) as image:
        return np.asarray(image if rule is None else rule.apply(image, background))


def open_image(
    source: Source,
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
    size_hint: tuple[int, int] | None = None,
) -> Image.Image:
    """Returns an image as RGB, upright, its first frame, with nothing transparent.

    Args:
        source: a path; a file's content; a PIL image; or an array (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4) of uint8 0-255, uint16 0-65535, bool, or float 0-1.
        background: RGB, 0-255, laid under what is transparent.
        max_pixels: images with more pixels are refused before they are decoded.
        size_hint: (width, height) that the caller will reduce it to. A large JPEG is then
            decoded at a fraction of its size, at least twice as large as the hint.

    Raises:
        ImageError: the image cannot be used; says which and why.
    """
    with _decoded(source, background, max_pixels, size_hint) as image:
        return image


@contextmanager
def _decoded(
    source: Source, background: Colour, max_pixels: int, size_hint: tuple[int, int] | None
) -> Iterator[Image.Image]:
    """Opens an image; its share of what may be decoded at a time is held until the block ends."""
    if not isinstance(source, Source):
        raise ImageError("image", f"is {source!r:.60}; expected {_EXPECTED}")
    name = _name(source)
    if isinstance(source, np.ndarray):
        source = _image_of_array(source, name)
    if isinstance(source, Image.Image):  # the caller's own: neither to be reduced nor changed
        _check_size(source, name, max_pixels)
        yield _decode(source, name, background).copy()
        return
    with _open_file(source) as file, _open_header(file, name) as image:
        _check_size(image, name, max_pixels)
        _reduce_jpeg(image, name, size_hint)
        with _DECODING.hold(image.width * image.height):
            yield _decode(image, name, background)


def _name(source: Source) -> str:
    if isinstance(source, str | Path):
        return os.fspath(source)
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "image in memory")
    return "array in memory" if isinstance(source, np.ndarray) else "bytes in memory"


@contextmanager
def _open_file(source: str | Path | bytes | bytearray) -> Iterator[BinaryIO]:
    """Opens a regular file with something in it; a named pipe would block for ever."""
    if isinstance(source, bytes | bytearray):
        if not source:
            raise ImageError(_name(source), "is empty")
        yield io.BytesIO(source)
        return
    try:
        status = os.stat(source)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ImageError(source, f"is {kind}")
        if status.st_size == 0:
            raise ImageError(source, "is empty (0 bytes)")
        file = open(source, "rb")  # noqa: SIM115 - closed below
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ImageError(source, f"cannot be read: {reason}") from error
    with file:
        yield file


@contextmanager
def _open_header(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    image: Image.Image
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        image = _open_heif(file, name, error)
    except Image.DecompressionBombError as error:
        raise ImageError(name, "has too many pixels to be decoded safely") from error
    except Exception as error:  # Pillow's readers raise whatever a damaged header leads to
        raise ImageError(name, f"is damaged: {error}") from error
    with image:
        yield image


def _open_heif(file: BinaryIO, name: str, unidentified: Exception) -> Image.Image:
    """Opens what Pillow alone does not know, if it is HEIC and the extra is installed."""
    file.seek(0)
    head = file.read(64)
    if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS:
        raise ImageError(name, f"is no image: {_describe_content(head)}") from unidentified
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(
            name, "is HEIC, which needs one more package: pip install 'captioner[heif]'"
        ) from error
    pillow_heif.register_heif_opener()
    file.seek(0)
    try:
        return Image.open(file)
    except Exception as error:
        raise ImageError(name, f"is a damaged HEIC file: {error}") from error


def _describe_content(head: bytes) -> str:
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it holds an HTML page"
    if not start.strip(b"\0"):
        return "it holds nothing but zeros or blanks"
    with suppress(UnicodeDecodeError):
        if head[:60].decode("utf-8").isprintable() or b"\n" in head:
            return "it holds text"
    return "its content is of no known image format"


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            name, f"has {width:,} x {height:,} pixels, more than the limit of {max_pixels:,}"
        )


def _decode(image: Image.Image, name: str, background: Colour) -> Image.Image:
    width, height = image.size
    try:
        image.load()
        return _to_rgb(_upright(image), background)
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        raise ImageError(name, f"does not fit into memory ({width:,} x {height:,})") from error
    except Exception as error:  # Pillow's readers raise whatever damaged content leads to
        raise ImageError(name, f"is damaged: {error}") from error


def _reduce_jpeg(image: Image.Image, name: str, size_hint: tuple[int, int] | None) -> None:
    """Lets the JPEG reader skip detail that resizing would throw away, several times as fast."""
    if size_hint is None or image.format not in ("JPEG", "MPO"):
        return
    side = 2 * max(size_hint)  # a square, since EXIF may turn the picture
    try:
        image.draft(None, (side, side))  # None: whatever its mode is
    except Exception as error:
        raise ImageError(name, f"is damaged: {error}") from error


def _upright(image: Image.Image) -> Image.Image:
    """Returns the image as it is to be looked at; itself where it is already, without a copy."""
    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block does not make the picture unusable
        return image


def _to_rgb(image: Image.Image, background: Colour) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _scale_grey(np.asarray(image), image.mode).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if image.mode == "La":  # premultiplied; Pillow takes it no further than to LA
        image = image.convert("LA")
    if image.has_transparency_data:
        return _lay_on(image, background)
    return image if image.mode == "RGB" else image.convert("RGB")


def _scale_grey(values_HW: np.ndarray, mode: str) -> Image.Image:
    """Returns grey of more than 8 bits a pixel with 8.

    It is made in strips, as 64 bits a pixel are needed on the way.
    """
    strips = [slice(top, top + _STRIP_ROWS) for top in range(0, len(values_HW), _STRIP_ROWS)]
    full = _full_scale(mode, max(_as_numbers(values_HW[rows]).max() for rows in strips))
    grey_HW = np.empty(values_HW.shape, np.uint8)
    for rows in strips:
        grey_HW[rows] = np.clip(_as_numbers(values_HW[rows]) * (255.0 / full) + 0.5, 0, 255)
    return Image.fromarray(grey_HW)


def _as_numbers(values_HW: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values_HW.astype(np.float64), posinf=0.0, neginf=0.0)


def _full_scale(mode: str, highest: float) -> float:
    """Returns the value that means white in grey of more than 8 bits."""
    if mode.startswith("I;16"):
        return 65535.0
    steps = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    return next((step for step in steps if highest <= step), highest)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    return image.convert("RGB") if converted is None else converted


def _lay_on(image: Image.Image, background: Colour) -> Image.Image:
    """Returns the image over a colour, made in strips: whole, it would be there five times."""
    laid = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, image.height - top)
        strip = image.crop((0, top, image.width, top + rows)).convert("RGBA")
        ground = Image.new("RGBA", strip.size, (*background, 255))
        laid.paste(Image.alpha_composite(ground, strip).convert("RGB"), (0, top))
    return laid


def _image_of_array(array: np.ndarray, name: str) -> Image.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ImageError(
            name,
            f"has shape {array.shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)",
        )
    array = array[..., 0] if array.ndim == 3 and channels == 1 else array
    return Image.fromarray(_to_bytes(array, name))


def _to_bytes(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    full = {"b": 1, "u": 65535, "f": 1}.get(array.dtype.kind)
    if full is None or (array.dtype.kind == "u" and array.dtype != np.uint16):
        raise ImageError(
            name, f"has dtype {array.dtype}; expected uint8 0-255, uint16, bool or float 0-1"
        )
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > full:
        raise ImageError(
            name,
            f"holds values from {array.min()} to {array.max()}; {array.dtype} images go from "
            f"0 to {full}. Convert the array to uint8 with values 0-255",
        )
    return (array.astype(np.float64) * (255 / full) + 0.5).astype(np.uint8)
