"""True rates of all detectors of a run."""

from collections.abc import Iterator

import polars as pl

from gammapolars import schema
from gammapolars.products.hits import HitTally
from gammapolars.products.intervals import Intervals
from gammapolars.rates.intervals import true_rate
from gammapolars.streaming import batches_of, by_run, lazy_frame
from gammapolars.time_order import REORDER_PS, time_ordered

COLUMNS: dict[str, pl.DataType] = {
    "board": pl.UInt16(),
    "channel": pl.UInt16(),
    "hits": pl.Int64(),
    "rate_cps": pl.Float64(),
    "true_rate_cps": pl.Float64(),
    "true_rate_cps_unc": pl.Float64(),
    "live_fraction": pl.Float64(),
    "dead_time_ps": pl.Float64(),
    "shortest_interval_ps": pl.Int64(),
    "cut_ps": pl.Float64(),
    "chi2": pl.Float64(),
    "ndf": pl.Int64(),
    "exponential": pl.Boolean(),
}


def true_rates(hits: pl.LazyFrame, *, reorder_ps: int = REORDER_PS) -> pl.LazyFrame:
    """Rates without dead time, from the times between the hits of each detector.

    All hits count, those with flags too: give hits as they were recorded, before any are filtered out. Where hits come
    of themselves in bunches, or the rate changed, there is no one rate, and `exponential` is false.

    Args:
        hits: a table of hits, nearly in time order.
        reorder_ps: how far back in time a hit may lie and still be put in its place.

    Returns:
        A lazy table, one row a detector: `hits`, `rate_cps` (hits over the time from first to last), `true_rate_cps`
        with `_unc`, `live_fraction` (one over the other), `dead_time_ps` (per hit, as that fraction implies for a dead
        time that is not prolonged: 1/m - 1/n), `shortest_interval_ps`, and of the fit `cut_ps`, `chi2`, `ndf`,
        `exponential`; the rates are null where there are fewer than 100 intervals.
    """
    schema.require(hits, schema.HITS, columns=("board", "channel", "timestamp_ps"))

    def table(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        del wanted  # the table is small
        tally, intervals = HitTally(), Intervals()
        names = [name for name in hits.collect_schema() if name in ("board", "channel", "timestamp_ps", "flags", "run")]
        for of_run in by_run(batches_of(hits.select(names))):
            for batch in time_ordered(of_run, reorder_ps=reorder_ps):
                plain = batch if "flags" in batch.columns else batch.with_columns(flags=pl.lit(0, pl.UInt32))
                tally.add_hits(plain)
                intervals.add_hits(batch)
        yield rates_of(tally, intervals)

    return lazy_frame(pl.Schema(COLUMNS), table)


def rates_of(tally: HitTally, intervals: Intervals) -> pl.DataFrame:
    """The table of `true_rates` from what was counted."""
    edges = Intervals.edges_ps()
    rows = []
    for board, channel, hits, _ in tally.by_detector().iter_rows():
        key = (board, channel)
        counted = hits / tally.real_time_s if tally.real_time_s > 0 else None
        found = None
        if key in intervals.counts:
            found = true_rate(edges, intervals.counts[key], intervals.sums_ps[key], intervals.shortest_ps[key])
        row: dict[str, object] = {"board": board, "channel": channel, "hits": hits, "rate_cps": counted}
        row["shortest_interval_ps"] = intervals.shortest_ps.get(key)
        if found and counted:
            row |= {
                "true_rate_cps": found.rate_cps,
                "true_rate_cps_unc": found.rate_cps_unc,
                "live_fraction": counted / found.rate_cps,
                "dead_time_ps": 1e12 * (1 / counted - 1 / found.rate_cps),
                "cut_ps": found.cut_ps,
                "chi2": found.chi2,
                "ndf": found.ndf,
                "exponential": found.exponential,
            }
        rows.append({name: row.get(name) for name in COLUMNS})
    return pl.DataFrame(rows, COLUMNS, orient="row")
