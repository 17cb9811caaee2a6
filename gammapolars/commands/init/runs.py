"""The runs of an experiment, as far as their names and their first hits show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.commands.init.names import is_background, sources_in
from gammapolars.commands.init.parse import InitOptions
from gammapolars.core.errors import InputError
from gammapolars.core.file_identity import real
from gammapolars.core.types import Key
from gammapolars.io.compass.channel_names import channel_names
from gammapolars.io.compass.file_names import group_segments, natural_order, parse_name, run_folder_of
from gammapolars.io.compass.folders import find_run_files, runs_below
from gammapolars.io.patterns import matches
from gammapolars.io.remote import is_remote

FIRST_HITS = 200_000
"""This many hits of each file show which channels were recorded."""


@dataclass(frozen=True)
class FoundRun:
    """A run.

    Attributes:
        names: of its folder or its files.
        sources: in its name.
        is_background: whether its name says that there is none.
        channels: CoMPASS's name of each (board, channel) in its first hits, empty where it is not known.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    is_background: bool
    channels: dict[Key, str]

    @property
    def is_file(self) -> bool:
        """Whether it is a single file, which has to be kept apart from those of other runs."""
        return len(self.names) == 1 and not Path(self.names[0]).is_dir()


def find_runs(options: InitOptions) -> list[FoundRun]:
    """The runs that are named.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    return [_found(names, options) for names in _names(options.names)]


def _names(given: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The names of the folder, or of the files, of each run."""
    files, seen = list[Path](), set[Path]()
    for name in given:
        if is_remote(name):
            yield (name,)
            continue
        path = Path(name)
        paths = [path] if path.exists() else sorted(matches(name) or [], key=natural_order)
        if not paths:
            raise InputError(f"{name}: no such file or folder")
        for folder in (one for one in paths if one.is_dir()):
            new = [one for one in _folders(folder) if real(one) not in seen]
            seen |= set(map(real, new))
            yield from ((str(one),) for one in new)
        new = [one for one in paths if not one.is_dir() and real(one) not in seen]
        seen |= set(map(real, new))
        files += new
    by_run = dict[tuple[Path, str], list[str]]()
    for stream in group_segments(files):
        named = parse_name(stream[0])
        key = (run_folder_of(stream[0]), named.run) if named and not named.all_channels else (stream[0], "")
        by_run.setdefault(key, []).extend(map(str, stream))
    yield from map(tuple, by_run.values())


def _folders(folder: Path) -> list[Path]:
    """The folders of runs in a folder, or this one if it is one."""
    try:
        find_run_files(folder)
    except InputError:
        if below := runs_below(folder):
            return below
        raise
    return [folder]


def _found(names: tuple[str, ...], options: InitOptions) -> FoundRun:
    runs = options.open(list(names))
    channels, titles = dict[Key, str](), list(names)
    for run in runs.all:
        seen = {file.path: _seen(file.hits) for file in run.files}
        keys = sorted({key for inside in seen.values() for key in inside})
        info = run.recorded
        known = channel_names(run.source.folder, info.boards if info else (), keys, seen)
        channels |= {key: known.get(key, "") for key in keys}
        titles += [info.id] if info and info.id and len(names) == 1 else []
    title = " ".join(dict.fromkeys((*(_title(name) for name in names), *titles[len(names) :])))
    return FoundRun(names, sources_in(title), is_background(title), channels)


def _title(name: str) -> str:
    """The name of a run in its path: that of its folder, or of its file, with its folder where CoMPASS named it."""
    path = Path(name).absolute()
    named = parse_name(path)
    return path.name if path.is_dir() or named is None else f"{path.stem} {run_folder_of(path).name}"


def _seen(hits: pl.LazyFrame) -> list[Key]:
    """The (board, channel) of the first hits of a file."""
    first = hits.select("board", "channel").head(FIRST_HITS).unique().sort("board", "channel").collect()
    return [(board, channel) for board, channel in first.iter_rows()]
