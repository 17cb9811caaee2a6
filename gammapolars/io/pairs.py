"""One file of pairs."""

from pathlib import Path

import polars as pl

from gammapolars.core.errors import GammapolarsError, InputError, UsageError
from gammapolars.core.schema import REGION
from gammapolars.io.formats import FORMATS, format_of
from gammapolars.io.reading import READING
from gammapolars.io.remote import is_remote

ADVICE = "give the run they were made from"
"""Advice where pairs do not give the answer."""


def scan_pairs(path: str | Path) -> pl.LazyFrame:
    """A file of pairs, lazily: written by `save`, or the ROOT tree `Data_C` of other programs.

    Raises:
        InputError: the file is missing, damaged, or holds no pairs.
        UsageError: its suffix is unknown.
    """
    path = Path(path)
    form = format_of(path)
    if form is None:
        raise UsageError(f"{path}: unknown suffix: pairs are read from {', '.join(FORMATS)}")
    pairs = (form.scan_pairs or form.scan)(path, READING)
    if missing := {"channel_a", "channel_b", "dt_ps"} - set(pairs.collect_schema()):
        raise InputError(f"{path}: contains no pairs (it has no column '{min(missing)}')")
    # Formats keep the names of regions as text or as numbers of a dictionary.
    kept = pairs.collect_schema().get("region", REGION)
    return pairs if kept == REGION else pairs.with_columns(pl.col("region").cast(pl.String).cast(REGION))


def is_of_pairs(path: str | Path) -> bool:
    """Whether a file holds pairs rather than hits."""
    if is_remote(path) or not Path(path).is_file():
        return False
    try:
        scan_pairs(path)
    except GammapolarsError:
        return False
    return True
