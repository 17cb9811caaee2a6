"""CoMPASS's `settings.xml`: digitizers and their channels, read as a file that anybody may have written."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gammapolars.core.errors import InputError

T = TypeVar("T")

MAX_BYTES = 16 * 2**20
"""A recorded file has 0.24 MB for one board of eight channels."""

MAX_ELEMENTS = 500_000
"""A recorded file has 6000."""

MAX_DEPTH = 32
"""Recorded files have elements within elements 8 deep."""

MAX_CHANNELS = 1024


@dataclass(frozen=True)
class ChannelSettings:
    """A channel's settings, its own or else its board's; None where neither is there.

    Attributes:
        label: its name, where it was given one of its own.
        enabled: whether it was switched on.
        threshold_lsb: trigger threshold in steps of the converter.
        time_offset_ps: the offset that CoMPASS added to its timestamps.
    """

    label: str | None
    enabled: bool | None
    threshold_lsb: float | None
    time_offset_ps: int | None


@dataclass(frozen=True)
class BoardSettings:
    """A digitizer's settings; texts as they are written, None where they are not."""

    id: str
    model: str | None
    serial_number: str | None
    label: str | None
    firmware: str | None
    sample_time_ps: int | None
    channels: dict[int, ChannelSettings]


@dataclass(frozen=True)
class Settings:
    """All digitizers, and what could not be read of them."""

    boards: tuple[BoardSettings, ...]
    warnings: tuple[str, ...] = ()


def read_settings(path: str | Path) -> Settings:
    """Read the digitizers' settings.

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
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is far too long")
        parser.Parse(data, True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise InputError(f"{path}: cannot be read as settings: {error}") from None
    if collected.root != "configuration":
        raise InputError(f"{path}: cannot be read as settings: it holds <{collected.root}>, not <configuration>")
    warnings: list[str] = []
    boards = [_board(board, warnings) for board in collected.boards]
    return Settings(tuple(boards), tuple(warnings))


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
        raise ValueError("it declares a document type, as CoMPASS's files never do")

    def start(self, name: str, _: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"it has more than {MAX_ELEMENTS:,} elements")
        if len(self._inside) == MAX_DEPTH:
            raise ValueError(f"its elements lie more than {MAX_DEPTH} deep")
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


def _board(board: _Board, warnings: list[str]) -> BoardSettings:
    name = board.texts.get("id") or "?"
    channels = {}
    for own in board.channels:
        index = own.get("index", "")
        if not (index.isascii() and index.isdigit() and len(index) < 6 and int(index) < MAX_CHANNELS):
            warnings.append(f"board {name} has a channel with the number {index[:40]!r}, which is left out")
            continue
        channels[int(index)] = _channel(board.parameters | own, own, f"board {name}, channel {index}", warnings)
    texts = {key: text or None for key, text in board.texts.items()}
    return BoardSettings(
        id=name,
        model=texts.get("modelName"),
        serial_number=texts.get("serialNumber"),
        label=texts.get("label"),
        firmware=texts.get("dppType"),
        sample_time_ps=_parsed(board.texts, "sampleTime", int, f"board {name}", warnings),
        channels=channels,
    )


def _channel(settings: dict[str, str], own: dict[str, str], where: str, warnings: list[str]) -> ChannelSettings:
    return ChannelSettings(
        label=own.get("SW_PARAMETER_CH_LABEL") or None,
        enabled=_parsed(settings, "SRV_PARAM_CH_ENABLED", _truth, where, warnings),
        threshold_lsb=_parsed(settings, "SRV_PARAM_CH_THRESHOLD", _finite, where, warnings),
        time_offset_ps=_parsed(settings, "SRV_PARAM_CH_TIME_OFFSET", _ps_from_ns, where, warnings),
    )


def _parsed(texts: dict[str, str], key: str, parse: Callable[[str], T], where: str, warnings: list[str]) -> T | None:
    """A setting as it should be; None where it is missing or makes no sense, which is warned of."""
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
