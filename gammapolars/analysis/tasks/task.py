"""A task: a pass over a part of a run, as plain data that any process can carry out, and its result."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from gammapolars.analysis.accumulators import Accumulator, Rates
from gammapolars.analysis.gain_correction import GainCorrection
from gammapolars.analysis.own_times import OwnTimes
from gammapolars.analysis.preselection import Preselection
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.tasks.part_reading import IrregularTimesError, PartReading, open_part
from gammapolars.analysis.tasks.plan import RunPart
from gammapolars.core.errors import InputError, TimeOrderError
from gammapolars.core.units import format_ps
from gammapolars.corrections import Selection
from gammapolars.detectors import Detectors
from gammapolars.io.input_file import Order, Span
from gammapolars.io.parts import Part
from gammapolars.io.stretches import OwnHits


class Pass(Protocol):
    """The work of a task, as plain data."""

    def __call__(
        self, recording: Recording, accumulators: Sequence[Accumulator], folder: Path | None, number: int
    ) -> tuple[list[Accumulator], Part | pl.DataFrame | None]:
        """Read a recording, as the task of a number.

        Returns:
            All accumulators that have counted, and the part of an output that was written into the folder, or pairs.
        """

    def frames(self, recording: Recording) -> Iterator[pl.DataFrame]:
        """The hits that it reads, in the same order."""


@dataclass(frozen=True)
class Times:
    """A pass over the hits that another one reads, for the sake of their times."""

    of: Pass

    def __call__(
        self, recording: Recording, accumulators: Sequence[Accumulator], folder: Path | None, number: int
    ) -> tuple[list[Accumulator], Part | pl.DataFrame | None]:
        """Read a recording."""
        del folder, number
        for hits in self.frames(recording):
            for accumulator in accumulators:
                accumulator.add_hits(hits)
        return list(accumulators), None

    def frames(self, recording: Recording) -> Iterator[pl.DataFrame]:
        """The same hits, in the same order."""
        return self.of.frames(recording)


@dataclass(frozen=True)
class Settings:
    """All of a recording but its runs, as plain data.

    Attributes:
        gain_correction: the correction for drift, with its table.
    """

    detectors: Detectors
    selection: Selection | None
    preselection: Preselection | None
    all_columns: bool
    further: frozenset[str]
    recorded_energies: bool
    many_pairs: bool
    gain_correction: GainCorrection | None

    @classmethod
    def of(cls, recording: Recording) -> "Settings":
        """Those of a recording."""
        return cls(
            recording.detectors,
            recording.selection,
            recording.preselection,
            recording.all_columns,
            recording.further,
            recording.recorded_energies,
            recording.many_pairs,
            recording.gain_correction,
        )

    def recording(self, reading: PartReading, own: OwnTimes | None) -> Recording:
        """A part of the runs with these settings."""
        made = Recording(
            reading.runs,
            self.detectors,
            selection=self.selection,
            preselection=deepcopy(self.preselection),
            all_columns=self.all_columns,
            further=self.further,
            recorded_energies=self.recorded_energies,
            many_pairs=self.many_pairs,
            own=own,
        )
        made.__dict__["gain_correction"] = deepcopy(self.gain_correction)  # it names the runs, of which here is one
        return made


@dataclass
class Result:
    """What a task has found, as plain data.

    Attributes:
        states: of the accumulators.
        own_hits: how many hits were its own by their time; None: all.
        own: what was seen of the rows that are its own, by stream and file, where the run was cut.
        orders: of the files of a whole run.
        losses: what could not be read.
        part: of the output, or pairs themselves.
        irregular: why the run has to be read as a whole, if it has.
        untracked: runs that the table of drift does not know.
        preselection: the state of add-back and vetoes.
    """

    states: list[Any] = field(default_factory=list)
    own_hits: int | None = None
    own: list[dict[str, OwnHits]] = field(default_factory=list)
    orders: list[tuple[Order, Span]] = field(default_factory=list)
    losses: Any = None
    part: Part | pl.DataFrame | None = None
    irregular: str = ""
    untracked: frozenset[int] = frozenset()
    preselection: Any = None


@dataclass(frozen=True)
class Task:
    """A pass over a part of a run.

    Attributes:
        number: of the task, from 0.
        part: of the run.
        settings: of the recording.
        work: the pass.
        accumulators: count in it; empty ones.
        folder: where a part of an output is written; None: none is.
    """

    number: int
    part: RunPart
    settings: Settings
    work: Pass
    accumulators: tuple[Accumulator, ...] = ()
    folder: Path | None = None

    @property
    def name(self) -> str:
        """For messages: which part of the run it is."""
        return self.part.name

    @property
    def hits(self) -> int:
        """About how many hits are its own."""
        return self.part.hits

    def whole(self, part: RunPart) -> "Task":
        """The same pass over all of the run."""
        return replace(self, part=part)

    def begun(self, origins_ps: Mapping[int, int]) -> "Task":
        """The same pass with the times at which bins of time begin: see `Rates`."""
        copies = deepcopy(self.accumulators)
        for one in copies:
            if isinstance(one, Rates):
                one.begin_at(origins_ps)
        return replace(self, accumulators=copies)

    def to_times(self, tally: Accumulator) -> "Task":
        """A pass over the same hits for the sake of their times."""
        return replace(self, work=Times(self.work), accumulators=(tally,), folder=None)

    def first_ps(self) -> int | None:
        """The time of the first hit that is its own; None: it has none."""
        reading = open_part(self.part)
        recording = self.settings.recording(reading, self.part.own_times())
        try:
            hits = next((hits for hits in self.work.frames(recording) if hits.height), None)
        except (TimeOrderError, InputError):
            return None  # it is an error of the pass, too
        return None if hits is None else int(hits["timestamp_ps"][0])

    def run(self) -> Result:
        """Carry it out; as often as one likes, with the same result.

        Raises:
            GammapolarsError: the same as from the run in one process.
        """
        reading = open_part(self.part)
        own = self.part.own_times()
        recording = self.settings.recording(reading, own)
        try:
            counted, part = self.work(recording, deepcopy(self.accumulators), self.folder, self.number)
            reading.check()
            if own and own.is_open:
                raise IrregularTimesError(f"no gap of {format_ps(own.gap_ps or 0)} between hits where it was to be cut")
        except IrregularTimesError as error:
            return Result(irregular=str(error))
        except (TimeOrderError, InputError) as error:
            if not self.part.is_whole and (isinstance(error, TimeOrderError) or reading.is_irregular):
                return Result(irregular=str(error))
            raise
        return Result(
            states=[one.state() for one in counted],
            own_hits=own.hits if own else None,
            own=reading.own(),
            orders=reading.orders(),
            losses=reading.runs.losses.state(),
            part=part,
            untracked=recording.gain_correction.untracked if recording.gain_correction else frozenset(),
            preselection=recording.preselection.state() if recording.preselection else None,
        )

    __call__ = run
