"""Noise on integer adc values, the same each time."""

from collections.abc import Iterable

import polars as pl
import polars.selectors as cs

SECOND = 2**32
"""Added to the number of a hit's detector for the noise of its second adc value, which is not that of the first."""


def dithered(adc: str, time: pl.Expr, channel: str, board: str | None = None, *, second: bool = False) -> pl.Expr:
    """An adc column with noise in [-½, ½) added, the same each time: derived from the hit's time and detector.

    Integer adc values against bins of energy make a comb; the noise spreads each over its own width. Real numbers have
    no such width, and stay as they are. The noise is the
    top bits of (time + detector · c₂) · c₁ modulo 2⁶⁴ (Fibonacci hashing; Knuth, The Art of Computer Programming, 6.4),
    folded and multiplied once more: else the difference of two hits' noise would be fixed by their dt.

    Args:
        adc: the column of adc values.
        time: of the hits (ps).
        channel: the column of channels.
        board: the column of boards; None: hits of one board, or of boards that need not be distinguished.
        second: whether the noise is another one, for the charge in the short gate of the same hit.
    """
    moment = time.cast(pl.UInt64, wrap_numerical=True)  # aligned hits can lie before 0
    detector = pl.col(channel).cast(pl.UInt64)
    if board is not None:
        detector += pl.col(board).cast(pl.UInt64) * pl.lit(2**16, pl.UInt64)
    if second:
        detector += pl.lit(SECOND, pl.UInt64)
    seed = moment + detector * pl.lit(0xD1B54A32D192ED03, pl.UInt64)
    mixed = seed * pl.lit(0x9E3779B97F4A7C15, pl.UInt64)
    mixed = (mixed ^ (mixed // pl.lit(2**32, pl.UInt64))) * pl.lit(0xBF58476D1CE4E5B9, pl.UInt64)
    noise = mixed // pl.lit(2**40, pl.UInt64)
    noisy = pl.col(adc).cast(pl.Float64) + noise.cast(pl.Float64) / 2**24 - 0.5
    return pl.coalesce(cs.by_name(adc, require_all=False) & cs.float(), noisy)


def time_of(columns: Iterable[str], suffix: str) -> pl.Expr:
    """When a hit of a table of hits or pairs was, from which its noise is made (ps).

    Pairs without times, as other programs leave them, have something as good: their two adc values and their dt.

    Args:
        columns: of the table.
        suffix: of its columns of the hit: none, `_a` or `_b`.
    """
    if not suffix:
        return pl.col("timestamp_ps")
    a, b = (pl.col(f"adc_{of}").cast(pl.Int64) if f"adc_{of}" in columns else pl.lit(0, pl.Int64) for of in "ab")
    instead = a * 2**16 + b
    time = pl.col("timestamp_ps").fill_null(instead) if "timestamp_ps" in columns else instead
    return time + pl.col("dt_ps") if suffix == "_b" else time


def dithered_values(columns: Iterable[str], adc: str, suffix: str = "", *, second: bool = False) -> pl.Expr:
    """One of the adc values of hits, or of one side of pairs, as recorded, with noise over its own width.

    Args:
        columns: of the frame; without a board, hits are taken to be of one.
        adc: the column, without its suffix.
        suffix: of the columns: none, `_a` or `_b`.
        second: whether it has the noise of a hit's second value.
    """
    names = set(columns)
    board = f"board{suffix}" if f"board{suffix}" in names else None
    return dithered(f"{adc}{suffix}", time_of(names, suffix), f"channel{suffix}", board, second=second)
