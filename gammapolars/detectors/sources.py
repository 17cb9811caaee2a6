"""Calibration sources of known activity, the [[source]] tables of detectors.toml."""

import math
import re
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from typing import Any

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.detectors.values import format_table, number, shown, text

NUCLIDE = re.compile(r"[A-Z][a-z]?-[1-9]\d{0,2}(?:[a-z]\d?)?")

NEEDED = ("nuclide", "activity_bq", "activity_bq_unc", "reference_date")
NUMBERS = ("activity_bq", "activity_bq_unc", "half_life_s", "half_life_s_unc")
WRITTEN = ("nuclide", "name", "activity_bq", "activity_bq_unc", "reference_date", *NUMBERS[2:], "notes")


@dataclass(frozen=True)
class CalibrationSource:
    """A source with a known activity at a reference date.

    Attributes:
        nuclide: such as `Eu-152` or `Ag-110m`; of a chain in equilibrium its head, such as `Ra-226`.
        activity_bq: decays per second of that nuclide at the reference date.
        activity_bq_unc: its uncertainty, one standard deviation. A certificate with k = 2 states twice this.
        reference_date: the date of that activity. A date without a time means noon.
        name: its name for commands; by default the nuclide.
        half_life_s: of the nuclide, seconds; None: it is looked up.
        half_life_s_unc: its uncertainty.
        notes: any other remarks.

    Raises:
        DetectorsError: an impossible value.
    """

    nuclide: str
    activity_bq: float
    activity_bq_unc: float
    reference_date: date | datetime
    name: str = ""
    half_life_s: float | None = None
    half_life_s_unc: float = 0.0
    notes: str = ""

    def __post_init__(self) -> None:
        if not NUCLIDE.fullmatch(self.nuclide):
            raise DetectorsError(f"'{self.nuclide}' is not a nuclide: write it like Eu-152")
        if not self.name:
            object.__setattr__(self, "name", self.nuclide)
        where = f"source '{self.name}'"
        if not 0 < self.activity_bq < math.inf:
            raise DetectorsError(f"{where}: activity_bq must be more than 0, not {self.activity_bq}")
        if not 0 <= self.activity_bq_unc < math.inf:
            raise DetectorsError(f"{where}: activity_bq_unc must be 0 or more, not {self.activity_bq_unc}")
        if self.half_life_s is not None and not 0 < self.half_life_s < math.inf:
            raise DetectorsError(f"{where}: half_life_s must be more than 0, not {self.half_life_s}")
        if not 0 <= self.half_life_s_unc < math.inf:
            raise DetectorsError(f"{where}: half_life_s_unc must be 0 or more, not {self.half_life_s_unc}")
        if self.half_life_s is None and self.half_life_s_unc:
            raise DetectorsError(f"{where} has half_life_s_unc without half_life_s")

    @property
    def reference(self) -> datetime:
        """The moment at which its activity was as stated."""
        return moment(self.reference_date)


AnyMoment = date | str
"""A date, a date with a time, or their text: `2024-05-01`, `2024-05-01T14:30`."""


def parse_moment(when: AnyMoment) -> date:
    """A date as it is, or from its text.

    Raises:
        UsageError: it is none.
    """
    if isinstance(when, date):
        return when
    try:
        return date.fromisoformat(when) if len(when) <= 10 else datetime.fromisoformat(when)
    except (TypeError, ValueError):
        raise UsageError(f"'{when}' is not a date: write 2024-05-01 or 2024-05-01T14:30") from None


def moment(when: date | datetime) -> datetime:
    """A date as a moment: noon, so that it is wrong by half a day at most, and as certificates mostly mean it."""
    return when if isinstance(when, datetime) else datetime.combine(when, time(12))


def parse_sources(tables: object) -> tuple[CalibrationSource, ...]:
    """The [[source]] tables of detectors.toml.

    Raises:
        DetectorsError: one holds an unknown key or a wrong value, or lacks one that is needed.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DetectorsError("'source' must be an array of tables: write [[source]]")
    return tuple(_source(table) for table in tables)


def _source(table: dict[str, Any]) -> CalibrationSource:
    where = f"source '{table.get('name', table.get('nuclide', '?'))}'"
    keys = [field.name for field in fields(CalibrationSource)]
    if unknown := table.keys() - set(keys):
        raise DetectorsError(f"{where} has the unknown key '{min(unknown)}' (known: {', '.join(keys)})")
    if missing := [key for key in NEEDED if key not in table]:
        raise DetectorsError(f"{where} has no {missing[0]}")
    if not isinstance(when := table["reference_date"], date):
        raise DetectorsError(
            f"{where}: reference_date must be a date without quotes, such as 2020-01-31, not {shown(when)}"
        )
    texts = {key: text(table.get(key, ""), f"{where}: {key}") for key in ("nuclide", "name", "notes")}
    numbers = {key: number(table[key], f"{where}: {key}") for key in NUMBERS if key in table}
    return CalibrationSource(reference_date=when, **texts, **numbers)  # type: ignore[arg-type]


def format_source(source: CalibrationSource) -> str:
    """The [[source]] table of a source."""
    values = {name: getattr(source, name) for name in WRITTEN}
    numbers = {name: value if value is None else float(value) for name, value in values.items() if name in NUMBERS}
    if source.half_life_s is None:
        numbers["half_life_s_unc"] = None
    return format_table("[[source]]", values | numbers)
