"""Triples: three hits of three different detectors that belong together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.event_summary import whole_events
from gammapolars.coincidences.events import parse_span
from gammapolars.coincidences.rule import AnyWindow
from gammapolars.coincidences.sample import AUTO
from gammapolars.coincidences.triple_regions import NONE, PROMPT, Times, TripleRegions, measured_regions, random_rule
from gammapolars.core import defaults, schema
from gammapolars.core.flags import has_any, parse_reject, union
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.streaming.slices import SLICE_HITS, Slice, batches_of, in_parallel, lazy_frame, slices
from gammapolars.streaming.time_order import REORDER_PS

PART_ROWS = 2_000_000
"""Bursts are worked off in parts of about this many candidates, to bound memory."""

SHARED = ("run", "event")
"""Columns that the three hits have in common."""

Rows = npt.NDArray[np.int64]


def triples(
    hits: AnyFrame,
    window: str | int | None = None,
    *,
    random: str | Sequence[AnyWindow] = (),
    reject: str | int = defaults.REJECT,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """All triples of hits of three different detectors, each once, in time order.

    Three hits make a triple if they lie within `window` of the first of them (closed), wherever events would begin: as
    with `pairs`, none is lost at the border of two events. In a table of events, with a column `event`, three make one
    if they lie in one event; a window, if one is given, must hold them too.

    a is the earliest hit, c the latest; of hits at the same time that of the lower (board, channel) comes first, so
    that `0 <= dt_ab_ps <= dt_ac_ps`. Only hits of one `run` make a triple, and rejected hits take no part.

    With random windows, random triples come out as well, and sums of `weight` over any triples, such as those in a
    bin, are net counts, and sums of its squares their variances: in `region` `prompt` all three
    hits are within the window of each other, and weigh 1; `one_random` are two such hits, with a third in a
    random window of both, and weigh less than 0; `random` are three each in a random window of both others, and weigh
    more than 0. `TripleRegions` derives the weights. Net counts of three random hits, of a true pair with a
    random third hit, and of two pairs that share a hit at random are 0.

    Args:
        hits: a table of hits, nearly in time order, or one of events; every further column comes out three times.
        window: `250ns`, or picoseconds. None: 250 ns of hits, and no limit within an event.
        random: windows of |dt| away from the first, which hold no true coincidences: `1us:3us`, or several; `auto`
            finds them in the time differences of the first hits. They must hold three hits that are all random to each
            other: one reaches to more than twice its low end. As for pairs, they measure randoms best within the time
            in which a hit makes its detector dead, or hits pile up on it. Not for events, which end before them.
        reject: flags that disqualify a hit, as on the command line: names, a mask, or `none`.
        reorder_ps: how far back in time a hit may lie and still be put in its place; a table of events is in order.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of triples, sorted by the time of a, then of b, then of c.

    Raises:
        TableError: the frame is not a table of hits.
        UsageError: an impossible window or flag; when collected, if `auto` finds no suitable random window.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    hits = lazy(hits, "hits")
    masks = parse_reject(reject)
    mask = union(masks)
    needed = ["board", "channel", "timestamp_ps", *(["flags"] if mask else [])]
    columns = schema.require(hits, schema.HITS, columns=tuple(needed))
    of_events = "event" in columns
    span = defaults.WINDOW if window is None and not of_events else window
    reach_ps = None if span is None else parse_span(span, "a triple")
    known = random_rule(reach_ps, random, reject, of_events=of_events)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        read = {*needed, *SHARED, *(name[:-2] for name in wanted or ())}
        rows = hits if wanted is None else hits.select(name for name in columns if name in read)
        if of_events:
            yield from triples_of_events(batches_of(rows, batch_rows=slice_hits), reach_ps, mask)
            return
        assert reach_ps is not None
        regions = measured_regions(known, hits, reorder_ps, auto=random == AUTO) if known else None
        reach = regions.reach if regions else reach_ps
        parts = slices(rows, reach, reorder_ps=reorder_ps, slice_hits=slice_hits)
        yield from in_parallel(lambda part: _in_slice(part, reach, mask, regions), parts)

    return lazy_frame(triple_schema(columns, weighted=bool(random)), batches)


def triple_schema(columns: pl.Schema, *, weighted: bool = False) -> pl.Schema:
    """The columns of triples, from those of the hits or events; with region and weight, if there are random windows."""
    sides = {f"{name}_{side}": columns[name] for side in "abc" for name in _carried(columns)}
    times = {name: pl.Int64() for name in ("timestamp_ps", "dt_ab_ps", "dt_ac_ps")}
    regions = {"region": schema.TRIPLE_REGION, "weight": pl.Float64()} if weighted else {}
    return pl.Schema(sides | times | {name: columns[name] for name in SHARED if name in columns} | regions)


def triples_of_events(
    frames: Iterable[pl.DataFrame], reach_ps: int | None = None, mask: int = 0
) -> Iterator[pl.DataFrame]:
    """The triples of a table of events, given in frames that are in order.

    Args:
        frames: they may cut events.
        reach_ps: how long after a's time that of c may be; None: as long as the event is.
        mask: flags that reject a hit.
    """

    def found(hits: pl.DataFrame) -> Iterator[pl.DataFrame]:
        event = pl.col("event")
        near = hits.filter((event == event.shift(1)).fill_null(False) | (event == event.shift(-1)).fill_null(False))
        near = _ordered(near.filter(~has_any(mask)) if mask else near, "event")
        if near.height > 2:
            yield from _triples(near, 0, near.height, _ends(near, reach_ps))

    yield from in_parallel(found, whole_events(frames))


def _ends(near: pl.DataFrame, reach_ps: int | None) -> Rows:
    """The row after the last hit of each hit's event that lies within reach; hits are in order of event and time."""
    events = near["event"].to_numpy()
    begins = np.searchsorted(events, events, side="left")
    if reach_ps is None:
        return np.asarray(np.searchsorted(events, events, side="right"), np.int64)
    times = near["timestamp_ps"].to_numpy()
    since = times - times[begins]
    # One event after the other on one axis of time, further apart than anything reaches.
    reach_ps = min(reach_ps, int(since.max()))
    axis = since + (events - events[0]).astype(np.int64) * (int(since.max()) + reach_ps + 1)
    return np.asarray(np.searchsorted(axis, axis + reach_ps, side="right"), np.int64)


def _in_slice(part: Slice, reach_ps: int, mask: int, regions: TripleRegions | None) -> Iterator[pl.DataFrame]:
    """The triples whose first hit is a slice's own.

    Hits at the same time as the border's are all on one side of it, so that sorting these changes nothing there.
    """
    hits = part.hits.with_row_index("_row")
    close = pl.col("timestamp_ps").diff() <= reach_ps
    near = hits.filter(close.fill_null(False) | close.shift(-1, fill_value=False))
    near = near.filter(~has_any(mask)) if mask else near
    first, end = (int(near["_row"].search_sorted(row)) for row in (part.first, part.end))
    near = _ordered(near.drop("_row"))
    times = near["timestamp_ps"].to_numpy()
    yield from _triples(near, first, end, np.searchsorted(times, times + reach_ps, side="right"), regions)


def _ordered(hits: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return hits.sort(*keys, "timestamp_ps", "board", "channel", maintain_order=True)


class _Hits(NamedTuple):
    """Hits in order, the number of each one's detector, and the row after the last that may combine with each."""

    table: pl.DataFrame
    times: Rows
    detector: Rows
    end: Rows


def _triples(
    near: pl.DataFrame, first: int, last: int, end: Rows, regions: TripleRegions | None = None
) -> Iterator[pl.DataFrame]:
    """The triples whose a lies in rows `first` to `last`, in bounded parts: a with every b, and these with every c."""
    detector = near["board"].to_numpy().astype(np.int64) << 16 | near["channel"].to_numpy()
    hits = _Hits(near, near["timestamp_ps"].to_numpy(), detector, np.asarray(end, np.int64))
    a = np.arange(first, last)
    a = a[hits.end[a] > a + 2]
    for of_a in _parts(hits.end[a] - a - 1):
        rows, b = _partners(a[of_a], a[of_a], hits.end)
        other = hits.detector[rows] != hits.detector[b]
        if regions:
            other &= regions.together(hits.times[b] - hits.times[rows])
        rows, b = rows[other], b[other]
        for part in _parts(hits.end[rows] - b - 1):
            yield _table(hits, rows[part], b[part], regions)


def _table(hits: _Hits, a: Rows, b: Rows, regions: TripleRegions | None) -> pl.DataFrame:
    """Each a and b with every later c that a reaches; with random windows, those that lie in one."""
    pair, c = _partners(a, b, hits.end, np.arange(len(a)))
    a, b = a[pair], b[pair]
    other = (hits.detector[c] != hits.detector[a]) & (hits.detector[c] != hits.detector[b])
    rows = {"a": a[other], "b": b[other], "c": c[other]}
    weights: list[pl.Series] = []
    if regions:
        rows, weights = _weighed(hits, rows, regions)
    near = hits.table
    times = {side: near["timestamp_ps"].gather(place) for side, place in rows.items()}
    columns = [
        near[name].gather(place).alias(f"{name}_{side}")
        for side, place in rows.items()
        for name in _carried(near.columns)
    ]
    columns += [
        times["a"].alias("timestamp_ps"),
        (times["b"] - times["a"]).alias("dt_ab_ps"),
        (times["c"] - times["a"]).alias("dt_ac_ps"),
    ]
    shared = (near[name].gather(rows["a"]) for name in SHARED if name in near.columns)
    return pl.DataFrame([*columns, *shared, *weights])


def _weighed(hits: _Hits, rows: dict[str, Rows], regions: TripleRegions) -> tuple[dict[str, Rows], list[pl.Series]]:
    """The triples that lie in a window, with `region` and `weight`."""
    detector = np.stack([hits.detector[place] for place in rows.values()], axis=1)
    a, b, c = (hits.times[rows[side]] for side in "abc")
    kind, weight = regions.weigh(Times(a, b, c, detector))
    kept = kind != NONE
    names = pl.Series("region", schema.TRIPLE_REGION.categories, schema.TRIPLE_REGION)
    region = names.gather(kind[kept] - PROMPT)
    return {side: place[kept] for side, place in rows.items()}, [region, pl.Series("weight", weight[kept])]


def _partners(a: Rows, after: Rows, end: Rows, label: Rows | None = None) -> tuple[Rows, Rows]:
    """Each a, or its label, with every later row that a reaches."""
    counts = end[a] - after - 1
    begins = np.cumsum(counts) - counts
    of = np.repeat(np.arange(len(a)), counts)
    partner = after[of] + 1 + (np.arange(len(of)) - begins[of])
    return (a if label is None else label)[of], partner


def _parts(counts: npt.NDArray[Any]) -> Iterator[slice]:
    """Cut rows into stretches of about PART_ROWS candidates each, one row at the least."""
    total = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = total[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(total, done + PART_ROWS, side="right")))
        yield slice(first, last)
        first = last


def _carried(columns: pl.Schema | list[str]) -> list[str]:
    """The columns of hits that a triple has three times: board, channel, adc and energy first, then the others."""
    first = [name for name in ("board", "channel", "adc", "energy_kev") if name in columns]
    once = {*first, *SHARED, "timestamp_ps", "flags", "multiplicity", "time_in_event_ps", "_row"}
    return first + [name for name in columns if name not in once]
