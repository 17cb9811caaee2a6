"""Runs: the files of what was recorded between one start and stop, and several runs one after another."""

import glob
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from gammapolars.errors import GammapolarsError, InputError, TimeOrderError, UsageError
from gammapolars.io import root
from gammapolars.io.formats import READERS
from gammapolars.io.order import Source, merged
from gammapolars.io.reading import Losses, Reading
from gammapolars.schema import HITS, require
from gammapolars.streaming import REORDER_PS, batches_of, lazy_frame, time_ordered
from gammapolars.units import format_ps

SAMPLED_BYTES = 2**20


@dataclass(frozen=True)
class InputFile:
    """One file of a run."""

    path: Path
    hits: pl.LazyFrame
    reading: Reading = field(default_factory=Reading)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the file's size, first and last megabyte: tells files apart without reading gigabytes."""
        digest = hashlib.blake2b(str(self.size_bytes).encode(), digest_size=16)
        with self.path.open("rb") as file:
            digest.update(file.read(SAMPLED_BYTES))
            file.seek(max(self.size_bytes - SAMPLED_BYTES, 0))
            digest.update(file.read(SAMPLED_BYTES))
        return f"blake2b-sampled:{digest.hexdigest()}"

    def count(self) -> int | None:
        """How many hits it holds, if its metadata tell."""
        suffix = self.path.suffix.lower()
        if suffix == ".root":
            return root.open_hit_tree(self.path, self.reading.tree).entries
        return None if suffix == ".csv" else int(self.hits.select(pl.len()).collect().item())


@dataclass(frozen=True)
class Run:
    """What was recorded between one start and stop, in one or more files.

    Attributes:
        name: what messages call it.
        streams: its files; those of one stream follow each other in time, streams are merged.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
    """

    name: str
    streams: tuple[tuple[InputFile, ...], ...]
    reorder_ps: int = REORDER_PS

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all streams."""
        return tuple(file for stream in self.streams for file in stream)

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Lets errors that come out of the run's hits say which run it is."""
        try:
            yield
        except TimeOrderError as error:
            raise TimeOrderError(f"{self.name}: {error}") from None
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"{self.name}: cannot be read, is it damaged? ({reason})") from None

    @cached_property
    def columns(self) -> pl.Schema:
        """The columns of its hits.

        Raises:
            InputError: its files do not agree on them.
        """
        first, *others = self.files
        columns = first.hits.collect_schema()
        for file in others:
            if file.hits.collect_schema() != columns:
                raise InputError(
                    f"{file.path}: has other columns ({', '.join(file.hits.collect_schema())}) than "
                    f"{first.path} ({', '.join(columns)}): give them as runs of their own"
                )
        return columns

    @property
    def hits(self) -> pl.LazyFrame:
        """The hits of all files: of one file as recorded, of several merged in time."""
        if len(self.files) == 1:
            return self.files[0].hits
        columns = self.columns

        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            read = list(columns) if wanted is None else [n for n in columns if n in {*wanted, "timestamp_ps"}]
            yield from merged([source for stream in self.streams if (source := self._source(stream, read))])

        return lazy_frame(columns, batches)

    def _source(self, stream: tuple[InputFile, ...], columns: list[str]) -> Source | None:
        for file in stream:
            first = file.hits.select("timestamp_ps").head(1).collect()
            if first.height:
                break
        else:
            return None

        def batches() -> Iterator[pl.DataFrame]:
            for file in stream:
                try:
                    yield from time_ordered(batches_of(file.hits.select(columns)), reorder_ps=self.reorder_ps)
                except TimeOrderError as error:
                    raise TimeOrderError(f"in {file.path}, {error}") from None

        return Source(first.item(), batches)


@dataclass(frozen=True)
class Runs:
    """One run or several, one after another; no pair has its hits in two runs.

    Attributes:
        all: the runs; `run` numbers them from 1 where they are several.
        reading: how their files are read, and what was left out of them.
    """

    all: tuple[Run, ...]
    reading: Reading = field(default_factory=Reading)

    @property
    def losses(self) -> Losses:
        """What could not be read."""
        return self.reading.losses

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all runs."""
        return tuple(file for run in self.all for file in run.files)

    @property
    def reorder_ps(self) -> int:
        """How far back in time a hit may lie and still be put in its place."""
        return max(run.reorder_ps for run in self.all)

    def count(self) -> int | None:
        """How many hits they hold, if the metadata of all files tell."""
        counts = [file.count() for file in self.files]
        return None if None in counts else sum(count or 0 for count in counts)

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Lets errors that come out of the hits say which run it is."""
        with self.all[0].naming_errors() if len(self.all) == 1 else nullcontext():
            yield

    @cached_property
    def hits(self) -> pl.LazyFrame:
        """The hits of one run; of several, one after another and each in time order, with a column `run`.

        Raises:
            InputError: the runs' files do not agree on their columns.
        """
        if len(self.all) == 1:
            return self.all[0].hits
        columns = self.all[0].columns
        for run in self.all[1:]:
            if run.columns != columns:
                raise InputError(
                    f"{run.name}: its hits have other columns ({', '.join(run.columns)}) than those of "
                    f"{self.all[0].name} ({', '.join(columns)}): read them apart"
                )

        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            read = [name for name in columns if wanted is None or name in {*wanted, "timestamp_ps"}]
            for number, run in enumerate(self.all, 1):
                with run.naming_errors():
                    for batch in time_ordered(batches_of(run.hits.select(read)), reorder_ps=run.reorder_ps):
                        yield batch.with_columns(run=pl.lit(number, pl.UInt16))

        return lazy_frame(pl.Schema({**columns, "run": pl.UInt16()}), batches)


def open_runs(
    *names: str | Path, reading: Reading | None = None, reorder_ps: int = REORDER_PS, apart: bool = False
) -> Runs:
    """Find the files that are meant, and read their metadata.

    A folder is a run of its own. Files and patterns of files belong to one run, unless they are to be kept apart.

    Args:
        names: files, glob patterns or folders.
        reading: how files are read.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        apart: whether each name stands for a run of its own.

    Raises:
        InputError: nothing is found, or a file is no table of hits.
        UsageError: a file has a suffix that no reader is for, or is given twice.
    """
    reading = reading or Reading()
    if reorder_ps < 0:
        raise UsageError(f"the reorder buffer cannot reach {format_ps(reorder_ps)} back: give 0ps or more")
    if not names:
        raise UsageError("no run is given: name a file, a pattern or a folder")
    try:
        found = [path for name in names for path in _expanded(name)]
        runs = [_files_in(path) for path in found if path.is_dir()]
        files = [path for path in found if not path.is_dir()]
        runs += [[path] for path in files] if apart else [files] if files else []
        _check_twice([path for paths in runs for path in paths])
        opened = [tuple((_input(path, reading),) for path in paths) for paths in runs]
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return Runs(
        tuple(Run(_name(paths), streams, reorder_ps) for paths, streams in zip(runs, opened, strict=True)), reading
    )


def _name(paths: list[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def _check_twice(paths: list[Path]) -> None:
    """Raise if hits would count twice, because the same file or a copy of it is given again."""
    seen: dict[Path, Path] = {}
    of_size: dict[int, list[InputFile]] = {}
    for path in paths:
        if seen.setdefault(path.resolve(), path) is not path:
            raise UsageError(f"{path}: is given twice, and each of its hits would count twice")
        file = InputFile(path, pl.LazyFrame())
        for other in of_size.setdefault(file.size_bytes, []):
            if file.size_bytes and file.fingerprint == other.fingerprint:
                raise UsageError(f"{path}: is a copy of {other.path}, and each of its hits would count twice")
        of_size[file.size_bytes].append(file)


def _expanded(name: str | Path) -> list[Path]:
    """The files and folders that a name or a pattern stands for."""
    path = Path(name)
    if path.exists():
        return [path]
    if glob.has_magic(str(name)):
        if found := sorted(Path(match) for match in glob.glob(str(name))):  # noqa: PTH207 - it may be absolute
            return found
        raise InputError(f"{name}: no file matches this pattern")
    raise InputError(f"{path}: no such file")


def _files_in(folder: Path) -> list[Path]:
    """The files of hits in a run's folder."""
    for place in (folder, folder / "RAW", folder / "FILTERED", folder / "UNFILTERED"):
        # Hcompass… files hold histograms, not hits.
        if files := [file for file in sorted(place.glob("*.root")) if not file.name.startswith("Hcompass")]:
            return files
    raise InputError(f"{folder}: no ROOT file of hits lies in this folder, or in RAW, FILTERED or UNFILTERED below it")


def _input(path: Path, reading: Reading) -> InputFile:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: unknown suffix '{path.suffix}': hits are read from {', '.join(READERS)}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty")
    hits = reader(path, reading)
    try:
        require(hits, HITS, columns=("board", "channel", "timestamp_ps"))
    except GammapolarsError as error:
        raise InputError(f"{path}: {error}") from None
    return InputFile(path, hits, reading)
