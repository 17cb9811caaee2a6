"""detectors.toml: which detector is on which channel, and its calibration; PeakEasy .CALp files."""

import math
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gammapolars.columns import Column, format_columns, parse_columns
from gammapolars.errors import DetectorsError, UsageError

MAX_NUMBER = 2**16 - 1

ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\x7f": "\\u007F"})
"""What text in a TOML file cannot hold as it is."""


@dataclass(frozen=True)
class Detector:
    """One (board, channel) and what is known about it.

    Attributes:
        board: the digitizer board's number, 0 to 65535.
        channel: the board's input, 0 to 65535.
        name: how figures and summaries call it; `board/channel` where nobody named it.
        energy: coefficients of the energy polynomial in keV, lowest order first: E = Σ c_i adc^i. None: uncalibrated.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²).
        time_offset_ps: how much later than the others this detector's timestamps are; subtracted before pairing.
        kind: `HPGe`, `NaI`, `LaBr3`, …
        notes: anything else that a person wants to keep here.
    """

    board: int
    channel: int
    name: str = ""
    energy: tuple[float, ...] | None = None
    fwhm: tuple[float, ...] | None = None
    time_offset_ps: int = 0
    kind: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"{self.board}/{self.channel}")

    @property
    def key(self) -> tuple[int, int]:
        """Its (board, channel), by which hits name it."""
        return (self.board, self.channel)


@dataclass(frozen=True)
class Detectors:
    """An experiment's detectors, found by (board, channel) or by name.

    Attributes:
        all: the detectors.
        columns: which columns of another program's files hold what, by the names of a table of hits.
    """

    all: tuple[Detector, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict, hash=False)
    _by_key: dict[tuple[int, int], Detector] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key: dict[tuple[int, int], Detector] = {}
        names: set[str] = set()
        for detector in self.all:
            if detector.key in by_key:
                raise DetectorsError(f"board {detector.board} channel {detector.channel} is described twice: keep one")
            if detector.name in names:
                raise DetectorsError(f"two detectors are named '{detector.name}': rename one")
            by_key[detector.key] = detector
            names.add(detector.name)
        object.__setattr__(self, "_by_key", by_key)

    def __iter__(self) -> Iterator[Detector]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def at(self, board: int, channel: int) -> Detector:
        """The detector on a channel; one with a default name where the file describes none."""
        return self._by_key.get((board, channel)) or Detector(board, channel)

    def named(self, name: str) -> Detector:
        """The detector with a name, or at `board/channel`, or at `channel` of board 0.

        Raises:
            UsageError: no detector has this name.
        """
        for detector in self.all:
            if detector.name == name:
                return detector
        if match := re.fullmatch(r"(?:(\d{1,5})/)?(\d{1,5})", name):
            board, channel = int(match[1] or 0), int(match[2])
            if board <= MAX_NUMBER and channel <= MAX_NUMBER:
                return self.at(board, channel)
        known = ", ".join(detector.name for detector in self.all)
        raise UsageError(
            f"unknown detector '{name}': write board/channel, such as 0/3"
            + (f", or a name of detectors.toml ({known})" if known else "")
        )


def load_detectors(path: str | Path) -> Detectors:
    """Read detectors.toml.

    Raises:
        DetectorsError: the file is missing, is no TOML, or holds unknown keys, duplicate channels, a NaN or a column
            that cannot be.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DetectorsError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DetectorsError(f"{path}: cannot be read as TOML: {error}") from None
    if unknown := document.keys() - {"detector", "columns"}:
        raise DetectorsError(f"{path}: unknown key '{min(unknown)}': detectors stand in [[detector]] tables")
    tables = document.get("detector", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DetectorsError(f"{path}: 'detector' must be an array of tables: write [[detector]]")
    try:
        return Detectors(tuple(_detector(table) for table in tables), parse_columns(document.get("columns", {})))
    except DetectorsError as error:
        raise DetectorsError(f"{path}: {error}") from None


def _detector(table: dict[str, Any]) -> Detector:
    where = f"detector '{table.get('name', table.get('channel', '?'))}'"
    if unknown := table.keys() - Detector.__dataclass_fields__.keys():
        known = ", ".join(Detector.__dataclass_fields__)
        raise DetectorsError(f"{where} has the unknown key '{min(unknown)}' (known: {known})")
    if "channel" not in table:
        raise DetectorsError(f"{where} has no channel")
    return Detector(
        board=_number(table.get("board", 0), f"{where}: board"),
        channel=_number(table["channel"], f"{where}: channel"),
        name=_text(table.get("name", ""), f"{where}: name"),
        energy=_coefficients(table.get("energy"), f"{where}: energy", at_least=2),
        fwhm=_coefficients(table.get("fwhm"), f"{where}: fwhm", at_least=1),
        time_offset_ps=_picoseconds(table.get("time_offset_ps", 0), f"{where}: time_offset_ps"),
        kind=_text(table.get("kind", ""), f"{where}: kind"),
        notes=_text(table.get("notes", ""), f"{where}: notes"),
    )


def _number(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise DetectorsError(f"{where} must be a whole number from 0 to {MAX_NUMBER}, not {value!r}")
    return value


def _picoseconds(value: object, where: str) -> int:
    if type(value) is not int or abs(value) >= 2**62:
        raise DetectorsError(f"{where} must be a whole number of picoseconds, not {value!r}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or any(ord(letter) < 32 and letter not in "\n\t" for letter in value):
        raise DetectorsError(f"{where} must be text, not {value!r}")
    return value


def _coefficients(value: object, where: str, *, at_least: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(item) in (int, float) for item in value):
        raise DetectorsError(f"{where} must be a list of numbers, lowest order first, not {value!r}")
    if not at_least <= len(value) <= 10:
        raise DetectorsError(f"{where} must have {at_least} to 10 coefficients, not {len(value)}")
    # A comparison, since math.isfinite cannot take whole numbers of any size; it holds for no NaN.
    if not all(abs(item) <= sys.float_info.max for item in value):
        raise DetectorsError(f"{where} has a coefficient that is no finite number: {value!r}")
    return tuple(float(item) for item in value)


def format_detectors(detectors: Iterable[Detector]) -> str:
    """The text of a detectors.toml that `load_detectors` reads back to the same detectors, and columns."""
    blocks = []
    if isinstance(detectors, Detectors) and detectors.columns:
        blocks.append(format_columns(detectors.columns, _quote))
    for detector in detectors:
        lines = [
            "[[detector]]",
            f"name = {_quote(detector.name)}",
            f"board = {detector.board}",
            f"channel = {detector.channel}",
        ]
        if detector.energy is not None:
            lines.append(f"energy = {_numbers(detector.energy)}   # keV: c0 + c1 adc + c2 adc^2 + ...")
        if detector.fwhm is not None:
            lines.append(f"fwhm = {_numbers(detector.fwhm)}   # keV^2: FWHM^2 = a + b E + c E^2")
        lines.append(f"time_offset_ps = {detector.time_offset_ps}")
        lines += [f"{key} = {_quote(text)}" for key in ("kind", "notes") if (text := getattr(detector, key))]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _numbers(values: tuple[float, ...]) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"


def _quote(text: str) -> str:
    return '"' + text.translate(ESCAPED) + '"'


def read_calp(path: str | Path) -> tuple[float, ...]:
    """The energy polynomial (keV, lowest order first) of a PeakEasy `.CALp` file, without trailing zeros.

    Raises:
        DetectorsError: the file is missing or is no such file, or a coefficient is missing or no finite number.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="strict").splitlines()
    except FileNotFoundError:
        raise DetectorsError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DetectorsError(f"{path}: cannot be read as text: {error}") from None
    if not lines or not lines[0].startswith("#PeakEasy CALp"):
        raise DetectorsError(f"{path}: is no PeakEasy calibration: its first line should begin with '#PeakEasy CALp'")
    values = {
        label.strip(): value.strip() for label, colon, value in (line.partition(":") for line in lines[1:]) if colon
    }
    labels = ["Offset (keV)", "Gain (keV / Chan)", "2nd Order Coef", "3rd Order Coef", "4th Order Coef"]
    coefficients = [_calp_value(values, label, path) for label in labels]
    while len(coefficients) > 2 and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def _calp_value(values: dict[str, str], label: str, path: Path) -> float:
    if label not in values:
        if label.endswith("Coef"):
            return 0.0
        raise DetectorsError(f"{path}: has no line '{label} : …'")
    try:
        number = float(values[label])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DetectorsError(f"{path}: '{label}' is no finite number: {values[label]!r}")
    return number


def import_calp(assignments: Iterable[str]) -> Detectors:
    """Detectors from `CHANNEL=FILE.CALp` or `BOARD/CHANNEL=FILE.CALp`, such as `1=ch1.CALp`.

    Raises:
        UsageError: an assignment has no such form.
        DetectorsError: a file is no calibration, or a channel is given twice.
    """
    found = []
    for assignment in assignments:
        match = re.fullmatch(r"(?:(\d{1,5})/)?(\d{1,5})=(.+)", assignment)
        if not match or int(match[1] or 0) > MAX_NUMBER or int(match[2]) > MAX_NUMBER:
            raise UsageError(f"'{assignment}' is no assignment: write CHANNEL=FILE.CALp or BOARD/CHANNEL=FILE.CALp")
        path = Path(match[3])
        found.append(
            Detector(
                int(match[1] or 0), int(match[2]), energy=read_calp(path), notes=f"energy imported from {path.name}"
            )
        )
    return Detectors(tuple(found))
