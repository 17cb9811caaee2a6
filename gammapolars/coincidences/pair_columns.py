"""The columns of pairs: those of both hits, those that both have in common, and a and b swapped."""

from collections.abc import Iterable

import polars as pl


def both_sides(columns: Iterable[str]) -> list[str]:
    """The columns of hits that a pair has twice: board, channel and adc first, then the others."""
    names = list(columns)
    first = [name for name in ("board", "channel", "adc", "energy_kev") if name in names]
    return first + [name for name in names if name not in {*first, "timestamp_ps", "flags", "run", "_row"}]


def common(columns: Iterable[str]) -> list[str]:
    """The columns of hits that both hits of a pair have the same: their run, where there are several."""
    return ["run"] if "run" in columns else []


def b_is_lower() -> pl.Expr:
    """Whether b is of the lower (board, channel)."""
    return (pl.col("board_b") < pl.col("board_a")) | (
        (pl.col("board_b") == pl.col("board_a")) & (pl.col("channel_b") < pl.col("channel_a"))
    )


def swapped(names: Iterable[str], where: pl.Expr) -> list[pl.Expr]:
    """Columns of both hits, with a and b swapped in some pairs.

    Args:
        names: of the columns, without their side.
        where: whether a pair is one of these.
    """
    return [
        pl.when(where).then(pl.col(f"{name}_{other}")).otherwise(pl.col(f"{name}_{side}")).alias(f"{name}_{side}")
        for side, other in ("ab", "ba")
        for name in names
    ]
