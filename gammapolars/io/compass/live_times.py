"""The live times that CoMPASS keeps in its file of histograms."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gammapolars.core.errors import first_line
from gammapolars.io.compass.file_names import STAGES, stage_of_folder
from gammapolars.io.root.uproot_file import opened_by_uproot

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
    """What a file of histograms tells of the times of its channels.

    Attributes:
        path: the file, the latest of the run.
        channels: by number. The file does not tell the boards.
        warnings: what could not be read, one line each, that begins with the file's name.
    """

    path: Path
    channels: tuple[ChannelTimes, ...]
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers."""
        return asdict(self) | {"path": str(self.path)}


def live_times(folder: str | Path) -> LiveTimes | None:
    """Read the live times of a run from its latest `Hcompass….root`; damage in it becomes warnings.

    Args:
        folder: the run's folder, above RAW, FILTERED and UNFILTERED.

    Returns:
        Its channels' times; None where the run has no such file.
    """
    path = max(_histogram_files(Path(folder)), key=_moment_and_stage, default=None)
    if path is None:
        return None
    try:
        times_ms = _read_times(path)
    except Exception as error:  # uproot raises what comes to a parser's hand
        return LiveTimes(path, (), (f"{path.name}: its live times cannot be read: {first_line(error)}",))
    warnings = [
        f"{path.name}: {kind}Time_{channel} is {ms} ms, which cannot be"
        for (kind, channel), ms in times_ms.items()
        if ms < 0
    ]
    if not times_ms:
        warnings.append(f"{path.name}: holds no live times")
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
    """When the histograms were written, as their name tells; of two at one moment, those of the preferred stage."""
    stamp = _STAMP.search(path.stem)
    stage = stage_of_folder(path.parent)
    return stamp[1] if stamp else "", -STAGES.index(stage) if stage else -len(STAGES)
