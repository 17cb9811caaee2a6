"""The columns of other programs' tables: which one holds what, in which unit, and how it becomes a column of hits."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from gammapolars.core.errors import DetectorsError, TableError, UsageError
from gammapolars.core.schema import HITS, DType
from gammapolars.core.units import PS_PER_UNIT, TIMES_PS, parse_ps
from gammapolars.detectors.values import format_table, shown

MAPPED: dict[str, DType] = {
    name: dtype for name, dtype in (HITS.columns | HITS.optional).items() if name not in ("run", "epoch", "gain_factor")
}
"""The columns of hits that a foreign table can have."""

CONSTANT = {"board": 2**16 - 1, "channel": 2**16 - 1, "flags": 2**32 - 1}
"""Those that may be one number for all hits, and the largest that it can be."""

KEV_PER_UNIT = {"eV": 1e-3, "keV": 1.0, "MeV": 1e3}

MAX_INT64 = 2**63 - 1


@dataclass(frozen=True)
class Column:
    """Where a column of hits comes from in a foreign table: its name there, or instead the value that all hits have.

    Its unit is None where values have ours, or none. Of times it may be a clock's step, such as `4ns`.
    """

    name: str = ""
    unit: str | None = None
    value: int | None = None


def parse_columns(table: object) -> dict[str, Column]:
    """The `[columns]` table of detectors.toml.

    Raises:
        DetectorsError: it is no table, or a column of it is not one of ours or not described as it should be.
    """
    if not isinstance(table, dict):
        raise DetectorsError("'columns' must be a table: write [columns]")
    if unknown := table.keys() - MAPPED.keys():
        raise DetectorsError(f"[columns] has the unknown key '{min(unknown)}' (known: {', '.join(MAPPED)})")
    return {ours: _column(ours, description) for ours, description in table.items()}


def _column(ours: str, description: object) -> Column:
    where = f"[columns] {ours}"
    table = {"name": description} if isinstance(description, str) else description
    if not isinstance(table, dict) or set(table) not in ({"name"}, {"name", "unit"}, {"value"}):
        raise DetectorsError(
            f"{where} must be a column's name, {{name = …, unit = …}} or {{value = …}}, not {shown(description)}"
        )
    for key in ("name", "unit"):
        if key in table and not (isinstance(table[key], str) and table[key].isprintable() and table[key]):
            raise DetectorsError(f"{where}: {key} must be text, not {shown(table[key])}")
    column = Column(**table)
    if column.value is not None:
        return _constant(where, ours, column)
    if column.unit is not None:
        unit_factor(ours, column.unit)
    return column


def _constant(where: str, ours: str, column: Column) -> Column:
    if ours not in CONSTANT:
        raise DetectorsError(f"{where} cannot be one value for all hits: {', '.join(CONSTANT)} can")
    if type(column.value) is not int or not 0 <= column.value <= CONSTANT[ours]:
        raise DetectorsError(
            f"{where}: value must be a whole number from 0 to {CONSTANT[ours]}, not {shown(column.value)}"
        )
    return column


def unit_factor(ours: str, unit: str) -> float:
    """What values in a unit are multiplied by to become ours: a whole number of picoseconds, or a number of keV.

    Raises:
        DetectorsError: the column has no such unit.
    """
    where = f"[columns] {ours}"
    if ours == "energy_kev":
        if unit not in KEV_PER_UNIT:
            raise DetectorsError(f"{where}: unknown unit '{unit}' (known: {', '.join(KEV_PER_UNIT)})")
        return KEV_PER_UNIT[unit]
    if ours != "timestamp_ps":
        raise DetectorsError(f"{where} has a unit, which only timestamp_ps and energy_kev can have")
    try:
        factor = PS_PER_UNIT[unit] if unit in PS_PER_UNIT else parse_ps(unit)
    except UsageError:
        factor = 0
    if factor <= 0:
        raise DetectorsError(
            f"{where}: unknown unit '{unit}' (known: ps, ns, us, ms, s, or a clock's step such as 4ns)"
        )
    return factor


def format_columns(columns: Mapping[str, Column]) -> str:
    """The text of a `[columns]` table that `parse_columns` reads back."""

    def described(column: Column) -> object:
        if column.value is not None:
            return {"value": column.value}
        return column.name if column.unit is None else {"name": column.name, "unit": column.unit}

    return format_table("[columns]", {ours: described(column) for ours, column in columns.items()})


def converted(ours: str, column: Column, dtype: DType) -> pl.Expr:
    """A foreign column as a column of hits, of which it holds `dtype`; null where a value is missing or does not fit.

    Raises:
        TableError: it holds no numbers, or no whole numbers where hits have them.
    """
    target = MAPPED[ours]
    source = pl.col(column.name)
    factor = 1 if column.unit is None else unit_factor(ours, column.unit)
    if not dtype.is_numeric() or dtype.is_decimal():
        raise TableError(f"column '{column.name}' holds {dtype}, and {ours} takes numbers")
    if target == pl.Float64:
        return (source.cast(pl.Float64) * factor).alias(ours)
    if dtype.is_float() and ours != "timestamp_ps":
        raise TableError(
            f"column '{column.name}' holds {dtype}, and {ours} takes whole numbers"
            + (": give it as energy_kev if it is calibrated" if ours == "adc" else "")
        )
    if dtype.is_float():
        return nearest_whole_product(source.cast(pl.Float64), float(factor)).alias(ours)
    whole = source.cast(target, strict=False)
    if factor != 1:  # a product beyond 64 bits would wrap around
        limit = MAX_INT64 // int(factor)
        whole = pl.when(whole.is_between(-limit, limit)).then(whole) * pl.lit(int(factor), pl.Int64)
    return whole.alias(ours)


def within_times(time: pl.Expr) -> pl.Expr:
    """Times of hits (ps); null where no clock of a run can be."""
    return pl.when(time.is_between(*TIMES_PS)).then(time)


VELTKAMP = 2.0**27 + 1.0
"""Splits a float of 53 bits into two of at most 26 (Dekker, Numer. Math. 18 (1971) 224)."""

WHOLE_FLOATS = 2.0**52
"""From here on floats have no fraction."""


def nearest_whole_product(value: pl.Expr, factor: float) -> pl.Expr:
    """The whole number nearest to `value * factor`, a tie to the even one, as Int64; null where 64 bits cannot hold it.

    The product itself is rounded to 53 bits, which may turn what lies beside a half into the half. What this rounding
    took away is found exactly, by Dekker's product of split factors, and decides.
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
