"""Columns of tables as branches of numbers."""

from pathlib import Path
from typing import Any

import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import OutputError


def numpy_type(column: str, dtype: pl.DataType, path: Path) -> str:
    if not dtype.is_numeric() or dtype.is_decimal():
        raise OutputError(
            f"{path}: column '{column}' ({dtype}) cannot be a numeric branch: leave it out, or use .parquet"
        )
    return str(pl.Series([], dtype=dtype).to_numpy().dtype)


def numbers_of(column: pl.Series, path: Path) -> npt.NDArray[Any]:
    """A column as a branch holds it; an OutputError, where it has a null that no number can represent."""
    if column.null_count() and not column.dtype.is_float():
        raise OutputError(f"{path}: column '{column.name}' has nulls, which a ROOT branch cannot hold: use .parquet")
    return column.to_numpy()
