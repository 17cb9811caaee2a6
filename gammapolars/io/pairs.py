"""One file of pairs, or a dataset of them."""

from pathlib import Path

import polars as pl

from gammapolars.core.errors import GammapolarsError, InputError, UsageError
from gammapolars.core.schema import REGION
from gammapolars.io.dataset import is_dataset
from gammapolars.io.formats import FORMATS, format_of
from gammapolars.io.reading import READING
from gammapolars.io.remote import is_remote

OF_PAIRS = frozenset({"channel_a", "channel_b", "dt_ps"})
"""Columns by which a table of pairs is known."""

ADVICE = "give the run they were made from"
"""Advice where pairs do not give the answer."""

NO_HITS = "{}: contains pairs, but no single hits, rates or live times: " + ADVICE
"""The message where pairs are given in place of a run."""


def scan_pairs(path: str | Path) -> pl.LazyFrame:
    """A file of pairs, lazily: written by `save`, or the ROOT tree `Data_C` of other programs; or a dataset of pairs.

    Args:
        path: of the file, or of the folder that `save` or `coincidences` wrote.

    Raises:
        InputError: the file, or a part of the dataset, is missing, damaged, or holds no pairs.
        UsageError: its suffix is unknown.
    """
    path = Path(path)
    form = format_of(path)
    if form is None:
        raise UsageError(f"{path}: unknown suffix: pairs are read from {', '.join(FORMATS)}")
    pairs = (form.scan_pairs or form.scan)(path, READING)
    if missing := OF_PAIRS - set(pairs.collect_schema()):
        raise InputError(f"{path}: contains no pairs (it has no column '{min(missing)}')")
    return with_regions(pairs)


def with_regions(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs with their regions, if they have any, as of our own type: formats keep text or numbers of a dictionary."""
    kept = pairs.collect_schema().get("region", REGION)
    return pairs if kept == REGION else pairs.with_columns(pl.col("region").cast(pl.String).cast(REGION))


def is_of_pairs(path: str | Path) -> bool:
    """Whether a file holds pairs rather than hits; a dataset does, whatever is wrong with it."""
    if is_remote(path):
        return False
    if is_dataset(path):
        return True
    if not Path(path).is_file():
        return False
    try:
        scan_pairs(path)
    except GammapolarsError:
        return False
    return True
