"""Differences of Parquet, Arrow and ROOT files and of pictures, by what they hold."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import uproot

from tests.outputs.values import FEW, Differences, both

TABLES = (".parquet", ".arrow")

Texts = dict[str, str]

OfProvenance = Callable[[Texts, Texts], Differences]
"""Compares the texts that two files carry beside their data."""


def table_differences(here: Path, there: Path, of_provenance: OfProvenance) -> Differences:
    """Differences of two tables: schema, rows in their order, metadata."""
    (schema_here, texts_here), (schema_there, texts_there) = _schema(here), _schema(there)
    yield from of_provenance(texts_here, texts_there)
    fields = [
        [(field.name, str(field.type), field.nullable, field.metadata) for field in schema]
        for schema in (schema_here, schema_there)
    ]
    if fields[0] != fields[1]:
        yield f", schema: {both(*fields)}"
    else:
        yield from frame_differences(_frame(here), _frame(there))


def _schema(path: Path) -> tuple[Any, Texts]:
    """The schema of a table, and the texts that it carries."""
    if path.suffix.lower() == ".parquet":
        metadata = pyarrow.parquet.read_metadata(path)
        schema, texts = metadata.schema.to_arrow_schema(), metadata.metadata
    else:
        with pa.OSFile(str(path)) as file:
            schema = pyarrow.ipc.open_file(file).schema
        texts = schema.metadata
    return schema, {key.decode(): value.decode() for key, value in (texts or {}).items() if key != b"ARROW:schema"}


def _frame(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path) if path.suffix.lower() == ".parquet" else pl.read_ipc(path)


def frame_differences(here: pl.DataFrame, there: pl.DataFrame) -> Differences:
    """Differences of two tables of the same columns, row by row; NaN is as NaN."""
    if here.height != there.height:
        yield f": {here.height:,} rows here, {there.height:,} there"
    least = min(here.height, there.height)
    pairs = [(name, here[name][:least], there[name][:least]) for name in here.columns]
    unequal = pl.DataFrame({name: one.ne_missing(other) for name, one, other in pairs})
    rows = unequal.select(pl.any_horizontal(pl.all()).arg_true()).to_series().to_list() if pairs else []
    if rows and _same_rows(here, there):
        yield f": the same rows in another order, from row {rows[0]} on"
        return
    for row in rows[: FEW + 1]:
        columns = [name for name in here.columns if unequal[name][row]]
        yield f", row {row}: {', '.join(f'{name} {both(here[name][row], there[name][row])}' for name in columns)}"


def _same_rows(here: pl.DataFrame, there: pl.DataFrame) -> bool:
    return here.height == there.height and here.hash_rows().sort().equals(there.hash_rows().sort())


def root_differences(here: Path, there: Path, of_provenance: OfProvenance) -> Differences:
    """Differences of two ROOT files: what they hold, trees entry by entry, histograms bin by bin, texts."""
    with uproot.open(here) as one, uproot.open(there) as other:
        kinds = [list(file.classnames(cycle=False).items()) for file in (one, other)]
        if kinds[0] != kinds[1]:
            yield f", contents: {both(*kinds)}"
            return
        names = [name for name, kind in kinds[0] if kind == "TObjString"]
        yield from of_provenance(*({name: str(file[name]) for name in names} for file in (one, other)))
        for name, kind in kinds[0]:
            if kind not in ("TObjString", "TDirectory", "TDirectoryFile"):
                yield from (f", {name}{difference}" for difference in _object_differences(one[name], other[name]))


def _object_differences(here: Any, there: Any) -> Differences:
    titles = [getattr(thing, "title", "") for thing in (here, there)]
    if titles[0] != titles[1]:
        yield f", title: {both(*titles)}"
    if hasattr(here, "branches"):
        yield from _tree_differences(here, there)
    elif hasattr(here, "axes"):
        yield from _histogram_differences(here, there)
    else:
        yield f": {type(here).__name__} is a kind that cannot be compared"


def _tree_differences(here: Any, there: Any) -> Differences:
    branches = [[(branch.name, branch.typename, branch.title) for branch in tree.branches] for tree in (here, there)]
    if branches[0] != branches[1]:
        yield f", branches: {both(*branches)}"
        return
    arrays = [tree.arrays(library="np") for tree in (here, there)]
    yield from frame_differences(pl.DataFrame(arrays[0]), pl.DataFrame(arrays[1]))


def _histogram_differences(here: Any, there: Any) -> Differences:
    for number, (axis, other) in enumerate(zip(here.axes, there.axes, strict=True)):
        titles = [one.member("fTitle") for one in (axis, other)]
        if titles[0] != titles[1]:
            yield f", title of axis {number}: {both(*titles)}"
        yield from array_differences(axis.edges(), other.edges(), f"edges of axis {number}")
    yield from array_differences(here.values(flow=True), there.values(flow=True), "counts")
    yield from array_differences(here.variances(flow=True), there.variances(flow=True), "variances")


def array_differences(here: npt.NDArray[Any], there: npt.NDArray[Any], noun: str) -> Iterator[str]:
    """The first places at which two arrays differ; NaN is as NaN."""
    if here.shape != there.shape:
        yield f", {noun}: {both(here.shape, there.shape)}"
        return
    unequal = (here != there) & ~((here != here) & (there != there))
    for place in np.argwhere(unequal)[: FEW + 1]:
        index = tuple(int(number) for number in place)
        yield f", {noun} at {index}: {both(here[index], there[index])}"


def picture_differences(here: Path, there: Path) -> Differences:
    """Differences of two PNG pictures, pixel by pixel."""
    from matplotlib.image import imread

    pictures = [np.asarray(imread(path)) for path in (here, there)]
    if pictures[0].shape != pictures[1].shape:
        yield f", size: {both(pictures[0].shape, pictures[1].shape)}"
        return
    unequal = (pictures[0] != pictures[1]).any(axis=-1)
    if unequal.any():
        row, column = (int(number) for number in np.argwhere(unequal)[0])
        yield f": {int(unequal.sum()):,} of {unequal.size:,} pixels differ, the first in row {row}, column {column}"
