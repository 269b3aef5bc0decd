"""What the outputs of an image hold, and what they shall hold."""

import contextlib
from collections.abc import Iterator

from captioner.captioning.caption import Caption
from captioner.captioning.existing import CaptionExistsError
from captioner.captioning.file_names import name_fields, readable
from captioner.captioning.folders import ListedImage
from captioner.captioning.journal import Entry, Journal
from captioner.captioning.outputs import Outputs
from captioner.captioning.tables import Row, Table, caption_fields
from captioner.errors import ImageError


class Ledger:
    """Compares images with the outputs of a run, and draws up their entries.

    Args:
        outputs: where captions go.
        journal: knows the rows of the tables.
        min_confidence: captions below are left for review.
    """

    def __init__(self, outputs: Outputs, journal: Journal, *, min_confidence: float) -> None:
        self._outputs = outputs
        self._tables = outputs.tables()
        self._journal = journal
        self._min_confidence = min_confidence

    def make_entry(self, listed: ListedImage, position: int, made: Caption | str) -> Entry:
        """Returns what shall be written for an image.

        Args:
            listed: the image.
            position: its place in the listing.
            made: its caption, or the reason why there is none.
        """
        row: Row = {**name_fields(listed.name), "status": "done"}
        entry = Entry(listed.key, position, "done", str(listed.path), row)
        if isinstance(made, str):
            entry.fail(readable(made))
        else:
            row.update(caption_fields(made, self._outputs.text.word(made.text)))
            if made.confidence < self._min_confidence:
                entry.status = row["status"] = "review"
            else:
                self._outputs.plan(entry, listed, made.text)
        entry.rows = {t.name: self._make_row(t, entry, listed, made) for t in self._tables}
        return entry

    def _make_row(
        self, table: Table, entry: Entry, listed: ListedImage, made: Caption | str
    ) -> Row | None:
        """Returns what a table shall say of an image; None takes its row away."""
        if table.name == "review":
            is_for_review = entry.status == "review"
            return {**table.place_fields(listed), **entry.row} if is_for_review else None
        earlier = self._journal.find_row(table.name, listed.key)
        text = None if earlier is None else earlier.get("caption")
        row = {**table.place_fields(listed), **entry.row}
        if isinstance(made, str):  # a failure does not take an earlier caption away
            return row if text is None else earlier
        is_skipping = self._outputs.text.existing == "skip"
        if earlier is not None and is_skipping and _is_whole(earlier) and not _is_review(earlier):
            return earlier
        return {**row, "caption": self._outputs.text.combine(text, made.text)}

    def is_captioned(self, listed: ListedImage) -> bool:
        """Tells whether nothing is left to do for an image."""
        if self._outputs.text.existing != "skip" or not self._outputs or listed.fault is not None:
            return False
        for table in self._tables:
            row = self._journal.find_row(table.name, listed.key)
            if table.name == "review" and self._is_for_review(row):
                return True
            if table.name != "review" and not _is_whole(row):
                return False
        with contextlib.suppress(OSError, ImageError):  # told when it comes to writing
            return all(text is not None for _, text in self._outputs.earlier_texts(listed))
        return False

    def _is_for_review(self, row: Row | None) -> bool:
        return row is not None and row.get("confidence", 1.0) < self._min_confidence

    def check_none_exists(self, listed: ListedImage) -> None:
        """Fails where the request was to fail and an output has a caption of the image already.

        Raises:
            CaptionExistsError: names the image and the output.
        """
        if self._outputs.text.existing != "fail" or listed.fault is not None:
            return
        place = next(self._find_captions(listed), None)
        if place is not None:
            raise CaptionExistsError(
                f"{readable(listed.name)} has a caption already, in {readable(place)}. Choose "
                "--existing skip, overwrite, append or prepend."
            )

    def _find_captions(self, listed: ListedImage) -> Iterator[str]:
        """Yields the names of the outputs that have a caption of an image."""
        yield from (str(t.path) for t in self._tables if self._journal.find_row(t.name, listed.key))
        with contextlib.suppress(OSError, ImageError):  # told when it comes to writing
            texts = self._outputs.earlier_texts(listed)
            yield from (name for name, text in texts if text is not None)


def _is_review(row: Row) -> bool:
    return row.get("status") == "review"


def _is_whole(row: Row | None) -> bool:
    return row is not None and bool(row.get("caption")) and row.get("status") != "failed"
