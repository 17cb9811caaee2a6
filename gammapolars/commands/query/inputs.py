"""The tables that a query gets: hits and pairs of a run, and how it read them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.passes import PairPass
from gammapolars.analysis.preselection import Preselection
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.core.errors import InputError
from gammapolars.core.types import Key
from gammapolars.corrections import calibrate
from gammapolars.streaming.slices import batches_of, lazy_frame

OWN_KEYS = ("board", "channel")


@dataclass
class Reading:
    """One reading of a table by a query.

    Attributes:
        bare: detectors of which hits have no energy, although the query asks for it.
        has_energies: whether some hit has one.
        is_complete: whether all rows were read.
    """

    bare: set[Key] = field(default_factory=set)
    has_energies: bool = False
    is_complete: bool = False

    def note(self, frame: pl.DataFrame, suffix: str) -> None:
        """Note which hits of some rows have no energy."""
        without = frame[f"energy_kev{suffix}"].null_count()
        self.has_energies |= without < frame.height
        if without:
            keys = frame.filter(pl.col(f"energy_kev{suffix}").is_null()).select(f"{key}{suffix}" for key in OWN_KEYS)
            self.bare |= {(int(board), int(channel)) for board, channel in keys.unique().rows()}


@dataclass
class RunTables:
    """The hits and pairs of a run as a query gets them; reading them notes what a reader of the result must know.

    Attributes:
        recording: the run.
        rule: of the pairs.
        preselection: makes the add-back and vetoes of one reading, which count, if there are such.
        tally: of hits, as the first reading of pairs sees them.
    """

    recording: Recording
    rule: PairRule
    preselection: Callable[[], Preselection | None]
    tally: HitTally = field(default_factory=HitTally)
    _readings: list[Reading] = field(default_factory=list)
    _of_pairs: list[tuple[Reading, Preselection | None]] = field(default_factory=list)

    def hits(self) -> pl.LazyFrame:
        """All hits, or those that add-back and vetoes leave; with energies if there are such."""
        own = self._selected()
        frame = self._preselected(own) if own.preselection else self.recording.hits
        if not self.recording.is_calibrated:
            return without_energies(frame)
        frame = frame if own.preselection else calibrate(frame, self.recording.detectors)
        schema = frame.collect_schema()
        return lazy_frame(schema, lambda columns: self._noted(frame, schema, columns, self._reading(), ("",)))

    def _preselected(self, schema_of: Recording) -> pl.LazyFrame:
        assert schema_of.preselection
        schema = schema_of.preselection.columns(self.recording.schema)

        def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
            del columns  # vetoes and add-back need them all
            selected = self._selected()
            for frame in selected.preselected():
                yield selected.used(frame).select(*schema)

        return lazy_frame(schema, batches)

    def pairs(self) -> pl.LazyFrame:
        """The pairs, with energies if there are such; the first reading fills the tally."""
        frame = PairPass(self._selected(), self.rule).pairs()
        has_energies = self.recording.is_calibrated
        schema = (frame if has_energies else without_energies(frame)).collect_schema()
        suffixes = ("_a", "_b") if has_energies else ()

        def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
            own, reading = self._selected(), self._reading()
            pairs = PairPass(own, self.rule, [] if self._of_pairs else [self.tally]).pairs()
            self._of_pairs.append((reading, own.preselection))
            yield from self._noted(pairs, schema, columns, reading, suffixes)

        return lazy_frame(schema, batches)

    def _selected(self) -> Recording:
        return replace(self.recording, preselection=self.preselection())

    def _reading(self) -> Reading:
        self._readings.append(Reading())
        return self._readings[-1]

    def _noted(
        self, frame: pl.LazyFrame, schema: pl.Schema, columns: Iterable[str], reading: Reading, suffixes: Iterable[str]
    ) -> Iterator[pl.DataFrame]:
        """Columns of a frame; it is noted which hits have no energy, where that is asked for.

        Raises:
            InputError: none has.
        """
        asked = [suffix for suffix in suffixes if f"energy_kev{suffix}" in columns]
        needed = {*columns, *(f"{key}{suffix}" for suffix in asked for key in OWN_KEYS)}
        for batch in batches_of(frame.select(name for name in schema if name in needed)):
            for suffix in asked:
                reading.note(batch, suffix)
            yield batch
        reading.is_complete = True
        if reading.bare and not reading.has_energies:
            raise InputError(
                f"{self.name}: no energy calibration for {self._names(reading.bare)}, and so no hit has an energy: "
                "give a detectors.toml that contains one with --detectors"
            )

    @property
    def name(self) -> str:
        """The names of the runs in messages."""
        return ", ".join(run.name for run in self.recording.runs.all[:3])

    def _names(self, keys: set[Key]) -> str:
        return ", ".join(self.recording.detectors.at(*key).name for key in sorted(keys))

    @property
    def is_read(self) -> bool:
        """Whether all hits were tallied: where pairs were read from the first to the last."""
        return bool(self._of_pairs) and self._of_pairs[0][0].is_complete

    @property
    def counted(self) -> Preselection | None:
        """The add-back and vetoes of the reading that was tallied."""
        return self._of_pairs[0][1] if self.is_read else None

    @property
    def warnings(self) -> list[str]:
        """Detectors without energies, in a sentence, where these were asked for."""
        bare = set[Key]().union(*(reading.bare for reading in self._readings))
        return [f"no energy calibration for {self._names(bare)}: energies of these hits are null"] if bare else []


def without_energies(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A frame without columns of energies, where no hit has one: who asks for them gets an error, no empty result."""
    return frame.drop("energy_kev", "energy_kev_a", "energy_kev_b", strict=False)
