"""Times of other programs' tables: errors of times whose values are not wrong by themselves."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.units import MAX_PS, PS_PER_UNIT, format_ps
from gammapolars.detectors.columns import TIME, Column, unit_factor
from gammapolars.io.reading import Losses

FINER = {
    "ms": "ms|msecs?|milli(?:s|secs?|seconds?)?",
    "us": "us|µs|μs|usecs?|micro(?:s|secs?|seconds?)?",
    "ns": "ns|nsecs?|nano(?:s|secs?|seconds?)?",
    "ps": "ps|psecs?|pico(?:s|secs?|seconds?)?",
    "": "frac|fractions?|fine|subsecs?|subseconds?",
}
"""Names of columns that hold the fraction which a coarser column of time leaves out, by their unit."""

FINER_NAMES = {
    unit: re.compile(
        rf"(?:(?:.*[^a-z])?(?:tv|ts|t|time|timestamp)?[^a-z]*)?(?:{names})[^a-z]*(?:time|ts)?", re.IGNORECASE
    )
    for unit, names in FINER.items()
}

COARSEST_WHOLE_PS = PS_PER_UNIT["us"]
"""Whole numbers of this, or of less, may be all that a clock has."""

COARSE_STEP_PS = PS_PER_UNIT["ns"]
"""Steps of floats below that matter to no detector."""

PEEKED_ROWS = 10_000


def check_whole_time(table: pl.LazyFrame, time: Column | None, mapped: Collection[str]) -> None:
    """Raise where times are whole seconds, or such, and another column that is not used holds the rest of them.

    Args:
        table: of another program.
        time: the column that times are taken from; None: there is no map.
        mapped: the columns that are used.

    Raises:
        TableError: there is such a column.
    """
    columns = table.collect_schema()
    if time is None or time.alone or time.further or time.unit is None or not columns[time.name].is_integer():
        return
    step_ps = int(unit_factor(TIME, time.unit))
    if step_ps <= COARSEST_WHOLE_PS:
        return
    for unit, pattern in FINER_NAMES.items():
        for name, dtype in columns.items():
            finer = PS_PER_UNIT[unit] if unit else 0
            if name in mapped or not dtype.is_numeric() or finer >= step_ps or not pattern.fullmatch(name.strip()):
                continue
            largest = table.select(name).head(PEEKED_ROWS).collect()[name].cast(pl.Float64).abs().max() or 0
            if finer * float(largest) <= step_ps:  # type: ignore[arg-type]
                written = f'{{name = "{name}", unit = "{unit or "…"}"}}'
                raise TableError(
                    f"[columns] uses only '{time.name}' for {TIME}, in whole steps of {format_ps(step_ps)}, but "
                    f"column '{name}' looks like the fine time: write {TIME} = "
                    f'[{{name = "{time.name}", unit = "{time.unit}"}}, {written}], or a list with only the first'
                )


class CoarseFloats:
    """Looks at times that are stored as floats: where these are large, their steps are too.

    Args:
        time: where times come from.
        columns: of the table.
        path: of the file.
        losses: is given a note where steps are coarse.
    """

    def __init__(self, time: Column | None, columns: pl.Schema, path: Path, losses: Losses) -> None:
        parts = (time, *time.further) if time and time.value is None else ()
        types = [(one, columns.get(one.name)) for one in parts]
        self._parts = [(one, dtype) for one, dtype in types if dtype is not None and dtype.is_float()]
        self._path, self._losses = path, losses
        self._noted = False

    def look_at(self, batch: pl.DataFrame) -> None:
        """Note the first batch whose times have coarse steps."""
        for column, dtype in self._parts if not self._noted else ():
            values = batch[column.name]
            finite = values.filter(values.is_finite()).to_numpy()
            unit_ps = _largest_unit_ps(column)
            if len(finite) and np.spacing(max(finite.max(), -finite.min())) * unit_ps > COARSE_STEP_PS:
                steps_ps = np.spacing(np.abs(finite)).astype(np.float64) * unit_ps
                coarse = np.flatnonzero(steps_ps > COARSE_STEP_PS)
                self._noted = True
                place = f"column '{column.name}' contains times as {dtype}"
                self._losses.note(
                    self._path,
                    f"{place}, which has steps of {format_ps(round(steps_ps[coarse[0]]))} at {finite[coarse[0]]:g}: "
                    "time differences are no finer than this",
                    place=place,
                )


def _largest_unit_ps(column: Column) -> float:
    units = [unit for _, unit in column.units] if column.units else [column.unit]
    return max(1.0 if unit is None else float(unit_factor(TIME, unit)) for unit in units)


def origin_advice(column: Column, value: object) -> str:
    """Advice where a value lies beyond all times, because it counts from a date; nothing where it does not."""
    if column.origin is not None:
        return ""
    if isinstance(value, datetime):
        hour = value.astimezone(UTC) if value.tzinfo else value
        return (
            f': dates need an origin, such as {TIME} = {{name = "{column.name}", origin = {hour:%Y-%m-%dT%H}:00:00Z}}'
        )
    if column.units or not isinstance(value, int | float):
        return ""
    factor = 1 if column.unit is None else unit_factor(TIME, column.unit)
    if not MAX_PS < value * factor < np.inf:
        return ""
    unit = "" if column.unit is None else f', unit = "{column.unit}"'
    return (
        f": times counted from a date need an origin, such as {TIME} = "
        f'{{name = "{column.name}"{unit}, origin = {int(value)}}}'
    )
