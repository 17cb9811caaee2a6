"""Coincidences and counts of two lines by detectors and slice of time."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable, State
from gammapolars.angular.counts import COUNTS, SINGLES, angular_counts, angular_singles, sum_counts
from gammapolars.angular.slices import wider
from gammapolars.core.flags import has_any
from gammapolars.core.schema import DType, Table
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate

MOST_ROWS = 200_000
"""Tables of more rows are counted on in slices twice as wide, which bounds the memory."""

PARTS = 64


class SlicedSums:
    """A table of counts that grows part by part; its slices of time double their width where it gets too long.

    Args:
        table: what it is a table of.
        width_ps: of the first slices.
        most_rows: of the table.
    """

    def __init__(self, table: Table, width_ps: int, most_rows: int) -> None:
        self.width_ps = width_ps
        self._table, self._most_rows = table, most_rows
        self._parts: list[pl.DataFrame] = []

    def add(self, part: pl.DataFrame) -> None:
        """Add counts by slices of `width_ps`."""
        if part.is_empty():
            return
        self._parts.append(part)
        if len(self._parts) >= PARTS:
            self.total()

    def total(self) -> pl.DataFrame:
        """What was added up, in slices of `width_ps`."""
        if not self._parts:
            columns: Mapping[str, DType] = self._table.optional | self._table.columns
            return pl.DataFrame(schema=columns)
        found = sum_counts(self._parts, self._table)
        while found.height > self._most_rows and (coarse := wider(found)).height < found.height:
            self.width_ps *= 2
            found = coarse
        self._parts = [found]
        return found

    def state(self) -> State:
        """The counts, in slices of `width_ps`."""
        return {"counts": self.total(), "width_ps": self.width_ps}

    def merge(self, state: State) -> None:
        """Add what another one added up."""
        counts, width_ps = state["counts"], state["width_ps"]
        self.total()  # its own slices may be due to become wider
        if width_ps > self.width_ps:
            self.widen(width_ps)
        self.add(wider(counts, self.width_ps // width_ps) if counts.height else counts)

    def widen(self, width_ps: int) -> pl.DataFrame:
        """The total in slices of another width, a multiple of the present one."""
        found = wider(self.total(), width_ps // self.width_ps)
        self.width_ps, self._parts = width_ps, [found] if found.height else []
        return found


class CascadeCounts(Accumulator):
    """Net coincidences of two lines by ordered detector pair, and net counts of both by detector, in slices of time.

    Energies are spread over their channels, by the same noise in hits and in pairs, so that a gate and its background
    hold counts in proportion to their widths.

    Args:
        first: the gate on one line.
        second: the gate on the other; must not overlap with the first.
        detectors: with their calibrations.
        mask: flags that reject a hit.
        width_ps: of the first slices of time.
        most_rows: of either table.
    """

    def __init__(
        self,
        first: Gate,
        second: Gate,
        detectors: Detectors,
        mask: int,
        *,
        width_ps: int = PS_PER_S,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._gates, self._detectors, self._mask = (first, second), detectors, mask
        self._pairs = SlicedSums(COUNTS, width_ps, most_rows)
        self._hits = SlicedSums(SINGLES, width_ps, most_rows)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        used = hits.lazy().filter(~has_any(self._mask)) if self._mask else hits.lazy()
        sliced = _sliced(calibrate(used, self._detectors, dither=True), hits.schema, self._hits.width_ps)
        self._hits.add(angular_singles(sliced, *self._gates, by=("run", "time_slice")).collect())

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take pairs of one run."""
        sliced = _sliced(calibrate(pairs.lazy(), self._detectors, dither=True), pairs.schema, self._pairs.width_ps)
        self._pairs.add(angular_counts(sliced, *self._gates, by=("run", "time_slice")).collect())

    def parts(self) -> Mapping[str, Mergeable]:
        return {"pairs": self._pairs, "hits": self._hits}

    @property
    def width_ps(self) -> int:
        """The width of slices of time in both tables."""
        return max(self._pairs.width_ps, self._hits.width_ps)

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Coincidences and counts, for `angular_correlation`: by run and by slices of time of one width."""
        self._pairs.total(), self._hits.total()
        width_ps = self.width_ps
        return self._pairs.widen(width_ps), self._hits.widen(width_ps)


def _sliced(frame: pl.LazyFrame, columns: Mapping[str, DType], width_ps: int) -> pl.LazyFrame:
    run = {} if "run" in columns else {"run": pl.lit(1, pl.UInt16)}
    return frame.with_columns(time_slice=pl.col("timestamp_ps") // width_ps, **run)
