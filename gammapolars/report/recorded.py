"""Metadata of runs from the digitizer's program: names, when and how long they were recorded, and channels."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from gammapolars.core.types import Key
from gammapolars.io import Run, Runs
from gammapolars.io.compass.channel_names import channel_names
from gammapolars.io.compass.file_names import parse_name
from gammapolars.report.numbers import MINUS, count, duration

NAMES = ("name", "name_a", "name_b")
"""Columns in which detectors are named."""


@dataclass(frozen=True)
class RecordedRun:
    """One run, as it was recorded; missing values are None.

    Attributes:
        name: as `run.info` has it, else that of its files.
        start: when recording began.
        stop: when it ended.
        real_time_s: how long it took, as the digitizer's program noted.
        live_times_s: of each channel of the only board, in the latest file of histograms.
        channels: CoMPASS's names of the channels, by (board, channel).
    """

    name: str
    start: datetime | None = None
    stop: datetime | None = None
    real_time_s: float | None = None
    live_times_s: Mapping[int, float] = field(default_factory=dict)
    channels: Mapping[Key, str] = field(default_factory=dict)


def recorded_runs(runs: Runs, detectors: pl.DataFrame) -> tuple[RecordedRun, ...]:
    """The recorded metadata of each run, when its hits have been read.

    Metadata in a folder that several runs share are none of theirs.

    Args:
        runs: that were read.
        detectors: `board` and `channel` of their hits.
    """
    shared = Counter(run.source.folder.absolute() for run in runs.all)
    keys = [(board, channel) for board, channel in detectors.select("board", "channel").iter_rows()]
    known = [_recorded(run, keys, is_own=shared[run.source.folder.absolute()] == 1) for run in runs.all]
    twice = {name for name, times in Counter(one.name for one in known).items() if times > 1}
    return tuple(
        replace(one, name=f"{one.name} ({run.source.folder.name}/{run.files[0].path.name})")
        if one.name in twice
        else one
        for one, run in zip(known, runs.all, strict=True)
    )


def _recorded(run: Run, keys: list[Key], *, is_own: bool) -> RecordedRun:
    info = run.recorded if is_own else None
    boards = info.boards if info else ()
    of_files = {file.path: list(file.span.detectors) for file in run.files}
    names = channel_names(run.source.folder, boards, keys, of_files)
    if info is None:
        return RecordedRun(_file_name(run), channels=names)
    times = run.live_times.channels if run.live_times and len(boards) == 1 else ()
    live = {one.channel: one.live_time_s for one in times if one.live_time_s is not None}
    return RecordedRun(info.id or _file_name(run), info.start, info.stop, info.real_time_s, live, names)


def _file_name(run: Run) -> str:
    """The name of a run without recorded metadata: as in CoMPASS's names of files, else that of its files."""
    first, *others = (file.path for file in run.files)
    if (file := parse_name(first)) and file.run and others:
        return file.run
    return f"{first.name} and {count(len(others))} more" if others else first.name


def recorded_line(run: RecordedRun) -> str:
    """When and how long a run was recorded, in a sentence; empty where it is not known."""
    same_zone = run.start and run.stop and run.start.utcoffset() == run.stop.utcoffset()
    same_day = same_zone and run.start and run.stop and run.start.date() == run.stop.date()
    parts = [
        f"from {_day(run.start)} {_time(run.start, zone=not same_zone)}" if run.start else "",
        f"to {'' if same_day else f'{_day(run.stop)} '}{_time(run.stop)}" if run.stop else "",
        f"for {duration(run.real_time_s)} of real time" if run.real_time_s else "",
    ]
    text = " ".join(part for part in parts if part)
    if live := live_text(run):
        text += f", live for {live}"
    return f"Recorded {text}." if text else ""


def live_text(run: RecordedRun) -> str:
    """The live times of a run's channels: one, or the shortest and the longest; empty where none is written down."""
    times = sorted(run.live_times_s.values())
    if not times:
        return ""
    ends = list(dict.fromkeys(f"{time:,.6g}" for time in (times[0], times[-1])))
    return f"{' to '.join(ends)} s"


def start_text(run: RecordedRun) -> str:
    """When a run began; empty where that is not known."""
    return f"{_day(run.start)} {_time(run.start)}" if run.start else ""


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"


def _time(when: datetime, *, zone: bool = True) -> str:
    """`12:11:24 (UTC−04:00)`."""
    offset = f"{when:%z}" if zone else ""
    return f"{when:%H:%M:%S}" + (f" (UTC{offset[:3].replace('-', MINUS)}:{offset[3:5]})" if offset else "")


def names_of_channels(runs: tuple[RecordedRun, ...]) -> dict[Key, str]:
    """The names of the channels in CoMPASS, where all runs that have them agree."""
    names: dict[Key, set[str]] = {}
    for key, name in ((key, name) for run in runs for key, name in run.channels.items()):
        names.setdefault(key, set()).add(name)
    return {key: of.pop() for key, of in names.items() if len(of) == 1}


def renamed(names: pl.DataFrame, recorded: Mapping[Key, str]) -> Iterator[tuple[str, str]]:
    """Detectors that nobody named, and their names in CoMPASS; none that would be another one's name.

    Args:
        names: `board`, `channel`, `name`.
        recorded: the names in CoMPASS.
    """
    taken = set(names["name"]) | {name for name, times in Counter(recorded.values()).items() if times > 1}
    for board, channel, name in names.select("board", "channel", "name").iter_rows():
        new = recorded.get((board, channel), name)
        if name == f"{board}/{channel}" and new not in taken:
            yield name, new


def with_names_in(text: str, names: Mapping[str, str]) -> str:
    """A sentence with other names of detectors, where they are words of their own."""
    if not names:
        return text
    words = "|".join(re.escape(name) for name in names)
    return re.sub(rf"(?<![\w/.-])(?:{words})(?![\w/]|\.\w)", lambda found: names[found[0]], text)


def with_names(table: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """A table with other names of detectors."""
    return table.with_columns(pl.col(name).replace(names) for name in NAMES if name in table.columns)
