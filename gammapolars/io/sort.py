"""Hits in any order sorted by time, in bounded memory: runs that fit into it are sorted, spilled to disk and merged.

Polars' own streaming sort spills too, but its budget is set for the whole process before it starts, and where the disk
is full it goes on in memory without a limit.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import OutputError
from gammapolars.core.units import PS_PER_S
from gammapolars.io.hidden import hidden_folder, remove_abandoned
from gammapolars.io.order import Source, Stream, merge, ranked
from gammapolars.streaming.epochs import Epoch
from gammapolars.streaming.slices import run_of
from gammapolars.streaming.time_order import Batches, OnRepair, continuous

SORTED_HITS = 3_000_000
"""This many hits are sorted in memory."""

CHUNK_HITS = 32_768
"""This many hits of each spilled run are in memory while they are merged."""

MOST_OPEN = 64
"""This many spilled runs are merged at once; more of them are merged in several passes."""

LEAST_RESET_PS = PS_PER_S
"""Among hits in disorder, a step back is taken for a reset, where a flag marks one, if it is at least so long."""


def sorted_sources(
    sources: list[Source], scratch: Path, *, reorder_ps: int = 0, on_repair: OnRepair | None = None
) -> Batches:
    """The hits of all sources in time order, however they are out of it; otherwise as `merged`.

    Args:
        sources: recorded by the same clock.
        scratch: a folder for temporary files: as large as the hits uncompressed.
        reorder_ps: steps back of more than this, and of a second, are resets if a flag marks one.
        on_repair: called with each reset and rollover of the timestamps.
    """
    reach_ps = max(reorder_ps, LEAST_RESET_PS)
    recordings = [source.epochs(reach_ps, disorder=True, by_flag=len(sources) > 1) for source in ranked(sources)]

    def combine(parts: list[Epoch]) -> Batches:
        return sorted_by_time(chain.from_iterable(part.batches for part in parts), scratch)

    yield from continuous(recordings, combine, on_repair)


def sorted_by_time(
    batches: Iterable[pl.DataFrame],
    scratch: Path,
    *,
    sorted_hits: int = SORTED_HITS,
    chunk_hits: int = CHUNK_HITS,
    most_open: int = MOST_OPEN,
) -> Batches:
    """Hits sorted by time, in bounded memory; hits of equal time keep their order. Runs follow one another.

    Args:
        batches: frames with a column `timestamp_ps`.
        scratch: an existing folder for temporary files, which are gone when the iterator ends or is closed.
        sorted_hits: how many are sorted in memory.
        chunk_hits: how many of each spilled run are held while they are merged.
        most_open: how many spilled runs are merged at once.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    spills = _Spills(scratch, chunk_hits)
    try:
        of_run: dict[int, list[_Spill]] = {}
        for block in _blocks(batches, sorted_hits):
            if not of_run and block.height < sorted_hits:  # the only one
                yield from block.sort(*_order(block), maintain_order=True).iter_slices(chunk_hits)
                return
            for ordered in _by_run(block.sort(*_order(block), maintain_order=True)):
                of_run.setdefault(run_of(ordered), []).append(spills.write([ordered]))
            del block, ordered
        for _, spilled in sorted(of_run.items()):
            yield from spills.merged(spills.few(spilled, most_open))
    finally:
        spills.remove()


def _order(hits: pl.DataFrame) -> list[str]:
    """Runs follow one another, each in time order."""
    return ["run", "timestamp_ps"] if "run" in hits.columns else ["timestamp_ps"]


def _by_run(hits: pl.DataFrame) -> list[pl.DataFrame]:
    """The hits of each run apart, where a column distinguishes runs."""
    return hits.partition_by("run", maintain_order=True) if "run" in hits.columns else [hits]


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """A hidden folder next to an output for temporary files; it is removed with all that is in it.

    Raises:
        OutputError: it cannot be made.
    """
    remove_abandoned(path)
    with ExitStack() as cleaning:
        yield hidden_folder(path, "sort", cleaning)


def _blocks(batches: Iterable[pl.DataFrame], least: int) -> Batches:
    """Batches joined until they hold at least so many hits."""
    parts: list[pl.DataFrame] = []
    rows = 0
    for batch in batches:
        if batch.height:
            parts.append(batch)
            rows += batch.height
        if rows >= least:
            yield pl.concat(parts)
            parts, rows = [], 0
    if parts:
        yield pl.concat(parts)


class _Spill(NamedTuple):
    """A sorted run on disk."""

    path: Path
    first_ps: int


class _Spills:
    """Sorted runs in uncompressed Arrow files, which are read back in chunks and not mapped into memory."""

    def __init__(self, folder: Path, chunk_hits: int) -> None:
        self._folder = folder
        self._chunk_hits = chunk_hits
        self._name = secrets.token_hex(4)
        self._written = 0

    def write(self, frames: Iterable[pl.DataFrame]) -> _Spill:
        """Spill one run, which comes in frames."""
        import pyarrow as pa

        path = self._folder / f"{self._name}-{self._written}.arrow"
        self._written += 1
        frames = iter(frames)
        first = next(frames)
        table = first.to_arrow()
        try:
            with path.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, self._chunk_hits)
                for frame in frames:
                    writer.write_table(frame.to_arrow(), self._chunk_hits)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self._folder}: temporary files for the sort cannot be written: {reason}: write the "
                "output to a disk with enough space for it and, in addition, for all hits uncompressed"
            ) from None
        return _Spill(path, int(first["timestamp_ps"][0]))

    def few(self, runs: list[_Spill], most: int) -> list[_Spill]:
        """The same hits in no more than so many runs: some are merged to one, and these again."""
        while len(runs) > most:
            groups = [runs[first : first + most] for first in range(0, len(runs), most)]
            runs = [self.write(self.merged(group)) for group in groups]
        return runs

    def merged(self, runs: list[_Spill]) -> Batches:
        """The hits of some runs in time order; they are removed when all have been read."""
        yield from merge([Stream(run.first_ps, self._read(run.path)) for run in runs])
        for run in runs:
            run.path.unlink(missing_ok=True)

    def _read(self, path: Path) -> Batches:
        import pyarrow as pa

        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for chunk in range(reader.num_record_batches):
                yield pl.DataFrame(reader.get_batch(chunk))

    def remove(self) -> None:
        """Remove all that is left."""
        for path in self._folder.glob(f"{self._name}-*.arrow"):
            path.unlink(missing_ok=True)
