"""ROOT files: trees of hits or of pairs as LazyFrames, and back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from gammapolars.core.errors import InputError
from gammapolars.core.schema import ADC_COLUMNS, HITS, DType
from gammapolars.core.types import Mask
from gammapolars.core.units import TIMES_PS
from gammapolars.detectors.columns import Column
from gammapolars.detectors.conversion import within_times
from gammapolars.io.adc_width import adc_type, key_of
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.reading import READING, Reading
from gammapolars.io.root.baskets import CHUNK_HITS, MAX_CHUNK_HITS, Damage, read_chunks
from gammapolars.io.root.branches import Tree
from gammapolars.io.root.events import scan_events
from gammapolars.io.root.numbers import numbers_of, numpy_type
from gammapolars.io.root.recovery import Expected
from gammapolars.io.root.tree import open_tree, trees_in
from gammapolars.io.root.tree_parser import check_keys, parse_text
from gammapolars.io.root.uproot_file import opened_by_uproot
from gammapolars.streaming.slices import SLICE_HITS, batches_of, lazy_frame

WRITTEN_ENTRIES = 500_000
"""Entries per basket of files written here."""

HIT_TREES = ("Data_R", "Data_F", "Data")

HIT_BRANCHES = {
    "Board": "board",
    "Channel": "channel",
    "Timestamp": "timestamp_ps",
    "Energy": "adc",
    "EnergyShort": "adc_short",
    "CalibEnergy": "energy_kev",
    "Flags": "flags",
    "GainFactor": "gain_factor",
}

RECORDED = Expected(
    {
        name: np.dtype(f">{kind}")
        for name, kind in {
            "Board": "u2",
            "Channel": "u2",
            "Timestamp": "u8",
            "Energy": "u2",
            "EnergyShort": "u2",
            "CalibEnergy": "f8",
            "Flags": "u4",
        }.items()
    },
    (("Board",), ("Channel",), ("Timestamp",), ("Energy", "CalibEnergy"), ("Flags",)),
)
"""CoMPASS's branches, for files whose metadata are not written yet."""

PAIRS_TREE = "pairs"
"""The tree that pairs are written to."""


def scan_root(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A ROOT file's hits, lazily: only the branches that a query needs are read.

    Args:
        path: a file with a tree `Data_R`, `Data_F` or `Data` in CoMPASS's layout.
        reading: the tree's name, where it is another one; with a map of columns, branches keep their names and types.

    Raises:
        InputError: the file is missing, damaged or no ROOT file, or has no such tree or branch.
    """
    tree = open_hit_tree(path, reading)
    if tree.note:
        reading.losses.note(tree.path, tree.note)
    if reading.columns:
        return _scan_foreign(tree, reading)
    needed = [name for name in HIT_BRANCHES if name not in ("EnergyShort", "CalibEnergy", "GainFactor")]
    if "CalibEnergy" in tree.branches:
        needed.remove("Energy")
    columns = {name: column for name, column in HIT_BRANCHES.items() if name in tree.branches or name in needed}
    dtypes = HITS.columns | HITS.optional
    if stored := wide_adc(tree, columns):
        as_stored = scan_tree(tree, columns, dtypes | stored, reading.of_whole_file)
        dtypes |= {name: adc_type(as_stored, Column(name), key_of(tree.path, reading)) for name in stored}
    return scan_tree(tree, columns, dtypes, reading)


def wide_adc(tree: Tree, columns: dict[str, str]) -> dict[str, DType]:
    """The types of those columns of adc values that are stored in more than 16 bits, or as real numbers."""
    of_adc = {
        column: tree.branches[name].dtype
        for name, column in columns.items()
        if column in ADC_COLUMNS and name in tree.branches
    }
    return {column: _polars_type(dtype) for column, dtype in of_adc.items() if dtype.kind != "u" or dtype.itemsize > 2}


def _scan_foreign(tree: Tree, reading: Reading) -> pl.LazyFrame:
    """All flat branches of another program's tree as they are; those with CoMPASS's names are called by ours.

    Where others are named, or are called as CoMPASS's, they hold lists: entries are events.
    """
    named = {name for column in reading.columns.values() for name in column.sources}
    lists = lists_of(tree, reading)
    columns = {name: name if name in named else HIT_BRANCHES.get(name, name) for name in (*tree.branches, *lists)}
    if lists:
        return scan_events(tree, columns, reading.within(tree.entries))
    dtypes = {columns[name]: _polars_type(branch.dtype) for name, branch in tree.branches.items()}
    return scan_tree(tree, columns, dtypes, reading)


def lists_of(tree: Tree, reading: Reading) -> list[str]:
    """The branches of another program's tree that are read though they hold lists, because entries are events."""
    named = {name for column in reading.columns.values() for name in column.sources}
    return [name for name in tree.other_branches if reading.columns and (name in named or name in HIT_BRANCHES)]


def _polars_type(dtype: np.dtype[Any]) -> DType:
    return pl.Series(np.empty(0, dtype.newbyteorder("="))).dtype


def open_hit_tree(path: str | Path, reading: Reading = READING) -> Tree:
    """The metadata of a file's hit tree, as `scan_root` finds it."""
    names = (reading.tree,) if reading.tree else HIT_TREES
    if (
        reading.columns
        and not reading.tree
        and len(only := trees_in(path if isinstance(path, Path) else Path(path))) == 1
    ):
        names = (*names, *only)
    return open_tree(path, names, RECORDED, keep_going=reading.losses.keep_going)


def count_hits(path: Path, reading: Reading) -> int | None:
    """How many hits a file's tree holds by its metadata; None where entries are events of several."""
    tree = open_hit_tree(path, reading)
    first, last = reading.within(tree.entries)
    return None if lists_of(tree, reading) else last - first


def scan_tree(
    tree: Tree, columns: dict[str, str], dtypes: dict[str, DType], reading: Reading = READING
) -> pl.LazyFrame:
    """A tree's branches as a lazy frame, in the order of `columns`, the column's name for each branch.

    Integers are cast to their `dtypes`; entries in damaged baskets, and values that do not fit, count as losses.
    """
    for name, column in columns.items():
        _check_branch(tree, name, integer=not dtypes[column].is_float())
    branch_of = {column: name for name, column in columns.items()}
    schema = pl.Schema({column: dtypes[column] for column in branch_of})
    lost = LostRows(tree.path, reading.losses)
    chunk_hits, rows = reading.chunk_hits, reading.within(tree.entries)
    # Where many files are open at once, memory counts for more than decoding a basket at a border twice.
    most_hits = MAX_CHUNK_HITS if chunk_hits >= CHUNK_HITS else 2 * chunk_hits
    limits = {"chunk_hits": chunk_hits, "most_hits": most_hits}
    whole_baskets = reading.losses.keep_going

    def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
        read = {column: branch_of[column] for column in columns}
        damages: list[Damage] = []
        chunks = read_chunks(
            tree, list(read.values()), rows=rows, whole_baskets=whole_baskets, on_damage=damages.append, **limits
        )
        for first, arrays in chunks:
            chunk = _chunk({column: arrays[name] for column, name in read.items()}, schema, lost, first, damages)
            damages.clear()
            # Large baskets make large chunks; handed on in views, they do not fill the buffers between stages.
            yield from chunk.iter_slices(SLICE_HITS // 2)

    return lazy_frame(schema, batches, of=tree.path)


LIMITS = {"timestamp_ps": "2^62 ps"}
"""Limits of values where these are narrower than the column's."""


def _chunk(
    arrays: dict[str, npt.NDArray[Any]], schema: pl.Schema, lost: LostRows, first: int, damages: list[Damage]
) -> pl.DataFrame:
    """A chunk's arrays by their columns as a frame, without the rows that are damaged or out of range."""
    rows = len(next(iter(arrays.values())))
    unread: list[Mask] = []
    for damage in damages:
        unread.append(np.zeros(rows, np.bool_))
        unread[-1][damage.first - first : damage.last - first] = True
        lost.leave_out(damage.what, first, unread[-1], place=damage.place)
    series = []
    for column, values in arrays.items():
        whole = pl.Series(column, _signed(values) if schema[column] == pl.Int64 else values)
        cast = whole if whole.dtype == schema[column] else whole.cast(schema[column], strict=False)
        if column == "timestamp_ps" and not cast.is_between(*TIMES_PS).all():
            cast = cast.to_frame().select(within_times(pl.col(column))).to_series()
        if cast.null_count():
            unread.append(cast.is_null().to_numpy())
            where = int(unread[-1].argmax())
            place = f"column '{column}' has values that do not fit {LIMITS.get(column, schema[column])}"
            what = f"{place} (the first: {whole[where]} in hit {first + where + 1})"
            lost.leave_out(what, first, unread[-1], "out_of_range", place=place)
        series.append(cast)
    chunk = pl.DataFrame(series)
    return chunk.filter(~np.logical_or.reduce(unread)) if unread else chunk


def _check_branch(tree: Tree, name: str, *, integer: bool) -> None:
    if name not in tree.branches:
        if name in tree.other_branches:
            raise InputError(
                f"{tree.path}: branch '{name}' of tree '{tree.name}' does not contain one number per hit: "
                "if it contains a list of hits per event, give it in [columns] of detectors.toml"
            )
        have = ", ".join([*tree.branches, *tree.other_branches])
        raise InputError(
            f"{tree.path}: tree '{tree.name}' has no branch '{name}' (it has {have}): if other branches "
            "contain this, give them in [columns] of detectors.toml"
        )
    dtype = tree.branches[name].dtype
    if integer and dtype.kind not in "iu":
        raise InputError(f"{tree.path}: branch '{name}' contains {dtype.newbyteorder('=').name}, not integers")


def _signed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Unsigned times as signed ones in the same memory, if none is too large for that: none is in a good file."""
    if values.dtype != np.uint64 or not len(values):
        return values
    signed = values.view(np.int64)
    return signed if signed.min() >= 0 else values


def text_in(path: Path, key: str) -> str:
    """A text that is stored next to a file's trees; empty where there is none of the name."""
    if (text := parse_text(path, key)) is not None:
        return text
    check_keys(path)
    with opened_by_uproot(path) as file:
        return str(file[key])


def sink_root(frame: pl.LazyFrame, path: Path, metadata: Callable[[], dict[str, str]]) -> None:
    """Write a table as a TTree: hits as CoMPASS's `Data_R`, anything else as `pairs` with the columns' names.

    A null in a column of floats becomes NaN, an Enum its category's number. `metadata` gives the texts that are stored
    next to the tree, at the end.

    Raises:
        OutputError: a column holds no numbers, or a null that no number can represent.
    """
    from gammapolars.io.root.writer import Layout, TreeWriter

    frame = frame.with_columns(cs.enum().to_physical())
    schema = frame.collect_schema()
    hits = set(HITS.columns) <= set(schema)
    names = {column: branch for branch, column in HIT_BRANCHES.items() if column in schema} if hits else {}
    names = names or {column: column for column in schema}
    types = {names[column]: numpy_type(column, schema[column], path) for column in names}
    tree, title = ("Data_R", "hits") if hits else (PAIRS_TREE, "pairs of hits of different detectors")
    layout = Layout(entries=WRITTEN_ENTRIES)
    with TreeWriter(path, types, tree=tree, title=title, layout=layout, overwrite=True) as writer:
        for batch in batches_of(frame.select(list(names))):
            writer.extend({names[column.name]: numbers_of(column, path) for column in batch})
        writer.annotate(metadata())
