"""The columns of other programs' tables: which one holds what, in which unit, as `[columns]` of detectors.toml says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.core.schema import HITS, DType
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_UNIT, parse_ps
from gammapolars.core.wording import setting
from gammapolars.detectors.values import format_table, shown

MAPPED: dict[str, DType] = {
    name: dtype for name, dtype in (HITS.columns | HITS.optional).items() if name not in ("run", "epoch", "gain_factor")
}
"""The columns of hits that a foreign table can have."""

CONSTANT = {"board": 2**16 - 1, "channel": 2**16 - 1, "flags": 2**32 - 1}
"""Those that may be one number for all hits, and the largest that it can be."""

KEV_PER_UNIT = {"eV": 1e-3, "keV": 1.0, "MeV": 1e3}

TIME = "timestamp_ps"

ADC = ("adc", "adc_short")

COUNTER_BITS = (8, 62)
"""A counter of time has no fewer and no more bits."""

ADC_BITS = (16, 32)

MOST_PARTS = 3
"""A time is the sum of so many columns at most; each is below 2^62 ps, and sums that wrap around are seen."""

KEYS = ("name", "unit", "origin", "bits")
"""Keys that describe a column."""

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Origin = int | str | datetime


@dataclass(frozen=True)
class Column:
    """Where a column of hits comes from in a foreign table: its name there, or instead the value that all hits have.

    Attributes:
        name: in the table.
        unit: of its values; None: ours, or none. For times also a clock's step, such as `4ns`; for adc values it is
            a number, the size of one channel.
        value: that all hits have.
        units: of times, by board, where boards have clocks of their own: pairs of the board and its unit.
        origin: the time that is subtracted: a whole number in the column's unit, a time with its unit, or a date.
        bits: of times, those of a counter that rolls over without a flag; of adc values, 16, or 32, signed or not.
        further: columns of time that are added to this one, such as the nanoseconds to the seconds.
        alone: for times, whether they are whole, whatever other columns look like: it was given as a list of one.
        names: where the table has detectors by name, the board and the channel of each.
    """

    name: str = ""
    unit: str | None = None
    value: int | None = None
    units: tuple[tuple[int, str], ...] = ()
    origin: Origin | None = None
    bits: int | None = None
    further: tuple["Column", ...] = ()
    alone: bool = False
    names: Mapping[str, Key] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the table's columns that it is made of."""
        return () if self.value is not None else (self.name, *(one.name for one in self.further))


def parse_columns(table: object) -> dict[str, Column]:
    """The `[columns]` table of detectors.toml.

    Raises:
        DetectorsError: it is no table, or a column of it is not one of ours or not described as it should be.
    """
    if not isinstance(table, dict):
        raise DetectorsError("'columns' must be a table: write [columns]")
    if unknown := table.keys() - MAPPED.keys():
        key = min(unknown)
        if key in KEYS:
            raise DetectorsError(
                f"[columns] {key} belongs to a single column: write it as in {TIME} = {{name = …, {key} = …}}"
            )
        raise DetectorsError(f"[columns] has the unknown key '{key}' (known: {', '.join(MAPPED)})")
    return {ours: _columns(ours, description) for ours, description in table.items()}


def _columns(ours: str, description: object) -> Column:
    """A column of hits, which may be the sum of several of the table's."""
    if not isinstance(description, list):
        return _column(ours, description)
    if ours != TIME:
        raise DetectorsError(f"[columns] {ours} must be one column: only {TIME} can be the sum of several")
    if not 1 <= len(description) <= MOST_PARTS:
        raise DetectorsError(f"[columns] {ours} must be a list of 1 to {MOST_PARTS} columns of time")
    first, *others = (_column(ours, part) for part in description)
    if any(one.bits or one.value is not None for one in others):
        raise DetectorsError(f"[columns] {ours}: bits belong to the first column, the counter that rolls over")
    return replace(first, further=tuple(others), alone=not others)


def _column(ours: str, description: object) -> Column:
    where = f"[columns] {ours}"
    table = {"name": description} if isinstance(description, str) else description
    if not isinstance(table, dict) or not (set(table) == {"value"} or {"name"} <= set(table) <= set(KEYS)):
        raise DetectorsError(
            f"{where} must be a column's name, {{name = …, unit = …}} or {{value = …}}, not {shown(description)}"
        )
    if "value" in table:
        return _constant(where, ours, table["value"])
    if ours in ADC and type(table.get("unit")) in (int, float):
        table = {**table, "unit": str(table["unit"])}
    by_board = isinstance(table.get("unit"), dict)
    for key in ("name",) if by_board else ("name", "unit"):
        if key in table and not (isinstance(table[key], str) and table[key].isprintable() and table[key]):
            raise DetectorsError(f"{where}: {key} must be text, not {shown(table[key])}")
    column = Column(
        table["name"],
        None if by_board else table.get("unit"),
        units=_units(where, ours, table["unit"]) if by_board else (),
        origin=table.get("origin"),
        bits=_bits(where, ours, table["bits"]) if "bits" in table else None,
    )
    for unit in (column.unit, *(unit for _, unit in column.units)):
        if unit is not None:
            unit_factor(ours, unit)
    _check_origin(where, ours, column)
    if column.bits and ours == TIME and column.units:
        raise DetectorsError(f"{where}: bits need the same unit for all boards")
    return column


def _units(where: str, ours: str, units: dict[str, Any]) -> tuple[tuple[int, str], ...]:
    """The units of the boards' clocks."""
    if ours != TIME:
        raise DetectorsError(f"{where} has a unit for each board, which is possible only for {TIME}")
    for board, unit in units.items():
        if not (board.isdecimal() and len(board) < 6 and int(board) <= CONSTANT["board"]) or not isinstance(unit, str):
            raise DetectorsError(
                f'{where}: a unit for each board is written {{0 = "4ns", 1 = "8ns"}}, not {shown({board: unit})}'
            )
    if not units:
        raise DetectorsError(f"{where}: unit lists no board")
    return tuple(sorted((int(board), unit) for board, unit in units.items()))


def _bits(where: str, ours: str, bits: object) -> int:
    if ours == TIME and type(bits) is int and COUNTER_BITS[0] <= bits <= COUNTER_BITS[1]:
        return bits
    if ours in ADC and type(bits) is int and bits in ADC_BITS:
        return bits
    low, high = COUNTER_BITS
    raise DetectorsError(
        f"{where}: bits must be {low} to {high} for a time counter, or 16 or 32 for adc values, not {shown(bits)}"
    )


def _check_origin(where: str, ours: str, column: Column) -> None:
    """Raise where there is an origin that cannot be subtracted."""
    if column.origin is None:
        return
    if ours != TIME:
        raise DetectorsError(f"{where} has an origin, which is possible only for {TIME}")
    if type(column.origin) is int and column.units:
        raise DetectorsError(f'{where}: the boards have different units: give the origin with a unit, such as "10s"')
    origin_ps(column, 1)


def origin_ps(column: Column, unit_ps: int) -> int:
    """The time that is subtracted from a column's values (ps), which can be longer than 64 bits hold.

    Args:
        column: the column.
        unit_ps: the unit of its values, in picoseconds.

    Raises:
        DetectorsError: it is no time.
    """
    where, origin = f"[columns] {TIME}", column.origin
    if origin is None:
        return 0
    if isinstance(origin, datetime):
        if origin.tzinfo is None:
            raise DetectorsError(f"{where}: the origin {origin} has no UTC offset: write {origin.isoformat()}Z")
        return (origin - UNIX_EPOCH) // timedelta(microseconds=1) * PS_PER_UNIT["us"]
    if isinstance(origin, str):
        try:
            return parse_ps(origin, most_ps=None)
        except UsageError as error:
            raise DetectorsError(f"{where}: origin: {error}") from None
    if type(origin) is not int:
        raise DetectorsError(
            f"{where}: origin must be a whole number in the column's unit, a time such as 10s in quotes, or a date "
            f"such as 2024-05-03T18:11:36Z, not {shown(origin)}"
        )
    return origin * unit_ps


def _constant(where: str, ours: str, value: object) -> Column:
    if ours not in CONSTANT:
        raise DetectorsError(f"{where} cannot be one value for all hits: only {', '.join(CONSTANT)} can")
    if type(value) is not int or not 0 <= value <= CONSTANT[ours]:
        raise DetectorsError(f"{where}: value must be a whole number from 0 to {CONSTANT[ours]}, not {shown(value)}")
    return Column(value=value)


def unit_factor(ours: str, unit: str) -> float:
    """The factor from values in a unit to ours: a whole number of picoseconds, or a number of keV.

    Adc values are divided by theirs.

    Raises:
        DetectorsError: the column has no such unit.
    """
    where, more = f"[columns] {ours}", ""
    if ours == "energy_kev":
        if unit not in KEV_PER_UNIT:
            raise DetectorsError(f"{where}: unknown unit '{unit}' (known: {', '.join(KEV_PER_UNIT)})")
        return KEV_PER_UNIT[unit]
    if ours in ADC:
        try:
            channel = float(unit)
        except ValueError:
            channel = 0.0
        if 0 < channel < math.inf:
            return channel
        more = f": for {ours} it is a number, the width of one ADC channel"
    if ours != TIME:
        raise DetectorsError(f"{where} has a unit, which is possible only for timestamp_ps and energy_kev" + more)
    try:
        factor = PS_PER_UNIT[unit] if unit in PS_PER_UNIT else parse_ps(unit)
    except UsageError:
        factor = 0
    if factor <= 0:
        raise DetectorsError(f"{where}: unknown unit '{unit}' (known: ps, ns, us, ms, s, or a clock step such as 4ns)")
    return factor


def period_ps(bits: int, unit: str) -> int:
    """After which time a counter of some bits begins again (ps), that counts in a unit such as `8ns`."""
    return int(unit_factor(TIME, unit)) << bits


def rollover_ps(bits: str, columns: Mapping[str, Column]) -> int:
    """The period of a counter (ps) from `31:8ns`; or from `31`, where a map of columns gives its step.

    Raises:
        UsageError: it is none.
    """
    number, _, step = bits.partition(":")
    low, high = COUNTER_BITS
    option = setting("--bits", "bits")
    if not number.isdecimal() or not low <= int(number[:3]) <= high:
        raise UsageError(
            f"{option} takes the number of counter bits, {low} to {high}, and the clock step, as in 31:8ns, not "
            f"'{bits}'"
        )
    unit = step or (columns[TIME].unit if TIME in columns else None)
    if unit is None:
        raise UsageError(f"{option} {bits} needs the clock step of the counter, as in {number}:8ns")
    try:
        return period_ps(int(number), unit)
    except DetectorsError:
        raise UsageError(f"{option} {bits}: '{unit}' is not a clock step: write it as in {number}:8ns") from None


def format_columns(columns: Mapping[str, Column]) -> str:
    """The text of a `[columns]` table that `parse_columns` reads back."""
    return format_table("[columns]", {ours: _description(column) for ours, column in columns.items()})


def _description(column: Column) -> object:
    """A column as TOML has it."""
    if column.value is not None:
        return {"value": column.value}
    if column.further or column.alone:
        return [_table(one) for one in (column, *column.further)]
    table = _table(column)
    return column.name if len(table) == 1 else table


def _table(column: Column) -> dict[str, object]:
    unit = {str(board): unit for board, unit in column.units} or column.unit
    table = {"name": column.name, "unit": unit, "origin": column.origin, "bits": column.bits}
    return {key: value for key, value in table.items() if value is not None}
