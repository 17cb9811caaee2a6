"""CoMPASS's `settings.xml`: digitizers and their channels, read as a file that anybody may have written."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gammapolars.core.errors import InputError, readable

T = TypeVar("T")

MAX_BYTES = 16 * 2**20
"""A recorded file has 0.24 MB for one board of eight channels."""

MAX_ELEMENTS = 500_000
"""A recorded file has 6000."""

MAX_DEPTH = 32
"""Recorded files have elements within elements 8 deep."""

MAX_CHANNELS = 1024


@dataclass(frozen=True)
class ChannelInfo:
    """One channel of a digitizer. Missing values are None.

    Attributes:
        threshold_lsb: trigger threshold in steps of the converter.
        time_offset_ps: the offset that CoMPASS added to its timestamps.
        icr_cps: input count rate in hits/s, as CoMPASS reckoned it when it wrote the file; not the run's mean.
        ocr_cps: output count rate, likewise.
        throughput_cps: rate of hits read out, likewise.
        rejected_cps: rates of rejected hits by CoMPASS's name of the reason.
        calibration: c0, c1, c2 of energy = c0 + c1 adc + c2 adc².
        calibration_unit: of that energy.
    """

    channel: int
    label: str | None = None
    enabled: bool | None = None
    threshold_lsb: float | None = None
    time_offset_ps: int | None = None
    icr_cps: float | None = None
    ocr_cps: float | None = None
    throughput_cps: float | None = None
    rejected_cps: dict[str, float] = field(default_factory=dict)
    calibration: tuple[float, float, float] | None = None
    calibration_unit: str | None = None


@dataclass(frozen=True)
class BoardInfo:
    """One digitizer. Missing values are None.

    Attributes:
        id: CoMPASS's name for it, such as `0-14-292`.
        label: the name that file names carry: model and serial number, such as `V1725_292`.
        firmware: `DPP_PHA` or `DPP_PSD`.
        channels: by number; those of `run.info` and all of `settings.xml`.
    """

    id: str
    model: str | None = None
    serial_number: str | None = None
    label: str | None = None
    firmware: str | None = None
    sample_time_ps: int | None = None
    channels: tuple[ChannelInfo, ...] = ()


SETTINGS = ("label", "enabled", "threshold_lsb", "time_offset_ps")
"""Information of `settings.xml` on a channel; `run.info` has the rest."""


def read_settings(path: str | Path) -> tuple[tuple[BoardInfo, ...], list[str]]:
    """Read the digitizers' settings; and the problems in reading them.

    The file is parsed element by element in bounded memory. Neither document types nor entities are taken: CoMPASS
    writes none, and they can be made to expand without end or to name other files.

    Raises:
        InputError: the file cannot be read, is no XML or not of this kind.
    """
    from xml.parsers.expat import ExpatError, ParserCreate

    collected = _Collected()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collected.start
    parser.EndElementHandler = collected.end
    parser.CharacterDataHandler = collected.text
    parser.StartDoctypeDeclHandler = collected.refuse_doctype
    with readable(path), Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("it is far too long")
        parser.Parse(data, True)
    except (ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise InputError(f"{path}: cannot be read as settings: {error}") from None
    if collected.root != "configuration":
        raise InputError(f"{path}: cannot be read as settings: it contains <{collected.root}>, not <configuration>")
    warnings: list[str] = []
    boards = [_board(board, warnings) for board in collected.boards]
    return tuple(boards), warnings


@dataclass
class _Board:
    """A board's texts by the names of their elements, the parameters that hold for all channels, and each channel's."""

    texts: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    channels: list[dict[str, str]] = field(default_factory=list)


class _Collected:
    """Takes elements as the parser meets them, and keeps the few texts that matter."""

    def __init__(self) -> None:
        self.root = ""
        self.boards: list[_Board] = []
        self._elements = 0
        self._inside: list[str] = []
        self._text: list[str] = []
        self._key = ""

    def refuse_doctype(self, *_: Any) -> None:
        raise ValueError("it declares a document type, which CoMPASS files never do")

    def start(self, name: str, _: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"it has more than {MAX_ELEMENTS:,} elements")
        if len(self._inside) == MAX_DEPTH:
            raise ValueError(f"its elements are nested more than {MAX_DEPTH} deep")
        self.root = self.root or name
        self._inside.append(name)
        self._text.clear()
        if self._inside[1:] == ["board"]:
            self.boards.append(_Board())
        elif self._inside[1:] == ["board", "channel"]:
            self.boards[-1].channels.append({})

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, _: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        match self._inside[1:]:
            case ["board", name]:
                self.boards[-1].texts[name] = text
            case ["board", "channel", "index"]:
                self.boards[-1].channels[-1]["index"] = text
            case ["board", "parameters", "entry", "key"] | ["board", "channel", "values", "entry", "key"]:
                self._key = text
            case ["board", "parameters", "entry", "value", "value"]:
                self.boards[-1].parameters[self._key] = text
            case ["board", "channel", "values", "entry", "value"]:
                self.boards[-1].channels[-1][self._key] = text
        self._inside.pop()


def _board(board: _Board, warnings: list[str]) -> BoardInfo:
    name = board.texts.get("id") or "?"
    channels = {}
    for own in board.channels:
        index = own.get("index", "")
        if not (index.isascii() and index.isdigit() and len(index) < 6 and int(index) < MAX_CHANNELS):
            warnings.append(f"board {name} has a channel with the number {index[:40]!r}, which is left out")
            continue
        channels[int(index)] = _channel(int(index), board.parameters, own, f"board {name}, channel {index}", warnings)
    texts = {key: text or None for key, text in board.texts.items()}
    return BoardInfo(
        id=name,
        model=texts.get("modelName"),
        serial_number=texts.get("serialNumber"),
        label=texts.get("label"),
        firmware=texts.get("dppType"),
        sample_time_ps=parsed(board.texts, "sampleTime", int, f"board {name}", warnings),
        channels=tuple(channels.values()),
    )


def _channel(
    number: int, of_board: dict[str, str], own: dict[str, str], where: str, warnings: list[str]
) -> ChannelInfo:
    """A channel's settings, its own or else its board's."""
    settings = of_board | own
    return ChannelInfo(
        number,
        label=own.get("SW_PARAMETER_CH_LABEL") or None,
        enabled=parsed(settings, "SRV_PARAM_CH_ENABLED", _truth, where, warnings),
        threshold_lsb=parsed(settings, "SRV_PARAM_CH_THRESHOLD", _finite, where, warnings),
        time_offset_ps=parsed(settings, "SRV_PARAM_CH_TIME_OFFSET", _ps_from_ns, where, warnings),
    )


def parsed(
    texts: Mapping[str, str], key: str, parse: Callable[[str], T | None], where: str, warnings: list[str]
) -> T | None:
    """A value as it should be; None where it is missing or makes no sense, which is warned of."""
    text = texts.get(key)
    if not text:
        return None
    try:
        return parse(text)
    except (ValueError, KeyError):
        warnings.append(f"{where}: {key} is {text[:40]!r}, which cannot be read")
        return None


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _ps_from_ns(text: str) -> int:
    nanoseconds = _finite(text)
    if abs(nanoseconds) > 1e15:
        raise ValueError(text)
    return round(1000 * nanoseconds)
