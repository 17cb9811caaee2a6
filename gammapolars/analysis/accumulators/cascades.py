"""Coincidences and counts of two lines by detectors and slice of time."""

from collections.abc import Callable, Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.angular import (
    COUNTS,
    ENDS,
    SINGLES,
    WEIGHTS,
    hits_by_weight,
    net_hits,
    net_pairs,
    pairs_by_weight,
)
from gammapolars.core.flags import has_any
from gammapolars.core.schema import DType, Table
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.spectra.tallies import WideningTally

MOST_ROWS = 200_000
"""Tables of more rows are counted on in slices twice as wide, which bounds the memory."""

SLICE, DETECTOR = "time_slice", ("board", "channel")


class CascadeCounts(Accumulator):
    """Net coincidences of two lines by ordered detector pair, and net counts of both by detector, in slices of time.

    Both are kept in whole numbers for each combination of weights, so that they are the same in whatever parts they are
    counted.

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
        slices = {"width": width_ps, "most_rows": most_rows}
        # Rows are those of the net tables, whatever they weigh.
        self._pairs = WideningTally("run", *ENDS, *WEIGHTS, SLICE, **slices, rows_by=("run", *ENDS, SLICE))
        self._hits = WideningTally("run", *DETECTOR, "w_1", "w_2", SLICE, **slices, rows_by=("run", *DETECTOR, SLICE))

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        used = hits.lazy().filter(~has_any(self._mask)) if self._mask else hits.lazy()
        sliced = _sliced(calibrate(used, self._detectors, dither=True), hits.schema, self._hits.width)
        self._hits.add(hits_by_weight(sliced, *self._gates, by=("run", SLICE)).collect())

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take pairs of one run."""
        sliced = _sliced(calibrate(pairs.lazy(), self._detectors, dither=True), pairs.schema, self._pairs.width)
        self._pairs.add(pairs_by_weight(sliced, *self._gates, by=("run", SLICE)).collect())

    def parts(self) -> Mapping[str, Mergeable]:
        return {"pairs": self._pairs, "hits": self._hits}

    @property
    def width_ps(self) -> int:
        """The width of slices of time in both tables."""
        return max(self._pairs.width, self._hits.width)

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Coincidences and counts, for `angular_correlation`: by run and by slices of time of one width."""
        pairs, hits = self._pairs.total(), self._hits.total()
        while self._pairs.width != self._hits.width:
            for tally in (self._pairs, self._hits):
                tally.widen(self.width_ps)
            pairs, hits = self._pairs.total(), self._hits.total()
        return _net(pairs, COUNTS, net_pairs), _net(hits, SINGLES, net_hits)


def _net(counts: pl.DataFrame, table: Table, net: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    columns: Mapping[str, DType] = table.optional | table.columns
    if counts.is_empty():
        return pl.DataFrame(schema=columns)
    keys = [name for name in columns if name in counts.columns and name not in WEIGHTS]
    return net(counts.lazy().select(*keys, pl.exclude(keys))).select(*columns).collect()


def _sliced(frame: pl.LazyFrame, columns: Mapping[str, DType], width_ps: int) -> pl.LazyFrame:
    run = {} if "run" in columns else {"run": pl.lit(1, pl.UInt16)}
    return frame.with_columns(time_slice=pl.col("timestamp_ps") // width_ps, **run)
