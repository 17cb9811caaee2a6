"""Small runs for tests: builders, strategies that draw them, and pairs found by comparing every hit with all others."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from hypothesis import strategies as st

from gammapolars.core.schema import HITS
from gammapolars.streaming.slices import lazy_frame

BAD = 0x80 | 0x400 | 0x8000 | 0x8
"""The bits that disqualify a hit where nothing else is said."""

SATURATION, PILE_UP, FINE_TIMESTAMP = 0x80, 0x8000, 0x4000

Key = tuple[int, int]
Pair = tuple[int, int, int, int, int, int, int, int]
"""board, channel and adc of a, the same of b, the time of a, and dt."""

PAIR_COLUMNS = ["board_a", "channel_a", "adc_a", "board_b", "channel_b", "adc_b", "timestamp_ps", "dt_ps"]


class Hit(NamedTuple):
    """One hit, as tests write it."""

    time: int
    channel: int = 0
    board: int = 0
    adc: int = 0
    flags: int = 0


def frame(hits: Iterable[Hit | tuple[int, ...]]) -> pl.DataFrame:
    """A table of hits from (time, channel, board, adc, flags), the last three of them 0 where left out."""
    rows = [Hit(*hit) for hit in hits]
    columns = {
        "board": [hit.board for hit in rows],
        "channel": [hit.channel for hit in rows],
        "timestamp_ps": [hit.time for hit in rows],
        "adc": [hit.adc for hit in rows],
        "flags": [hit.flags for hit in rows],
    }
    return pl.DataFrame(columns, schema=dict(HITS.columns))


def numbered(hits: Iterable[Hit | tuple[int, ...]]) -> pl.DataFrame:
    """The same, with each hit's place in the stream as its adc, by which tests tell hits apart."""
    table = frame(hits)
    return table.with_columns(adc=pl.int_range(table.height, dtype=pl.UInt16))


def in_batches(table: pl.DataFrame, rows: int) -> list[pl.DataFrame]:
    """A table cut into frames of `rows`."""
    return [table[first : first + rows] for first in range(0, table.height, rows)]


def stream(table: pl.DataFrame, rows: int = 10**9) -> pl.LazyFrame:
    """A table as a hit stream of batches of `rows`."""
    return lazy_frame(table.schema, lambda _: iter(in_batches(table, rows)))


class CountedStream:
    """A hit stream that remembers how it was read.

    Attributes:
        frame: the stream.
        reads: the columns that each reading asked for.
        batches_read: how many batches have been given out.
        open: how many readings have neither ended nor been closed.
    """

    def __init__(self, table: pl.DataFrame, rows: int = 10**9) -> None:
        self.reads: list[list[str] | None] = []
        self.batches_read = 0
        self.open = 0
        self._batches = in_batches(table, rows)
        self.frame = lazy_frame(table.schema, self._read)

    def _read(self, wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        self.reads.append(None if wanted is None else sorted(wanted))
        self.open += 1
        try:
            for batch in self._batches:
                self.batches_read += 1
                yield batch
        finally:
            self.open -= 1

    def is_closed(self, *, within_s: float = 20) -> bool:
        """Whether every reading has ended: the engine may drop a query that stopped early only with its next one."""
        end = time.monotonic() + within_s
        while self.open and time.monotonic() < end:
            pl.LazyFrame({"any": [0]}).collect(engine="streaming")
            time.sleep(0.01)
        return self.open == 0


SIZES = st.integers(1, 40)
"""Sizes of batches and slices, from one hit to more than a drawn run has."""

FLAGS = st.sampled_from([0, 0, 0, 0, SATURATION, PILE_UP, FINE_TIMESTAMP, FINE_TIMESTAMP | PILE_UP])


@st.composite
def runs(draw: st.DrawFn, *, most: int = 40, flags: bool = True, disorder: int = 0) -> pl.DataFrame:
    """Hits of up to six detectors on two boards, with ties, bursts and gaps in time; numbered by their adc.

    Args:
        draw: given by hypothesis.
        most: the most hits.
        flags: whether some carry flags.
        disorder: hits lie up to this many picoseconds behind a hit before them.
    """
    gap = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 40), st.integers(100, 1000))
    hit = st.tuples(gap, st.integers(0, 2), st.integers(0, 1), FLAGS if flags else st.just(0), st.integers(0, disorder))
    time = draw(st.integers(-100, 100))
    rows = []
    for wait, channel, board, bits, late in draw(st.lists(hit, max_size=most)):
        time += wait
        rows.append((time + late, Hit(time, channel, board, 0, bits)))
    return numbered(row for _, row in sorted(rows, key=lambda row: row[0]))


@st.composite
def windows(draw: st.DrawFn, *, signed: bool = True) -> tuple[int, int]:
    """A window (low, high): symmetric, on one side of 0, a single value, or wider than any run."""
    width = st.integers(0, 60)
    end = st.integers(-60, 60)
    symmetric = (width | st.sampled_from([10**6, 2**40])).map(lambda half: (-half, half))
    low, high = draw(st.one_of(symmetric, st.tuples(end, width).map(lambda drawn: (drawn[0], sum(drawn)))))
    if not signed and high < 0:
        low, high = -high, -low
    if not signed and low not in (-high, max(low, 0)):  # without a start no dt lies below 0
        low = 0
    return (low, high)


def coincident(
    hits: Iterable[dict[str, Any]], window: tuple[int, int], *, ends: tuple[Key, Key] | None = None, mask: int = BAD
) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    """All pairs of one run's hits, a, b and t_b - t_a, by comparing each hit with each behind it; hits are in order."""
    good = [hit for hit in hits if not hit["flags"] & mask]
    reach = max(-window[0], window[1])
    for place, earlier in enumerate(good):
        for later in good[place + 1 :]:
            if later["timestamp_ps"] - earlier["timestamp_ps"] > reach:
                break
            a, b = earlier, later
            if key_of(a) == key_of(b) or a.get("run") != b.get("run"):
                continue
            if ends and {key_of(a), key_of(b)} != set(ends):
                continue
            tied = a["timestamp_ps"] == b["timestamp_ps"]
            if key_of(a) != ends[0] if ends else tied and key_of(b) < key_of(a):
                a, b = b, a
            dt = b["timestamp_ps"] - a["timestamp_ps"]
            if window[0] <= dt <= window[1]:
                yield a, b, dt


def brute_pairs(
    table: pl.DataFrame, window: tuple[int, int], *, ends: tuple[Key, Key] | None = None, mask: int = BAD
) -> list[Pair]:
    """All pairs, by comparing each hit with each behind it; in the order of the earlier hit, then of the later."""
    hits = table.sort("timestamp_ps", maintain_order=True).iter_rows(named=True)
    return [
        (*key_of(a), a["adc"], *key_of(b), b["adc"], a["timestamp_ps"], dt)
        for a, b, dt in coincident(hits, window, ends=ends, mask=mask)
    ]


def brute_nearest(
    table: pl.DataFrame, window: tuple[int, int], ends: tuple[Key, Key], *, mask: int = BAD
) -> list[tuple[int, int, int]]:
    """For each start, in time order: its adc, its time and the dt of the nearest stop, if one is in the window."""
    hits = table.sort("timestamp_ps", maintain_order=True).iter_rows(named=True)
    return [(start["adc"], start["timestamp_ps"], dt) for start, dt in nearest_stops(hits, window, ends, mask=mask)]


def nearest_stops(
    hits: Iterable[dict[str, Any]], window: tuple[int, int], ends: tuple[Key, Key], *, mask: int = BAD
) -> Iterator[tuple[dict[str, Any], int]]:
    """Each start with the dt of the nearest stop of its run in the window, of two as near the later."""
    good = [hit for hit in hits if not hit["flags"] & mask]
    for start in good:
        if key_of(start) != ends[0]:
            continue
        stops = [hit for hit in good if key_of(hit) == ends[1] and hit.get("run") == start.get("run")]
        differences = [stop["timestamp_ps"] - start["timestamp_ps"] for stop in stops]
        inside = [dt for dt in differences if window[0] <= dt <= window[1]]
        if inside:
            yield start, min(inside, key=lambda dt: (abs(dt), -dt))


def key_of(hit: Mapping[str, Any]) -> Key:
    """The (board, channel) of a hit."""
    return (hit["board"], hit["channel"])


def pair_rows(pairs: pl.LazyFrame) -> list[Pair]:
    """Collected pairs as tuples, in their order."""
    return [tuple(row) for row in pairs.select(PAIR_COLUMNS).collect().iter_rows()]


def counted(values: Iterable[Any], key: Callable[[Any], Any] = lambda value: value) -> dict[Any, int]:
    """How often each value occurs."""
    found: dict[Any, int] = {}
    for value in values:
        found[key(value)] = found.get(key(value), 0) + 1
    return found


def times(table: pl.DataFrame | Sequence[pl.DataFrame]) -> list[int]:
    """The times of a table's hits, or of several tables' one after the other."""
    tables = [table] if isinstance(table, pl.DataFrame) else table
    return [time for part in tables for time in part["timestamp_ps"].to_list()]
