"""Half-lives of nuclides: a table that comes with the package."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.gamma_lines.table import nuclide_name

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "y": 365.2422 * 86_400.0}
"""Seconds in a unit of time; evaluations mean the tropical year."""


class HalfLife(NamedTuple):
    """A half-life and one standard deviation, seconds, and the evaluation that it comes from."""

    seconds: float
    unc: float
    source: str


def evaluated_half_life(nuclide: str) -> HalfLife | None:
    """The half-life of a nuclide, written as `lines` takes it; None, where the table does not have it."""
    table = _load()
    try:
        return table[nuclide_name(nuclide, table, where="the table of half-lives")]
    except UsageError:
        return None


@cache
def _load() -> dict[str, HalfLife]:
    text = files("gammapolars.gamma_lines").joinpath("half_lives.csv").read_bytes()
    table = pl.read_csv(text, infer_schema_length=None)
    return {
        nuclide: HalfLife(float(value) * SECONDS[unit], float(unc) * SECONDS[unit], source)
        for nuclide, value, unc, unit, source in table.iter_rows()
    }
