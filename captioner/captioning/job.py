"""A captioning run over many files: what is left to do, done, written, and summed up."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.captioning.caption import Caption, ImageResult
from captioner.captioning.folders import ListedImage
from captioner.captioning.journal import Entry, Journal
from captioner.captioning.ledger import Ledger
from captioner.captioning.listing import Listing
from captioner.captioning.outputs import Outputs, write_outputs
from captioner.captioning.publisher import Publisher
from captioner.captioning.resuming import choose_journal, identify, open_journal
from captioner.captioning.stream import Engine, LoadImage, caption_stream
from captioner.captioning.summary import MAX_LISTED_FAILURES, Summary
from captioner.errors import CaptionerError
from captioner.features.sources import count_workers
from captioner.progress import Progress


@dataclass(frozen=True)
class LoadedEngine:
    """An engine, and how images are read for it."""

    engine: Engine
    load: LoadImage


@dataclass(frozen=True)
class PlannedImage:
    """An image to caption, and its place in the listing."""

    position: int
    listed: ListedImage

    @property
    def path(self) -> Path:
        """The file."""
        return self.listed.path

    @property
    def fault(self) -> str | None:
        """Why it cannot be captioned, if that is known."""
        return self.listed.fault


class CaptionJob:
    """Captions a listing into outputs, and continues where an interrupted run stopped.

    An image is skipped when all outputs hold a caption of it already, unless `outputs.text`
    says otherwise. The model is loaded when the first image needs it.

    Args:
        listing: the images.
        outputs: where captions go.
        load_engine: loads the model.
        identity: what else decides the captions, such as the model's digest and the beam; JSON.
        min_confidence: captions below are left for review: they stay out of sidecars and images.
        workers: decoding threads; None takes one for each processor.
        show: called with each result, in order.

    Example:
        job = CaptionJob(Listing(["photos"]), Outputs(sidecar_suffix=".txt"), load_engine)
        print(job.run().num_done)
    """

    def __init__(
        self,
        listing: Listing,
        outputs: Outputs,
        load_engine: Callable[[], LoadedEngine],
        *,
        identity: Any = None,
        min_confidence: float = 0.0,
        workers: int | None = None,
        show: Callable[[ImageResult], None] | None = None,
    ) -> None:
        self._listing = listing
        self._outputs = outputs
        self._tables = outputs.tables()
        self._load_engine = load_engine
        self._identity = identify(listing, outputs, [identity, min_confidence])
        self._min_confidence = min_confidence
        self._workers = count_workers() if workers is None else workers
        self._show = show
        self._num_skipped = 0
        self._num_resumed = 0
        self._num_passed = 0  # skipped, or settled before the interruption

    def preview(self) -> Iterator[tuple[ListedImage, str]]:
        """Yields each image and what a run would do with it; writes nothing.

        Raises:
            CaptionExistsError: the run would fail, since an image has a caption.
        """
        with closing(open_journal(None, self._identity, self._tables)) as journal:
            ledger = self._open_ledger(journal)
            for listed in self._listing:
                if not journal.meet(listed.key):
                    yield listed, "skip (listed twice)"
                elif listed.fault is not None:
                    yield listed, f"fail ({listed.fault})"
                elif ledger.is_captioned(listed):
                    yield listed, "skip (captioned already)"
                else:
                    ledger.check_none_exists(listed)
                    yield listed, "caption"

    def run(self) -> Summary:
        """Captions what is left to caption.

        Raises:
            CaptionExistsError: the request was to fail where an image has a caption; before any
                work, if the listing can be repeated.
            OutputError, JournalError: something cannot be written, for want of room perhaps;
                give the same request again.
            LockedError: another run is captioning the same images.
            TableError: an existing table holds something else.
        """
        path = choose_journal(self._listing, self._outputs)
        journal = open_journal(path, self._identity, self._tables)
        publisher = Publisher(self._tables, journal)
        try:
            seconds = self._caption_all(journal, publisher)
            publisher.publish()
            summary = self._summarise(journal, seconds)
        except BaseException:
            with contextlib.suppress(CaptionerError):
                publisher.publish()
            journal.close(remove=not journal.counts())
            raise
        journal.close(remove=True)
        return summary

    def _caption_all(self, journal: Journal, publisher: Publisher) -> float:
        """Captions, writes and records batch by batch; returns the seconds it took."""
        ledger = self._open_ledger(journal)
        total = self._look_ahead(journal, ledger)
        planned = self._plan(journal, ledger)
        first = next(planned, None)
        if first is None:
            return 0.0
        loaded = self._load_engine()
        started = time.monotonic()
        stream = caption_stream(
            itertools.chain([first], planned), loaded.engine, loaded.load, workers=self._workers
        )
        with Progress("caption", total) as progress, closing(stream):
            for batch in stream:
                self._settle(batch, journal, ledger)
                publisher.note_change()
                num_passed, self._num_passed = self._num_passed, 0
                progress.advance(len(batch) + num_passed)
        return time.monotonic() - started

    def _look_ahead(self, journal: Journal, ledger: Ledger) -> int | None:
        """Counts the images, and looks for captions that must not be there."""
        if not self._listing.can_repeat:
            return None
        total = 0
        for listed in self._listing:
            total += 1
            if not journal.knows(listed.key):
                ledger.check_none_exists(listed)
        return total

    def _plan(self, journal: Journal, ledger: Ledger) -> Iterator[PlannedImage]:
        """Yields the images that are left to caption."""
        for position, listed in enumerate(self._listing):
            is_new = journal.meet(listed.key)
            is_known = is_new and journal.knows(listed.key)
            if is_new and not is_known and not ledger.is_captioned(listed):
                ledger.check_none_exists(listed)
                yield PlannedImage(position, listed)
                continue
            for table in self._tables if is_new else ():
                journal.move_row(table.name, listed.key, position)
            self._num_skipped += not is_known
            self._num_resumed += is_known
            self._num_passed += 1

    def _settle(
        self, batch: list[tuple[PlannedImage, Caption | str]], journal: Journal, ledger: Ledger
    ) -> None:
        entries = [ledger.make_entry(image.listed, image.position, made) for image, made in batch]
        journal.record(entries)
        for entry in entries:
            write_outputs(entry)
        journal.settle(entries)
        if self._show is not None:
            for entry, (image, made) in zip(entries, batch, strict=True):
                self._show(_result(entry, image.listed, made))

    def _open_ledger(self, journal: Journal) -> Ledger:
        return Ledger(self._outputs, journal, min_confidence=self._min_confidence)

    def _summarise(self, journal: Journal, seconds: float) -> Summary:
        counts = journal.counts(only_met=True)
        failures = journal.failures(MAX_LISTED_FAILURES)
        return Summary(
            num_done=counts.get("done", 0),
            num_review=counts.get("review", 0),
            num_skipped=self._num_skipped,
            num_failed=counts.get("failed", 0),
            num_resumed=self._num_resumed,
            seconds=seconds,
            failures=tuple((row["path"], row["error"]) for row in failures),
        )


def _result(entry: Entry, listed: ListedImage, made: Caption | str) -> ImageResult:
    caption = None if isinstance(made, str) else made
    return ImageResult(listed.path, listed.name, entry.status, caption, entry.row.get("error"))
