"""What a captioning run did, in numbers and in words."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from captioner.captioning.file_names import one_line

MAX_LISTED_FAILURES = 100


@dataclass(frozen=True)
class Summary:
    """What a run did, an interrupted run that it continued included.

    Args:
        num_done: images captioned and written.
        num_review: images captioned with less confidence than asked for.
        num_skipped: images that had their captions before the run, and doubles in the list.
        num_failed: images that could not be captioned or whose caption could not be written.
        num_resumed: of all these but the skipped, settled before an interruption.
        seconds: duration of this run's captioning, model loading excluded.
        failures: (name, reason) of the first `MAX_LISTED_FAILURES` failures.
    """

    num_done: int = 0
    num_review: int = 0
    num_skipped: int = 0
    num_failed: int = 0
    num_resumed: int = 0
    seconds: float = 0.0
    failures: tuple[tuple[str, str], ...] = field(default=())

    @property
    def images_per_second(self) -> float:
        """Images settled in this run, per second."""
        count = self.num_done + self.num_review + self.num_failed - self.num_resumed
        return count / self.seconds if self.seconds else 0.0

    def lines(self) -> Iterator[str]:
        """Yields the lines that end a run: failures with their reasons, then the counts."""
        if self.num_failed:
            yield f"{self.num_failed:,} failed:"
            yield from (f"  {one_line(name)}: {reason}" for name, reason in self.failures)
            hidden = self.num_failed - len(self.failures)
            if hidden:
                yield f"  and {hidden:,} more"
        review = f", for review {self.num_review:,}" if self.num_review else ""
        resumed = f" ({self.num_resumed:,} before the interruption)" if self.num_resumed else ""
        rate = f", {self.images_per_second:.1f} images/s" if self.seconds else ""
        yield (
            f"done {self.num_done:,}{review}, skipped {self.num_skipped:,}, "
            f"failed {self.num_failed:,}{resumed}{rate}"
        )
