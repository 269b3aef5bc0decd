import io
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from evaluations import make_images
from PIL import Image

from captioner.errors import ImageError
from captioner.report.gallery import choose_images, make_cards
from captioner.report.thumbnail import QUALITIES, make_thumbnail


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("gallery"), 12)


def decode(thumbnail):
    return Image.open(io.BytesIO(b64decode(thumbnail.uri.partition(",")[2])))


def test_thumbnail_is_an_upright_jpeg_without_metadata():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret"  # turned by 90 degrees; a description
    content = io.BytesIO()
    Image.new("RGB", (800, 400), "red").save(content, "JPEG", exif=exif)
    thumbnail = make_thumbnail(content.getvalue())
    assert (thumbnail.width, thumbnail.height) == (160, 320)
    image = decode(thumbnail)
    assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (160, 320), {})


def test_small_photograph_keeps_its_size():
    thumbnail = make_thumbnail(Image.new("RGB", (30, 20)))
    assert decode(thumbnail).size == (thumbnail.width, thumbnail.height) == (30, 20)


def test_the_finest_quality_that_fits_is_taken():
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    sizes = [len(make_thumbnail(noise, [quality]).uri) for quality in QUALITIES]
    assert sizes == sorted(sizes, reverse=True)
    for size in sizes:
        assert len(make_thumbnail(noise, QUALITIES, max_bytes=size).uri) == size
    assert len(make_thumbnail(noise, QUALITIES, max_bytes=10).uri) == sizes[-1]


def test_what_is_no_image_has_no_thumbnail():
    with pytest.raises(ImageError, match="holds text"):
        make_thumbnail(b"plain text")


def test_photographs_that_cannot_be_shown_say_why(images):
    *shown, damaged, gone = make_cards(images)
    assert all(card.thumbnail for card in shown)
    assert damaged.thumbnail is gone.thumbnail is None
    assert "holds text" in damaged.missing
    assert gone.missing == "This photograph is no longer where it was."


def test_all_images_are_shown_in_their_order_if_they_may(images):
    assert choose_images(images, 12) == list(range(12))


def test_a_choice_of_images_has_the_best_the_worst_and_what_lies_between(images):
    ciders = [0.5, 0.1, 0.9, 0.3, 0.7]
    ranked = [replace(image, cider=cider) for image, cider in zip(images, ciders, strict=False)]
    assert choose_images(ranked, 3) == [0, 1, 2]
    assert choose_images(ranked, 1) == [2]
    assert choose_images(ranked, 0) == []


def test_a_thousand_cards_share_the_bytes_of_the_page(images, monkeypatch):
    budgets = []
    monkeypatch.setattr(
        "captioner.report.gallery.make_thumbnail",
        lambda path, qualities, max_bytes: budgets.append(max_bytes),
    )
    monkeypatch.setattr("captioner.report.gallery.PAGE_BYTES", 100_000)
    make_cards(images[:4])
    texts = sum(
        len(text.encode())
        for image in images[:4]
        for text in (image.caption, *(text for text, _ in image.others), *image.references)
    )
    assert set(budgets) == {(100_000 - texts - 4 * 1_800) // 4}
