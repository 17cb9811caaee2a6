"""From the names that a user gives to the files of each run, each hit once."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.fingerprint import fingerprint
from gammapolars.core.wording import setting
from gammapolars.io.compass.file_names import (
    STAGES,
    Stage,
    group_segments,
    missing_segments,
    natural_order,
    parse_name,
    run_folder_of,
    same_hits_twice,
)
from gammapolars.io.compass.folders import RunFiles, find_run_files
from gammapolars.io.dataset import is_dataset
from gammapolars.io.pairs import NO_HITS
from gammapolars.io.patterns import matches
from gammapolars.io.remote import is_remote, remote_path


def select(names: Sequence[str | Path], *, stage: str | None = None, apart: bool = False) -> list[RunFiles]:
    """The files of each run that is meant: a folder is a run of its own, files and patterns of files are one together.

    Args:
        names: files, glob patterns or folders.
        stage: the stage to take from folders: `raw`, `unfiltered` or `filtered`.
        apart: whether each file, with its segments, is a run of its own as well.

    Raises:
        InputError: nothing is found.
        UsageError: hits would count twice, or an impossible argument.
    """
    if not names:
        raise UsageError("no run is given: give a file, a pattern or a folder")
    only = _stage(stage)
    try:
        paths = [path for name in names for path in _expanded(name)]
        folders = [path for path in paths if path.is_dir()]
        if saved := next(filter(is_dataset, folders), None):
            raise InputError(NO_HITS.format(saved))
        files = [path for path in paths if not path.is_dir()]
        if only and not folders:
            raise UsageError(f"{setting('--stage', 'stage')} selects files in the folder of a run: give the folder")
        runs = [find_run_files(folder, only) for folder in folders]
        streams = _streams(files)
        segments = group_segments(path for path in files if not is_remote(path))
        of_runs = [[stream] for stream in streams] if apart else [streams] if streams else []
        runs += [_files(of_run, segments) for of_run in of_runs]
        check_once(path for run in runs for path in run.paths)
        if not apart and (twice := same_hits_twice([path for path in files if not is_remote(path)])):
            raise UsageError(twice)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return runs


def _stage(name: str | None) -> Stage | None:
    if name is None:
        return None
    for stage in STAGES:
        if name.lower() == stage:
            return stage
    raise UsageError(f"unknown stage '{name}': choose {', '.join(STAGES)}")


def _expanded(name: str | Path) -> list[Path]:
    """The files and folders that a name or a pattern means."""
    if is_remote(name):
        return [remote_path(str(name))]
    path = Path(name)
    if path.exists():
        return [path]
    found = matches(name)
    if not found:
        raise InputError(f"{path}: no such file" if found is None else f"{name}: no file matches this pattern")
    return sorted(found, key=natural_order)


def _streams(files: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Files as streams: segments of a recording are known by CoMPASS's names, any other file is a stream of its own."""
    named = [path for path in files if parse_name(path) and not is_remote(path)]
    segments = set(named)
    return [*group_segments(named), *((path,) for path in files if path not in segments)]


def _files(streams: Sequence[tuple[Path, ...]], segments: Sequence[tuple[Path, ...]]) -> RunFiles:
    """Files as a run: segments that were given are not missing, though they may be streams or runs of their own."""
    first = streams[0][0]
    paths = {path for stream in streams for path in stream}
    return RunFiles(
        run_folder_of(first),
        None,
        first.suffix.lower(),
        tuple(streams),
        warnings=missing_segments(given for given in segments if given[0] in paths),
    )


def check_once(
    paths: Iterable[Path], what: str = "hits", content_of: Callable[[Path], Path] = lambda path: path
) -> None:
    """Raise if hits, or pairs, would count twice, because the same file or a copy of it is given again.

    Args:
        paths: that are given.
        what: they contain.
        content_of: the file by which each is compared.

    Raises:
        UsageError: they would.
    """
    seen: dict[Path, Path] = {}
    alone: dict[int, Path] = {}
    of_content: dict[tuple[int, str], Path] = {}
    for path in paths:
        if seen.setdefault(path.resolve(), path) is not path:
            raise UsageError(f"{path}: is given twice, so each of its {what} would count twice")
        size = content_of(path).stat().st_size
        if not size or (first := alone.setdefault(size, path)) is path:
            continue
        of_content.setdefault((size, fingerprint(content_of(first))), first)
        if (other := of_content.setdefault((size, fingerprint(content_of(path))), path)) is not path:
            raise UsageError(f"{path}: is a copy of {other}, so each of its {what} would count twice")
