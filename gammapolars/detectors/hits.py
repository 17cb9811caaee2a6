"""Which rows of tables are of a detector."""

from collections.abc import Iterable

import polars as pl

from gammapolars.core.types import Key


def is_of(key: Key, suffix: str = "") -> pl.Expr:
    """Whether hits are of a detector; `suffix` is that of the columns `board` and `channel`."""
    return (pl.col(f"board{suffix}") == key[0]) & (pl.col(f"channel{suffix}") == key[1])


def is_one_of(keys: Iterable[Key], suffix: str = "") -> pl.Expr:
    """Whether hits are of one of some detectors; `suffix` is that of the columns `board` and `channel`."""
    packed = pl.col(f"board{suffix}").cast(pl.UInt32) * 2**16 + pl.col(f"channel{suffix}").cast(pl.UInt32)
    return packed.is_in(pl.Series([board << 16 | channel for board, channel in keys], dtype=pl.UInt32).implode())
