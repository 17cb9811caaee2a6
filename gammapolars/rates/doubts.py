"""Doubts about the rates of a detector."""

from collections.abc import Iterator

import polars as pl

from gammapolars.core.digits import rounded

IMPOSSIBLE_SIGMA = 3.0
"""A detector that is live for more than all of the time by so many standard deviations is warned of."""


def rate_doubts(table: pl.DataFrame) -> Iterator[str]:
    """Warnings about rates corrected for dead time, one sentence each.

    Args:
        table: of `rates_of`, with `name`.
    """
    for name in table.filter(~pl.col("exponential").fill_null(value=True))["name"]:
        yield (f"the intervals between hits of {name} do not follow a single rate: it changed, or hits come in bunches")
    excess = (pl.col("live_fraction") - 1) / pl.col("live_fraction_unc")
    for name, live in table.filter(excess > IMPOSSIBLE_SIGMA).select("name", "live_fraction").iter_rows():
        yield (
            f"{name} would be live for {rounded(100 * live, 4)} % of the time, which is impossible: its "
            "hits come in bunches, or are recorded more than once"
        )
