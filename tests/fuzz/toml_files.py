"""detectors.toml: compared with what Python's own TOML parser says, field by field."""

import math
import tomllib
from pathlib import Path
from typing import Any

from gammapolars.columns import parse_columns
from gammapolars.detectors import Detectors, format_detectors, load_detectors
from gammapolars.errors import GammapolarsError
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

INLINE = "detector = [{channel = 1, name = 'a'}, {channel = 2, energy = [1.0, 2.5e-3], board = 65535}]\n"

KEYS = {"board", "channel", "name", "energy", "fwhm", "time_offset_ps", "kind", "notes"}


def bases(folder: Path) -> list[Base]:
    """A file as documented, one with a map of columns, and one in other words."""
    texts = {"plain": PLAIN, "columns": COLUMNS + PLAIN, "inline": INLINE}
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
    if [_fields(detector) for detector in found] != expected:
        raise Wrong(f"holds {[_fields(detector) for detector in found]}, not {expected}")
    path.write_text(format_detectors(found), encoding="utf-8")
    again = attempt(path, lambda: load_detectors(path))
    if not isinstance(again, Detectors) or (again.all, again.columns) != (found.all, found.columns):
        raise Wrong(f"is not the same when it is written and read again: {again}")
    return Verdict(read=True)


def _fields(detector: Any) -> dict[str, Any]:
    return {key: getattr(detector, key) for key in KEYS}


def _expected(data: bytes) -> list[dict[str, Any]] | None:
    """The detectors of a valid file."""
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    tables = document.pop("detector", [])
    try:
        parse_columns(document.pop("columns", {}))
    except GammapolarsError:
        return None
    if document or not isinstance(tables, list):
        return None
    found = [_detector(table) for table in tables]
    if any(detector is None for detector in found):
        return None
    detectors = [detector for detector in found if detector]
    keys = {(detector["board"], detector["channel"]) for detector in detectors}
    names = {detector["name"] for detector in detectors}
    return detectors if len(keys) == len(names) == len(detectors) else None


def _detector(table: Any) -> dict[str, Any] | None:
    if not isinstance(table, dict) or "channel" not in table or not KEYS.issuperset(table):
        return None
    board, channel = table.get("board", 0), table["channel"]
    texts = {key: table.get(key, "") for key in ("name", "kind", "notes")}
    offset = table.get("time_offset_ps", 0)
    good = all(type(number) is int and 0 <= number < 2**16 for number in (board, channel))
    good &= type(offset) is int and abs(offset) < 2**62
    good &= all(isinstance(text, str) and _is_printable(text) for text in texts.values())
    good &= _are_coefficients(table.get("energy"), 2) and _are_coefficients(table.get("fwhm"), 1)
    if not good:
        return None
    lists = {key: tuple(map(float, table[key])) if key in table else None for key in ("energy", "fwhm")}
    texts["name"] = texts["name"] or f"{board}/{channel}"
    return {"board": board, "channel": channel, "time_offset_ps": offset, **texts, **lists}


def _is_printable(text: str) -> bool:
    return all(letter >= " " or letter in "\n\t" for letter in text)


def _are_coefficients(value: Any, least: int) -> bool:
    if value is None:
        return True
    numbers = isinstance(value, list) and all(type(item) in (int, float) for item in value)
    return numbers and least <= len(value) <= 10 and all(_is_finite(item) for item in value)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
