"""CoMPASS's metadata of a run besides its hits: `run.info`, `settings.xml` and live times."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from gammapolars.core.errors import InputError, first_line
from gammapolars.io.compass.file_names import STAGES, stage_of_folder
from gammapolars.io.compass.settings_xml import SETTINGS, BoardInfo, ChannelInfo, parsed, read_settings
from gammapolars.io.root.uproot_file import opened_by_uproot

T = TypeVar("T")

MAX_INFO_BYTES = 2**20
"""Recorded files have 1 to 2 kB."""

_CHANNEL_KEY = re.compile(r"board\.(?P<board>[^.]+)\.(?P<channel>\d{1,5})\.(?P<key>.+)")
_REJECTED = "rejections."
_CALIBRATION = "calibration.energy."


@dataclass(frozen=True)
class RunInfo:
    """Recorded metadata of a run; None where missing. `id` is the run's name, moments have their time zone.

    Attributes:
        real_time_s: its length in seconds; `run.info` gives whole ones.
        boards: the digitizers, in the order of `settings.xml`.
        warnings: metadata that could not be read, one line each, that begins with the file's name.
    """

    id: str | None = None
    start: datetime | None = None
    stop: datetime | None = None
    real_time_s: float | None = None
    boards: tuple[BoardInfo, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers."""
        moments = {"start": self.start, "stop": self.stop}
        return asdict(self) | {name: moment and moment.isoformat() for name, moment in moments.items()}


def read_run_info(folder: str | Path) -> RunInfo | None:
    """The content of `run.info` and `settings.xml` of a run's folder; None without either. Damage becomes warnings."""
    notes, settings = Path(folder) / "run.info", Path(folder) / "settings.xml"
    info = _read_notes(notes) if notes.is_file() else None
    if settings.is_file():
        info = _with_settings(info or RunInfo(), settings)
    return info


# run.info


class _Notes:
    """The keys and values of a `run.info`, and the errors in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.values: dict[str, str] = {}
        try:
            with path.open("rb") as file:
                text = file.read(MAX_INFO_BYTES + 1).decode(errors="replace")
        except OSError as error:
            self.warnings.append(f"{path.name}: cannot be read: {error.strerror}")
            return
        if len(text) > MAX_INFO_BYTES:
            self.warnings.append(f"{path.name}: not read because it is far too long")
            return
        lines = [line for line in text.splitlines() if line.strip()]
        if strange := [line for line in lines if "=" not in line]:
            self.warnings.append(f"{path.name}: {len(strange)} lines are not 'key=value', such as {strange[0][:40]!r}")
        pairs = (line.partition("=") for line in lines if "=" in line)
        self.values = {key.strip(): "".join(filter(str.isprintable, value)).strip() for key, _, value in pairs}

    def get(self, key: str, parse: Callable[[str], T | None]) -> T | None:
        """A value as it should be; None where it is missing or has no meaning, which is warned of."""
        return parsed(self.values, key, parse, self.path.name, self.warnings)


def _read_notes(path: Path) -> RunInfo:
    notes = _Notes(path)
    channels: dict[str, set[int]] = {}
    for key in notes.values:
        if match := _CHANNEL_KEY.fullmatch(key):
            channels.setdefault(match["board"], set()).add(int(match["channel"]))
    boards = [
        BoardInfo(board, channels=tuple(_noted_channel(notes, board, channel) for channel in sorted(numbers)))
        for board, numbers in channels.items()
    ]
    return RunInfo(
        id=notes.get("id", str),
        start=notes.get("time.start", _moment),
        stop=notes.get("time.stop", _moment),
        real_time_s=notes.get("time.real", _seconds),
        boards=tuple(boards),
        warnings=tuple(notes.warnings),
    )


def _noted_channel(notes: _Notes, board: str, channel: int) -> ChannelInfo:
    prefix = f"board.{board}.{channel}."
    reasons = [key.removeprefix(prefix + _REJECTED) for key in notes.values if key.startswith(prefix + _REJECTED)]
    rejected = {reason: notes.get(f"{prefix}{_REJECTED}{reason}", _number) for reason in reasons}
    c0, c1, c2 = (notes.get(f"{prefix}{_CALIBRATION}c{power}", _number) for power in range(3))
    return ChannelInfo(
        channel,
        icr_cps=notes.get(f"{prefix}icr", _number),
        ocr_cps=notes.get(f"{prefix}ocr", _number),
        throughput_cps=notes.get(f"{prefix}throughput", _number),
        rejected_cps={reason: rate for reason, rate in rejected.items() if rate is not None},
        calibration=None if c0 is None or c1 is None or c2 is None else (c0, c1, c2),
        calibration_unit=notes.get(f"{prefix}{_CALIBRATION}uom", str),
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S.%f%z")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)", text)
    if match is None:
        raise ValueError(text)
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])


def _number(text: str) -> float | None:
    """A finite number; CoMPASS writes NaN for rates that it does not know."""
    number = float(text)
    return number if math.isfinite(number) else None


# settings.xml


def _with_settings(info: RunInfo, path: Path) -> RunInfo:
    try:
        settings, warnings = read_settings(path)
    except InputError as error:
        return replace(info, warnings=(*info.warnings, f"{path.name}: {str(error).removeprefix(f'{path}: ')}"))
    notes = {board.id: board for board in info.boards}
    boards = [_joined(notes.pop(board.id, BoardInfo(board.id)), board) for board in settings]
    warnings = [f"{path.name}: {warning}" for warning in warnings]
    return replace(info, boards=(*boards, *notes.values()), warnings=(*info.warnings, *warnings))


def _joined(notes: BoardInfo, board: BoardInfo) -> BoardInfo:
    """A board of `settings.xml` with its channels in `run.info`."""
    channels = {channel.channel: channel for channel in notes.channels}
    for channel in board.channels:
        rates = asdict(channels.get(channel.channel, channel))
        channels[channel.channel] = ChannelInfo(**rates | {name: getattr(channel, name) for name in SETTINGS})
    return replace(board, channels=tuple(channels[number] for number in sorted(channels)))


_STAMP = re.compile(r"_(\d{8}_\d{6})$")
_TIME = re.compile(r"(?P<kind>Real|Live)Time_(?P<channel>\d{1,5})")


@dataclass(frozen=True)
class ChannelTimes:
    """How long a channel was recorded and how long of that it was ready for hits, in seconds; None: not known."""

    channel: int
    real_time_s: float | None
    live_time_s: float | None


@dataclass(frozen=True)
class LiveTimes:
    """Times of channels, by number, from a run's latest file of histograms, which does not name the boards."""

    path: Path
    channels: tuple[ChannelTimes, ...]
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers."""
        return asdict(self) | {"path": str(self.path)}


def live_times(folder: str | Path) -> LiveTimes | None:
    """The live times in the latest `Hcompass….root` of a run's folder; None without one. Damage becomes warnings."""
    path = max(_histogram_files(Path(folder)), key=_moment_and_stage, default=None)
    if path is None:
        return None
    try:
        times_ms = _read_times(path)
    except Exception as error:  # uproot raises any error of its parser
        return LiveTimes(path, (), (f"{path.name}: its live times cannot be read: {first_line(error)}",))
    warnings = [
        f"{path.name}: {kind}Time_{channel} is {ms} ms, which is impossible"
        for (kind, channel), ms in times_ms.items()
        if ms < 0
    ]
    if not times_ms:
        warnings.append(f"{path.name}: contains no live times")
    seconds = {key: ms / 1000 for key, ms in times_ms.items() if ms >= 0}
    channels = sorted({channel for _, channel in times_ms})
    times = [ChannelTimes(number, seconds.get(("Real", number)), seconds.get(("Live", number))) for number in channels]
    return LiveTimes(path, tuple(times), tuple(warnings))


def _read_times(path: Path) -> dict[tuple[str, int], int]:
    """Kind and channel of each time in the file, and the time in ms."""
    with opened_by_uproot(path) as file:
        named = {name: match for name in file.keys(recursive=False, cycle=False) if (match := _TIME.fullmatch(name))}
        return {(key["kind"], int(key["channel"])): int(file[name].member("fMilliSec")) for name, key in named.items()}


def _histogram_files(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
        for place in (folder, *(path for path in inside if path.is_dir() and stage_of_folder(path))):
            yield from (path for path in sorted(place.iterdir()) if re.fullmatch(r"(?i)Hcompass.*\.root", path.name))
    except OSError:
        return


def _moment_and_stage(path: Path) -> tuple[str, int]:
    """When the histograms were written, by their name; of two at one moment, those of the preferred stage."""
    stamp = _STAMP.search(path.stem)
    stage = stage_of_folder(path.parent)
    return stamp[1] if stamp else "", -STAGES.index(stage) if stage else -len(STAGES)
