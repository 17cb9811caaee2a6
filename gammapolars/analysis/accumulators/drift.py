"""Counts around spectral lines, time slice by time slice, from which the drift of a gain is determined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.core.flags import has_any
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S
from gammapolars.streaming.slices import run_of

Counts = npt.NDArray[np.unsignedinteger]

MOST_SLICES = 512
"""Slices of a run, at most; a longer one has longer slices."""

MOST_CELLS = 2**26
"""Slices times bins, of all detectors and runs together: bounds the memory, to 256 MB, whatever the runs' length
and number."""

FIRST_WIDTH_PS = PS_PER_S // 64

LEAST_ADC_VALUES = 2**16


@dataclass(frozen=True)
class AdcRange:
    """A range of adc values, in bins.

    Attributes:
        first_adc: the lowest value of the first bin, a multiple of `bin_adc`.
        bins: how many bins.
        bin_adc: how many adc values each bin holds; the same for all ranges of one detector.
    """

    first_adc: int
    bins: int
    bin_adc: int = 1


@dataclass(frozen=True)
class SlicedRun:
    """A run's counts, (slices, columns), in slices `width_ps` long; the first begins with the run's first hit."""

    run: int
    first_ps: int
    last_ps: int
    width_ps: int
    counts: Counts

    @property
    def edges_ps(self) -> npt.NDArray[np.int64]:
        """The ends of its slices, (slices + 1,); the last one ends with the run."""
        edges = self.first_ps + self.width_ps * np.arange(len(self.counts) + 1, dtype=np.int64)
        edges[-1] = max(self.last_ps, int(edges[-2]) + 1)
        return edges


class DriftSpectra(Accumulator):
    """Counts of the used hits by run, detector, time slice and adc, only in ranges of adc.

    A run begins with short slices; each time that it has `most_slices` of them, neighbours are added up. Runs follow
    one another, each in time order.

    Args:
        mask: flags that reject a hit.
        ranges: of each detector; they may overlap.
        first_width_ps: the shortest slice.
        most_slices: of a run.
        most_cells: bounds the memory: slices times bins of all runs.
        firsts_ps: times of the runs' first hits, where slices begin: needed where hits are counted in parts that are to
            be merged, since only one part sees a run's first hit.
    """

    def __init__(
        self,
        mask: int,
        ranges: Mapping[Key, Sequence[AdcRange]],
        *,
        first_width_ps: int = FIRST_WIDTH_PS,
        most_slices: int = MOST_SLICES,
        most_cells: int = MOST_CELLS,
        firsts_ps: Mapping[int, int] | None = None,
    ) -> None:
        self._firsts_ps = firsts_ps or {}
        self._mask, self._first_width_ps = mask, first_width_ps
        self._keys = sorted(key for key, parts in ranges.items() if parts)
        self._packed = np.array([board << 16 | channel for board, channel in self._keys], np.int64)
        ends = [part.first_adc + part.bins * part.bin_adc for parts in ranges.values() for part in parts]
        self._column = np.full((len(self._keys), max([LEAST_ADC_VALUES, *ends])), -1, np.int32)
        self._first: dict[tuple[Key, AdcRange], int] = {}
        self._columns = 0
        for place, key in enumerate(self._keys):
            self._lay_out(place, key, ranges[key])
        self._most_cells = most_cells
        self._most_slices = max(2, min(most_slices, most_cells // max(self._columns, 1)) // 2 * 2)
        self._finished: list[SlicedRun] = []
        self._begin(None, 0)

    def _lay_out(self, place: int, key: Key, ranges: Sequence[AdcRange]) -> None:
        """Give a detector's bins their columns: those of a range are side by side, those of two ranges once."""
        step = ranges[0].bin_adc
        every = [part.first_adc // step + np.arange(part.bins) for part in ranges]
        bins = np.unique(np.concatenate(every))
        for part, own in zip(ranges, every, strict=True):
            self._first[key, part] = self._columns + int(np.searchsorted(bins, own[0]))
        for column, number in enumerate(bins, self._columns):
            self._column[place, number * step : (number + 1) * step] = column
        self._columns += len(bins)

    def _begin(self, run: int | None, first_ps: int) -> None:
        self._run, self._first_ps, self._last_ps = run, first_ps, first_ps
        self._width_ps = self._first_width_ps
        self._counts = np.zeros((self._most_slices if run is not None else 0, self._columns), np.uint32)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        run = run_of(hits)
        if run != self._run:
            self._finish()
            self._begin(run, self._firsts_ps.get(run, int(hits["timestamp_ps"][0])))
        self._extend(int(hits["timestamp_ps"][-1]))
        used = hits.filter(~has_any(self._mask)) if self._mask else hits
        if not self._keys or used.is_empty():
            return
        packed = used["board"].cast(pl.Int64).to_numpy() << 16 | used["channel"].to_numpy()
        place = np.minimum(np.searchsorted(self._packed, packed), len(self._keys) - 1)
        adc = used["adc"].to_numpy()
        if adc.dtype != np.uint16:
            adc = np.floor(adc + 0.5).astype(np.int64)
            packed = np.where((adc >= 0) & (adc < self._column.shape[1]), packed, -1)
            adc = np.clip(adc, 0, self._column.shape[1] - 1)
        column = np.where(self._packed[place] == packed, self._column[place, adc], -1)
        inside = np.flatnonzero(column >= 0)
        slice_ = np.maximum(used["timestamp_ps"].to_numpy()[inside] - self._first_ps, 0) // self._width_ps
        np.add.at(self._counts.reshape(-1), slice_ * self._columns + column[inside], np.uint32(1))

    def state(self) -> State:
        return {"runs": [vars(one).copy() for one in (*self._finished, *self._present())]}

    def merge(self, state: State) -> None:
        """Add the state of the stretch that follows.

        Raises:
            ValueError: the slices of a run begin elsewhere: see `firsts_ps`.
        """
        for one in (SlicedRun(**run) for run in state["runs"]):
            if one.run != self._run:
                self._finish()
                self._begin(one.run, self._firsts_ps.get(one.run, one.first_ps))
            if one.first_ps != self._first_ps:
                raise ValueError(
                    f"the slices of run {one.run} start at different times in its parts: give firsts_ps for both"
                )
            self._extend(one.last_ps)
            while self._width_ps < one.width_ps:  # never wider: slices of the later part reach further
                self._widen()
            self._counts[: len(one.counts)] += one.counts

    def _extend(self, last_ps: int) -> None:
        """Let the present run reach to a time."""
        self._last_ps = max(self._last_ps, last_ps)
        while (self._last_ps - self._first_ps) // self._width_ps >= self._most_slices:
            self._widen()

    def _widen(self) -> None:
        summed = _by_two(self._counts)
        self._counts[: len(summed)] = summed
        self._counts[len(summed) :] = 0
        self._width_ps *= 2

    def _present(self) -> Iterator[SlicedRun]:
        """The run that is being counted, in the smallest type that holds its counts."""
        if self._run is not None:
            slices = (self._last_ps - self._first_ps) // self._width_ps + 1
            counts = _small(self._counts[:slices])
            yield SlicedRun(self._run, self._first_ps, self._last_ps, self._width_ps, counts)

    def _finish(self) -> None:
        """Put the present run away.

        The first run may have begun in hits that others count: it keeps its slices until all runs are complete.
        """
        self._finished += self._present()
        self._finished[1:] = self._fitting(self._finished[1:])

    def _fitting(self, runs: Sequence[SlicedRun]) -> list[SlicedRun]:
        """Runs in slices so wide that they fit into the memory: those of most slices get wider ones first."""
        fitting = list(runs)
        while sum(one.counts.size for one in fitting) > self._most_cells:
            most = max(range(len(fitting)), key=lambda place: len(fitting[place].counts))
            one = fitting[most]
            if len(one.counts) == 1:
                break
            wide = SlicedRun(one.run, one.first_ps, one.last_ps, 2 * one.width_ps, _small(_by_two(one.counts)))
            fitting[most] = wide
        return fitting

    @property
    def runs(self) -> tuple[SlicedRun, ...]:
        """All runs; no further hits can be taken."""
        self._finished = self._fitting([*self._finished, *self._present()])
        self._begin(None, 0)
        return tuple(self._finished)

    def counts(self, run: SlicedRun, key: Key, part: AdcRange) -> npt.NDArray[np.float64]:
        """A detector's counts in one of its ranges, (slices, bins)."""
        first = self._first[key, part]
        return run.counts[:, first : first + part.bins].astype(np.float64)


def _by_two(counts: Counts) -> npt.NDArray[np.uint32]:
    """The sums of neighbouring rows."""
    even = counts[0::2].astype(np.uint32)
    odd = counts[1::2]
    even[: len(odd)] += odd
    return even


def _small(counts: Counts) -> Counts:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
