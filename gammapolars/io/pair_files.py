"""Saved pairs as inputs: how they differ from runs, and how several files, a dataset, or any folder of files are read.

Every command that takes pairs opens them here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.file_identity import same_file
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors
from gammapolars.io.dataset import INDEX, content_of, is_dataset, is_empty_part
from gammapolars.io.formats import format_of
from gammapolars.io.pairs import is_of_pairs, scan_pairs
from gammapolars.io.patterns import matches
from gammapolars.io.provenance import detectors_of, of_file
from gammapolars.io.remote import is_remote
from gammapolars.io.selection import check_once
from gammapolars.streaming.slices import batches_of, lazy_frame

ENERGIES, CHANNELS = ("energy_kev_a", "energy_kev_b"), ("adc_a", "adc_b")


@dataclass(frozen=True)
class PairFiles:
    """Files of pairs.

    Attributes:
        paths: the files and datasets, one after another.
        pairs: of all of them, lazily, each pair once.
    """

    paths: tuple[Path, ...]
    pairs: pl.LazyFrame

    @property
    def name(self) -> str:
        """Their name in messages."""
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0]}{more}"

    @cached_property
    def columns(self) -> pl.Schema:
        """The columns of the pairs."""
        return self.pairs.collect_schema()

    @property
    def has_energies(self) -> bool:
        """Whether the pairs have energies."""
        return set(ENERGIES) <= set(self.columns)

    @property
    def has_adc(self) -> bool:
        """Whether the pairs have adc values."""
        return set(CHANNELS) <= set(self.columns)

    @property
    def is_weighted(self) -> bool:
        """Whether pairs of random windows are among them, with weights that subtract random coincidences."""
        return "weight" in self.columns

    @cached_property
    def detectors(self) -> Detectors:
        """The detectors that the first file was made with; None where it does not say."""
        return detectors_of(self.paths[0])

    @cached_property
    def window(self) -> Window | None:
        """The window in which the pairs were looked for; None: the files do not say, or not the same."""
        known = set(self.windows.values())
        return known.pop() if len(known) == 1 and len(self.windows) == len(self.paths) else None

    @cached_property
    def windows(self) -> dict[Path, Window]:
        """The window of each file that has it."""
        return {path: window for path in self.paths if (window := _window(path))}


def _window(path: Path) -> Window | None:
    ends = (of_file(path) or {}).get("summary", {}).get("window_ps")
    fits = isinstance(ends, list) and len(ends) == 2 and all(type(end) is int for end in ends)
    return Window(*ends) if fits else None


def open_pairs(names: Sequence[str | Path]) -> PairFiles | None:
    """The pairs behind some names: files, patterns, datasets or folders of files; None where they name no pairs.

    Raises:
        InputError: the files do not agree on their columns.
        UsageError: some are files of pairs, and others are not, or one is given twice.
    """
    found = [_paths_of(name) for name in names]
    if not any(found):
        return None
    if other := next((name for name, paths in zip(names, found, strict=True) if not paths), None):
        pairs = next(paths[0] for paths in found if paths)
        raise UsageError(f"{pairs} contains pairs and {other} does not: give one or the other")
    paths = tuple(path for paths in found for path in paths)
    _check_once(paths)
    frames = [scan_pairs(path) for path in paths]
    columns = frames[0].collect_schema()
    for path, frame in zip(paths, frames, strict=True):
        if frame.collect_schema() != columns:
            raise InputError(
                f"{path}: its pairs have other columns ({', '.join(frame.collect_schema())}) than those of "
                f"{paths[0]} ({', '.join(columns)}): read them separately"
            )
    return PairFiles(paths, frames[0] if len(frames) == 1 else _one_after_another(frames, columns))


def _check_once(paths: Sequence[Path]) -> None:
    """Raise if pairs would count twice, also as those of a dataset and of one of its parts.

    Raises:
        UsageError: they would.
    """
    check_once((path for path in paths if not is_empty_part(path)), "pairs", content_of)
    datasets = [path for path in paths if path.is_dir()]
    for path in paths if datasets else ():
        if whole := same_file(path.parent, datasets):
            raise UsageError(f"{path}: is part of {whole}, so each of its pairs would count twice")


def _paths_of(name: str | Path) -> list[Path]:
    """The files of pairs that a name means; none where it means something else."""
    if is_remote(name):
        return []
    path = Path(name)
    try:
        if is_dataset(path):
            paths = [path]
        elif path.is_dir():
            # Not the datasets in it: it may be the folder of the run that they were made from.
            there = (file for file in path.iterdir() if not file.name.startswith(".") and file.is_file())
            paths = sorted(file for file in there if format_of(file))
        elif path.is_file():
            paths = [path]
        else:
            paths = sorted(path for path in matches(name) or [] if path.name != INDEX)
    except (OSError, ValueError):
        return []
    return paths if paths and all(map(is_of_pairs, paths)) else []


def _one_after_another(frames: Sequence[pl.LazyFrame], columns: pl.Schema) -> pl.LazyFrame:
    """The rows of several frames, of which one is read at a time."""

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            yield from batches_of(frame.select(names))

    return lazy_frame(columns, batches)
