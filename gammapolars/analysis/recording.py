"""The one reader of runs: hits aligned, in time order, corrected for drift, with errors named and progress reported."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TypeVar

import polars as pl

from gammapolars.analysis.engine import Account, Engine
from gammapolars.analysis.gain_correction import GainCorrection
from gammapolars.analysis.own_times import OwnTimes
from gammapolars.analysis.preselection import Preselection
from gammapolars.coincidences import PairRule
from gammapolars.core.errors import TableError
from gammapolars.core.flags import REMOVED, has_any, parse_reject, union
from gammapolars.core.pulse_shape import without
from gammapolars.core.quantities import ENERGY, PSD, Quantity
from gammapolars.core.schema import HITS, require
from gammapolars.core.types import Progress
from gammapolars.corrections import Selection, align, aligned_in_order, spread_ps
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.order import ORDER_COLUMNS
from gammapolars.streaming.slices import Slice, batches_of, by_run, chosen, lazy_frame, slices
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
        selection: thresholds, ranges and polygons; None: all hits are used.
        preselection: add-back and vetoes, which hits pass before anything else sees them.
        all_columns: whether columns in which formats differ come along, such as `adc_short`.
        further: those of them that come along in any case.
        recorded_energies: whether energies that were recorded with, or without, adc values are taken.
        many_pairs: whether pairs are looked for however many there are.
        account: how the jobs of all passes were carried out.
        own: the times of the hits that count, where others are read for their pairs alone.
        most_hits: no more hits are read than so many, from the beginning; None: all.
        engine: what carries out the jobs that passes are made of; None: they read in this process.
    """

    runs: Runs
    detectors: Detectors = field(default_factory=Detectors)
    progress: Progress | None = None
    selection: Selection | None = None
    preselection: Preselection | None = None
    all_columns: bool = False
    further: frozenset[str] = frozenset()
    most_hits: int | None = None
    recorded_energies: bool = True
    many_pairs: bool = False
    account: Account = field(default_factory=Account)
    own: OwnTimes | None = None
    engine: Engine | None = None

    @cached_property
    def gain_correction(self) -> GainCorrection | None:
        """The correction for the drift that the detectors name, if they name one."""
        for described in (self.detectors, *([self.selection.energies] if self.selection else [])):
            if described.drift:
                return GainCorrection(described, self.runs)
        return None

    def without_detectors(self) -> "Recording":
        """The same runs without offsets, calibrations and corrections, other than for the selection of hits."""
        return replace(self, detectors=Detectors())

    def masks(self, reject: str | int | Mapping[str, int]) -> dict[str, int]:
        """The masks, by name, of what disqualifies a hit: the flags that `--reject` names, and the selection.

        Raises:
            UsageError: an unknown flag.
        """
        flags = dict(reject) if isinstance(reject, Mapping) else parse_reject(reject)
        return flags | (REMOVED if self.selection else {})

    def masked(self, rule: PairRule) -> PairRule:
        """A rule that, besides the hits that it rejects, leaves out those that the selection removes."""
        return replace(rule, reject=self.masks(rule.reject)) if self.selection else rule

    def in_adc(self) -> "Recording":
        """The same without recorded energies, and with no selection by energies: these are to be measured.

        Raises:
            UsageError: a selection by energies is asked for besides detectors.toml.
        """
        return replace(self, recorded_energies=False, selection=self.selection and self.selection.in_adc())

    def used(self, marked: pl.DataFrame) -> pl.DataFrame:
        """Hits without those that the selection has marked."""
        return marked.filter(~has_any(union(REMOVED))) if self.selection else marked

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
            self.require_adc("counted by pulse shape" if quantities == (PSD,) else "counted in a matrix")
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
        if self.selection and (names := self.selection.set_aside):
            found.append(f"thresholds in keV of {', '.join(names)} are not applied: energies are measured here")
        if self.detectors.clocks and self.runs.losses.lost_time:
            found.append(RESTARTED)
        return tuple(found)

    @cached_property
    def recorded(self) -> pl.LazyFrame:
        """The hits as recorded."""
        hits = self.runs.hits if self.most_hits is None else self.runs.hits.head(self.most_hits)
        if self.all_columns and self.recorded_energies:
            return hits
        schema = hits.collect_schema()
        needed = self._needed(schema)
        return chosen(hits, [name for name in schema if self._is_own(name) or name in needed])

    def _is_own(self, name: str) -> bool:
        """Whether a column is one of the hits; others are there where the selection needs them."""
        own = self.all_columns or name in OWN_COLUMNS or name in self.further
        return own and (self.recorded_energies or name != "energy_kev")

    def _needed(self, columns: Iterable[str]) -> set[str]:
        """The columns that the selection looks at."""
        return self.selection.needed(columns) if self.selection else set()

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns of corrected hits, before any preselection."""
        schema = self.recorded.collect_schema()
        if self.selection:
            schema = pl.Schema({name: dtype for name, dtype in schema.items() if self._is_own(name)})
        return self.gain_correction.columns(schema) if self.gain_correction else schema

    @property
    def hits(self) -> pl.LazyFrame:
        """The aligned and corrected hits, lazily: in time order where they are corrected or selected, else as recorded.

        Those that the selection removes are not there.
        """
        return self._lazy_hits(self.used) if self.selection else self.marked_hits

    @property
    def marked_hits(self) -> pl.LazyFrame:
        """The same with the hits that the selection removes, marked by their flags."""
        if self.selection or self.gain_correction:
            return self._lazy_hits(lambda frame: frame)
        return align(self.recorded, self.detectors, reorder_ps=self.runs.reorder_ps)

    def _lazy_hits(self, passed: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.LazyFrame:
        recorded = self.recorded.collect_schema()
        needed = {*ORDER_COLUMNS, "run", "gain_factor", *self._needed(recorded)}

        def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
            names = [name for name in recorded if columns is None or name in {*columns, *needed}]
            yield from (
                passed(frame) if columns is None else passed(frame).select(columns)
                for frame in self._frames(self._aligned(chosen(self.recorded, names)), self.reorder_ps)
            )

        return lazy_frame(self.schema, batches)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The aligned and corrected hits in time order, in frames of one run each; without those removed."""
        frames = self.marked_frames()
        return map(self.used, frames) if self.selection else frames

    def marked_frames(self) -> Iterator[pl.DataFrame]:
        """The same with the hits that the selection removes, marked by their flags."""
        return self._frames(self._aligned(self.recorded), self.reorder_ps)

    def frames_by_clock(self) -> Iterator[pl.DataFrame]:
        """The marked frames with timestamps as the digitizer wrote them, which give the real time.

        Raises:
            TableError: the runs have no flags.
        """
        require(self.recorded, HITS, columns=("board", "channel", "timestamp_ps", "flags"))
        recorded = self.recorded.collect_schema()
        names = [name for name in recorded if name in OWN_COLUMNS | self.further | self._needed(recorded)]
        return self._frames(self.runs.watched(batches_of(chosen(self.recorded, names))), self.runs.reorder_ps)

    def slices(self, reach_ps: int) -> Iterator[Slice]:
        """The aligned and corrected hits that the preselection leaves, in slices that are complete in themselves.

        Hits that the selection removes are there, marked by their flags: detectors are dead after them, too.

        Args:
            reach_ps: the largest |dt| of interest.
        """
        if self.preselection is None:
            return self._slices(reach_ps)
        return slices(self.preselected(), reach_ps, reorder_ps=self.reorder_ps, on_repair=self.runs.note_repair)

    def preselected(self) -> Iterator[pl.DataFrame]:
        """The calibrated hits that the preselection leaves, in time order, in frames of one run each, marked."""
        assert self.preselection
        return self.preselection.passed(self._slices(0), removed=union(REMOVED) if self.selection else 0)

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
            yield self._corrected(self.own.in_frame(frame) if self.own else frame)

    def _slices(self, reach_ps: int) -> Iterator[Slice]:
        batches = self._aligned(self.recorded)
        runs = self.runs
        parts = slices(batches, reach_ps, reorder_ps=self.reorder_ps, on_repair=runs.note_repair, on_wild=runs.on_wild)
        for each in self._watched(parts, lambda part: part.end - part.first):
            part = self.own.in_slice(each) if self.own else each
            if part.first < part.end:
                yield part._replace(hits=self._corrected(part.hits))

    def _corrected(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits corrected for drift, and marked where there is a selection."""
        corrected = self.gain_correction.corrected(hits) if self.gain_correction else hits
        if self.selection is None:
            return corrected
        marked = self.selection.marked(corrected)
        return marked.select(name for name in marked.columns if self._is_own(name) or name == "gain_factor")

    def _watched(self, parts: Iterable[T], hits_in: Callable[[T], int]) -> Iterator[T]:
        """The same parts; errors that come out of them name the run, and the progress is reported."""
        read = 0
        with self.runs.naming_errors():
            for part in parts:
                read += hits_in(part)
                if self.progress:
                    self.progress(read)
                yield part
