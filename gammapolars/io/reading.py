"""How the files of a run are to be read, and the data that had to be left out of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal

from gammapolars.core.errors import InputError
from gammapolars.core.overview import MOST_ROWS, Overview, Section, columns_of
from gammapolars.core.wording import setting
from gammapolars.detectors.columns import TIME, Column, period_ps

Kind = Literal["damaged", "out_of_range", "repeated"]


def skipping() -> str:
    """How damaged data are skipped, in brackets after what is wrong with them."""
    return f"({setting('--keep-going', 'losses=gp.Losses()')} skips it and reports how much was skipped)"


@dataclass(frozen=True)
class Loss:
    """Hits that could not be read.

    Attributes:
        path: the file.
        what: the place in the file and what is wrong with it, as one clause:
            "basket 3 of branch 'Energy' (hits 201 to 300, at byte 4000) is damaged: …".
        hits: how many hits it is.
        kind: `damaged`; `out_of_range` for readable values that no hit can have; `repeated` for hits at the time of
            another one of their detector, where those are to be dropped.
    """

    path: Path
    what: str
    hits: int
    kind: Kind = "damaged"


class Losses(Overview):
    """Data skipped while reading: each place once, even if several threads meet it several times.

    Args:
        keep_going: whether unreadable hits are skipped and recorded; otherwise they are an error.

    Attributes:
        lost_time: whether clocks restarted so that the elapsed time is unknown.
    """

    def __init__(self, *, keep_going: bool = True) -> None:
        self.keep_going = keep_going
        self.lost_time = False
        self._losses: dict[tuple[Path, str], Loss] = {}
        self._notes: dict[tuple[Path, str], None] = {}
        self._lock = Lock()

    def _sections(self) -> Iterator[Section]:
        """A row for each place, then the notes."""
        rows = [
            {"file": loss.path.name, "hits": f"{loss.hits:,}", "kind": loss.kind.replace("_", " "), "place": loss.what}
            for loss in self.all[:MOST_ROWS]
        ]
        yield columns_of(rows)
        yield from (Section((), (), note) for note in self.notes)

    def leave_out(self, path: Path, what: str, hits: int, kind: Kind = "damaged") -> None:
        """Remember hits that are left out.

        Raises:
            InputError: nothing may be left out.
        """
        if not self.keep_going:
            raise InputError(f"{path}: {what} {skipping()}")
        self.set_aside(path, what, hits, kind)

    def set_aside(self, path: Path, what: str, hits: int, kind: Kind) -> None:
        """Record skipped hits even where nothing may be skipped, because the run is only inspected."""
        with self._lock:
            self._losses[path, what] = Loss(path, what, hits, kind)

    def drop(self, path: Path, what: str, hits: int) -> None:
        """Remember hits that repeat another one: how many, as far as the reading that went furthest has come."""
        with self._lock:
            known = self._losses.get((path, what))
            if hits and (known is None or known.hits < hits):
                self._losses[path, what] = Loss(path, what, hits, "repeated")

    def note(self, path: Path, what: str) -> None:
        """Record a message for the user that is not about missing hits."""
        with self._lock:
            self._notes[path, what] = None

    @property
    def all(self) -> tuple[Loss, ...]:
        """In the order in which they were first met."""
        with self._lock:
            return tuple(self._losses.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """The messages of `note`, each beginning with the file name."""
        with self._lock:
            return tuple(f"{path.name}: {what}" for path, what in self._notes)

    def count(self, kind: Kind) -> int:
        """How many hits were left out for this reason."""
        return sum(loss.hits for loss in self.all if loss.kind == kind)


@dataclass(frozen=True)
class Reading:
    """How files are read, as far as their names and contents do not say.

    Attributes:
        tree: name of the hits' tree in ROOT files, where it is not `Data_R`, `Data_F` or `Data`.
        bin_layout: layout of CoMPASS BIN files without a header.
        columns: which column of a foreign table holds what, by our names; from `[columns]` of detectors.toml.
        rollover_ps: the period of a counter of time that rolls over without a flag (ps), where `columns` give none.
        losses: treatment of hits that cannot be read.
        chunk_hits: the least that a reader that decodes ahead does so at once: less where many files are open.
    """

    tree: str | None = None
    bin_layout: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    rollover_ps: int | None = None
    losses: Losses = field(default_factory=lambda: Losses(keep_going=False))
    chunk_hits: int = 1_000_000

    @property
    def period_ps(self) -> int | None:
        """After which the counter of times rolls over without a flag; None where it does not."""
        time = self.columns.get(TIME)
        if self.rollover_ps is None and time and time.bits:
            return period_ps(time.bits, time.unit or "ps")
        return self.rollover_ps


READING = Reading()
"""The default: damage is an error."""
