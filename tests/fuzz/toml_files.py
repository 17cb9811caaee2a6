"""detectors.toml: compared with what Python's own TOML parser says, field by field."""

import math
import re
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from gammapolars.core.errors import GammapolarsError
from gammapolars.detectors import Detectors, format_detectors, load_detectors
from gammapolars.detectors.columns import parse_columns
from tests.fuzz.cases import Base, Case, Verdict
from tests.fuzz.outcomes import Refused, Wrong, attempt

PLAIN = """\
# the four detectors
[[detector]]
name = "HPGe-3"
board = 0
channel = 3
energy = [0.1358, 0.112533, -5.77e-10]   # keV
fwhm = [1.2, 0.002, 1]
time_offset_ps = -1500
time_walk_ps = [-3e4, 2.5e5]
time_walk_range = [40, 15000.0]
time_fwhm_ps = 5800
threshold_adc = 60
range_kev = [20, 1500.5]
theta_deg = 90
phi_deg = -45.5
group = "clover"
kind = "HPGe"
notes = "left, \\"new\\" \\u00e9"

[[detector]]
channel = 4
energy = [0, 1]

[[detector]]
board = 1
channel = 4
name = "NaI"
"""

COLUMNS = """\
[columns]
timestamp_ps = {name = "time", unit = "4ns"}
channel = "ch"
board = {value = 2}
energy_kev = {name = "E", unit = "MeV"}

"""

FITTED = """\
[[detector]]
channel = 3
energy = [0.1, 0.25]
energy_covariance = [[1e-4, -2e-8], [-2e-8, 1e-11]]
energy_range = [120, 15000.5]
efficiency = [-5.5, -0.8, -0.15]
efficiency_covariance = [[1e-3, 0, 0], [0.0, 1e-4, 0.0], [0, 0.0, 2e-5]]
efficiency_range = [121.8, 1408]

[[source]]
nuclide = "Eu-152"
activity_bq = 37000
activity_bq_unc = 500.5
reference_date = 2020-01-01
notes = "number 7"

[[source]]
name = "caesium"
nuclide = "Cs-137"
activity_bq = 1e5
activity_bq_unc = 0
reference_date = 2020-01-01T12:00:00+01:00
half_life_s = 9.5e8
half_life_s_unc = 1000000
"""

CLOCKS = """\
[[clock]]
board = 1
rate_ppm = 5.25

[[detector]]
channel = 3

[[clock]]
rate_range_s = [0, 3600.5]
rate_ppm = [-3, 2.5, 1e-3]
board = 12
"""

INLINE = "detector = [{channel = 1, name = 'a'}, {channel = 2, energy = [1.0, 2.5e-3], board = 65535}]\n"

CALIBRATIONS = {"energy": 2, "efficiency": 1}
"""Fitted polynomials, and how many coefficients they have at least."""

FINITE = (-sys.float_info.max, sys.float_info.max)

THRESHOLDS = {"threshold_adc": "range_adc", "threshold_kev": "range_kev"}
"""Limits within which hits are used: a threshold, and the range of the same quantity."""

LIMITS = {
    "time_fwhm_ps": (0, 1e12),
    "theta_deg": (0, 180),
    "phi_deg": (-360, 360),
    **dict.fromkeys(THRESHOLDS, FINITE),
}
"""Numbers that a detector may have, and between what they lie."""

TEXTS = ("name", "group", "kind", "notes")

WALK = {"time_walk_ps", "time_walk_range"}

KEYS = {"board", "channel", "fwhm", "time_offset_ps", *WALK, *LIMITS, *THRESHOLDS.values(), *TEXTS} | {
    name + part for name in CALIBRATIONS for part in ("", "_covariance", "_range")
}

CLOCK_KEYS = {"board", "rate_ppm", "rate_range_s"}

SOURCE_KEYS = {
    *("nuclide", "activity_bq", "activity_bq_unc", "reference_date", "name", "half_life_s", "half_life_s_unc", "notes")
}


def bases(folder: Path) -> list[Base]:
    """A file as documented, and files with a map of columns, fits and sources, or clocks; and one in other words."""
    texts = {"plain": PLAIN, "columns": COLUMNS + PLAIN, "fitted": FITTED, "clocks": CLOCKS, "inline": INLINE}
    return [Base(name, "detectors.toml", text.encode(), None) for name, text in texts.items()]


def check(case: Case, path: Path) -> Verdict:
    """It is read if it is valid, and holds what the parser says; what is written again reads the same."""
    found = attempt(path, lambda: load_detectors(path))
    expected = _expected(case.data)
    if isinstance(found, Refused):
        if expected is not None:
            raise Wrong(f"refused, though it is valid: {found.message}")
        return Verdict(read=False)
    if expected is None:
        raise Wrong("read, though it is not valid")
    held = _held(found)
    if held != expected:
        raise Wrong(f"holds {held}, not {expected}")
    path.write_text(format_detectors(found), encoding="utf-8")
    again = attempt(path, lambda: load_detectors(path))
    if not isinstance(again, Detectors) or again != found:
        raise Wrong(f"is not the same when it is written and read again: {again}")
    return Verdict(read=True)


Held = tuple[list[dict[str, Any]], ...]


def _held(found: Detectors) -> Held:
    """The detectors, the sources and the clocks, field by field."""
    return (
        [{key: getattr(detector, key) for key in KEYS} for detector in found],
        [{key: getattr(source, key) for key in SOURCE_KEYS} for source in found.sources],
        [{key: getattr(clock, key) for key in CLOCK_KEYS} for clock in found.clocks],
    )


def _expected(data: bytes) -> Held | None:
    """The detectors, the sources and the clocks of a valid file."""
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    tables = document.pop("detector", []), document.pop("source", []), document.pop("clock", [])
    try:
        parse_columns(document.pop("columns", {}))
    except GammapolarsError:
        return None
    if document or not all(isinstance(array, list) for array in tables):
        return None
    of_tables = [[of(table) for table in array] for of, array in zip((_detector, _source, _clock), tables, strict=True)]
    if any(None in array for array in of_tables):
        return None
    found = tuple([one for one in array if one] for array in of_tables)
    keys = {(detector["board"], detector["channel"]) for detector in found[0]}
    names, source_names = ({one["name"] for one in array} for array in found[:2])
    boards = {one["board"] for one in found[2]}
    alone = len(keys) == len(names) == len(found[0]) and len(source_names) == len(found[1])
    return found if alone and len(boards) == len(found[2]) else None


def _clock(table: Any) -> dict[str, Any] | None:
    """A board and one rate; or several, with the times of the first and the last of them."""
    if not isinstance(table, dict) or not {"board", "rate_ppm"} <= table.keys() <= CLOCK_KEYS:
        return None
    board, rate, ends = table["board"], table["rate_ppm"], table.get("rate_range_s")
    if type(board) is not int or not 0 <= board < 2**16:
        return None
    if not isinstance(rate, list):
        good = type(rate) in (int, float) and abs(rate) <= 1000 and ends is None
        return {"board": board, "rate_ppm": float(rate), "rate_range_s": None} if good else None
    if not _are_numbers(rate) or not 2 <= len(rate) <= 10_000 or not all(abs(one) <= 1000 for one in rate):
        return None
    if (
        not isinstance(ends, list)
        or not _are_numbers(ends)
        or len(ends) != 2
        or not -(2**61) <= ends[0] * 1e12 < ends[1] * 1e12 <= 2**62
    ):
        return None
    if (ends[1] - ends[0]) * 1e12 / (len(rate) - 1) < 999_999.5:
        return None
    return {"board": board, "rate_ppm": _as_tuple(rate), "rate_range_s": _as_tuple(ends)}


def _source(table: Any) -> dict[str, Any] | None:
    if not isinstance(table, dict) or not SOURCE_KEYS.issuperset(table):
        return None
    nuclide, when = table.get("nuclide"), table.get("reference_date")
    texts = {key: table.get(key, "") for key in ("name", "notes")}
    numbers = {key: table.get(key, 0) for key in ("activity_bq", "activity_bq_unc", "half_life_s_unc")}
    life = table.get("half_life_s", 1)
    good = isinstance(nuclide, str) and bool(re.fullmatch("[A-Z][a-z]?-[1-9][0-9]?[0-9]?([a-z][0-9]?)?", nuclide))
    good &= isinstance(when, date) and "activity_bq_unc" in table
    good &= all(isinstance(text, str) and _is_printable(text) for text in texts.values())
    good &= all(type(number) in (int, float) and _is_finite(number) for number in (*numbers.values(), life))
    if not good or not (numbers["activity_bq"] > 0 and life > 0 and min(numbers.values()) >= 0):
        return None
    if numbers["half_life_s_unc"] and "half_life_s" not in table:
        return None
    texts["name"] = texts["name"] or str(nuclide)
    floats = {key: float(number) for key, number in numbers.items()}
    half_life = float(life) if "half_life_s" in table else None
    return {"nuclide": nuclide, "reference_date": when, "half_life_s": half_life, **texts, **floats}


def _detector(table: Any) -> dict[str, Any] | None:
    if not isinstance(table, dict) or "channel" not in table or not KEYS.issuperset(table):
        return None
    board, channel = table.get("board", 0), table["channel"]
    texts = {key: table.get(key, "") for key in TEXTS}
    offset = table.get("time_offset_ps", 0)
    good = all(type(number) is int and 0 <= number < 2**16 for number in (board, channel))
    good &= type(offset) is int and abs(offset) < 2**62
    good &= all(isinstance(text, str) and _is_printable(text) for text in texts.values())
    good &= _are_coefficients(table.get("fwhm"), 1) and _is_walk(table)
    good &= all(_is_between(table.get(key), *limits) for key, limits in LIMITS.items())
    good &= all(_are_thresholds(table.get(low), table.get(within)) for low, within in THRESHOLDS.items())
    good &= all(_is_calibration(table, name, least) for name, least in CALIBRATIONS.items())
    if not good:
        return None
    listed = KEYS - {"board", "channel", "time_offset_ps", *texts, *LIMITS}
    lists = {key: _as_tuple(table[key]) if key in table else None for key in listed}
    floats = {key: float(table[key]) if key in table else None for key in LIMITS}
    texts["name"] = texts["name"] or f"{board}/{channel}"
    return {"board": board, "channel": channel, "time_offset_ps": offset, **texts, **lists, **floats}


def _is_between(value: Any, low: float, high: float) -> bool:
    return value is None or (type(value) in (int, float) and low <= value <= high)


def _are_thresholds(threshold: Any, within: Any) -> bool:
    """A threshold in or below a range that is not empty, where there are both."""
    if within is None:
        return True
    return _is_range(within) and within[0] < within[1] and (threshold is None or threshold <= within[1])


def _is_walk(table: dict[str, Any]) -> bool:
    """Coefficients, and with them, if at all, the range of adc above 0 that they were fitted to."""
    fitted = table.get("time_walk_range")
    if "time_walk_ps" not in table:
        return fitted is None
    return _are_coefficients(table["time_walk_ps"], 1) and (fitted is None or (_is_range(fitted) and fitted[0] > 0))


def _as_tuple(value: list[Any]) -> tuple[Any, ...]:
    return tuple(_as_tuple(item) if isinstance(item, list) else float(item) for item in value)


def _is_calibration(table: dict[str, Any], name: str, least: int) -> bool:
    """A polynomial, and with it, if at all, its covariance and the range that it was fitted to."""
    covariance, fitted = table.get(f"{name}_covariance"), table.get(f"{name}_range")
    if name not in table:
        return covariance is None and fitted is None
    if not _are_coefficients(table[name], least):
        return False
    terms = len(table[name])
    if covariance is not None:
        rows = covariance if isinstance(covariance, list) else []
        if len(rows) != terms or not all(_are_numbers(row) and len(row) == terms for row in rows):
            return False
        if any(rows[place][place] < 0 for place in range(terms)):
            return False
    return fitted is None or _is_range(fitted)


def _is_range(value: Any) -> bool:
    return _are_numbers(value) and len(value) == 2 and value[0] <= value[1]


def _is_printable(text: str) -> bool:
    return all(letter >= " " or letter in "\n\t" for letter in text)


def _are_coefficients(value: Any, least: int) -> bool:
    if value is None:
        return True
    return _are_numbers(value) and least <= len(value) <= 10


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) in (int, float) and _is_finite(item) for item in value)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
