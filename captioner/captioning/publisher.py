"""Tables brought up to date from the journal, now and then and at the end.

A table is always replaced whole, so its readers never meet half a line, and it lists the images
in input order at any moment.
"""

import time
from collections.abc import Sequence

from captioner.captioning.journal import Journal
from captioner.captioning.outputs import OutputError, disk_full, is_disk_full
from captioner.captioning.tables import Table
from captioner.captioning.writing import replace_content

_MIN_SECONDS = 15.0  # between two publications
_MIN_SHARE = 20  # and at least this many times what one of them takes


class Publisher:
    """Publishes tables while a run goes on.

    Args:
        tables: which.
        journal: what they are made from.
    """

    def __init__(self, tables: Sequence[Table], journal: Journal) -> None:
        self._tables = tables
        self._journal = journal
        self._is_behind = any(t.name != "review" and not t.path.exists() for t in tables)
        self._next_time = time.monotonic() + _MIN_SECONDS

    def note_change(self) -> None:
        """Takes note that rows were put into the journal, and publishes if it is time to."""
        self._is_behind = True
        if time.monotonic() >= self._next_time:
            self.publish()

    def publish(self) -> None:
        """Makes every table equal to the journal.

        Raises:
            OutputError: a table cannot be written; it is as it was.
        """
        started = time.monotonic()
        for table in self._tables if self._is_behind else ():
            self._publish_table(table)
        ended = time.monotonic()
        self._next_time = ended + max(_MIN_SECONDS, _MIN_SHARE * (ended - started))
        self._is_behind = False

    def _publish_table(self, table: Table) -> None:
        if table.name == "review" and not self._journal.has_rows("review"):
            table.path.unlink(missing_ok=True)
            return
        try:
            replace_content(table.path, table.render(self._journal.rows(table.name)))
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(error, table.path) from error
            raise OutputError(
                f"{table.path} cannot be written: {error.strerror}. What was captioned is kept: "
                "mend the cause and give the same command again; it continues where it stopped."
            ) from error
