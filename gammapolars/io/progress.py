"""Progress of what is read from Python, in a terminal, a notebook or a script's messages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import polars as pl

from gammapolars.core.errors import GammapolarsError
from gammapolars.core.readings import Rows, watching
from gammapolars.core.status_line import StatusLine, reading_text
from gammapolars.io.formats import count_rows, format_of
from gammapolars.io.reading import READING
from gammapolars.io.remote import is_remote


class ReadingProgress:
    """The rows of all files that are read, and how many there are, on one line.

    A file that is read again, after a look at its beginning for example, counts once: as far as the last reading is.
    """

    def __init__(self) -> None:
        self._line, self._lock = StatusLine(), Lock()
        self._started = time.monotonic()
        self._rows: dict[Path, int] = {}
        self._totals: dict[Path, int | None] = {}

    def begin(self, path: Path) -> Rows:
        """Watch a reading of a file from its beginning."""
        if path not in self._totals:
            self._totals[path] = None if is_remote(path) else _count(path)
        done = 0

        def add(rows: int) -> None:
            nonlocal done
            done += rows
            with self._lock:
                self._rows[path] = done
                if self._line.is_due():
                    self._line.show(self._text())

        return add

    def end(self) -> None:
        """Say what has been read in all; nothing where nothing was."""
        with self._lock:
            if rows := sum(self._rows.values()):
                seconds = time.monotonic() - self._started
                rate = rows / max(seconds, 1e-9) / 1e6
                self._line.show(f"{rows:,} hits read in {seconds:.1f} s, {rate:.1f} million/s", last=True)

    def _text(self) -> str:
        totals = [self._totals[path] for path in self._rows]
        total = None if None in totals else sum(count or 0 for count in totals)
        return reading_text(sum(self._rows.values()), total, time.monotonic() - self._started)


def _count(path: Path) -> int | None:
    """How many rows a file holds, by its metadata; None: not known without reading it."""
    form = format_of(path)
    if form is None or form.count is count_rows:
        return None
    with suppress(GammapolarsError, OSError):
        return form.count(path, READING, pl.LazyFrame()) or None
    return None


@contextmanager
def progress() -> Iterator[None]:
    """Show on stderr how far reading is, in the block: hits read, their rate, and the time left.

    In a terminal and in a notebook one line is replaced; in a script whose messages go to a file, there is a line every
    ten seconds. A last line says how much was read. Files that are read again count once, as far as the last reading.

        with gp.progress():
            gp.save(pairs, "pairs.parquet")
    """
    shown = ReadingProgress()
    with watching(shown.begin):
        try:
            yield
        finally:
            shown.end()
