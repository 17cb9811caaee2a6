"""Pairs in parts, as tasks write them, at once and on several computers; and the output that becomes of them."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, OutputError, writable
from gammapolars.core.system import patiently
from gammapolars.io import untrusted
from gammapolars.io.columnar import Metadata
from gammapolars.io.dataset import Part, part_batches
from gammapolars.io.dataset_output import (
    UNFINISHED,
    dataset_or_nothing,
    means_dataset,
    output_of,
    publish_parts,
    write_part,
)
from gammapolars.io.hidden import abandoned_folder, hidden_folder, leave, remove, remove_abandoned
from gammapolars.io.output import complete_or_nothing
from gammapolars.io.pairs import with_regions
from gammapolars.io.parquet_merging import alike, merge
from gammapolars.io.saving import save
from gammapolars.io.write_errors import naming_output
from gammapolars.streaming.slices import lazy_frame

__all__ = ["Part", "is_complete", "parts_folder", "read_note", "save_parts", "write_note", "write_part"]


PLAN = "plan"
"""The file in a folder of parts that says for which work they are."""

WRITTEN_BY_OTHERS = 0o022
"""The permissions by which other users could put something into a folder."""


@contextmanager
def parts_folder(output: Path, *, plan: str = "", take_over: bool = True, keep: bool = False) -> Iterator[Path]:
    """A hidden folder next to an output, for its parts; removed at the end with whatever is left in it.

    Those of killed runs for the same output are removed as well.

    Args:
        output: a file or a dataset; the folder that holds it must exist, and all who write parts must see it.
        plan: all that the parts depend on, such as inputs, parameters, versions and how the work is divided: the folder
            that a run with the same plan left is taken over, with the parts in it. Empty: none is.
        take_over: whether such a folder is; else it is removed, too.
        keep: whether the folder is left for another run with the same plan where this one fails or is interrupted.

    Yields:
        The absolute path of the folder.

    Raises:
        OutputError: it cannot be written to.
    """
    output = output.absolute()
    with ExitStack() as cleaning:
        folder = (
            plan and take_over and abandoned_folder(output, "partial", cleaning, lambda left: _plan_of(left) == plan)
        )
        folder = folder or hidden_folder(output, "partial", cleaning)
        remove_abandoned(output)
        if plan:
            with writable(output):
                if take_over:
                    folder.chmod(folder.stat().st_mode & ~WRITTEN_BY_OTHERS)
                (folder / PLAN).write_text(plan, encoding="utf-8")
        try:
            yield folder
        except BaseException:
            if keep:
                leave(folder, cleaning)
            raise


def _plan_of(folder: Path) -> str | None:
    """The plan of a folder; None where there is none, or another user may have written it."""
    try:
        status = folder.stat()
        is_own = sys.platform == "win32" or (status.st_uid == os.getuid() and not status.st_mode & WRITTEN_BY_OTHERS)
        return (folder / PLAN).read_text(encoding="utf-8") if is_own else None
    except (OSError, ValueError):
        return None


def write_note(content: bytes, folder: Path, name: str) -> None:
    """Write a small file next to parts, which appears when it is complete.

    Raises:
        OutputError: it cannot be written.
    """
    unfinished = folder / f"{name}-{secrets.token_hex(4)}{UNFINISHED}"
    try:
        with naming_output(unfinished, output_of(folder)):
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            patiently(lambda: unfinished.replace(folder / name))
    finally:
        remove(unfinished)


def read_note(folder: Path, name: str) -> bytes | None:
    """The content of such a file; None where there is none."""
    try:
        return (folder / name).read_bytes()
    except OSError:
        return None


def is_complete(part: Part, folder: Path) -> bool:
    """Whether a part is in its folder with all its rows, as one that was written before and is to be used again."""
    try:
        return untrusted.rows_of_parquet(folder / part.name) == part.rows
    except InputError:
        return False


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
    paths = [folder / part.name for part in parts]
    if layout is None and output.suffix.lower() == ".parquet" and alike(paths):
        with complete_or_nothing(output, overwrite=overwrite) as hidden, naming_output(hidden, output):
            merge(paths, hidden, metadata())
        return
    save(_one_after_another(paths), output, layout=layout, overwrite=overwrite, metadata=metadata)


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


def _one_after_another(paths: Sequence[Path]) -> pl.LazyFrame:
    """The rows of parts, as their writers had them."""
    schema = untrusted.scan_parquet(paths[0]).collect_schema()

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for path in paths:
            yield from part_batches(path, schema, names)

    return with_regions(lazy_frame(schema, batches))
