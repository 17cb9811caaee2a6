"""Readings of runs for their timing: pairs as they come, and histograms of far time differences."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.analysis.expected_pairs import still_clock
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.rule import b_is_lower, swapped
from gammapolars.core.errors import CalibrationError
from gammapolars.core.flags import has_any
from gammapolars.core.types import Integers, Key
from gammapolars.corrections import Selection, gain_corrected_adc, hit_energy
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import Runs
from gammapolars.spectra.tallies import WideningTally
from gammapolars.streaming.slices import Slice, in_parallel

Pair = tuple[Key, Key]
"""Two detectors, the lower (board, channel) first."""

MOST_BINS = 4_000_000
"""Histograms with more filled bins than this get bins twice as wide."""

ENDS = ["board_a", "channel_a", "board_b", "channel_b"]


@dataclass
class PairReader:
    """How runs are read for their timing: hits of one energy if it is given, from the beginning up to `most_hits`.

    `progress` is called with the number of hits read, `hits` is what the latest reading read, and `has_enough` whether
    it ended before the runs did. Of all hits, only those that a selection leaves are used.
    """

    runs: Runs
    reject: str | Mapping[str, int]
    detectors: Detectors
    energy_kev: tuple[float, float] | None = None
    most_hits: int | None = None
    progress: Callable[[int], None] | None = None
    selection: Selection | None = None
    hits: HitTally = field(default_factory=HitTally)
    has_enough: bool = False

    def pairs(self, reach_ps: int, detectors: Detectors, done: Callable[[], bool]) -> Iterator[pl.DataFrame]:
        """All pairs within ±`reach_ps`, the offsets of detectors subtracted; until `done` says that there are enough.

        It is asked after each part of the pairs. The detectors have offsets, and no walk; clocks are those of all.

        Raises:
            CalibrationError: the clock does not advance.
        """
        self.hits, self.has_enough = HitTally(), False
        detectors = replace(detectors, clocks=self.detectors.clocks)
        recording = self._recording(detectors)
        rule = PairRule(reach_ps, reject=recording.masks(self.reject))
        rule.require(recording.recorded)
        with closing(self._slices(recording, reach_ps)) as parts:
            for pairs in in_parallel(rule.pairs_in, parts):
                yield pairs
                if done():
                    self.has_enough = True
                    return

    def accepted_hits(self) -> Iterator[pl.DataFrame]:
        """All hits that are neither rejected nor outside the gate, aligned as the detectors say, in time order."""
        recording = self._recording(self.detectors)
        mask = PairRule(1, reject=recording.masks(self.reject)).mask
        for frame in recording.frames():
            hits = frame.filter(~has_any(mask)) if "flags" in frame.columns else frame
            yield hits if self.energy_kev is None else hits.filter(self._in_gate(hits.columns))

    def _recording(self, detectors: Detectors) -> Recording:
        return Recording(self.runs, detectors, self.progress, selection=self.selection, most_hits=self.most_hits)

    def _slices(self, recording: Recording, reach_ps: int) -> Generator[Slice]:
        for part in recording.slices(reach_ps):
            if clause := still_clock(part.own):
                raise CalibrationError(f"{self.runs.all[0].name}: {clause}: no time difference shows where peaks are")
            self.hits.add_hits(part.own)
            yield part if self.energy_kev is None else self._gated(part)

    def _gated(self, part: Slice) -> Slice:
        """A slice without the hits outside the gate."""
        good = part.hits.select(self._in_gate(part.hits.columns)).to_series()
        before = int(good[: part.first].sum())
        return Slice(part.hits.filter(good), before, before + int(good[part.first : part.end].sum()))

    def _in_gate(self, columns: Sequence[str]) -> pl.Expr:
        assert self.energy_kev
        energy = hit_energy(columns, self.detectors, adc=gain_corrected_adc(columns))
        return energy.is_between(*self.energy_kev).fill_null(False)


def shifted(offsets: Mapping[Key, int]) -> Detectors:
    """Detectors with nothing but time offsets."""
    return Detectors(tuple(Detector(*key, time_offset_ps=offset) for key, offset in sorted(offsets.items())))


def with_sign(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs with the lower (board, channel) as a, and a signed `dt_ps`."""
    later = b_is_lower()
    names = [name[:-2] for name in pairs.collect_schema() if name.endswith("_a")]
    dt = pl.col("dt_ps")
    return pairs.with_columns(*swapped(names, later), dt_ps=pl.when(later).then(-dt).otherwise(dt))


class Histograms(Accumulator):
    """Pairs by detectors and signed time difference up to ±`reach_ps`, cut into about this many bins.

    Bins become wider where too many are filled.
    """

    def __init__(self, reach_ps: int, *, bins: int) -> None:
        self._reach_ps = reach_ps
        width_ps = max(1, -(-2 * reach_ps // bins))
        self._tally = WideningTally(*ENDS, "bin", width=width_ps, most_rows=MOST_BINS)

    @property
    def width_ps(self) -> int:
        """Width of the bins."""
        return self._tally.final_width()

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        place = (pl.col("dt_ps") + self._reach_ps) // self._tally.width
        bins = pairs.lazy().select(*ENDS, "dt_ps").pipe(with_sign).select(*ENDS, bin=place)
        self._tally.add(bins.group_by(*ENDS, "bin").agg(counts=pl.len()).collect())

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._tally}

    def low_ps(self, place: float) -> float:
        """The time difference at a place, counted in bins."""
        return place * self.width_ps - self._reach_ps

    def all(self) -> Iterator[tuple[Pair, Integers]]:
        """Each detector pair's histogram, empty bins too."""
        total = self._tally.total()
        bins = 2 * self._reach_ps // self.width_ps + 1
        if total.is_empty():
            return
        for key, part in total.group_by(ENDS, maintain_order=True):
            histogram = np.zeros(bins, np.int64)
            histogram[part["bin"].to_numpy()] = part["counts"].to_numpy()
            # The last bin reaches beyond the pairs that were looked for, and so holds fewer.
            yield ((key[0], key[1]), (key[2], key[3])), histogram[:-1]
