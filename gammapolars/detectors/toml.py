"""detectors.toml, read and written."""

import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gammapolars.core.errors import DetectorsError
from gammapolars.core.units import MAX_OFFSET_PS
from gammapolars.detectors.clocks import format_clock, parse_clocks
from gammapolars.detectors.columns import format_columns, parse_columns
from gammapolars.detectors.model import MAX_NUMBER, Covariance, Detector, Detectors
from gammapolars.detectors.sources import format_source, parse_sources
from gammapolars.detectors.values import format_key, format_table, number, read_text, shown, text

LONE_RETURN = re.compile(r"\r(?!\n)")
"""Ends lines in files of old systems, and TOML knows it no more."""

BYTE_ORDER_MARK = "\ufeff"

KEYS = {
    "name": "",
    "board": "",
    "channel": "",
    "energy": "keV: c0 + c1 adc + c2 adc^2 + ...",
    "energy_covariance": "",
    "energy_range": "ADC range of the fit",
    "fwhm": "keV^2: FWHM^2 = a + b E + c E^2",
    "efficiency": "ln efficiency = p0 + p1 ln(E/MeV) + ...",
    "efficiency_covariance": "",
    "efficiency_range": "keV range of the fit",
    "time_offset_ps": "",
    "time_walk_ps": "t = b1 adc^(-1/2) + b2 adc^-1 + ...",
    "time_walk_range": "ADC range of the fit",
    "time_fwhm_ps": "",
    "threshold_adc": "hits below are not used",
    "threshold_kev": "hits below are not used",
    "range_adc": "hits outside are not used",
    "range_kev": "hits outside are not used",
    "theta_deg": "",
    "phi_deg": "",
    "group": "",
    "kind": "",
    "notes": "",
}
"""Keys of a [[detector]] table, in the order in which they are written, and the remark after each."""

TEXTS = ("group", "kind", "notes")


def load_detectors(path: str | Path) -> Detectors:
    """Read detectors.toml.

    Raises:
        DetectorsError: the file is missing, is no TOML, or holds unknown keys, duplicate channels, a NaN, or an
            impossible column or source.
    """
    path = Path(path)
    toml = read_text(path, "TOML")
    try:
        return replace(parse_detectors(toml), folder=path.parent)
    except DetectorsError as error:
        raise DetectorsError(f"{path}: {error}") from None


def parse_detectors(toml: str) -> Detectors:
    """The detectors that the text of a detectors.toml describes; they keep the text.

    Raises:
        DetectorsError: as for `load_detectors`.
    """
    toml = LONE_RETURN.sub("\n", toml.removeprefix(BYTE_ORDER_MARK))
    try:
        document = tomllib.loads(toml)
    except (ValueError, RecursionError) as error:
        raise DetectorsError(f"cannot be read as TOML: {error}") from None
    if unknown := document.keys() - {"detector", "columns", "drift", "source", "clock"}:
        raise DetectorsError(f"unknown key '{min(unknown)}': detectors belong in [[detector]] tables")
    tables = document.get("detector", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DetectorsError("'detector' must be an array of tables: write [[detector]]")
    return Detectors(
        tuple(_detector(table) for table in tables),
        parse_columns(document.get("columns", {})),
        parse_sources(document.get("source", [])),
        _file_name(document.get("drift")),
        text=toml,
        clocks=parse_clocks(document.get("clock", [])),
    )


def _file_name(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.isprintable() and value):
        return value
    raise DetectorsError(f"drift must be a file name, not {shown(value)}")


def _detector(table: dict[str, Any]) -> Detector:
    named = table.get("name", table.get("channel", "?"))
    where = f"detector '{named if isinstance(named, str) else shown(named)}'"
    if unknown := table.keys() - Detector.__dataclass_fields__.keys():
        keys = ", ".join(Detector.__dataclass_fields__)
        raise DetectorsError(f"{where} has the unknown key '{min(unknown)}' (known: {keys})")
    if "channel" not in table:
        raise DetectorsError(f"{where} has no channel")
    texts: dict[str, Any] = {key: text(table.get(key, ""), f"{where}: {key}") for key in TEXTS}
    return Detector(
        board=_number(table.get("board", 0), f"{where}: board"),
        channel=_number(table["channel"], f"{where}: channel"),
        name=text(table.get("name", ""), f"{where}: name"),
        fwhm=_coefficients(table.get("fwhm"), f"{where}: fwhm", at_least=1),
        time_offset_ps=_picoseconds(table.get("time_offset_ps", 0), f"{where}: time_offset_ps"),
        time_walk_ps=_coefficients(table.get("time_walk_ps"), f"{where}: time_walk_ps", at_least=1),
        time_walk_range=_walk_range(table, where),
        time_fwhm_ps=_between(table, "time_fwhm_ps", where, 0, 1e12),
        **_thresholds(table, where),
        theta_deg=_between(table, "theta_deg", where, 0, 180),
        phi_deg=_between(table, "phi_deg", where, -360, 360),
        **texts,
        **_calibration(table, where, "energy"),
        **_calibration(table, where, "efficiency"),
    )


def _calibration(table: dict[str, Any], where: str, name: str) -> dict[str, Any]:
    """The coefficients of a fitted polynomial, with their covariance and the range that they were fitted to."""
    coefficients = _coefficients(table.get(name), f"{where}: {name}", at_least=2 if name == "energy" else 1)
    covariance, range_ = f"{name}_covariance", f"{name}_range"
    if coefficients is None and (others := {covariance, range_} & table.keys()):
        raise DetectorsError(f"{where} has {min(others)} without {name}")
    return {
        name: coefficients,
        covariance: _square(table.get(covariance), f"{where}: {covariance}", rows=len(coefficients or ())),
        range_: _range(table.get(range_), f"{where}: {range_}"),
    }


def _square(value: object, where: str, *, rows: int) -> Covariance | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != rows:
        raise DetectorsError(f"{where} must have {rows} rows, one per coefficient, not {shown(value)}")
    matrix = tuple(_numbers_in(row, f"{where}: a row") for row in value)
    if any(len(row) != rows for row in matrix):
        raise DetectorsError(f"{where} must have {rows} numbers in each row")
    if any(matrix[place][place] < 0 for place in range(rows)):
        raise DetectorsError(f"{where} has a negative variance")
    return matrix


def _range(value: object, where: str) -> tuple[float, float] | None:
    if value is None:
        return None
    ends = _numbers_in(value, where)
    if len(ends) != 2 or not ends[0] <= ends[1]:
        raise DetectorsError(f"{where} must be two numbers, the lower one first, not {shown(value)}")
    return ends[0], ends[1]


def _walk_range(table: dict[str, Any], where: str) -> tuple[float, float] | None:
    ends = _range(table.get("time_walk_range"), f"{where}: time_walk_range")
    if ends is not None and "time_walk_ps" not in table:
        raise DetectorsError(f"{where} has time_walk_range without time_walk_ps")
    if ends is not None and ends[0] <= 0:
        raise DetectorsError(f"{where}: time_walk_range must be above 0, because the walk diverges there")
    return ends


def _thresholds(table: dict[str, Any], where: str) -> dict[str, Any]:
    """The limits within which hits are used."""
    limits: dict[str, Any] = {}
    for unit in ("adc", "kev"):
        threshold, within = f"threshold_{unit}", f"range_{unit}"
        if threshold in table:
            limits[threshold] = number(table[threshold], f"{where}: {threshold}")
        limits[within] = _range(table.get(within), f"{where}: {within}")
        if limits[within] and limits[within][0] == limits[within][1]:
            raise DetectorsError(f"{where}: {within} is empty: write a lower and a higher number")
        if limits[within] and limits.get(threshold, limits[within][0]) > limits[within][1]:
            raise DetectorsError(f"{where}: {threshold} is above the end of {within}, so that no hit is used")
    return limits


def _between(table: dict[str, Any], key: str, where: str, low: float, high: float) -> float | None:
    """A number that may be missing, and lies within limits."""
    if key not in table:
        return None
    value = number(table[key], f"{where}: {key}")
    if not low <= value <= high:
        raise DetectorsError(f"{where}: {key} must be between {low:g} and {high:g}, not {value:g}")
    return value


def _number(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise DetectorsError(f"{where} must be a whole number from 0 to {MAX_NUMBER}, not {shown(value)}")
    return value


def _picoseconds(value: object, where: str) -> int:
    if type(value) is not int or abs(value) > MAX_OFFSET_PS:
        limit = f"at most {MAX_OFFSET_PS:,}"
        raise DetectorsError(f"{where} must be a whole number of picoseconds, {limit}, not {shown(value)}")
    return value


def _coefficients(value: object, where: str, *, at_least: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    coefficients = _numbers_in(value, where)
    if not at_least <= len(coefficients) <= 10:
        raise DetectorsError(f"{where} must have {at_least} to 10 coefficients, not {len(coefficients)}")
    return coefficients


def _numbers_in(value: object, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(type(item) in (int, float) for item in value):
        raise DetectorsError(f"{where} must be a list of numbers, lowest order first, not {shown(value)}")
    # A comparison, since math.isfinite cannot take whole numbers of any size; it holds for no NaN.
    if not all(abs(item) <= sys.float_info.max for item in value):
        raise DetectorsError(f"{where} has a coefficient that is not a finite number: {shown(value)}")
    return tuple(float(item) for item in value)


def format_detectors(detectors: Iterable[Detector]) -> str:
    """The text of a detectors.toml that `load_detectors` reads back to the same detectors, columns and sources."""
    whole = detectors if isinstance(detectors, Detectors) else Detectors()
    blocks = [format_key("drift", whole.drift)] if whole.drift else []
    blocks += [format_columns(whole.columns)] if whole.columns else []
    blocks += map(format_clock, whole.clocks)
    blocks += [format_table("[[detector]]", values_of(detector), KEYS) for detector in detectors]
    return "\n".join([*blocks, *map(format_source, whole.sources)])


def values_of(detector: Detector) -> dict[str, Any]:
    """The values of a [[detector]] table, in their order in it."""
    return {key: getattr(detector, key) for key in KEYS}
