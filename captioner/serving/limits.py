"""How much a server takes at a time, and the words it refuses more with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from captioner.errors import CaptionerError, UsageError

MEGABYTE = 1_000_000
_ENVELOPE_BYTES = MEGABYTE  # what a multipart body holds beside its photographs


class RefusedError(CaptionerError):
    """A request that is not met.

    Args:
        status: the HTTP status that says so.
        text: why, and what would be met.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes.

    Args:
        file_bytes: of one photograph.
        num_files: photographs in one request.
        body_bytes: of one request.
        held_bytes: of all requests together while they wait for their captions.
        num_requests: at the same time.
        idle_seconds: without a byte of an upload before it is given up.
        upload_seconds: for the whole of an upload.

    Raises:
        UsageError: a limit is below 1.
    """

    file_bytes: int = 20 * MEGABYTE
    num_files: int = 32
    body_bytes: int = 64 * MEGABYTE
    held_bytes: int = 512 * MEGABYTE
    num_requests: int = 64
    idle_seconds: float = 30.0
    upload_seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value <= 0:
                raise UsageError(f"The limit `{name}` is above 0. Received: {value}")

    @classmethod
    def for_photographs(cls, file_bytes: int, num_files: int) -> "Limits":
        """Returns limits for photographs of this size and number, wide enough for one of them."""
        body_bytes = max(cls().body_bytes, file_bytes + _ENVELOPE_BYTES)
        held_bytes = max(cls().held_bytes, 2 * body_bytes)
        return cls(file_bytes, num_files, body_bytes, held_bytes)


class Room:
    """What requests hold now, against what they may hold together.

    Args:
        limits: how much that is.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._num_requests = 0
        self._held_bytes = 0

    @contextmanager
    def enter(self) -> "Iterator[Share]":
        """Lets one request in, and takes back what it holds when it leaves.

        Raises:
            RefusedError: there are too many requests already.
        """
        if self._num_requests >= self._limits.num_requests:
            raise RefusedError(
                503,
                f"The server is busy with {self._num_requests} requests. Ask again in a moment.",
            )
        share = Share(self)
        self._num_requests += 1
        try:
            yield share
        finally:
            self._num_requests -= 1
            self._held_bytes -= share.held_bytes

    def take(self, num_bytes: int) -> None:
        """Takes room for so many bytes, which `enter` gives back.

        Raises:
            RefusedError: there is none left.
        """
        if self._held_bytes + num_bytes > self._limits.held_bytes:
            raise RefusedError(
                503, "The server holds as many photographs as it can. Ask again in a moment."
            )
        self._held_bytes += num_bytes


class Share:
    """What one request holds of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held_bytes = 0

    def take(self, num_bytes: int) -> None:
        """Holds so many bytes more.

        Raises:
            RefusedError: there is no room for them.
        """
        self._room.take(num_bytes)
        self.held_bytes += num_bytes


def megabytes(num_bytes: int) -> str:
    """Returns a size as people say it, such as "20 MB"."""
    return f"{num_bytes / MEGABYTE:.3g} MB"
