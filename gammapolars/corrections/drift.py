"""Gain factors attached to hits, by their time."""

from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.corrections.drift_table import Drift
from gammapolars.corrections.energy import by_detector
from gammapolars.detectors import Detector, Detectors
from gammapolars.detectors.hits import is_of

PS_PER_US = 10**6

RUN_SHIFT = 2**44
"""Run and time make one key, by which all runs are joined at once: times lie below 2⁴⁴ µs, which are 203 days."""


class Knots(NamedTuple):
    """The knots of a table, those of all runs in one column and those of all detectors at the same times.

    Attributes:
        detectors: (board, channel) of each.
        table: lazy, one row per knot: `_drift_key` (run and time), `_drift_run`, `_drift_us` (time), `_drift_span` (µs
            to the next knot, 0 after the last) and `_drift_row`.
        factors: at each knot of each detector, knot after knot.
        slopes: their change per µs from there on.
    """

    detectors: list[tuple[int, int]]
    table: pl.LazyFrame
    factors: pl.Series
    slopes: pl.Series

    @classmethod
    def of(cls, drift: Drift) -> "Knots":
        """The knots of a table; each run begins with one at time 0, so that none takes the last of the run before."""
        keys = drift.detectors
        columns = {"_drift_key": pl.Int64, "_drift_run": pl.Int64, "_drift_us": pl.Int64, "_drift_span": pl.Int64}
        tables, factors, slopes = [pl.DataFrame(schema=columns)], [np.empty(0)], [np.empty(0)]
        for (run,), table in drift.table.group_by("run", maintain_order=True):
            number = int(run)
            rows = table.with_columns(us=(pl.col("timestamp_ps") // PS_PER_US).clip(0, RUN_SHIFT - 1))
            times = np.unique(np.append(rows["us"].to_numpy(), 0))
            values = np.ones((len(times), len(keys)))
            for place, (board, channel) in enumerate(keys):
                own = rows.filter(is_of((board, channel)))
                own = own.unique("us", keep="last", maintain_order=True)
                if own.height:
                    values[:, place] = np.interp(times, own["us"].to_numpy(), own["gain_factor"].to_numpy())
            spans = np.append(np.diff(times), 0)
            rises = np.append(np.diff(values, axis=0), np.zeros((1, len(keys))), axis=0)
            tables.append(
                pl.DataFrame([number * RUN_SHIFT + times, np.full(len(times), number), times, spans], columns)
            )
            factors.append(values.reshape(-1))
            slopes.append((rises / np.maximum(spans, 1)[:, None]).reshape(-1))
        knots = pl.concat(tables).with_row_index("_drift_row").lazy().set_sorted("_drift_key")
        return cls(keys, knots, pl.Series(np.concatenate(factors)), pl.Series(np.concatenate(slopes)))

    def attached(self, hits: pl.LazyFrame, run: int | None) -> pl.LazyFrame:
        """Hits with `gain_factor`.

        Args:
            hits: nearly in time order.
            run: theirs; None: as their column says.
        """
        columns = [name for name in hits.collect_schema() if name != "gain_factor"]
        if not self.detectors:
            return hits.select(*columns, gain_factor=pl.lit(1.0))
        number = pl.col("run").cast(pl.Int64) if run is None else pl.lit(run, pl.Int64)
        time_us = (pl.col("timestamp_ps") // PS_PER_US).clip(0, RUN_SHIFT - 1)
        # The largest so far: hits that lie a little back in time, as they are recorded, must not stop the join.
        joined = hits.with_columns(_drift_key=(number * RUN_SHIFT + time_us).cum_max()).join_asof(
            self.table, on="_drift_key", strategy="backward"
        )
        known = Detectors(tuple(Detector(*key) for key in self.detectors))
        rank = {key: place for place, key in enumerate(self.detectors)}
        detector = by_detector(known, lambda one: rank[one.key], pl.UInt32)
        place = pl.when(pl.col("_drift_run") == number).then(pl.col("_drift_row") * len(self.detectors) + detector)
        passed = pl.col("timestamp_ps").cast(pl.Float64) / PS_PER_US - pl.col("_drift_us")
        passed = passed.clip(0, pl.col("_drift_span"))
        factor = pl.lit(self.factors).gather(place) + pl.lit(self.slopes).gather(place) * passed
        return joined.select(*columns, gain_factor=factor.fill_null(1.0))
