"""A dataset of pairs: a folder of Parquet files, its parts, and an index that lists them and says where they come from.

Only the parts that the index lists belong to it, each with all of its rows: where one is missing, nothing is read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from gammapolars.core.errors import InputError, OutputError, first_line, readable
from gammapolars.core.fingerprint import fingerprint
from gammapolars.core.small_files import read_small
from gammapolars.io import untrusted
from gammapolars.streaming.slices import batches_of, lazy_frame

INDEX = "_gammapolars.json"
"""The file that makes a folder a dataset."""

PARTS = "parts"
"""Its entry that lists the parts in their order: of each `name`, `rows` and `bytes`."""


class Part(NamedTuple):
    """A file of pairs that is to become part of an output, or is one.

    Attributes:
        name: of the file, in its folder.
        rows: how many pairs it holds.
    """

    name: str
    rows: int


@dataclass(frozen=True)
class Dataset:
    """A folder of pairs as its index describes it.

    Attributes:
        folder: of the parts.
        parts: in their order.
        entries: all that the index says.
    """

    folder: Path
    parts: tuple[Part, ...]
    entries: dict[str, Any]

    @cached_property
    def rows_of(self) -> dict[str, int]:
        """How many pairs each part holds."""
        return dict(self.parts)

    @property
    def rows(self) -> int:
        """How many pairs it holds."""
        return sum(part.rows for part in self.parts)

    @property
    def paths(self) -> list[Path]:
        """The files of its parts."""
        return [self.folder / part.name for part in self.parts]

    @property
    def size_bytes(self) -> int:
        """The size of its parts together."""
        with readable(self.folder):
            return sum(path.stat().st_size for path in self.paths)

    def others(self) -> list[str]:
        """The names of files and folders in it that do not belong to it."""
        known = {INDEX, *(part.name for part in self.parts)}
        with readable(self.folder):
            return sorted(path.name for path in self.folder.iterdir() if path.name not in known)


def is_dataset(path: str | Path) -> bool:
    """Whether a folder is a dataset."""
    try:
        return (Path(path) / INDEX).is_file()
    except (OSError, ValueError):
        return False


def dataset_of(part: Path) -> Dataset | None:
    """The dataset that a file is part of, if it is of any."""
    if not is_dataset(part.parent):
        return None
    try:
        dataset = open_dataset(part.parent)
    except InputError:
        return None
    return dataset if part.name in dataset.rows_of else None


def is_empty_part(path: Path) -> bool:
    """Whether a file is part of a dataset and has no pairs: all such files are alike."""
    dataset = dataset_of(path)
    return dataset is not None and dataset.rows_of[path.name] == 0


def open_dataset(folder: Path) -> Dataset:
    """Read the index of a dataset.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    index = folder / INDEX
    with readable(index):
        status = index.stat()
    return _opened(folder, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(4)
def _opened(folder: Path, _: tuple[int, int, int]) -> Dataset:
    """The same while the index does not change: it is asked for often."""
    index = folder / INDEX
    try:
        entries = json.loads(read_small(index))
        parts = tuple(Part(one["name"], one["rows"]) for one in entries[PARTS])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{index}: lists no parts of a dataset; is it damaged? ({first_line(error)})") from None
    names = [part.name for part in parts]
    if not parts or not all(map(_is_sound, parts)) or len({*names}) < len(names):
        raise InputError(f"{index}: lists no parts of a dataset; is it damaged?")
    return Dataset(folder, parts, entries)


def _is_sound(part: Part) -> bool:
    """Whether an index names a file of its own folder, and how many rows that has."""
    is_name = isinstance(part.name, str) and part.name not in ("", ".", "..") and not {*part.name} & {*"/\\:\0"}
    return is_name and type(part.rows) is int and part.rows >= 0


def scan_dataset(folder: Path) -> pl.LazyFrame:
    """The pairs of a dataset, lazily: its parts one after another.

    Raises:
        InputError: a part is missing, damaged, or is not the one that the index lists; also when collected.
    """
    dataset = open_dataset(folder)
    before = [_status(path) for path in dataset.paths]
    for path, part in zip(dataset.paths, dataset.parts, strict=True):
        if (rows := untrusted.rows_of_parquet(path)) != part.rows:
            raise InputError(
                f"{path}: has {rows:,} pairs, but {part.rows:,} by {folder / INDEX}: restore it, or form the pairs "
                "again"
            )
    schema = untrusted.scan_parquet(dataset.paths[0]).collect_schema()

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for path, status in zip(dataset.paths, before, strict=True):
            yield from part_batches(path, schema, names)
            if _status(path) != status:
                raise InputError(f"{path}: was replaced while {folder} was read: read it again")

    return lazy_frame(schema, batches, of=folder)


def part_batches(path: Path, schema: pl.Schema, names: list[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a part.

    Args:
        path: of the part.
        schema: of the first part.
        names: of the columns.

    Raises:
        InputError: it is damaged, or has other columns than the first one.
    """
    frame = untrusted.scan_parquet(path)
    if (columns := frame.collect_schema()) != schema:
        raise InputError(
            f"{path}: has other columns ({', '.join(columns)}) than the first part ({', '.join(schema)}): form the "
            "pairs again"
        )
    yield from batches_of(frame.select(names))


def _status(path: Path) -> tuple[int, int, int]:
    """What shows whether a part is still the same file: its number on the disk, its size and the time of its change.

    Raises:
        InputError: it is missing.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(
            f"{path}: is missing, but {path.parent / INDEX} lists it: restore it, or form the pairs again"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def text_in_dataset(folder: Path, key: str) -> str:
    """An entry of a dataset's index, as the text that a file would carry under this key."""
    entry = open_dataset(folder).entries[key]
    return entry if isinstance(entry, str) else json.dumps(entry)


def count_pairs(folder: Path, *_: object) -> int:
    """How many pairs a dataset holds, by its index."""
    return open_dataset(folder).rows


def content_of(path: Path) -> Path:
    """The file that distinguishes an input from others: its index, if it is a dataset."""
    return path / INDEX if is_dataset(path) else path


def size_of(path: Path) -> int:
    """The bytes of a file, or of the parts of a dataset."""
    return open_dataset(path).size_bytes if is_dataset(path) else path.stat().st_size


def fingerprint_of(path: Path) -> str:
    """A hash that distinguishes a file, or a dataset by its index, from others."""
    return fingerprint(content_of(path))


def check_outside(path: Path) -> None:
    """Raise where an output would lie in a dataset, in place of one of its parts or among them.

    Raises:
        OutputError: it would.
    """
    if is_dataset(path.parent):
        raise OutputError(
            f"{path}: would lie in {path.parent}, a dataset of pairs, which is only replaced as a whole: "
            "choose another output"
        )
