"""Whether two tables of pairs are the same, by sums that the order of rows and of a and b does not change."""

from collections.abc import Mapping

import polars as pl


class DisagreementError(Exception):
    """Two contestants that should find the same pairs did not."""


def sums(pairs: pl.DataFrame | Mapping[str, object]) -> dict[str, int]:
    """The number of pairs, and sums over them that tell apart what is likely to go wrong."""
    a, b = (
        pl.col(f"channel_{side}").cast(pl.Int64) * 2**16 + pl.col(f"adc_{side}") + pl.col(f"board_{side}") * 2**32
        for side in "ab"
    )
    time = pl.col("timestamp_ps") // 1000
    frame = pairs if isinstance(pairs, pl.DataFrame) else pl.DataFrame(pairs)
    found = frame.with_columns(pl.col("^(board|channel|adc)_.$").cast(pl.Int64)).select(
        pairs=pl.len().cast(pl.Int64),
        dt_ps=pl.col("dt_ps").sum(),
        hits=(a + b).sum(),
        both=(a % 2**20 * (b % 2**20)).sum(),
        when=(time % 2**20 * (pl.col("dt_ps") + 1)).sum(),
    )
    return {name: int(value) for name, value in found.row(0, named=True).items()}


def agree(ours: pl.DataFrame | Mapping[str, object], theirs: pl.DataFrame | Mapping[str, object], who: str) -> int:
    """The number of pairs that both tables hold.

    Raises:
        DisagreementError: they are not the same pairs.
    """
    mine, other = sums(ours), sums(theirs)
    if mine != other:
        raise DisagreementError(f"gammapolars and {who} do not find the same pairs: {mine} and {other}")
    return mine["pairs"]
