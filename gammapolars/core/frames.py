"""The tables that public functions take: polars frames, lazy or eager; anything else is an error that says what to do.

Whatever is taken, tables of any length come out lazy, and small ones, such as peaks, eager.
"""

from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import TableError

AnyFrame = pl.LazyFrame | pl.DataFrame

READERS = {
    "hits": "gp.scan({path!r})",
    "pairs": "gp.scan_pairs({path!r})",
    "matrix": "gp.scan_matrix({path!r})",
    "spectrum": "gp.read_spectrum({path!r}).table",
}
"""What reads a file of some table; any other is read by polars."""

FROM = {"pandas": "pl.from_pandas", "pyarrow": "pl.from_arrow"}
"""What makes frames of polars out of those of other packages."""

OTHERS = "pl.read_parquet({path!r}) or pl.read_csv({path!r})"


def lazy(frame: AnyFrame, what: str = "table") -> pl.LazyFrame:
    """A table as a lazy frame.

    Args:
        frame: a polars LazyFrame or DataFrame.
        what: the table is, as in "hits".

    Raises:
        TableError: it is none.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    raise TableError(_advice(frame, what))


def eager(frame: AnyFrame, what: str = "table") -> pl.DataFrame:
    """A small table as an eager frame.

    Raises:
        TableError: it is no frame of polars.
    """
    return frame if isinstance(frame, pl.DataFrame) else lazy(frame, what).collect()


def _advice(value: Any, what: str) -> str:
    """What is wrong with a value in place of a frame, and what to do."""
    kind, room = type(value).__name__, type(value).__module__.partition(".")[0]
    is_named = isinstance(value, str | Path)
    if is_named:
        advice = f": read it with {READERS.get(what, OTHERS).format(path=str(value))}"
    elif room in FROM:
        kind, advice = f"{room} {kind}", f": convert it with {FROM[room]}(...)"
    elif isinstance(value, list | tuple | dict | pl.Series) or room == "numpy":
        advice = ": make a table of it with pl.DataFrame(...)"
    elif isinstance(getattr(value, "table", None), pl.DataFrame | pl.LazyFrame):
        advice = ": give its .table"
    else:
        advice = ""
    shown = "the name of a file" if is_named else "None" if value is None else f"a {kind}"
    return f"{what}: a polars LazyFrame or DataFrame is needed, not {shown}{advice}"
