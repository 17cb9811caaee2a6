"""The one reader of runs: hits aligned, in time order, corrected for drift, with errors named and progress reported."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TypeVar

import polars as pl

from gammapolars.analysis.gain_correction import GainCorrection
from gammapolars.analysis.preselection import Preselection
from gammapolars.core.errors import TableError
from gammapolars.core.pulse_shape import without
from gammapolars.core.quantities import ENERGY, Quantity
from gammapolars.core.schema import HITS, require
from gammapolars.core.types import Progress
from gammapolars.corrections import align, aligned_in_order, spread_ps
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.order import ORDER_COLUMNS
from gammapolars.streaming.slices import Slice, batches_of, by_run, lazy_frame, slices
from gammapolars.streaming.time_order import time_ordered

T = TypeVar("T")

OWN_COLUMNS = frozenset((*HITS.columns, "energy_kev", "gain_factor", "run"))
"""Formats differ in further columns: without them results are the same whatever a run was read from."""

RESTARTED = (
    "the clock corrections of detectors.toml assume that clocks continue after the timestamp reset: read "
    "the data before and after it as separate runs"
)

ALIGNED_ROWS = 250_000
"""Offsets put hits out of order; smaller batches keep the part that must be sorted again small."""


@dataclass
class Recording:
    """Runs as they are measured on.

    Attributes:
        runs: one run or several.
        detectors: names, time offsets, calibrations, and the table of drift.
        progress: called with how many hits have been read.
        preselection: add-back and vetoes, which hits pass before anything else sees them.
        all_columns: whether columns in which formats differ come along, such as `adc_short`.
        further: those of them that come along in any case.
        recorded_energies: whether energies that were recorded with, or without, adc values are taken.
        many_pairs: whether pairs are looked for however many there are.
        most_hits: no more hits are read than so many, from the beginning; None: all.
    """

    runs: Runs
    detectors: Detectors = field(default_factory=Detectors)
    progress: Progress | None = None
    preselection: Preselection | None = None
    all_columns: bool = False
    further: frozenset[str] = frozenset()
    most_hits: int | None = None
    recorded_energies: bool = True
    many_pairs: bool = False

    @cached_property
    def gain_correction(self) -> GainCorrection | None:
        """The correction for the drift that the detectors name, if they name one."""
        return GainCorrection(self.detectors, self.runs) if self.detectors.drift else None

    def without_detectors(self) -> "Recording":
        """The same runs without offsets, calibrations and corrections."""
        return replace(self, detectors=Detectors())

    @property
    def reorder_ps(self) -> int:
        """How far back in time an aligned hit may lie and still be put in its place."""
        if self.detectors.clocks:
            return 0  # correcting them has put all hits in time order
        return self.runs.reorder_ps + spread_ps(self.detectors)

    @property
    def is_calibrated(self) -> bool:
        """Whether hits have energies: by a detector's calibration, or as they were recorded."""
        return any(detector.energy for detector in self.detectors) or self.has_energies

    @property
    def has_energies(self) -> bool:
        """Whether energies were recorded; those of detectors that have a polynomial are by that."""
        return "energy_kev" in self.schema

    @property
    def names(self) -> str:
        """The names of the first runs, for errors."""
        return ", ".join(run.name for run in self.runs.all[:3])

    def require_adc(self, purpose: str) -> None:
        """Raise where hits have no adc values.

        Args:
            purpose: the use of them, as it continues "cannot be …".

        Raises:
            TableError: the runs have only energies in keV, or not even those.
        """
        if "adc" not in self.recorded.collect_schema():
            raise TableError(f"{self.names}: hits without adc values cannot be {purpose}")

    def require_along(self, *quantities: Quantity) -> None:
        """Raise where hits have no values of some quantities, the axes of a matrix or of spectra."""
        needed = {name for quantity in quantities for name in quantity.needs}
        if "adc" in needed or (ENERGY in quantities and not self.has_energies):
            self.require_adc("counted in a matrix")
        if missing := sorted(needed - {"adc"} - {*self.runs.hits.collect_schema()}):
            raise TableError(f"{self.names}: {without(missing[0])}")

    def along(self, *quantities: Quantity) -> "Recording":
        """The same with the columns that some quantities need.

        Raises:
            TableError: the runs do not have them.
        """
        self.require_along(*quantities)
        needed = frozenset(name for quantity in quantities for name in quantity.needs) - OWN_COLUMNS
        return replace(self, further=self.further | needed) if needed else self

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the correction, one sentence each, when the hits have been read."""
        found = list(self.gain_correction.warnings) if self.gain_correction else []
        if self.detectors.clocks and self.runs.losses.lost_time:
            found.append(RESTARTED)
        return tuple(found)

    @cached_property
    def recorded(self) -> pl.LazyFrame:
        """The hits as recorded."""
        hits = self.runs.hits if self.most_hits is None else self.runs.hits.head(self.most_hits)
        if not self.recorded_energies:
            hits = hits.select(name for name in hits.collect_schema() if name != "energy_kev")
        if self.all_columns:
            return hits
        return hits.select(name for name in hits.collect_schema() if name in OWN_COLUMNS | self.further)

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of corrected hits, before any preselection."""
        schema = self.recorded.collect_schema()
        return self.gain_correction.columns(schema) if self.gain_correction else schema

    @property
    def hits(self) -> pl.LazyFrame:
        """The aligned and corrected hits, lazily: in time order where there is a correction, else as recorded."""
        aligned = align(self.recorded, self.detectors, reorder_ps=self.runs.reorder_ps)
        if not self.gain_correction:
            return aligned
        needed = {*ORDER_COLUMNS, "run", "gain_factor"}

        def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
            names = [name for name in self.recorded.collect_schema() if columns is None or name in {*columns, *needed}]
            yield from (
                frame if columns is None else frame.select(columns)
                for frame in self._frames(self._aligned(self.recorded.select(names)), self.reorder_ps)
            )

        return lazy_frame(self.schema, batches)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The aligned and corrected hits in time order, in frames of one run each."""
        return self._frames(self._aligned(self.recorded), self.reorder_ps)

    def frames_by_clock(self) -> Iterator[pl.DataFrame]:
        """The same with timestamps as the digitizer wrote them, which give the real time.

        Raises:
            TableError: the runs have no flags.
        """
        require(self.recorded, HITS, columns=("board", "channel", "timestamp_ps", "flags"))
        names = [name for name in self.recorded.collect_schema() if name in OWN_COLUMNS | self.further]
        return self._frames(self.runs.watched(batches_of(self.recorded.select(names))), self.runs.reorder_ps)

    def slices(self, reach_ps: int) -> Iterator[Slice]:
        """The aligned and corrected hits that the preselection leaves, in slices that are complete in themselves.

        Args:
            reach_ps: the largest |dt| of interest.
        """
        if self.preselection is None:
            return self._slices(reach_ps)
        return slices(self.preselected(), reach_ps, reorder_ps=self.reorder_ps, on_repair=self.runs.note_repair)

    def preselected(self) -> Iterator[pl.DataFrame]:
        """The calibrated hits that the preselection leaves, in time order, in frames of one run each."""
        assert self.preselection
        return self.preselection.passed(self._slices(0))

    def _aligned(self, hits: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        """Hits with offsets and walk subtracted batch by batch: fewer wait between stages so than in one query."""
        if self.detectors.clocks:
            batches = batches_of(hits, batch_rows=ALIGNED_ROWS)
            note = self.runs.note_repair
            return aligned_in_order(batches, self.detectors, reorder_ps=self.runs.reorder_ps, on_repair=note)
        if not spread_ps(self.detectors):
            return self.runs.watched(batches_of(hits))
        recorded = self.runs.watched(batches_of(hits, batch_rows=ALIGNED_ROWS))
        return (align(batch.lazy(), self.detectors).collect() for batch in recorded)

    def _frames(self, batches: Iterable[pl.DataFrame], reorder_ps: int) -> Iterator[pl.DataFrame]:
        ordered = (
            time_ordered(of_run, reorder_ps=reorder_ps, on_repair=self.runs.note_repair, on_wild=self.runs.on_wild)
            for of_run in by_run(batches)
        )
        for frame in self._watched(chain.from_iterable(ordered), lambda frame: frame.height):
            yield self._corrected(frame)

    def _slices(self, reach_ps: int) -> Iterator[Slice]:
        batches = self._aligned(self.recorded)
        runs = self.runs
        parts = slices(batches, reach_ps, reorder_ps=self.reorder_ps, on_repair=runs.note_repair, on_wild=runs.on_wild)
        for part in self._watched(parts, lambda part: part.end - part.first):
            yield part._replace(hits=self._corrected(part.hits))

    def _corrected(self, hits: pl.DataFrame) -> pl.DataFrame:
        return self.gain_correction.corrected(hits) if self.gain_correction else hits

    def _watched(self, parts: Iterable[T], hits_in: Callable[[T], int]) -> Iterator[T]:
        """The same parts; errors that come out of them name the run, and the progress is reported."""
        read = 0
        with self.runs.naming_errors():
            for part in parts:
                read += hits_in(part)
                if self.progress:
                    self.progress(read)
                yield part
