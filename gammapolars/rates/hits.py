"""True rates of all detectors of a run."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.hits import HitTally
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.accumulators.recorded_time import RecordedTime
from gammapolars.core import schema
from gammapolars.core.flags import FLAGS
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Floats, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.rates.intervals import true_rate
from gammapolars.streaming.slices import batches_of, by_run, lazy_frame
from gammapolars.streaming.time_order import REORDER_PS, time_ordered

COLUMNS: dict[str, schema.DType] = {
    "board": pl.UInt16,
    "channel": pl.UInt16,
    "hits": pl.Int64,
    **schema.floats("real_time_s", "missing_s", "rate_cps", "rate_cps_unc", "true_rate_cps", "true_rate_cps_unc"),
    **schema.floats("live_fraction", "live_fraction_unc", "dead_time_ps", "dead_time_ps_unc"),
    "shortest_interval_ps": pl.Int64,
    **schema.floats("cut_ps", "chi2"),
    "ndf": pl.Int64,
    "exponential": pl.Boolean,
}


def true_rates(hits: AnyFrame, *, reorder_ps: int = REORDER_PS) -> pl.LazyFrame:
    """True rates, corrected for dead time, from the times between the hits of each detector.

    Hits with flags count too: give hits as they were recorded, before any are filtered out. Only fake events, which no
    radiation causes, are left out. Each rate is that of the time from the detector's own first hit to its last, without
    gaps longer than random ones, so that it is right for a detector that was recorded for a part of the run. Where
    hits come in bunches, or the rate changed, there is no one rate, and `exponential` is false.

    Args:
        hits: a table of hits, nearly in time order.
        reorder_ps: how far back in time a hit may lie and still be put in its place.

    Returns:
        A lazy table, one row per detector: `hits`; `real_time_s` from its first to its last hit, summed over runs,
        without `missing_s`, its gaps;
        `rate_cps` (times between hits over that time), `true_rate_cps`, `live_fraction` (one over the other) and
        `dead_time_ps` (per hit, as that fraction implies for a dead time that is not prolonged: 1/m - 1/n), each with
        `_unc`, one standard deviation; `shortest_interval_ps`, and of the fit `cut_ps`, `chi2`, `ndf`, `exponential`;
        results of the fit are null where there are fewer than 100 intervals.
    """
    hits = lazy(hits, "hits")
    schema.require(hits, schema.HITS, columns=("board", "channel", "timestamp_ps"))

    def table(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        del columns  # the table is small
        tally, intervals, recorded = HitTally(), Intervals(), RecordedTime()
        names = [name for name in hits.collect_schema() if name in ("board", "channel", "timestamp_ps", "flags", "run")]
        for of_run in by_run(batches_of(hits.select(names))):
            for batch in time_ordered(of_run, reorder_ps=reorder_ps):
                plain = batch if "flags" in batch.columns else batch.with_columns(flags=pl.lit(0, pl.UInt32))
                tally.add_hits(plain)
                recorded.add_hits(plain)
                intervals.add_hits(batch)
        yield rates_of(tally, intervals, recorded)

    return lazy_frame(pl.Schema(COLUMNS), table)


def rates_of(tally: HitTally, intervals: Intervals, recorded: RecordedTime) -> pl.DataFrame:
    """The table of `true_rates` from the counts."""
    runs = recorded.of_runs().values()
    gaps_ps = {
        key: np.concatenate([run.inner_gaps(key) for run in runs if key in run.gaps]) for key in intervals.counts
    }
    rows = [
        {"board": board, "channel": channel, "hits": hits} | _rates_of((board, channel), intervals, gaps_ps)
        for board, channel, _, hits in tally.by_detector(FLAGS["fake_event"]).iter_rows()
    ]
    return pl.DataFrame(rows, COLUMNS)


def rates_of_used(table: pl.DataFrame, tally: HitTally, removed: int) -> pl.DataFrame:
    """Rates of the hits that a selection leaves, of those of all hits.

    A detector is dead after all hits, for a time that does not depend on their energies, and whether a hit stays does
    not depend on when it came. So the part p of the n counted hits that stays is the part of those that came, too: the
    rates are p times those of all hits, and live fractions and dead times remain. With p of a binomial distribution,
    the variance of p r is (p σ_r)² + r² p (1 - p) / n.

    Args:
        table: of `rates_of`, for all hits.
        tally: all hits, those that are removed with a flag.
        removed: that flag, or several; 0: none is removed.

    Returns:
        The table with `hits`, `rate_cps`, `true_rate_cps` and their uncertainties for the hits that stay; all else in
        it is of all hits.
    """
    if not removed:
        return table
    used = {
        (board, channel): hits
        for board, channel, _, hits in tally.by_detector(removed | FLAGS["fake_event"]).iter_rows()
    }
    hits = pl.Series([used.get(key, 0) for key in table.select("board", "channel").iter_rows()], dtype=pl.Int64)
    part = hits / pl.col("hits")
    columns: dict[str, pl.Expr] = {}
    for name in ("rate_cps", "true_rate_cps"):
        of_part = pl.col(name) ** 2 * part * (1 - part) / pl.col("hits")
        columns |= {name: pl.col(name) * part, f"{name}_unc": ((part * pl.col(f"{name}_unc")) ** 2 + of_part).sqrt()}
    return table.with_columns(hits=hits, **columns)


def _rates_of(key: Key, intervals: Intervals, gaps_ps: Mapping[Key, Floats]) -> dict[str, object]:
    """Results from the times between hits of one detector."""
    if key not in intervals.counts:
        return {}
    counts, sums, missing_ps = intervals.counts[key], intervals.sums_ps[key], np.diff(gaps_ps[key], axis=1)[:, 0]
    bins = np.searchsorted(Intervals.edges_ps(), missing_ps, side="right") - 1
    np.subtract.at(counts, bins, 1)
    np.subtract.at(sums, bins, missing_ps)
    number, total_ps = float(counts.sum()), float(sums.sum())
    row: dict[str, object] = {
        "real_time_s": total_ps / PS_PER_S,
        "missing_s": float(missing_ps.sum()) / PS_PER_S,
        "shortest_interval_ps": intervals.shortest_ps[key],
    }
    if total_ps > 0:
        means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        spread = math.sqrt(float((counts * (means - total_ps / number) ** 2).sum()))
        row["rate_cps"] = rate = number / total_ps * PS_PER_S
        row["rate_cps_unc"] = rate * spread / total_ps  # of a mean of independent times: (σ/x̄) / √n
    if fit := true_rate(Intervals.edges_ps(), counts, sums, intervals.shortest_ps[key]):
        fields = fit._asdict()
        row |= {"true_rate_cps": fields.pop("rate_cps"), "true_rate_cps_unc": fields.pop("rate_cps_unc")} | fields
    return row
