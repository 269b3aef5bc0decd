"""The photographs of a report: which are shown, how small, and what is said beside each."""

import base64
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from captioner.errors import ImageError
from captioner.progress import Progress
from captioner.report.evaluation import ScoredImage
from captioner.report.looks import Looks
from captioner.report.thumbnail import QUALITIES, Thumbnail, make_thumbnail

MAX_IMAGES = 1000
PAGE_BYTES = 14_000_000  # below the promised 15 MB by more than the page around the cards
_CARD_BYTES = 1_800  # of a card's markup, without its texts and its picture
_NUM_THREADS = 4  # Pillow decodes outside Python's lock


@dataclass(frozen=True, slots=True)
class Card:
    """One image of the gallery.

    Args:
        image: what was said of it.
        place: its place in the data set's order, from 0.
        thumbnail: the photograph, or None where it has gone or cannot be read.
        missing: then, why, in words.
        looks: where each word of the caption looked, as `Looks.of_image` has it, in base64; empty
            where that is not known.
    """

    image: ScoredImage
    place: int
    thumbnail: Thumbnail | None
    missing: str
    looks: str = ""

    @property
    def words(self) -> list[str]:
        """The caption's words, as they stand in it; each is marked when a filter finds it."""
        return self.image.caption.split()


def make_cards(
    images: Sequence[ScoredImage], max_images: int = MAX_IMAGES, looks: Looks | None = None
) -> list[Card]:
    """Returns a card for each image that is shown, in the data set's order.

    Args:
        images: all images that were scored.
        max_images: cards at most, 0 or more.
        looks: where the model looked, of all images.
    """
    shown = choose_images(images, max_images)
    looked = {place: _encode(looks, place) for place in shown}
    max_bytes = _share_bytes([images[place] for place in shown], looked.values())
    with (
        ThreadPoolExecutor(_NUM_THREADS) as threads,
        Progress("report", len(shown)) as progress,
    ):
        cards = []
        for place, (thumbnail, missing) in zip(
            shown,
            threads.map(lambda place: _try_thumbnail(images[place], max_bytes), shown),
            strict=True,
        ):
            seen = looked[place] if thumbnail is not None else ""
            cards.append(Card(images[place], place, thumbnail, missing, seen))
            progress.advance()
    return cards


def choose_images(images: Sequence[ScoredImage], max_images: int) -> list[int]:
    """Returns the places of the images to show, in order.

    If not all can be shown they are taken evenly from the best to the worst, both included, so
    that the choice flatters nobody.
    """
    ranked = sorted(range(len(images)), key=lambda place: (-images[place].cider, place))
    if len(ranked) <= max_images:
        return sorted(ranked)
    if max_images < 2:
        return ranked[:max_images]
    step = (len(ranked) - 1) / (max_images - 1)
    return sorted(ranked[round(index * step)] for index in range(max_images))


def _share_bytes(images: Sequence[ScoredImage], looked: Iterable[str]) -> int:
    """Returns how long the URI of one thumbnail may be, for the page to keep its size."""
    num_bytes = sum(
        len(text.encode("utf-8", "backslashreplace")) for image in images for text in _texts(image)
    )
    num_bytes += sum(map(len, looked))
    left = PAGE_BYTES - num_bytes - _CARD_BYTES * len(images)
    return max(left, 0) // max(len(images), 1)


def _texts(image: ScoredImage) -> list[str]:
    return [image.caption, *(text for text, _ in image.others), *image.references]


def _encode(looks: Looks | None, place: int) -> str:
    return "" if looks is None else base64.b64encode(looks.of_image[place]).decode()


def _try_thumbnail(image: ScoredImage, max_bytes: int) -> tuple[Thumbnail | None, str]:
    if not image.path.exists():
        return None, "This photograph is no longer where it was."
    try:
        return make_thumbnail(image.path, QUALITIES, max_bytes=max_bytes), ""
    except ImageError as error:
        return None, f"This photograph {error.cause}."
