"""Simulated runs in files: hits as CoMPASS writes them, and their truth."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from gammapolars.core.errors import OutputError
from gammapolars.core.flags import names_in
from gammapolars.io.output import complete_or_nothing
from gammapolars.io.root.writer import HIT_BRANCHES, NATIVE, Layout, TreeWriter, hit_branches
from gammapolars.io.transaction import outputs_together
from gammapolars.simulate.digitizer import TRUTH, Chunk

METADATA_KEY = "gammapolars"
"""The text next to the tree that carries a run's parameters, as one JSON object, where all outputs carry theirs."""


@contextmanager
def _truth_writer(
    path: Path | None, metadata: dict[str, str], *, overwrite: bool
) -> Iterator[Callable[[pl.DataFrame], None]]:
    """What writes chunks of truth to a Parquet file, which appears when it is complete; None: to nowhere."""
    if path is None:
        yield lambda _: None
        return
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        empty = pl.DataFrame(schema=TRUTH).to_arrow()
        # Only the nuclide repeats: building dictionaries of the other columns costs more than all the rest.
        with pq.ParquetWriter(
            hidden, empty.schema, compression="zstd", compression_level=1, use_dictionary=["nuclide"]
        ) as writer:

            def write(truth: pl.DataFrame) -> None:
                try:
                    writer.write_table(truth.cast(TRUTH).to_arrow())
                except OSError as error:
                    raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None

            yield write
            writer.add_key_value_metadata(metadata)


def write_run(
    output: Path,
    chunks: Iterable[Chunk],
    *,
    truth: Path | None = None,
    layout: Layout = NATIVE,
    metadata: dict[str, str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write a simulated run as CoMPASS writes a recorded one, and its truth as Parquet.

    Equal chunks give equal bytes: the files hold no date.

    Args:
        output: the ROOT file, with the tree `Data_R`.
        chunks: from `simulate`.
        truth: the Parquet file, row for row the hits; None: none.
        layout: of the ROOT file's baskets.
        metadata: texts to store with the tree and the truth.
        overwrite: replace files that exist.
        progress: called with the number of hits written so far.

    Returns:
        What was written: hits, hits by `board/channel`, flags by name, first and last timestamp.

    Raises:
        OutputError: a file exists already or cannot be written.
    """
    total, first, last = 0, None, None
    by_detector: dict[str, int] = {}
    flags: dict[str, int] = {}
    with (
        outputs_together(),
        TreeWriter(
            output, HIT_BRANCHES, layout=layout, metadata=metadata, overwrite=overwrite, reproducible=True
        ) as tree,
        _truth_writer(truth, metadata or {}, overwrite=overwrite) as write_truth,
    ):
        for hits, true in chunks:
            tree.extend(hit_branches(hits))
            write_truth(true)
            total += len(hits)
            first = hits["timestamp_ps"][0] if first is None and len(hits) else first
            last = hits["timestamp_ps"][-1] if len(hits) else last
            _count(hits, by_detector, flags)
            if progress is not None:
                progress(total)
    return {
        "hits": total,
        "hits_by_detector": dict(sorted(by_detector.items())),
        "flags": flags,
        "first_timestamp_ps": first,
        "last_timestamp_ps": last,
    }


def _count(hits: pl.DataFrame, by_detector: dict[str, int], flags: dict[str, int]) -> None:
    for board, channel, count in hits.group_by("board", "channel").len().sort("board", "channel").iter_rows():
        key = f"{board}/{channel}"
        by_detector[key] = by_detector.get(key, 0) + count
    values, counts = np.unique(hits["flags"].to_numpy(), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        for name in names_in(value):
            flags[name] = flags.get(name, 0) + count
