"""The one image loader: every kind of file that a folder of photographs holds."""

import contextlib
import io
import os
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captioner import images
from captioner.errors import ImageError, UsageError
from captioner.images import ResizeRule, load_image, open_image
from captioner.pixel_room import PixelRoom

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def halves(mode="RGB", size=(64, 48), left=RED, right=BLUE):
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image.convert(mode) if mode != "RGB" else image


def content_of(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def assert_halves(array_HWC, left=RED, right=BLUE, tolerance=12):
    height, width, _ = array_HWC.shape
    np.testing.assert_allclose(array_HWC[height // 2, width // 8], left, atol=tolerance)
    np.testing.assert_allclose(array_HWC[height // 2, -width // 8], right, atol=tolerance)


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("PNG", "RGB", {}),
        ("PNG", "palette", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("AVIF", "RGB", {"quality": 90}),
        ("GIF", "palette", {}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGB", {}),
        ("TIFF", "LAB", {}),
        ("PPM", "RGB", {}),
    ],
)
def test_formats(format, mode, options):
    images = {"RGB": halves, "palette": lambda: halves().quantize(4), "LAB": _lab_halves}
    assert_halves(load_image(content_of(images[mode](), format, **options)))


def _lab_halves():
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(halves(), *profiles, outputMode="LAB")


def test_heic_through_the_extra():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(halves()).save(file, quality=90)
    assert_halves(load_image(file.getvalue()))


def test_heic_without_the_extra_names_it(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(halves()).save(file)
    monkeypatch.setattr("captioner.images.Image.open", _unidentified)
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pip install 'captioner\[heif\]'"):
        load_image(file.getvalue())


def _unidentified(_file):
    from PIL import UnidentifiedImageError

    raise UnidentifiedImageError


def test_cmyk_jpeg_as_adobe_writes_it_inverted():
    content = content_of(halves("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in content
    assert_halves(load_image(content), tolerance=40)


def test_grey_has_three_equal_channels():
    array = load_image(content_of(halves("L"), "PNG"))
    assert array.shape == (48, 64, 3)
    assert (array[..., 0] == array[..., 2]).all()


def test_one_bit():
    array = load_image(
        content_of(halves("RGB", left=(0, 0, 0), right=(255,) * 3).convert("1"), "PNG")
    )
    assert_halves(array, (0, 0, 0), (255, 255, 255), 0)


@pytest.mark.parametrize("peak", [200, 65535])
def test_sixteen_bits_are_scaled_and_not_clipped(peak):
    values = np.linspace(0, peak, 256).astype(np.uint16).reshape(16, 16)
    array = load_image(content_of(Image.fromarray(values), "PNG"))
    np.testing.assert_allclose(array[..., 0], values / 257, atol=1)


def test_floating_point_tiff():
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    array = load_image(content_of(Image.fromarray(values), "TIFF"))
    np.testing.assert_allclose(array[..., 0], values * 255, atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_what_is_transparent_shows_the_background(mode):
    image = halves("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    if mode == "P":
        content = content_of(halves().quantize(4), "PNG", transparency=bytes([0, 0, 0, 0]))
    else:
        content = content_of(image.convert(mode), "TIFF" if mode == "PA" else "PNG")
    assert (load_image(content) == 255).all()
    assert (load_image(content, background=GREEN) == GREEN).all()


def test_a_tall_image_is_laid_on_the_background_from_top_to_bottom():
    """In strips, so that a large one does not take its size several times over."""
    values = np.random.default_rng(0).integers(0, 256, (777, 9, 4), dtype=np.uint8)
    image = Image.fromarray(values)
    ground = Image.new("RGBA", image.size, (*GREEN, 255))
    whole = Image.alpha_composite(ground, image).convert("RGB")
    laid = load_image(content_of(image, "PNG"), background=GREEN)
    np.testing.assert_array_equal(laid, np.asarray(whole))


def test_tall_grey_of_16_bits_has_one_scale_from_top_to_bottom():
    values = np.random.default_rng(0).integers(0, 65536, (777, 9), dtype=np.uint16)
    grey = load_image(content_of(Image.fromarray(values), "PNG"))[..., 0]
    np.testing.assert_array_equal(grey, (values * (255 / 65535) + 0.5).astype(np.uint8))
    signed = Image.fromarray(np.linspace(0, 600, 777 * 9).reshape(777, 9).astype(np.int32))
    assert load_image(signed).max() == round(255 * 600 / 65535)


def test_an_image_of_ones_own_is_left_alone():
    image = halves()
    opened = open_image(image)
    opened.paste(GREEN, (0, 0, *opened.size))
    assert_halves(np.asarray(image))


def test_threads_share_what_may_be_decoded_at_a_time(monkeypatch):
    """Eight threads, room for two images of 100 pixels; one of 500 gets in as well."""
    monkeypatch.setattr(images, "_DECODING", PixelRoom(200))
    held, most = [], []

    def look(image, background):
        held.append(image.width * image.height)
        most.append(sum(held))
        time.sleep(0.01)
        held.remove(image.width * image.height)
        return to_rgb(image, background)

    to_rgb = images._to_rgb
    monkeypatch.setattr(images, "_to_rgb", look)
    small, large = (content_of(halves(size=size), "PNG") for size in ((10, 10), (25, 20)))
    with ThreadPoolExecutor(8) as threads:
        shapes = list(
            threads.map(lambda c: load_image(c).shape, [small] * 10 + [large] + [small] * 10)
        )
    assert max(shapes) == (20, 25, 3)
    assert max(most) == 500
    assert sorted(set(most)) == [100, 200, 500], "never 300, and nothing beside the large one"


def test_half_transparent_is_mixed():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    np.testing.assert_allclose(load_image(content_of(image, "PNG")), 127, atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture(orientation):
    upright = halves(size=(64, 32))
    upright.paste(GREEN, (0, 0, 64, 8))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = load_image(content_of(stored, "JPEG", exif=exif, quality=95, subsampling=0))
    assert array.shape == (32, 64, 3)
    np.testing.assert_allclose(array.astype(int), np.asarray(upright).astype(int), atol=90)
    assert_halves(array)
    np.testing.assert_allclose(array[2, 32], GREEN, atol=30)


def test_a_damaged_exif_block_does_not_matter():
    content = content_of(halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff rubbish")
    assert_halves(load_image(content))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_counts(format):
    frames = [halves(), Image.new("RGB", (64, 48), GREEN)]
    options = {"lossless": True} if format == "WEBP" else {}
    content = content_of(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert_halves(load_image(content))


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("resample", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 1), (640, 30), (30, 640), (224, 224)])
def test_every_rule_gives_its_size(fit, resample, size):
    rule = ResizeRule(40, 56, fit, resample)
    assert load_image(Image.new("RGB", size, RED), rule).shape == (40, 56, 3)


def test_what_the_rules_keep_of_a_wide_picture():
    wide = halves(size=(400, 100))
    wide.paste(GREEN, (0, 0, 50, 100))
    squashed, cropped, padded = (
        load_image(wide, ResizeRule(100, 100, fit)) for fit in ("squash", "crop", "pad")
    )
    assert (squashed[50, 5] == GREEN).all()
    assert (cropped[50, 5] == RED).all()
    assert (padded[5, 50] == 255).all()
    assert (padded[50, 3] == GREEN).all()


@pytest.mark.parametrize("size", [(400, 200), (200, 400), (300, 300)])
@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_a_rule_says_which_part_of_a_picture_it_shows(fit, size):
    rule = ResizeRule(60, 80, fit, "bilinear")
    across_W, down_H = (np.linspace(0, 1, side) for side in size)
    shares_HW2 = np.stack(np.meshgrid(across_W, down_H), axis=-1)
    picture = Image.fromarray((np.dstack([shares_HW2, 0 * shares_HW2[..., :1]]) * 200).astype("u1"))
    left, top, right, bottom = rule.seen_share(size)
    shown_HW3 = np.asarray(rule.apply(picture), float) / 200
    is_picture_HW = shown_HW3[..., 2] == 0  # the rest is padded with white
    for axis, (first, last) in enumerate([(left, right), (top, bottom)]):
        places = (np.arange(shown_HW3.shape[1 - axis]) + 0.5) / shown_HW3.shape[1 - axis]
        expected = first + places * (last - first)
        expected_HW = np.broadcast_to(expected if axis == 0 else expected[:, None], (60, 80))
        np.testing.assert_allclose(
            shown_HW3[is_picture_HW, axis], expected_HW[is_picture_HW], atol=0.03
        )


def test_a_large_jpeg_is_reduced_while_decoding_and_looks_the_same():
    generator = np.random.default_rng(0)
    coarse = Image.fromarray(generator.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    large = coarse.resize((2400, 1800), Image.Resampling.BICUBIC)
    content = content_of(large, "JPEG", quality=95)
    rule = ResizeRule(224, 224)
    reduced = open_image(content, size_hint=(224, 224))
    assert 448 <= reduced.size[0] < 2400
    at_full_size = np.asarray(rule.apply(open_image(content))).astype(int)
    assert np.abs(load_image(content, rule).astype(int) - at_full_size).mean() < 2


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("empty.jpg", b"", r"is empty \(0 bytes\)"),
        ("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "holds an HTML page"),
        ("note.jpg", b"just some text\n", "holds text"),
        ("zeros.jpg", bytes(100), "nothing but zeros"),
        ("noise.png", bytes(range(128, 256)), "no known image format"),
        ("cut.jpg", content_of(halves(), "JPEG")[:400], "is damaged"),
        ("cut.png", content_of(halves(), "PNG")[:100], "is damaged"),
        ("cut.webp", content_of(halves(), "WEBP")[:40], "is "),
        ("cut.gif", content_of(halves("P"), "GIF")[:-200], "is "),
    ],
)
def test_a_bad_file_is_named_with_its_cause(tmp_path, name, content, cause):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError, match=cause) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


def test_a_file_is_read_by_its_content(tmp_path):
    path = tmp_path / "really-a-png.JPG"
    path.write_bytes(content_of(halves(), "PNG"))
    assert_halves(load_image(path))


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path, cause in (
        (tmp_path / "missing.jpg", "cannot be read: No such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.jpg", "is not a regular file"),
        ("nul\0.jpg", "cannot be read"),
    ):
        with pytest.raises(ImageError, match=cause):
            load_image(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_of_zeros(20_000, 20_000))
    with pytest.raises(ImageError, match="too many pixels"):
        load_image(path)
    with pytest.raises(ImageError, match=r"64 x 48 pixels, more than the limit of 1,000"):
        load_image(content_of(halves(), "PNG"), max_pixels=1000)


def _png_of_zeros(width, height):
    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_content_raises_anything_but_an_image_error(rubbish):
    for content in (rubbish, b"\xff\xd8\xff" + rubbish, b"GIF89a" + rubbish, b"BM" + rubbish):
        with contextlib.suppress(ImageError):
            assert load_image(content).dtype == np.uint8


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_flipped_bytes_raise_anything_but_an_image_error(data):
    format = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP"]))
    content = bytearray(content_of(halves(size=(16, 16)), format))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ImageError):
        assert load_image(bytes(content)).ndim == 3


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 3), 7, np.uint8), 7),
        (np.full((2, 3, 1), 7, np.uint8), 7),
        (np.full((2, 3, 3), 0.5, np.float32), 128),
        (np.full((2, 3, 3), 65535, np.uint16), 255),
        (np.ones((2, 3), bool), 255),
        (np.full((2, 3, 4), [9, 9, 9, 255], np.uint8), 9),
    ],
)
def test_arrays(array, expected):
    loaded = load_image(array)
    assert loaded.shape == (2, 3, 3)
    assert (loaded == expected).all()


@pytest.mark.parametrize(
    ("array", "cause"),
    [
        (np.zeros((2, 3, 2), np.uint8), r"has shape \(2, 3, 2\); expected"),
        (np.zeros((0, 3), np.uint8), "has shape"),
        (np.zeros((2, 3), np.int64), "has dtype int64"),
        (np.full((2, 3), 200.0), "holds values from 200.0"),
        (np.full((2, 3), np.nan), "holds values from nan"),
    ],
)
def test_arrays_that_are_no_images(array, cause):
    with pytest.raises(ImageError, match=cause):
        load_image(array)


def test_a_pil_image_is_left_as_it_was():
    image = halves("P")
    load_image(image, ResizeRule(8, 8))
    assert image.mode == "P"
    assert image.size == (64, 48)


def test_real_photographs(photos_folder):
    paths = sorted(photos_folder.glob("*.jpg"))
    assert len(paths) == 24
    for path in paths:
        assert load_image(path, ResizeRule(224, 224)).std() > 10


def test_an_unloaded_jpeg_of_the_callers_is_not_reduced():
    image = Image.open(io.BytesIO(content_of(halves(size=(2000, 1500)), "JPEG")))
    load_image(image, ResizeRule(224, 224))
    assert image.size == (2000, 1500)


@pytest.mark.parametrize("options", [{"height": 0}, {"fit": "crp"}, {"resample": "area"}])
def test_a_rule_that_cannot_be_followed_is_refused(options):
    with pytest.raises(UsageError, match="cannot be followed"):
        ResizeRule(**{"height": 5, "width": 5, **options})
