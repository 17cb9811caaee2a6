"""Hit streams of any length in bounded memory: batches, time order, slices, and LazyFrames made of them.

Only this module touches polars' unstable interfaces (io sources and `collect_batches`).
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, groupby, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import polars as pl
from polars.io.plugins import register_io_source

from gammapolars.core.errors import TableError
from gammapolars.core.file_identity import begin_reading, is_filled
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.readings import watched
from gammapolars.core.threads import check_process, threads
from gammapolars.streaming.time_order import REORDER_PS, OnRepair, time_ordered
from gammapolars.streaming.wild_times import OnWild

T = TypeVar("T")
R = TypeVar("R")

SLICE_HITS = 1_000_000
"""Slices are cut when at least this many hits have gathered, so that memory stays bounded and queries stay fast."""

WIDE_ROWS = 8192
"""Fewer rows with texts or lists, which may be of any length, are held at once."""

Batches = Callable[[list[str]], Iterator[pl.DataFrame]]
"""Gives a table's rows in frames, of the named columns at least."""


class Slice(NamedTuple):
    """A stretch of a time-ordered hit stream, with the hits within reach of its window on both sides.

    Attributes:
        hits: the slice's own hits and, where the stream had to be cut without a gap, those before and after them that
            lie within reach.
        first: row of the first of its own hits.
        end: row after the last of its own hits. Each hit of the stream is one slice's own.
    """

    hits: pl.DataFrame
    first: int
    end: int

    @property
    def own(self) -> pl.DataFrame:
        """The slice's own hits."""
        return self.hits[self.first : self.end]


def lazy_frame(schema: pl.Schema | dict[str, pl.DataType], batches: Batches, *, of: Path | None = None) -> pl.LazyFrame:
    """A LazyFrame whose rows a generator makes, batch by batch, each time it is collected.

    Args:
        schema: the columns and dtypes of every batch.
        batches: called with the columns that the query needs, in their order in the table; with the first, if it needs
            none but the number of rows. Further columns are dropped here.
        of: the file whose rows they are; while an output is about to replace it, they are not read.
    """
    check_process()
    columns = list(schema)
    filled = of is not None and is_filled(of)

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        del batch_size  # a hint only; batches follow the file's own layout
        if of is not None:
            begin_reading(of, filled=filled)
        watch = None if of is None else watched(of)
        left = n_rows
        names = columns if with_columns is None else [name for name in columns if name in with_columns]
        for batch in batches(names or columns[:1]):
            if watch:
                watch(batch.height)
            frame = batch if with_columns is None else batch.select(with_columns)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    frame = register_io_source(source, schema=pl.Schema(schema), is_pure=True, validate_schema=True)
    setattr(frame, OWN_SOURCE, partial(source, None, None, None, None))
    return frame


OWN_SOURCE = "_gammapolars_batches"
"""The attribute of a lazy frame that gives its batches without a query."""


def chosen(frame: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Some columns of a lazy frame, in this order; of one of ours, read from its source without a query in between."""
    names = list(columns)
    selected = frame.select(names)
    if (own := getattr(frame, OWN_SOURCE, None)) and names:
        setattr(selected, OWN_SOURCE, partial(own.func, names, None, None, None))
    return selected


def guarded(
    frame: pl.LazyFrame, errors: tuple[type[BaseException], ...], translate: Callable[[Any], Exception]
) -> pl.LazyFrame:
    """The same lazy frame, that raises other errors; filters and choices of columns still reach its source.

    Args:
        frame: any lazy frame.
        errors: those that become others.
        translate: makes the error to raise instead.
    """
    schema = frame.collect_schema()

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        del batch_size
        # Without a column there is still the number of rows to give.
        query = frame if with_columns is None else frame.select(with_columns or list(schema)[:1])
        query = query if n_rows is None else query.head(n_rows)
        query = query if predicate is None else query.filter(predicate)
        try:
            for batch in batches_of(query):
                yield batch if with_columns is None else batch.select(with_columns)
        except errors as error:
            raise translate(error) from None

    return register_io_source(source, schema=schema, is_pure=True, validate_schema=True)


def has_wide_rows(schema: pl.Schema) -> bool:
    """Whether rows have texts or lists, whose length is not known."""
    return any(dtype.is_nested() or dtype in (pl.String, pl.Binary) for dtype in schema.dtypes())


def batches_of(frame: pl.LazyFrame, *, batch_rows: int = SLICE_HITS // 2) -> Iterator[pl.DataFrame]:
    """The rows of a lazy frame in their order, in frames of about `batch_rows`, as the streaming engine makes them.

    Rows with texts or lists come in frames of `WIDE_ROWS` at most.
    """
    check_process()
    if has_wide_rows(frame.collect_schema()):
        batch_rows = min(batch_rows, WIDE_ROWS)
    if own := getattr(frame, OWN_SOURCE, None):
        yield from _regrouped(read_ahead(own()), batch_rows)
    else:
        yield from frame.collect_batches(chunk_size=batch_rows, maintain_order=True, engine="streaming")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next of which is made in another thread while one is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        try:
            following = pool.submit(next, items, None)
            while (item := following.result()) is not None:
                following = pool.submit(next, items, None)
                yield item
                del item
        finally:
            pool.shutdown()
            if isinstance(items, Generator):
                items.close()


def _regrouped(batches: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of about so many: small batches together, large ones in parts."""
    parts: list[pl.DataFrame] = []
    for batch in batches:
        parts.append(batch)
        if (height := sum(part.height for part in parts)) < rows:
            continue
        whole = pl.concat(parts)
        parts = []
        count = max(round(height / rows), 1)
        borders = [height * number // count for number in range(count + 1)]
        for begin, end in pairwise(borders):
            yield whole[begin:end]
    if any(part.height for part in parts):
        yield pl.concat(parts)


def pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of a frame in frames that each lie in one piece in memory: as arrays they need not be copied."""
    lengths = frame.get_column(frame.columns[0]).chunk_lengths()
    if any(column.chunk_lengths() != lengths for column in frame):
        yield frame.rechunk()
        return
    start = 0
    for length in lengths:
        yield frame.slice(start, length)
        start += length


def in_parallel(function: Callable[[T], Iterator[R]], items: Iterable[T]) -> Iterator[R]:
    """Everything that `function` yields for each item, in the order of the items, computed in threads some items ahead.

    Only its first result is computed ahead. So an item that yields much, such as a burst of hits, stays in bounded
    memory.
    """
    ahead = threads()
    waiting: deque[Future[Iterator[R]]] = deque()
    with ThreadPoolExecutor(ahead, thread_name_prefix="slice") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(_begun, function, item))
                if len(waiting) > ahead:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _begun(function: Callable[[T], Iterator[R]], item: T) -> Iterator[R]:
    """The results of the function, with the first of them computed."""
    results = function(item)
    first = list(islice(results, 1))
    return chain(first, results)


def slices(
    hits: pl.LazyFrame | Iterable[pl.DataFrame],
    reach_ps: int,
    *,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
    on_repair: OnRepair | None = None,
    on_wild: OnWild | None = None,
) -> Iterator[Slice]:
    """Cut a stream of hits where neighbouring hits are further apart than the reach of a window.

    No pair crosses such a gap, so each slice holds all that its hits can be paired with. A stretch without a gap is
    cut anyway once it has grown to four times `slice_hits`: then the hits within `reach_ps` of the cut are in both
    slices, and are the own hits of one.

    Where hits have a column `run`, runs follow one another and no slice holds hits of two.

    Args:
        hits: a table of hits, nearly in time order.
        reach_ps: the largest |dt| of interest, in picoseconds.
        reorder_ps: how far back a hit may lie and still be put in its place.
        slice_hits: number of hits before a cut; memory is proportional to it.
        on_repair: called with resets and rollovers of the timestamps, after which times are made continuous.
        on_wild: called with hits with an impossible time, and whether they are left out; None: they are an error.

    Raises:
        TimeOrderError: hits lie too far back in time to be repaired.
    """
    if not isinstance(hits, list | tuple | Iterator):
        hits = lazy(cast(AnyFrame, hits), "hits")
    # In halves, because two batches wait while their order is not certain.
    batches = batches_of(hits, batch_rows=max(slice_hits // 2, 1)) if isinstance(hits, pl.LazyFrame) else hits
    for of_run in by_run(batches):
        ordered = time_ordered(of_run, reorder_ps=reorder_ps, on_repair=on_repair, on_wild=on_wild)
        yield from _slices_of_run(ordered, reach_ps, slice_hits)


def by_run(batches: Iterable[pl.DataFrame]) -> Iterator[Iterator[pl.DataFrame]]:
    """The batches of one run after the other, separated by a column `run`; of all together where there is none.

    Raises:
        TableError: when they are taken, a run that occurs again after another one: its hits would be paired apart.
    """
    parts = (part for batch in batches for part in parts_by_run(batch))
    ended: list[int | None] = []
    for run, of_run in groupby(parts, key=_run_of):
        if run in ended:
            advice = "sort the hits by run with 'gammapolars convert RUN... --sort -o sorted.parquet'"
            raise TableError(f"run {run} appears again after run {ended[-1]}: {advice}")
        yield of_run
        ended.append(run)


def parts_by_run(batch: pl.DataFrame) -> list[pl.DataFrame]:
    """A batch cut where another run begins, if a column `run` distinguishes several; nothing of an empty one."""
    if "run" not in batch.columns or batch.is_empty() or batch["run"].n_unique() == 1:
        return [batch] if batch.height else []
    changes = (batch["run"].diff() != 0).arg_true().to_list()
    return [batch[first:end] for first, end in pairwise([0, *changes, batch.height])]


def _run_of(batch: pl.DataFrame) -> int | None:
    return batch["run"][0] if "run" in batch.columns else None


def _slices_of_run(batches: Iterator[pl.DataFrame], reach_ps: int, slice_hits: int) -> Iterator[Slice]:
    parts: list[pl.DataFrame] = []
    rows = first = 0
    for batch in batches:
        parts.append(batch)
        rows += batch.height
        if rows - first < slice_hits:
            continue
        block = pl.concat(parts)
        parts = [block]
        times = block["timestamp_ps"]
        if cut := _last_gap(times[first:], reach_ps):
            yield Slice(block[: first + cut], first, first + cut)
            parts, first = [block[first + cut :]], 0
        elif rows - first >= 4 * slice_hits:
            # A hit is complete once a later one lies beyond its reach.
            end = int(times.search_sorted(times[-1] - reach_ps, side="left"))
            if end > first:
                yield Slice(block, first, end)
                kept = int(times.search_sorted(times[end] - reach_ps, side="left"))
                parts, first = [block[kept:]], end - kept
        rows = parts[0].height
    if rows > first:
        block = pl.concat(parts)
        yield Slice(block, first, block.height)


def _last_gap(times: pl.Series, reach_ps: int) -> int:
    """The row after the last gap that is wider than a window reaches; 0 where there is none."""
    for tail in (min(1000, times.len()), times.len()):
        gaps = (times.tail(tail).diff() > reach_ps).fill_null(False).arg_true()
        if gaps.len():
            return times.len() - tail + int(gaps[-1])
    return 0


def run_of(hits: pl.DataFrame) -> int:
    """The number of the run that some hits are of: they are of one; a run without a number is run 1."""
    return int(hits["run"][0]) if "run" in hits.columns and hits.height else 1
