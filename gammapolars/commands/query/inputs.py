"""The tables that a query gets: hits and pairs of a run, and how it read them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.passes import PairPass
from gammapolars.analysis.preselection import Preselection
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs
from gammapolars.coincidences import PairRule
from gammapolars.core.errors import InputError
from gammapolars.core.schema import HITS
from gammapolars.core.types import Key
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.io.pairs import ADVICE
from gammapolars.streaming.slices import batches_of, lazy_frame

OWN_KEYS = ("board", "channel")

WEIGHTS = {"region", "weight"}
"""Columns of pairs, one of which a query needs to tell random pairs from prompt ones."""

UNWEIGHTED = (
    "pairs in the random windows are counted like prompt ones, because the query uses neither their weight nor their "
    "region"
)


@dataclass
class Reading:
    """One reading of a table by a query.

    Attributes:
        bare: detectors of which hits have no energy, although the query asks for it.
        has_energies: whether some hit has one.
        is_unweighted: whether random pairs were read without what distinguishes them from prompt ones.
        is_complete: whether all rows were read.
    """

    bare: set[Key] = field(default_factory=set)
    has_energies: bool = False
    is_unweighted: bool = False
    is_complete: bool = False

    def note(self, frame: pl.DataFrame, suffix: str) -> None:
        """Note which hits of some rows have no energy."""
        without = frame[f"energy_kev{suffix}"].null_count()
        self.has_energies |= without < frame.height
        if without:
            keys = frame.filter(pl.col(f"energy_kev{suffix}").is_null()).select(f"{key}{suffix}" for key in OWN_KEYS)
            self.bare |= {(int(board), int(channel)) for board, channel in keys.unique().rows()}


class Tables:
    """Tables of an input as a query gets them; reading them notes what a reader of the result must know.

    Args:
        name: of the input in messages.
        detectors: their names.
    """

    def __init__(self, name: str, detectors: Detectors) -> None:
        self.name, self.detectors = name, detectors
        self._readings = list[Reading]()

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

    def _names(self, keys: set[Key]) -> str:
        return ", ".join(self.detectors.at(*key).name for key in sorted(keys))

    @property
    def warnings(self) -> list[str]:
        """Detectors without energies, where these were asked for, and random pairs without weights; a sentence each."""
        bare = set[Key]().union(*(reading.bare for reading in self._readings))
        of_bare = [f"no energy calibration for {self._names(bare)}: energies of these hits are null"] if bare else []
        return of_bare + ([UNWEIGHTED] if any(reading.is_unweighted for reading in self._readings) else [])


class RunTables(Tables):
    """The hits and pairs of a run as a query gets them.

    Args:
        recording: the run.
        rule: of the pairs.
        preselection: makes the add-back and vetoes of one reading, which count, if there are such.

    Attributes:
        tally: of hits, as the first reading of pairs sees them.
    """

    def __init__(self, recording: Recording, rule: PairRule, preselection: Callable[[], Preselection | None]) -> None:
        super().__init__(", ".join(run.name for run in recording.runs.all[:3]), recording.detectors)
        self.recording, self.rule, self.preselection = recording, rule, preselection
        self.tally = HitTally()
        self._of_pairs = list[tuple[Reading, Preselection | None]]()

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
            reading.is_unweighted = self.rule.regions is not None and not WEIGHTS & {*columns}
            pairs = PairPass(own, self.rule, [] if self._of_pairs else [self.tally]).pairs()
            self._of_pairs.append((reading, own.preselection))
            yield from self._noted(pairs, schema, columns, reading, suffixes)

        return lazy_frame(schema, batches)

    def _selected(self) -> Recording:
        return replace(self.recording, preselection=self.preselection())

    @property
    def is_read(self) -> bool:
        """Whether all hits were tallied: where pairs were read from the first to the last."""
        return bool(self._of_pairs) and self._of_pairs[0][0].is_complete

    @property
    def counted(self) -> Preselection | None:
        """The add-back and vetoes of the reading that was tallied."""
        return self._of_pairs[0][1] if self.is_read else None


class SavedTables(Tables):
    """Saved pairs as a query gets them.

    Args:
        saved: the pairs.
        window: in which pairs are taken; None: all are.
    """

    def __init__(self, saved: SavedPairs, window: str | None) -> None:
        super().__init__(saved.name, saved.detectors)
        self._is_weighted = saved.files.is_weighted
        self.all = saved.within(window, saved.files.pairs) if window else saved.files.pairs
        if not saved.is_calibrated:
            self.all = without_energies(self.all)
        elif not saved.files.has_energies:
            self.all = calibrate(self.all, saved.detectors)

    def hits(self) -> pl.LazyFrame:
        """Hits, which a query of saved pairs must not read."""

        def batches(_: list[str]) -> Iterator[pl.DataFrame]:
            raise InputError(f"{self.name} contains pairs, but the query also reads single hits: {ADVICE}")

        return lazy_frame(pl.Schema(HITS.columns | {"energy_kev": pl.Float64}), batches)

    def pairs(self) -> pl.LazyFrame:
        """The pairs, with energies if there are such."""
        schema = self.all.collect_schema()
        suffixes = [suffix for suffix in ("_a", "_b") if f"energy_kev{suffix}" in schema]

        def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
            reading = self._reading()
            reading.is_unweighted = self._is_weighted and not WEIGHTS & {*columns}
            yield from self._noted(self.all, schema, columns, reading, suffixes)

        return lazy_frame(schema, batches)


def without_energies(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A frame without columns of energies, where no hit has one: who asks for them gets an error, no empty result."""
    return frame.drop("energy_kev", "energy_kev_a", "energy_kev_b", strict=False)
