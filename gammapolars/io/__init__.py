"""Reading and writing: one table of readers, one of writers, and runs of one or more files."""

import glob
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from gammapolars.errors import GammapolarsError, InputError, OutputError, TimeOrderError, UsageError
from gammapolars.io import columnar, root
from gammapolars.io.columnar import Metadata
from gammapolars.io.order import Source, merged
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.reading import Reading
from gammapolars.schema import HITS, require
from gammapolars.streaming import REORDER_PS, batches_of, lazy_frame, time_ordered
from gammapolars.units import format_ps

__all__ = [
    "READERS",
    "WRITERS",
    "InputFile",
    "Reading",
    "Run",
    "check_writable",
    "open_run",
    "save",
    "scan",
    "scan_pairs",
]

READERS: dict[str, Callable[..., pl.LazyFrame]] = {
    ".root": root.scan_root,
    ".parquet": columnar.scan_parquet,
    ".arrow": columnar.scan_arrow,
    ".csv": columnar.scan_csv,
}
"""What reads hits, by the file's suffix."""

PAIR_READERS: dict[str, Callable[..., pl.LazyFrame]] = READERS | {".root": root.scan_root_pairs}
"""What reads pairs, by the file's suffix."""

WRITERS: dict[str, Callable[[pl.LazyFrame, Path, Metadata], None]] = {
    ".parquet": columnar.sink_parquet,
    ".arrow": columnar.sink_arrow,
    ".csv": columnar.sink_csv,
    ".root": root.sink_root,
}
"""What writes a table, by the file's suffix."""

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
    """What was recorded between one start and stop, in one or more files."""

    files: tuple[InputFile, ...]
    reorder_ps: int = REORDER_PS

    @property
    def name(self) -> str:
        """The files' names, for messages."""
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0].path}{more}"

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

    def count(self) -> int | None:
        """How many hits it holds, if the metadata of all its files tell."""
        counts = [file.count() for file in self.files]
        return None if None in counts else sum(count or 0 for count in counts)

    @cached_property
    def hits(self) -> pl.LazyFrame:
        """The hits of all files: of one file as recorded, of several merged in time."""
        if len(self.files) == 1:
            return self.files[0].hits
        columns = self.files[0].hits.collect_schema()
        for file in self.files[1:]:
            if file.hits.collect_schema() != columns:
                raise InputError(
                    f"{file.path}: has other columns ({', '.join(file.hits.collect_schema())}) than "
                    f"{self.files[0].path} ({', '.join(columns)}): give them as runs of their own"
                )

        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            read = list(columns) if wanted is None else [n for n in columns if n in {*wanted, "timestamp_ps"}]
            yield from merged([source for file in self.files if (source := self._source(file, read))])

        return lazy_frame(columns, batches)

    def _source(self, file: InputFile, columns: list[str]) -> Source | None:
        first = file.hits.select("timestamp_ps").head(1).collect()
        if first.is_empty():
            return None

        def batches() -> Iterator[pl.DataFrame]:
            try:
                yield from time_ordered(batches_of(file.hits.select(columns)), reorder_ps=self.reorder_ps)
            except TimeOrderError as error:
                raise TimeOrderError(f"in {file.path}, {error}") from None

        return Source(first.item(), batches)


def scan(*runs: str | Path, tree: str | None = None) -> pl.LazyFrame:
    """The hits of a run, lazily: columns and rows that a query does not need are not kept.

    Args:
        runs: files, glob patterns or folders. Several files are merged in time.
        tree: name of the tree in ROOT files, where it is not `Data_R`, `Data_F` or `Data`.

    Raises:
        InputError: nothing is found, or a file is no table of hits.
        UsageError: a file has a suffix that no reader is for.
    """
    return open_run(*runs, reading=Reading(tree=tree)).hits


def open_run(*runs: str | Path, reading: Reading | None = None, reorder_ps: int = REORDER_PS) -> Run:
    """Find a run's files and read their metadata; as `scan`, with the files kept."""
    if reorder_ps < 0:
        raise UsageError(f"the reorder buffer cannot reach {format_ps(reorder_ps)} back: give 0ps or more")
    try:
        paths = [path for run in runs for path in _found(run)]
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if not paths:
        raise UsageError("no run is given: name a file, a pattern or a folder")
    resolved = [path.resolve() for path in paths]
    for path, full in zip(paths, resolved, strict=True):
        if resolved.count(full) > 1:
            raise UsageError(f"{path}: is given twice, and each of its hits would count twice")
    return Run(tuple(_input(path, reading or Reading()) for path in paths), reorder_ps)


def _found(run: str | Path) -> list[Path]:
    """The files that a name, a pattern or a folder stands for."""
    path = Path(run)
    if path.is_dir():
        for folder in (path, path / "RAW", path / "FILTERED", path / "UNFILTERED"):
            # Hcompass… files hold histograms, not hits.
            if files := [file for file in sorted(folder.glob("*.root")) if not file.name.startswith("Hcompass")]:
                return files
        raise InputError(
            f"{path}: no ROOT file of hits lies in this folder, or in RAW, FILTERED or UNFILTERED below it"
        )
    if not path.exists() and glob.has_magic(str(run)):
        if files := sorted(Path(name) for name in glob.glob(str(run))):  # noqa: PTH207 - it may be absolute
            return files
        raise InputError(f"{run}: no file matches this pattern")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    return [path]


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


def scan_pairs(path: str | Path) -> pl.LazyFrame:
    """A file of pairs, lazily: what `save` wrote, or the ROOT tree `Data_C` of other programs.

    Raises:
        InputError: the file is missing, damaged, or holds no pairs.
        UsageError: no reader is for its suffix.
    """
    reader = PAIR_READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: unknown suffix: pairs are read from {', '.join(PAIR_READERS)}")
    pairs = reader(path)
    if missing := {"channel_a", "channel_b", "dt_ps"} - set(pairs.collect_schema()):
        raise InputError(f"{path}: holds no pairs (it has no column '{min(missing)}')")
    return pairs


def check_writable(path: str | Path, *, overwrite: bool = False) -> None:
    """Raise at once if `save` could not write this output later.

    Raises:
        OutputError: it exists already, or its folder is missing.
        UsageError: no writer is for its suffix.
    """
    if Path(path).suffix.lower() not in WRITERS:
        raise UsageError(f"{path}: unknown suffix '{Path(path).suffix}': tables are written to {', '.join(WRITERS)}")
    check_output(Path(path), overwrite=overwrite)


def save(
    frame: pl.LazyFrame, path: str | Path, *, overwrite: bool = False, metadata: Metadata | dict[str, str] | None = None
) -> None:
    """Stream a table into a file; the suffix tells the format, and the file appears only when it is complete.

    Args:
        frame: any lazy frame.
        path: ends in .parquet, .arrow, .csv or .root.
        overwrite: whether a file of this name is replaced.
        metadata: provenance, for the formats that can carry it; a function is called when all rows are written.

    Raises:
        OutputError: the output exists already or cannot be written.
        UsageError: no writer is for its suffix.
    """
    path = Path(path)
    check_writable(path, overwrite=overwrite)
    given = metadata if callable(metadata) else lambda: metadata or {}
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        try:
            WRITERS[path.suffix.lower()](frame, hidden, given)
        except OutputError as error:
            raise OutputError(str(error).replace(str(hidden), str(path))) from None
        except (OSError, pl.exceptions.ComputeError) as error:
            reason = str(error).partition("\n")[0]
            if not isinstance(error, OSError) and "os error" not in reason:
                raise  # the frame's own
            raise OutputError(f"{path}: cannot be written: {reason}") from None
