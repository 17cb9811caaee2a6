"""How the columns of other programs' tables become columns of hits: exactly, or null where a value cannot be one."""

from collections.abc import Mapping

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.schema import DType
from gammapolars.core.units import PS_PER_UNIT, TIMES_PS
from gammapolars.detectors.columns import MAPPED, TIME, Column, origin_ps, unit_factor

MAX_INT64 = 2**63 - 1

WIDEST_ADC = 2**32
"""No adc value lies further from 0: of 32 bits, signed or not."""

DATES = {"ms": PS_PER_UNIT["ms"], "us": PS_PER_UNIT["us"], "ns": PS_PER_UNIT["ns"]}
"""In which units columns of dates and durations count, in picoseconds."""


def converted(
    ours: str, column: Column, dtypes: Mapping[str, DType], *, board: pl.Expr, target: DType | None = None
) -> pl.Expr:
    """A foreign column as a column of hits; null where a value is missing or does not fit.

    Args:
        ours: the column of hits.
        column: its source.
        dtypes: of the foreign table.
        board: of the hits, by which units may differ.
        target: its target type, where there is a choice.

    Raises:
        TableError: it holds no numbers, or no whole numbers where hits have them.
    """
    target = target or MAPPED[ours]
    dtype = dtypes[column.name]
    if ours == TIME:
        parts = [within_times(_time(part, dtypes[part.name], board)) for part in (column, *column.further)]
        return (parts[0] if len(parts) == 1 else within_times(sum(parts[1:], parts[0]))).alias(ours)
    _check_numbers(ours, column, dtype)
    source = pl.col(column.name)
    if ours in ("adc", "adc_short"):
        if column.unit is not None:
            source = source.cast(pl.Float64) / unit_factor(ours, column.unit)
        return adc(source, dtype, target).alias(ours)
    if target == pl.Float64:
        factor = 1 if column.unit is None else unit_factor(ours, column.unit)
        return (source.cast(pl.Float64) * factor).alias(ours)
    if dtype.is_float():
        raise TableError(f"column '{column.name}' contains {dtype}, but {ours} needs whole numbers")
    return source.cast(target, strict=False).alias(ours)


def _check_numbers(ours: str, column: Column, dtype: DType) -> None:
    if not dtype.is_numeric() or dtype.is_decimal():
        raise TableError(f"column '{column.name}' contains {dtype}, but {ours} needs numbers")


def adc(values: pl.Expr, dtype: DType, target: DType) -> pl.Expr:
    """Adc values of another program, as they are if they fit into 32 bits; null for others, and for NaN."""
    cast = values.cast(target, strict=False)
    if dtype.is_float() and target.is_integer():
        cast = pl.when(values == values.round()).then(cast)
    if target == pl.UInt16:
        return cast
    if dtype.is_integer() and dtype in (pl.Int8, pl.Int16, pl.Int32, pl.UInt32):
        return cast
    return pl.when(cast.is_between(-WIDEST_ADC, WIDEST_ADC)).then(cast)


def _time(column: Column, dtype: DType, board: pl.Expr) -> pl.Expr:
    """A column of times in picoseconds, less its origin."""
    source, own = pl.col(column.name), getattr(dtype, "time_unit", None)
    if own and dtype != pl.Time:
        if column.unit is not None or column.units:
            raise TableError(
                f"column '{column.name}' contains {dtype}, which already has a unit: leave the unit out of [columns]"
            )
        return _in_unit(source.cast(pl.Int64), pl.Int64(), column, DATES[own])
    _check_numbers(TIME, column, dtype)
    if not column.units:
        factor = 1 if column.unit is None else int(unit_factor(TIME, column.unit))
        return _in_unit(source, dtype, column, factor)
    chosen = pl.lit(None, pl.Int64)
    for number, unit in column.units:
        of_board = _in_unit(source, dtype, column, int(unit_factor(TIME, unit)))
        chosen = pl.when(board == number).then(of_board).otherwise(chosen)
    return chosen


def _in_unit(source: pl.Expr, dtype: DType, column: Column, factor: int) -> pl.Expr:
    """Values in a unit of `factor` picoseconds, less the origin, as whole picoseconds; null beyond 64 bits.

    The origin is subtracted in whole units first: times since 1970 are longer than 64 bits of picoseconds hold.
    """
    units, rest = divmod(origin_ps(column, factor), factor)
    if dtype.is_float():
        value = _of_bits(source.cast(pl.Float64), column.bits)
        return _less(nearest_whole_product(value - float(units) if units else value, float(factor)), rest)
    whole = _of_bits(source.cast(pl.Int64, strict=False), column.bits)
    if units or factor != 1:  # a difference or product beyond 64 bits would wrap around
        limit = MAX_INT64 // factor
        low, high = max(units - limit, -MAX_INT64), min(units + limit, MAX_INT64)
        if low > high:
            return pl.lit(None, pl.Int64)
        whole = pl.when(whole.is_between(low, high)).then(whole)
        whole = (whole - units if units else whole) * pl.lit(factor, pl.Int64)
    return _less(whole, rest)


def _of_bits(value: pl.Expr, bits: int | None) -> pl.Expr:
    """The range of a counter of some bits; if it has a sign, the upper half of the numbers lies below 0."""
    return pl.when(value.is_between(-(2 ** (bits - 1)), 2**bits - 1)).then(value) if bits else value


def _less(time: pl.Expr, rest_ps: int) -> pl.Expr:
    return within_times(time) - rest_ps if rest_ps else time


def within_times(time: pl.Expr) -> pl.Expr:
    """Times of hits (ps); null where no clock of a run can be."""
    return pl.when(time.is_between(*TIMES_PS)).then(time)


VELTKAMP = 2.0**27 + 1.0
"""Splits a float of 53 bits into two of at most 26 (Dekker, Numer. Math. 18 (1971) 224)."""

WHOLE_FLOATS = 2.0**52
"""From here on floats have no fraction."""


def nearest_whole_product(value: pl.Expr, factor: float) -> pl.Expr:
    """The whole number nearest to `value * factor`, a tie to the even one, as Int64; null where 64 bits cannot hold it.

    The product itself is rounded to 53 bits, which may turn a value near a half into the half. The part that rounding
    removed is found exactly, by Dekker's product of split factors, and decides.
    """
    product = value * factor
    high, low = _split(value)
    factor_high = VELTKAMP * factor - (VELTKAMP * factor - factor)
    factor_low = factor - factor_high
    lost = ((high * factor_high - product) + high * factor_low + low * factor_high) + low * factor_low
    floor = product.floor()
    whole = floor.cast(pl.Int64, strict=False)
    odd = whole % 2
    above_half = (product - floor) - 0.5
    up = (above_half > -lost) | ((above_half == -lost) & (odd == 1))
    beyond = odd + (lost - odd).round(mode="half_to_even").cast(pl.Int64, strict=False)
    return whole + pl.when(product.abs() < WHOLE_FLOATS).then(up.cast(pl.Int64)).otherwise(beyond)


def _split(value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The upper and the lower half of a float's digits; their sum is the float."""
    scaled = value * VELTKAMP
    high = scaled - (scaled - value)
    return high, value - high
