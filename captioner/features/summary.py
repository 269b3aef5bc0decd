"""What an extraction did, in numbers and in one line."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction did.

    The images asked for are those computed, reused, resumed and failed.

    Args:
        num_images: images asked for.
        num_computed: went through the encoder in this run.
        num_reused: copied from earlier stores.
        num_resumed: kept from an interrupted run in the same folder.
        num_failed: could not be used; listed in failures.jsonl.
        seconds: duration of this run.
        images_per_second: images computed and reused in this run, per second.
        notes: what the user should know, such as an earlier store that could not be used.
    """

    num_images: int
    num_computed: int = 0
    num_reused: int = 0
    num_resumed: int = 0
    num_failed: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """Returns one line, such as `8,091 images: 8,000 reused, 90 computed, 1 failed (12/s)`."""
        counts = {
            "kept from an interrupted run": self.num_resumed,
            "reused": self.num_reused,
            "computed": self.num_computed,
            "failed": self.num_failed,
        }
        parts = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        rate = f" ({self.images_per_second:,.3g}/s)" if self.images_per_second else ""
        noun = "image" if self.num_images == 1 else "images"
        return f"{self.num_images:,} {noun}: {parts}{rate}"
