"""Datasets of pairs as outputs: parts are written one by one, and the folder appears when it is complete."""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, OutputError, writable
from gammapolars.core.file_identity import replacing
from gammapolars.core.system import patiently
from gammapolars.core.wording import setting
from gammapolars.io import untrusted
from gammapolars.io.columnar import Metadata, sink_parquet
from gammapolars.io.dataset import INDEX, PARTS, Part, check_outside, is_dataset, open_dataset
from gammapolars.io.file_names import check_name
from gammapolars.io.hidden import HIDDEN, hidden_folder, remove, remove_abandoned
from gammapolars.io.plan_sources import check_not_scanned
from gammapolars.io.protection import protection
from gammapolars.io.transaction import current_transaction
from gammapolars.io.write_errors import naming_output
from gammapolars.streaming.slices import batches_of, lazy_frame

PART_ROWS = 10_000_000
"""Pairs in each part but the last of a dataset that one process writes, about 100 MB: parts of this size are copied and
read in parallel at little cost."""

UNFINISHED = ".unfinished"
"""The suffix of a part that is being written."""


def means_dataset(path: Path) -> bool:
    """Whether an output of pairs is to be a dataset: its name has no suffix, or it is one already."""
    return not path.suffix or is_dataset(path)


def write_part(rows: Iterator[pl.DataFrame] | pl.LazyFrame, folder: Path, number: int) -> Part:
    """Write a part of an output; in a process of its own, and on another computer, too.

    The file appears when it is complete, under a name that no other attempt has: whatever happens to the process, there
    is a whole part or none.

    Args:
        rows: pairs, one frame of them at least, which may be empty.
        folder: the hidden folder of the output, from `parts_folder`.
        number: of the part, from 0.

    Raises:
        OutputError: it cannot be written; the message names the output.
    """
    name = f"part-{number:05}-{secrets.token_hex(4)}.parquet"
    unfinished = folder / f"{name}{UNFINISHED}"
    frame = rows if isinstance(rows, pl.LazyFrame) else _frame_of(rows)
    try:
        with naming_output(unfinished, output_of(folder)):
            sink_parquet(frame, unfinished, dict)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            written = untrusted.rows_of_parquet(unfinished)
            patiently(lambda: unfinished.rename(folder / name))
    finally:
        remove(unfinished)
    return Part(name, written)


def output_of(folder: Path) -> Path:
    """The output for which a hidden folder is."""
    match = HIDDEN.fullmatch(folder.name)
    return folder.with_name(match["name"]) if match else folder


def _frame_of(batches: Iterator[pl.DataFrame]) -> pl.LazyFrame:
    """Rows that can be read once."""
    first = next(batches)
    return lazy_frame(first.schema, lambda _: chain([first], batches))


def check_dataset(path: Path, *, overwrite: bool) -> None:
    """Raise before any work is done if a dataset cannot be written at the end of it.

    Raises:
        OutputError: it exists already, is something else, or its folder is missing or cannot be written to.
    """
    if path.name in ("", ".."):
        raise OutputError(f"{path}: is not the name of a new folder: choose another output")
    check_name(path)
    with writable(path):
        protection().check(path)
        check_outside(path)
        if os.path.lexists(path):
            if not is_dataset(path):
                raise OutputError(
                    f"{path}: is there already and is not a dataset of pairs: choose another name, or one with a suffix"
                )
            if not overwrite:
                advice = f"choose another output, or add {setting('--overwrite', 'overwrite=True')}"
                raise OutputError(f"{path}: already exists: {advice}")
            _check_bare(path)
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: create it first")


def _check_bare(path: Path) -> None:
    """Raise where a dataset that is to be replaced holds more than its parts.

    Raises:
        OutputError: it does, or its index is damaged, so that nobody knows.
    """
    try:
        others = open_dataset(path).others()
    except InputError as error:
        raise OutputError(f"{error}: to replace the dataset, remove it yourself") from None
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise OutputError(
            f"{path}: also contains {others[0]}{more}, which would be lost: move that away, or choose another output"
        )


@contextmanager
def dataset_or_nothing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden folder for the files of a dataset, which becomes the dataset when the block ends without an error.

    Within `outputs_together` it does when all outputs appear.

    Raises:
        OutputError: as for `check_dataset`.
    """
    check_dataset(path, overwrite=overwrite)
    remove_abandoned(path)
    with ExitStack() as own:
        outputs = current_transaction(own)
        outputs.begin(path)
        hidden = hidden_folder(path, "partial", outputs.cleaning)
        with ExitStack() as reading:
            for one in [path, *path.iterdir()] if path.is_dir() else ():
                reading.enter_context(replacing(one))
            with writable(path):
                yield hidden
        check_dataset(path, overwrite=overwrite)
        outputs.add(hidden, path, overwrite=overwrite)


def publish_parts(
    parts: Sequence[Part], hidden: Path, folder: Path, metadata: Metadata, further: Mapping[str, Any]
) -> None:
    """Let parts have their names in a new dataset, and write its index.

    Args:
        parts: in their order.
        hidden: the folder that becomes the dataset.
        folder: in which the parts are.
        metadata: provenance.
        further: more entries of the index.
    """
    rows = list[dict[str, Any]]()
    for number, part in enumerate(parts):
        place = hidden / f"part-{number:05}.parquet"
        patiently(lambda source=folder / part.name, place=place: source.rename(place))  # type: ignore[misc]
        rows.append({"name": place.name, "rows": part.rows})
    entries = {key: _parsed(text) for key, text in metadata().items()}
    text = json.dumps({**further, **entries, PARTS: rows}, ensure_ascii=False, indent=1)
    with (hidden / INDEX).open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _parsed(text: str) -> Any:
    """What a text means as JSON; the text itself, where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def save_dataset(frame: pl.LazyFrame, path: Path, *, overwrite: bool, metadata: Metadata) -> None:
    """Stream pairs into a dataset, in parts of `PART_ROWS`.

    Raises:
        OutputError: it exists already, cannot be written, or is what the frame is scanned from.
    """
    if overwrite:
        check_not_scanned(frame, path)
    with dataset_or_nothing(path, overwrite=overwrite) as hidden:
        pieces = groupby(_numbered(batches_of(frame), PART_ROWS), key=itemgetter(0))
        parts = [write_part((rows for _, rows in of_part), hidden, number) for number, of_part in pieces]
        parts = parts or [write_part(iter([pl.DataFrame(schema=frame.collect_schema())]), hidden, 0)]
        publish_parts(parts, hidden, hidden, metadata, {})


def _numbered(batches: Iterable[pl.DataFrame], most: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Rows with the number of the part that they belong to; each but the last has `most`."""
    done = 0
    for batch in batches:
        left = batch
        while left.height:
            number, place = divmod(done, most)
            piece = left.head(most - place)
            yield number, piece
            done += piece.height
            left = left.slice(piece.height)
