"""What is checked of every table that becomes a file, and what errors tell of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from gammapolars.core.errors import OutputError, first_line


def check_columns(table: pl.DataFrame, path: Path, noun: str, bins: tuple[str, ...]) -> None:
    """Raise unless a table has counts, variances and one of the columns of bin centres.

    Raises:
        OutputError: it has not.
    """
    missing = [name for name in ("counts", "variance") if name not in table.columns]
    if missing or not any(name in table.columns for name in bins):
        needed = " or ".join(bins)
        raise OutputError(
            f"{path}: this frame is no {noun}: it needs {needed}, counts and variance "
            f"(it has {', '.join(table.columns)})"
        )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets errors tell which output they are about."""
    try:
        yield
    except OutputError as error:
        text = str(error)
        raise OutputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise OutputError(f"{path}: cannot be written: {reason or first_line(error)}") from None
