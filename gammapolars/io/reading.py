"""How the files of a run are to be read, and the data that had to be left out of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

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
        place: names the place in the file where `what` may say more than that; empty where it is `what`.
    """

    path: Path
    what: str
    hits: int
    kind: Kind = "damaged"
    place: str = ""

    @property
    def key(self) -> tuple[Path, str]:
        """The file and the place in it: with the same, two losses are one."""
        return self.path, self.place or self.what


class LossesState(NamedTuple):
    """The contents of `Losses` as plain data.

    Attributes:
        losses: in the order in which they were first met.
        notes: file, text and place of each.
        lost_time: as in `Losses`.
    """

    losses: tuple[Loss, ...]
    notes: tuple[tuple[Path, str, str], ...]
    lost_time: bool


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
        self._notes: dict[tuple[Path, str], str] = {}
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())

    def _sections(self) -> Iterator[Section]:
        """A row for each place, then the notes."""
        rows = [
            {"file": loss.path.name, "hits": f"{loss.hits:,}", "kind": loss.kind.replace("_", " "), "place": loss.what}
            for loss in self.all[:MOST_ROWS]
        ]
        yield columns_of(rows)
        yield from (Section((), (), note) for note in self.notes)

    def leave_out(self, path: Path, what: str, hits: int, kind: Kind = "damaged", *, place: str = "") -> None:
        """Remember hits that are left out.

        Raises:
            InputError: nothing may be left out.
        """
        if not self.keep_going:
            raise InputError(f"{path}: {what} {skipping()}")
        self.set_aside(path, what, hits, kind, place=place)

    def set_aside(self, path: Path, what: str, hits: int, kind: Kind, *, place: str = "") -> None:
        """Record skipped hits even where nothing may be skipped, because the run is only inspected."""
        loss = Loss(path, what, hits, kind, place)
        with self._lock:
            known = self._losses.get(loss.key, loss)
            self._losses[loss.key] = replace(known, hits=hits)

    def drop(self, path: Path, what: str, hits: int) -> None:
        """Remember hits that repeat another one: how many, as far as the reading that went furthest has come."""
        with self._lock:
            known = self._losses.get((path, what))
            if hits and (known is None or known.hits < hits):
                self._losses[path, what] = Loss(path, what, hits, "repeated")

    def note(self, path: Path, what: str, *, place: str = "") -> None:
        """Record a message for the user that is not about missing hits; the first one about a place stays."""
        with self._lock:
            self._notes.setdefault((path, place or what), what)

    def state(self) -> LossesState:
        """All that is recorded, as plain data: of a part of the files, to be merged with that of the others."""
        with self._lock:
            notes = tuple((path, what, place) for (path, place), what in self._notes.items())
            return LossesState(tuple(self._losses.values()), notes, self.lost_time)

    def merge(self, state: LossesState) -> None:
        """Add what was recorded of another part of the same files: hits of the same place add, its first text stays."""
        with self._lock:
            for loss in state.losses:
                known = self._losses.get(loss.key, replace(loss, hits=0))
                self._losses[loss.key] = replace(known, hits=known.hits + loss.hits)
            for path, what, place in state.notes:
                self._notes.setdefault((path, place), what)
            self.lost_time |= state.lost_time

    def take(self, state: LossesState) -> None:
        """Record what a reading of the files found, as if it had been recorded here: of a place, what was found last.

        To several readings of the same files, the same hits are lost once.
        """
        with self._lock:
            for loss in state.losses:
                known = self._losses.get(loss.key, loss)
                hits = max(known.hits, loss.hits) if loss.kind == "repeated" else loss.hits
                self._losses[loss.key] = replace(known, hits=hits)
        self.merge(state._replace(losses=()))

    @property
    def all(self) -> tuple[Loss, ...]:
        """In the order in which they were first met."""
        with self._lock:
            return tuple(self._losses.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """The messages of `note`, each beginning with the file name."""
        with self._lock:
            return tuple(f"{path.name}: {what}" for (path, _), what in self._notes.items())

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
        rows: the places in the file, from the first to before the last, whose hits are read; None: all. A place is an
            entry of a ROOT file, a record of a BIN file without waveforms, a row of a Parquet or Arrow file, and the
            byte at which a record or line begins in a BIN file with waveforms or a text. Whatever is decided by
            looking at a file, and the numbers of hits and lines in messages, are those of the whole file.
    """

    tree: str | None = None
    bin_layout: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    rollover_ps: int | None = None
    losses: Losses = field(default_factory=lambda: Losses(keep_going=False))
    chunk_hits: int = 1_000_000
    rows: tuple[int, int] | None = None

    @property
    def period_ps(self) -> int | None:
        """After which the counter of times rolls over without a flag; None where it does not."""
        time = self.columns.get(TIME)
        if self.rollover_ps is None and time and time.bits:
            return period_ps(time.bits, time.unit or "ps")
        return self.rollover_ps

    @property
    def of_whole_file(self) -> "Reading":
        """How a file is looked at to decide how it is read: whole, and without a record of what cannot be read."""
        return replace(self, rows=None, losses=Losses(keep_going=self.losses.keep_going))

    def within(self, end: int) -> tuple[int, int]:
        """The places to read of a file whose places end there."""
        first, last = self.rows or (0, end)
        return min(first, end), max(min(first, end), min(last, end))


READING = Reading()
"""The default: damage is an error."""
