"""Expressions over neighbouring hits, such as `diff` and `over`, slice by slice: so they stream."""

from collections.abc import Callable, Iterator

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.schema import HITS, require
from gammapolars.core.units import parse_window
from gammapolars.streaming.slices import SLICE_HITS, Slice, in_parallel, lazy_frame, slices
from gammapolars.streaming.time_order import REORDER_PS

MAPPED_HITS = SLICE_HITS // 4
"""A reach longer than all gaps makes slices four times as large, and a function may take several times their memory."""

OWN = "own"
"""The column that marks a slice's own hits: the others are there only to be looked at."""


def map_slices(
    hits: AnyFrame,
    function: Callable[[pl.LazyFrame], pl.LazyFrame],
    reach: str | int,
    *,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = MAPPED_HITS,
) -> pl.LazyFrame:
    """Hits with what a function makes of each and of its neighbours in time, in bounded memory.

    Over a whole run, expressions such as `pl.col("timestamp_ps").diff().over("board", "channel")` do not stream: they
    gather all hits first. Here the function sees one slice of the run after the other, in time order, with all hits
    that lie within `reach` of the slice's own ones, and only the own ones are kept. So what depends on hits within
    `reach` is exact, and the same whatever the size of slices. Of hits further away some are seen and some are not: a
    function that finds a distance leaves out what is longer than `reach`.

    Args:
        hits: a table of hits, nearly in time order. Only hits of one `run` are in a slice.
        function: LazyFrame to LazyFrame. It gets a further column, `own`, and keeps it; it may add columns and leave
            rows out. Sums over all hits, such as `group_by`, come after `map_slices`.
        reach: how far from a hit its neighbours lie at most: `100us`, or picoseconds.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of the function's rows of the hits, in time order, without `own`.

    Raises:
        TableError: the frame has no times.
        UsageError: the reach is no one time of 0 or more, or the function drops the column `own`.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    hits = lazy(hits, "hits")
    low, reach_ps = parse_window(reach)
    if low != -reach_ps:
        raise UsageError(f"the reach of neighbours is a single time, such as 100us, not '{reach}'")
    columns = require(hits, HITS, columns=("timestamp_ps",))
    schema = function(pl.LazyFrame(schema={**columns, OWN: pl.Boolean()})).collect_schema()
    if OWN not in schema:
        raise UsageError(f"the function of map_slices drops the column '{OWN}': select and group after map_slices")

    def mapped(part: Slice) -> Iterator[pl.DataFrame]:
        row = pl.int_range(pl.len())
        marked = part.hits.lazy().with_columns(((row >= part.first) & (row < part.end)).alias(OWN))
        yield function(marked).filter(OWN).drop(OWN).collect()

    def batches(names: list[str] | None) -> Iterator[pl.DataFrame]:
        del names  # what the function needs is not known
        yield from in_parallel(mapped, slices(hits, reach_ps, reorder_ps=reorder_ps, slice_hits=slice_hits))

    return lazy_frame(pl.Schema({name: dtype for name, dtype in schema.items() if name != OWN}), batches)
