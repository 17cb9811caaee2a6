"""Pairs in parts, as tasks write them, at once and on several computers; and the output that becomes of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, OutputError
from gammapolars.io import untrusted
from gammapolars.io.columnar import Metadata
from gammapolars.io.dataset import Part, part_batches
from gammapolars.io.dataset_output import dataset_or_nothing, means_dataset, publish_parts, write_part
from gammapolars.io.hidden import hidden_folder, remove_abandoned
from gammapolars.io.pairs import with_regions
from gammapolars.io.saving import save
from gammapolars.streaming.slices import lazy_frame

__all__ = ["Part", "parts_folder", "save_parts", "write_part"]


@contextmanager
def parts_folder(output: Path) -> Iterator[Path]:
    """A hidden folder next to an output, for its parts; removed at the end with whatever is left in it.

    Those of killed runs for the same output are removed as well.

    Args:
        output: a file or a dataset; the folder that holds it must exist, and all who write parts must see it.

    Yields:
        The absolute path of the folder.

    Raises:
        OutputError: it cannot be written to.
    """
    output = output.absolute()
    remove_abandoned(output)
    with ExitStack() as cleaning:
        yield hidden_folder(output, "partial", cleaning)


def save_parts(
    parts: Sequence[Part],
    folder: Path,
    output: Path,
    *,
    overwrite: bool,
    metadata: Metadata,
    layout: str | None = None,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Make an output of its parts, in their order: a file, or a dataset where its name has no suffix.

    It appears when it is complete, within `outputs_together` with the other outputs. For a dataset the parts are moved
    out of their folder.

    Args:
        parts: all parts, one at least; other files in their folder are passed over.
        folder: that they were written into.
        output: its suffix gives the format, as for `save`.
        overwrite: whether a file or dataset of this name is replaced.
        metadata: provenance, for the formats that can carry it.
        layout: of the file, as for `save`.
        further: more entries of a dataset's index, such as how the work was divided.

    Raises:
        OutputError: a part is missing or has another number of rows, or the output cannot be written.
        UsageError: its suffix or layout is unknown.
    """
    for part in parts:
        _check(part, folder, output)
    if layout is None and means_dataset(output):
        with dataset_or_nothing(output, overwrite=overwrite) as hidden:
            publish_parts(parts, hidden, folder, metadata, further or {})
        return
    save(_one_after_another(parts, folder), output, layout=layout, overwrite=overwrite, metadata=metadata)


def _check(part: Part, folder: Path, output: Path) -> None:
    """Raise where a part is not as its writer left it."""
    try:
        rows = untrusted.rows_of_parquet(folder / part.name)
    except InputError as error:
        raise OutputError(
            f"{output}: {part.name} of its parts cannot be read ({str(error).rpartition(': ')[2]}): do all workers "
            f"write to the same folder {folder.parent}?"
        ) from None
    if rows != part.rows:
        raise OutputError(f"{output}: {part.name} of its parts has {rows:,} pairs, but {part.rows:,} were written")


def _one_after_another(parts: Sequence[Part], folder: Path) -> pl.LazyFrame:
    """The rows of parts, as their writers had them."""
    schema = untrusted.scan_parquet(folder / parts[0].name).collect_schema()

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for part in parts:
            yield from part_batches(folder / part.name, schema, names)

    return with_regions(lazy_frame(schema, batches))
