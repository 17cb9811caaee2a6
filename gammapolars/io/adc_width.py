"""How wide adc values are: 16 bits as a rule, and more, or real numbers, only where a recording has such."""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gammapolars.core.file_identity import version
from gammapolars.core.schema import DType
from gammapolars.detectors.columns import Column
from gammapolars.io.reading import Losses, Reading

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


class FirstValues(NamedTuple):
    """The first adc values of a file: how many there are, their limits, and whether any has a fraction.

    `beyond` is how many of them do not fit into 16 bits.
    """

    values: int
    low: float
    high: float
    fractions: bool
    beyond: int


_KNOWN: dict[Hashable, FirstValues] = {}
"""Of files that are read in ranges: each of these is opened by itself, and all of them by the first values."""

MOST_KNOWN = 256


def key_of(path: Path, reading: Reading) -> Hashable:
    """What a file's first values are known by, where it is read in ranges; None where it is not."""
    if reading.rows is None:
        return None
    columns = tuple(sorted(reading.columns.items(), key=lambda one: one[0]))
    return *version(path), reading.tree, reading.losses.keep_going, columns


def adc_type(table: pl.LazyFrame, column: Column, key: Hashable = None) -> DType:
    """The type in which adc values are kept: 16 bits where these hold them, else whole numbers of 64, or floats.

    Args:
        table: of a file.
        column: of adc values; its `bits` say how many they have, else the column's type or its first values do.
        key: of the file, as `key_of` gives it.
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
    first = _first(table, column, key)
    if first.fractions:
        return pl.Float64()
    return pl.Int64() if _are_many(first.beyond, first.values) else pl.UInt16()


def _first(table: pl.LazyFrame, column: Column, key: Hashable) -> FirstValues:
    """The first adc values that there are."""
    if key is not None and (known := _KNOWN.get((key, column.name))):
        return known
    values = table.select(column.name).head(PEEKED_HITS).collect().to_series().drop_nulls()
    real = values.dtype.is_float()
    values = values.filter(values.is_finite()) if real else values
    low, high = (0.0, 0.0) if values.is_empty() else (float(values.min()), float(values.max()))  # type: ignore[arg-type]
    fractions = real and not (values == values.round()).all()
    beyond = int((~values.is_between(0, 2**16 - 1)).sum() or 0)
    first = FirstValues(values.len(), low, high, fractions, beyond)
    if key is not None:
        while len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[key, column.name] = first
    return first


def _are_many(beyond: int, values: int) -> bool:
    return beyond >= max(LEAST_HITS, LEAST_SHARE * values)


def adc_type_in(texts: Sequence[str]) -> DType:
    """The same, of adc values as a text file has them in some of its rows."""
    real = sum(bool(REAL.fullmatch(text)) for text in texts)
    if _are_many(real, len(texts)):
        return pl.Float64()
    beyond = sum(bool(WHOLE.fullmatch(text)) and not 0 <= int(text[:20]) < 2**16 for text in texts)
    return pl.Int64() if _are_many(beyond, len(texts)) else pl.UInt16()


def note_narrow(
    table: pl.LazyFrame, ours: str, column: Column, path: Path, losses: Losses, key: Hashable = None
) -> None:
    """Note where real numbers lie so close together that spectra by channel show nothing."""
    if column.unit is not None:
        return
    _, low, high, *_ = _first(table, column, key)
    if 0 < high - low < NARROW:
        written = f'{ours} = {{name = "{column.name}", unit = {(high - low) / CHANNELS:.1g}}}'
        losses.note(
            path,
            f"column '{column.name}' contains values from {low:g} to {high:g}, which spectra by ADC channel "
            f"cannot resolve: give the width of one channel, as in {written}",
        )
