"""Information in the names of a digitizer's files: stage, channels, segments, and which files hold the same hits."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from gammapolars.core.errors import readable

Stage = Literal["raw", "unfiltered", "filtered"]

STAGES: tuple[Stage, ...] = ("raw", "unfiltered", "filtered")
"""In the order in which they are preferred. Raw holds every hit as the digitizer sent it, unfiltered every hit after
CoMPASS's own corrections; filtered lacks the hits that CoMPASS's cuts removed, for good."""

SUFFIXES = (".root", ".bin", ".csv")
"""Suffixes of the files that CoMPASS writes."""

_STAGE_OF_LETTER: dict[str, Stage] = {"R": "raw", "F": "filtered", "": "unfiltered"}

_NAME = re.compile(
    r"(?P<all>S?)Data(?P<letter>[RF]?)_"
    r"(?:CH(?P<channel>\d{1,5})(?:@(?P<board>[^_@]+(?:_\d+)?))?(?:_|$))?"
    r"(?P<run>.*)"
)

_DIGITS = re.compile(r"([0-9]+)")

# Longer numbers are dates or run numbers.
_SEGMENT = re.compile(r"(?P<base>.+)_(?P<number>[1-9]\d{0,3})")


@dataclass(frozen=True)
class HitFile:
    """A file that is named as CoMPASS names files of hits: `SDataR_<run>.root`, `Data_CH4@V1725_292_<run>.CSV`.

    Attributes:
        path: the file.
        stage: from its folder (RAW, FILTERED, UNFILTERED), else from the letter after `Data`.
        all_channels: whether it is the one file for all channels.
        channel: in a file for one channel, that one. The hits inside have precedence.
        board: the digitizer's model and serial number, in a file for one channel.
        run: the run's name, followed by the segment's number where the file is a segment.
    """

    path: Path
    stage: Stage
    all_channels: bool
    channel: int | None
    board: str
    run: str

    @property
    def format(self) -> str:
        return self.path.suffix.lower()


def parse_name(path: Path) -> HitFile | None:
    """Information in the name of a file; None where CoMPASS names no file of hits so."""
    match = _NAME.fullmatch(path.stem)
    if match is None or path.suffix.lower() not in SUFFIXES:
        return None
    stage = stage_of_folder(path.absolute().parent) or _STAGE_OF_LETTER[match["letter"]]
    channel = None if match["channel"] is None else int(match["channel"])
    return HitFile(path, stage, bool(match["all"]), channel, match["board"] or "", match["run"])


def stage_of_folder(folder: Path) -> Stage | None:
    """The stage that a folder inside a run's folder is for."""
    name = folder.name.lower()
    return next((stage for stage in STAGES if stage == name), None)


def run_folder_of(path: str | Path) -> Path:
    """The run's folder that a file lies in: above RAW, FILTERED or UNFILTERED, else the file's own."""
    folder = Path(path).absolute().parent
    return folder.parent if stage_of_folder(folder) else folder


def group_segments(paths: Iterable[Path]) -> tuple[tuple[Path, ...], ...]:
    """Files in streams: each segment of a recording after the one before it.

    A segment `<name>_3.root` belongs to the file `<name>.root` of its folder. Where there is none, or where it has
    segments itself, the number is part of a run's name.

    The streams come in the order of their first files, each with its segments by number, of which some may be missing.
    """
    streams: dict[tuple[Path, str, str], list[tuple[int, Path]]] = {}
    stems = cache(_stems)
    for path in paths:
        base, number = _base_and_number(path, stems(path.parent, path.suffix.lower()))
        streams.setdefault((path.parent, base, path.suffix.lower()), []).append((number, path))
    return tuple(tuple(path for _, path in sorted(stream)) for stream in streams.values())


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """A key that sorts files as people count them: the numbers in their names as numbers, `run_2` before `run_10`.

    Text and numbers take turns in it, so that a number is never compared with text.
    """
    parts = _DIGITS.split(str(path.parent / path.stem))
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], str(path)


def counts_back(before: Path, after: Path) -> bool:
    """Whether a file that was given after another has a lower number: `run_2` after `run_10`.

    Where several numbers differ, as in dates with the day first, only the order in which shells list files is taken
    for one that nobody chose.
    """
    first, second = natural_order(before)[0], natural_order(after)[0]
    if len(first) != len(second) or first[::2] != second[::2] or first <= second:
        return False
    differing = sum(one != other for one, other in zip(first, second, strict=True))
    return differing == 1 or str(before) < str(after)


def missing_segments(streams: Iterable[Sequence[Path]]) -> tuple[str, ...]:
    """For each stream in whose numbering segments are missing: a line that names the file and says which."""
    stems = cache(_stems)
    return tuple(note for stream in streams if (note := _gap(stream, stems)))


def _gap(stream: Sequence[Path], stems: Callable[[Path, str], frozenset[str]]) -> str | None:
    if len(stream) == 1:
        beside = stems(stream[0].parent, stream[0].suffix.lower())
        numbers = {_base_and_number(stream[0], beside)[1]}
    else:
        base = _base_of(stream)
        numbers = {0 if path.stem == base else int(path.stem.removeprefix(base)[1:]) for path in stream}
    missing = [str(number or "the first") for number in range(max(numbers)) if number not in numbers]
    if not missing:
        return None
    named = ", ".join(missing[:5]) + (f", … ({len(missing)} in all)" if len(missing) > 5 else "")
    return f"{stream[-1].name}: earlier segments are missing: {named}"


def _base_of(stream: Sequence[Path]) -> str:
    """The name without number that several segments have in common."""
    match = _SEGMENT.fullmatch(stream[-1].stem)
    return match["base"] if match else stream[-1].stem


def _stems(folder: Path, suffix: str) -> frozenset[str]:
    """The names without suffix of a folder's files of one format."""
    with readable(folder):
        return frozenset(path.stem for path in folder.iterdir() if path.suffix.lower() == suffix)


def _base_and_number(path: Path, stems: frozenset[str]) -> tuple[str, int]:
    match = _SEGMENT.fullmatch(path.stem)
    if match is None or match["base"] not in stems:
        return path.stem, 0
    return (path.stem, 0) if path.stem in _bases(stems) else (match["base"], int(match["number"]))


@lru_cache(maxsize=16)
def _bases(stems: frozenset[str]) -> frozenset[str]:
    """The names that have segments."""
    return frozenset(match["base"] for match in map(_SEGMENT.fullmatch, stems) if match)


def same_hits_twice(paths: Sequence[Path]) -> str | None:
    """A line that says what to do where two files, named one by one, hold the same hits, which would count twice."""
    stems = cache(_stems)
    agreed: dict[tuple[object, ...], tuple[object, Path]] = {}
    # Everything next to the folder of a stage belongs to the same run, whatever its name.
    in_stages = {
        run_folder_of(path): (stage, path) for path in paths if (stage := stage_of_folder(path.absolute().parent))
    }
    for path in paths:
        base, _ = _base_and_number(path, stems(path.parent, path.suffix.lower()))
        file = parse_name(path.with_name(base + path.suffix))
        claims = [*_claims_of_name(path, base), *(_claims_of_run(file) if file else ())]
        if file and (in_stage := in_stages.get(run_folder_of(path))):
            agreed.setdefault(("stage", run_folder_of(path)), in_stage)
            claims.append((("stage", run_folder_of(path)), file.stage, "at another stage of the run"))
        for key, value, why in claims:
            first, other = agreed.setdefault(key, (value, path))
            if first != value:
                return f"{path}: contains the same hits as {other}, {why}: give only one of them"
    return None


Claim = tuple[tuple[object, ...], object, str]
"""A key, the value on which all files with that key must agree, and the problem if they do not."""


def _claims_of_name(path: Path, base: str) -> Iterator[Claim]:
    yield ("name", path.absolute().parent, base), path.suffix.lower(), "in another format"


def _claims_of_run(file: HitFile) -> Iterator[Claim]:
    run = (run_folder_of(file.path), file.run)
    yield ("stage", *run), file.stage, "at another stage of the run"
    yield ("channels", *run), file.all_channels, "once in one file for all channels and once in a file per channel"
    yield ("channel", *run, file.board, file.channel), file.format, "in another format"
