"""Readings of runs for their timing: histograms of far time differences, and bounded samples of near ones."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.calibration import energy_kev, steady_adc
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import Runs
from gammapolars.products import HitTally
from gammapolars.streaming import Slice, batches_of, in_parallel, slices
from gammapolars.tallies import Tally
from gammapolars.timing import align, spread_ps

Key = tuple[int, int]
Pair = tuple[Key, Key]
"""Two detectors, the lower (board, channel) first."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BATCH_ROWS = 250_000
"""Hits with offsets are out of order; smaller batches keep what must be sorted again small."""

MOST_BINS = 4_000_000
"""Histograms with more filled bins than this get bins twice as wide."""

MOST_SAMPLED = 4_000_000
"""Pairs in a sample, of all detector pairs together."""

ENDS = ["board_a", "channel_a", "board_b", "channel_b"]


@dataclass
class PairReader:
    """How runs are read for their timing.

    Attributes:
        runs: one run or several.
        reject: flags that reject a hit.
        known: the detectors, for energies.
        energy_kev: only hits of this energy; None: all.
        most_hits: how many hits are read at most, from the beginning.
        progress: told how many hits have been read, the last time from the beginning again.
        hits: what the latest reading read.
        stopped: whether it ended before the runs did.
    """

    runs: Runs
    reject: str
    known: Detectors
    energy_kev: tuple[float, float] | None = None
    most_hits: int | None = None
    progress: Callable[[int], None] | None = None
    hits: HitTally = field(default_factory=HitTally)
    stopped: bool = False

    def pairs(self, reach_ps: int, detectors: Detectors, done: Callable[[], bool]) -> Iterator[pl.DataFrame]:
        """All pairs within ±`reach_ps`, the offsets of detectors subtracted; until `done` says that there are enough.

        Args:
            reach_ps: the largest |dt|.
            detectors: their offsets, without walk.
            done: asked after each part of the pairs.
        """
        self.hits, self.stopped = HitTally(), False
        rule = PairRule(reach_ps, reject=self.reject)
        rule.require(self.runs.hits)
        parts = self._counted(reach_ps, detectors)
        with self.runs.naming_errors(), closing(parts):
            for pairs in in_parallel(rule.pairs_in, parts):
                yield pairs
                if done():
                    self.stopped = True
                    return

    def _counted(self, reach_ps: int, detectors: Detectors) -> Generator[Slice]:
        reorder_ps = self.runs.reorder_ps + spread_ps(detectors)
        read = 0
        aligned = self._aligned(detectors)
        for part in slices(aligned, reach_ps, reorder_ps=reorder_ps, on_repair=self.runs.note_repair):
            self.hits.add_hits(part.own)
            read += part.end - part.first
            if self.progress:
                self.progress(read)
            yield part if self.energy_kev is None else self._gated(part)

    def _aligned(self, detectors: Detectors) -> Iterator[pl.DataFrame]:
        hits = self.runs.hits
        needed = {"board", "channel", "timestamp_ps", "adc", "flags", "gain_factor", "run"}
        hits = hits.select(name for name in hits.collect_schema() if name in needed)
        if self.most_hits is not None:
            hits = hits.head(self.most_hits)
        for batch in batches_of(hits, batch_rows=BATCH_ROWS):
            yield align(batch.lazy(), detectors).collect()

    def _gated(self, part: Slice) -> Slice:
        """A slice without the hits beside the gate."""
        assert self.energy_kev
        energy = energy_kev(self.known, adc=steady_adc(part.hits.columns))
        good = part.hits.select(energy.is_between(*self.energy_kev).fill_null(False)).to_series()
        before = int(good[: part.first].sum())
        return Slice(part.hits.filter(good), before, before + int(good[part.first : part.end].sum()))


def shifted(offsets: Mapping[Key, int]) -> Detectors:
    """Detectors with nothing but time offsets."""
    return Detectors(tuple(Detector(*key, time_offset_ps=offset) for key, offset in sorted(offsets.items())))


def with_sign(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs with the lower (board, channel) as a, and a signed `dt_ps`."""
    later = (pl.col("board_b") < pl.col("board_a")) | (
        (pl.col("board_b") == pl.col("board_a")) & (pl.col("channel_b") < pl.col("channel_a"))
    )
    names = [name[:-2] for name in pairs.collect_schema() if name.endswith("_a")]
    return pairs.with_columns(
        *(
            pl.when(later).then(pl.col(f"{name}_{other}")).otherwise(pl.col(f"{name}_{side}")).alias(f"{name}_{side}")
            for name in names
            for side, other in ("ab", "ba")
        ),
        dt_ps=pl.when(later).then(-pl.col("dt_ps")).otherwise(pl.col("dt_ps")),
    )


class Histograms:
    """Pairs by detectors and signed time difference, in bins that become wider where they are too many.

    Args:
        reach_ps: the largest |dt|.
        bins: about how many bins this is cut into.
    """

    def __init__(self, reach_ps: int, *, bins: int) -> None:
        self._reach_ps = reach_ps
        self.width_ps = max(1, -(-2 * reach_ps // bins))
        self._tally = Tally(*ENDS, "bin")

    def add(self, pairs: pl.DataFrame) -> None:
        place = (pl.col("dt_ps") + self._reach_ps) // self.width_ps
        counted = pairs.lazy().select(*ENDS, "dt_ps").pipe(with_sign).select(*ENDS, bin=place)
        self._tally.add(counted.group_by(*ENDS, "bin").agg(counts=pl.len()).collect())
        while self._tally.rows > MOST_BINS and len(total := self._tally.total()) > MOST_BINS:
            self._tally, self.width_ps = Tally(*ENDS, "bin"), 2 * self.width_ps
            self._tally.add(total.with_columns(pl.col("bin") // 2).group_by(*ENDS, "bin").agg(pl.col("counts").sum()))

    def low_ps(self, place: float) -> float:
        """The time difference at a place, counted in bins."""
        return place * self.width_ps - self._reach_ps

    def all(self) -> Iterator[tuple[Pair, Ints]]:
        """Each detector pair's histogram, empty bins too."""
        bins = 2 * self._reach_ps // self.width_ps + 1
        total = self._tally.total()
        if total.is_empty():
            return
        for key, part in total.group_by(ENDS, maintain_order=True):
            histogram = np.zeros(bins, np.int64)
            histogram[part["bin"].to_numpy()] = part["counts"].to_numpy()
            # The last bin reaches beyond the pairs that were looked for, and so holds fewer.
            yield ((key[0], key[1]), (key[2], key[3])), histogram[:-1]


class Sample(NamedTuple):
    """Pairs near their prompt peaks, the first ones of each two detectors.

    Attributes:
        keys: the detectors, sorted.
        pair: the detector pair of each, a place in `ends`.
        ends: (detector pairs, 2): places in `keys`, the lower first.
        dt_ps: t_b - t_a as recorded, no offset subtracted.
        adc: (2, pairs): of a and b.
        reach_ps: (detector pairs, 2): between which time differences pairs were taken.
    """

    keys: list[Key]
    pair: npt.NDArray[np.int32]
    ends: npt.NDArray[np.intp]
    dt_ps: Ints
    adc: npt.NDArray[np.float32]
    reach_ps: Ints


class Sampler:
    """Gathers a sample, of each two detectors no more than `most`.

    Args:
        offsets: about where each detector lies; the prompt peaks are near their differences.
        half_ps: how far around the peak pairs are taken, by detector pair.
        enough: with so many pairs of each detector the sample is complete.
    """

    def __init__(self, offsets: Mapping[Key, int], half_ps: Mapping[Pair, int], enough: int) -> None:
        self._keys = sorted(offsets)
        self._codes = np.array([board << 16 | channel for board, channel in self._keys], np.int64)
        places = {key: place for place, key in enumerate(self._keys)}
        self._ends = np.array([[places[a], places[b]] for a, b in half_ps], np.intp).reshape(-1, 2)
        number = len(self._keys)
        self._number = np.full(number * number, -1, np.int32)
        self._number[self._ends[:, 0] * number + self._ends[:, 1]] = np.arange(len(self._ends))
        self._half = np.array(list(half_ps.values()), np.int64)
        time = np.array([offsets[key] for key in self._keys], np.int64)
        self._middle = time[self._ends[:, 1]] - time[self._ends[:, 0]]
        self._most = min(enough, max(1, MOST_SAMPLED // max(len(self._ends), 1)))
        self._enough = enough
        self._taken = np.zeros(len(self._ends), np.int64)
        self._parts: list[tuple[Any, ...]] = []

    @property
    def reach_ps(self) -> int:
        """How far apart in time aligned hits can be and still be wanted."""
        return int(self._half.max(initial=0))

    def add(self, pairs: pl.DataFrame) -> None:
        columns = [*ENDS, "adc_a", "adc_b", "dt_ps", *(c for c in pairs.columns if c.startswith("gain_factor_"))]
        signed = pairs.lazy().select(columns).pipe(with_sign).collect()
        place = [self._place(signed, side) for side in "ab"]
        there = (place[0] >= 0) & (place[1] >= 0)
        pair = np.where(there, self._number[place[0] * len(self._keys) + place[1]], -1)
        dt = signed["dt_ps"].to_numpy()
        kept = np.flatnonzero((pair >= 0) & (np.abs(dt) <= self._half[pair]))
        kept = kept[self._wanted(pair[kept])]
        adc = [
            signed.select(steady_adc(signed.columns, f"_{side}").cast(pl.Float32)).to_series().to_numpy()[kept]
            for side in "ab"
        ]
        self._parts.append((pair[kept], dt[kept] + self._middle[pair[kept]], np.stack(adc)))

    def _place(self, pairs: pl.DataFrame, side: str) -> npt.NDArray[np.intp]:
        code = pairs[f"board_{side}"].to_numpy().astype(np.int64) << 16 | pairs[f"channel_{side}"].to_numpy()
        place = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        return np.where(self._codes[place] == code, place, -1)

    def _wanted(self, pair: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
        """Rows of pairs that still have room, in their order."""
        order = np.argsort(pair, kind="stable")
        counts = np.bincount(pair, minlength=len(self._taken))
        first = np.cumsum(counts) - counts
        rank = np.arange(len(pair)) - np.repeat(first, counts) + np.repeat(self._taken, counts)
        self._taken = np.minimum(self._taken + counts, self._most)
        return np.sort(order[rank < self._most])

    def is_complete(self) -> bool:
        """Whether each detector has enough pairs, or each pair of detectors has as many as are kept."""
        by_detector = np.zeros(len(self._keys), np.int64)
        for side in (0, 1):
            np.add.at(by_detector, self._ends[:, side], self._taken)
        return bool((by_detector >= self._enough).all() or (self._taken >= self._most).all())

    def sample(self) -> Sample:
        """What was gathered."""
        reach = self._middle[:, None] + self._half[:, None] * np.array([-1, 1])
        pair, dt, adc = (np.concatenate(column, axis=-1) for column in zip(*self._parts, strict=True))
        return Sample(self._keys, pair, self._ends, dt, adc, reach)
