"""How wide adc values are: 16 bits as a rule, and more, or real numbers, only where a recording has such."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gammapolars.core.schema import DType
from gammapolars.detectors.columns import Column
from gammapolars.io.reading import Losses

PEEKED_HITS = 1_000_000
"""This many of the first hits show whether adc values need more than 16 bits."""

LEAST_SHARE, LEAST_HITS = 0.01, 2
"""They do where so many have values beyond 16 bits, or below 0; fewer are taken for damage, and named."""

UNSIGNED_16 = (pl.UInt8, pl.UInt16)
SIGNED_16 = (pl.Int8, pl.Int16)

NARROW = 256.0
"""Real numbers that lie so close together fill hardly any channel."""

CHANNELS = 4096

REAL = re.compile(r"-?[0-9]*\.[0-9]*(?:[eE][-+]?[0-9]+)?|-?[0-9]+[eE][-+]?[0-9]+")
WHOLE = re.compile(r"-?[0-9]+")


def adc_type(table: pl.LazyFrame, column: Column) -> DType:
    """The type in which adc values are kept: 16 bits where these hold them, else whole numbers of 64, or floats.

    Args:
        table: of a file.
        column: of adc values; its `bits` say how many they have, else the column's type or its first values do.
    """
    dtype = table.collect_schema()[column.name]
    if column.unit is not None:
        return pl.Float64()
    if column.bits is not None:
        return pl.Int64() if column.bits > 16 else pl.UInt16()
    if not (dtype.is_integer() or dtype.is_float()) or dtype in UNSIGNED_16:
        return pl.UInt16()
    if dtype in SIGNED_16:
        return pl.Int64()
    first = _first(table, column)
    if dtype.is_float() and not (first == first.round()).all():
        return pl.Float64()
    beyond = int((~first.is_between(0, 2**16 - 1)).sum() or 0)
    return pl.Int64() if _are_many(beyond, first.len()) else pl.UInt16()


def _first(table: pl.LazyFrame, column: Column) -> pl.Series:
    """The first adc values that there are."""
    values = table.select(column.name).head(PEEKED_HITS).collect().to_series().drop_nulls()
    return values.filter(values.is_finite()) if values.dtype.is_float() else values


def _are_many(beyond: int, values: int) -> bool:
    return beyond >= max(LEAST_HITS, LEAST_SHARE * values)


def adc_type_in(texts: Sequence[str]) -> DType:
    """The same, of adc values as a text file has them in some of its rows."""
    real = sum(bool(REAL.fullmatch(text)) for text in texts)
    if _are_many(real, len(texts)):
        return pl.Float64()
    beyond = sum(bool(WHOLE.fullmatch(text)) and not 0 <= int(text[:20]) < 2**16 for text in texts)
    return pl.Int64() if _are_many(beyond, len(texts)) else pl.UInt16()


def note_narrow(table: pl.LazyFrame, ours: str, column: Column, path: Path, losses: Losses) -> None:
    """Note where real numbers lie so close together that spectra by channel show nothing."""
    first = _first(table, column)
    if column.unit is not None or first.is_empty():
        return
    low, high = float(first.min()), float(first.max())  # type: ignore[arg-type]
    if 0 < high - low < NARROW:
        written = f'{ours} = {{name = "{column.name}", unit = {(high - low) / CHANNELS:.1g}}}'
        losses.note(
            path,
            f"column '{column.name}' contains values from {low:g} to {high:g}, which spectra by ADC channel "
            f"cannot resolve: give the width of one channel, as in {written}",
        )
