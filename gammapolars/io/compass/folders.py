"""A run's folder as CoMPASS leaves it: which of its files are the run's hits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gammapolars.core.errors import InputError
from gammapolars.core.wording import setting
from gammapolars.io.compass.file_names import (
    STAGES,
    HitFile,
    Stage,
    group_segments,
    missing_segments,
    natural_order,
    parse_name,
    stage_of_folder,
)
from gammapolars.io.formats import FORMATS

SPECTRUM = ".n42"
"""The suffix of spectra that CoMPASS writes next to the hits, if it is asked to."""


@dataclass(frozen=True)
class RunFiles:
    """The files of a run's hits, each hit in one of them, in the folder where `run.info` and `settings.xml` lie.

    Attributes:
        stage: the stage that was chosen; None where files are not named as CoMPASS names them.
        format: the suffix of the files, in lower case.
        streams: one for each channel's file or the file of all channels, with its segments in the order of recording.
        passed_over: other files that could be hits and why they were not taken, one line each, as the `warnings` are.
        spectra: the files of spectra next to those of hits, and in the run's folder.
    """

    folder: Path
    stage: Stage | None
    format: str
    streams: tuple[tuple[Path, ...], ...]
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    spectra: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files, stream by stream."""
        return tuple(path for stream in self.streams for path in stream)


@dataclass(frozen=True)
class _Place:
    """A run's folder, or that of a stage inside it: files named by CoMPASS, and others that could hold hits."""

    folder: Path
    files: tuple[HitFile, ...]
    others: tuple[Path, ...]


def find_run_files(folder: str | Path, stage: Stage | None = None) -> RunFiles:
    """The files of hits in a run's folder: of one stage, in one format, of all channels.

    They lie in RAW, UNFILTERED or FILTERED, or directly in the folder. The first stage of `STAGES` that is there is
    taken, the first format of `FORMATS`, and the one file of all channels before those of single
    channels. Files with names of their own are taken where there is none that is named as CoMPASS does it.

    Args:
        folder: a run's folder, one stage's folder in it, or a folder of runs (a project, its DAQ folder) in which
            there is a single one.
        stage: the stage to take.

    Raises:
        InputError: the folder has no hits (of this stage), those of several runs, or cannot be read.
    """
    folder = Path(folder)
    places = _places(folder)
    if any(place.files for place in places):
        return _with_spectra(_chosen(folder, places, stage))
    if runs := runs_below(folder):
        if len(runs) == 1:
            return find_run_files(runs[0], stage)
        raise InputError(f"{folder}: contains several runs ({_some(runs)}): give one of them, such as {runs[0]}")
    if files := _with_other_names(folder, places, stage):
        return _with_spectra(files)
    raise InputError(f"{folder}: there is no file of hits in this folder{_looked_for(places, stage)}")


def _with_spectra(files: RunFiles) -> RunFiles:
    """The same with the files of spectra that belong to them."""
    folders = dict.fromkeys((*(path.parent for path in files.paths), files.folder))
    there = [path for folder in folders for path in _listed(folder) if path.suffix.lower() == SPECTRUM]
    spectra = dict.fromkeys(path for path in there if path.is_file() and not path.name.startswith("."))
    return replace(files, spectra=tuple(spectra))


def _places(folder: Path) -> list[_Place]:
    """The folder itself and the stages' folders in it."""
    inside = _listed(folder)
    stages = sorted((path for path in inside if path.is_dir() and stage_of_folder(path)), key=_preference)
    return [_place(folder, inside), *(_place(path, _listed(path)) for path in stages)]


def _preference(folder: Path) -> int:
    stage = stage_of_folder(folder)
    return STAGES.index(stage) if stage else len(STAGES)


def _place(folder: Path, inside: Iterable[Path]) -> _Place:
    files, others = [], []
    for path in inside:
        # Hcompass… files hold histograms; a leading dot marks unfinished files, or another system's leftovers.
        if path.suffix.lower() not in FORMATS or path.name.startswith(("Hcompass", ".")) or not path.is_file():
            continue
        if file := parse_name(path):
            files.append(file)
        else:
            others.append(path)
    return _Place(folder, tuple(files), tuple(others))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None


def runs_below(folder: Path) -> list[Path]:
    """The run folders in a folder of runs, or in a project's DAQ folder."""
    below = [path for path in _listed(folder) if path.is_dir()]
    runs = [path for path in below if any(place.files for place in _places(path))]
    if not runs and (folder / "DAQ").is_dir():
        return runs_below(folder / "DAQ")
    return runs


def _chosen(folder: Path, places: list[_Place], only: Stage | None) -> RunFiles:
    """One stage of a run, in one format."""
    groups: dict[tuple[Stage, Path], list[HitFile]] = {}
    for place in sorted(places, key=lambda place: _preference(place.folder)):
        for file in place.files:
            groups.setdefault((file.stage, place.folder), []).append(file)
    there = sorted(groups, key=lambda group: STAGES.index(group[0]))
    of_stage = [group for group in there if only in (None, group[0])]
    if not of_stage:
        stages = " and ".join(dict.fromkeys(stage for stage, _ in there))
        raise InputError(
            f"{folder}: contains no hits of stage {only}, only {stages}: choose with {setting('--stage', 'stage')}"
        )
    chosen = of_stage[0]
    selection, passed_over, warnings = _in_one_format(groups.pop(chosen), chosen[1])
    for (stage, other), files in groups.items():
        other_stage = setting(f"--stage {stage}", f'stage="{stage}"')
        why = "the same stage" if stage == chosen[0] else f"another stage of the run ({other_stage})"
        passed_over.append(f"{_count_and_place([file.path for file in files], other)}: {why}")
    if others := [path for place in places for path in place.others]:
        passed_over.append(f"{_some(others)}: not named like CoMPASS list files (read if given by name)")
    streams = group_segments(file.path for file in selection)
    warnings += missing_segments(streams)
    return RunFiles(_run_folder(folder), chosen[0], selection[0].format, streams, tuple(passed_over), tuple(warnings))


def _run_folder(folder: Path) -> Path:
    """The folder itself, or the one above if it is that of a stage."""
    full = folder.absolute()
    return full.parent if stage_of_folder(full) else folder


def _in_one_format(files: list[HitFile], place: Path) -> tuple[list[HitFile], list[str], list[str]]:
    """The files of one stage that hold each hit once, those passed over, and those missing for it."""
    runs = {file.run for stream in group_segments(file.path for file in files) if (file := parse_name(stream[0]))}
    if len(runs) > 1:
        raise InputError(
            f"{place}: contains files of several runs ({_some(sorted(runs))}): give those of one run with a pattern"
        )
    preferred = min((file.format for file in files), key=list(FORMATS).index)
    of_format = [file for file in files if file.format == preferred]
    selection = [file for file in of_format if file.all_channels] or of_format
    passed_over, warnings = [], []
    if single := [file.path for file in of_format if file not in selection]:
        passed_over.append(
            f"{_count_and_place(single, place)}: the same hits as in {selection[0].path.name}, which "
            "contains all channels"
        )
    if others := [file.path for file in files if file.format != preferred]:
        passed_over.append(f"{_count_and_place(others, place)}: the same hits in another format")
    if not selection[0].all_channels:
        channels = {(file.board, file.channel) for file in selection}
        warnings += [
            f"{file.path.name}: is not read, although no {preferred} file contains its channel: give the files by name"
            for file in files
            if not file.all_channels and (file.board, file.channel) not in channels
        ]
    return (
        sorted(selection, key=lambda file: (file.board, file.channel or 0, natural_order(file.path))),
        passed_over,
        warnings,
    )


def _with_other_names(folder: Path, places: list[_Place], only: Stage | None) -> RunFiles | None:
    """Files that are not named as CoMPASS names them: of the first place and format that there are."""
    for place in places:
        stage = stage_of_folder(place.folder.absolute())
        if not place.others or only not in (None, stage):
            continue
        preferred = min((path.suffix.lower() for path in place.others), key=list(FORMATS).index)
        streams = group_segments(path for path in place.others if path.suffix.lower() == preferred)
        taken = {path for stream in streams for path in stream}
        left = [path for other in places for path in other.others if path not in taken]
        passed_over = (f"{_some(left)}: in another format or place",) if left else ()
        return RunFiles(_run_folder(folder), stage, preferred, streams, passed_over, missing_segments(streams))
    return None


def _looked_for(places: list[_Place], only: Stage | None) -> str:
    """The files looked for in vain, and those there instead."""
    if only and any(place.others for place in places):
        return f" that is known to be of stage {only}: leave {setting('--stage', 'stage')} out"
    below = " or ".join(stage.upper() for stage in STAGES)
    names = [path for place in places for path in _listed(place.folder) if not stage_of_folder(path)]
    there = f"it contains {_some(names)}" if names else "it is empty"
    return f", or in {below} below it, or in one run's folder below it ({', '.join(FORMATS)}): {there}"


def _count_and_place(paths: list[Path], place: Path) -> str:
    """How many files of which formats, and where."""
    formats = "/".join(dict.fromkeys(path.suffix[1:].upper() for path in paths))
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return f"{files} ({formats}) in {place.absolute().name}"


def _some(things: Sequence[Path] | Sequence[str], most: int = 5) -> str:
    """Names, the first few of many."""
    names = [thing.name if isinstance(thing, Path) else thing or "a run without a name" for thing in things]
    more = f", … {len(names)} in all" if len(names) > most else ""
    return ", ".join(names[:most]) + more
