"""A bound on the pixels that threads decode at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelRoom:
    """How many pixels may be decoded at the same time, whatever the number of threads.

    Those who want more than is left wait in turn, so that a large image is not overtaken for ever
    by small ones.

    Args:
        num_pixels: of all images that are being decoded. A single image may have more.
    """

    def __init__(self, num_pixels: int) -> None:
        self._left = self._size = num_pixels
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, num_pixels: int) -> Iterator[None]:
        """Takes room for an image of so many pixels, as soon as there is some, until the end."""
        wanted = min(num_pixels, self._size)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._left >= wanted)
            self._left -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left += wanted
                self._changed.notify()
