"""Events: hits that belong together by time, cut into groups by a window, all groups at once, and numbered."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core import defaults, schema
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.flags import has_any, parse_reject, union
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Integers, Mask
from gammapolars.core.units import format_ps, parse_window
from gammapolars.core.wording import setting
from gammapolars.streaming.slices import SLICE_HITS, in_parallel, lazy_frame, pieces, slices
from gammapolars.streaming.time_order import REORDER_PS

WindowRef = Literal["first", "last"]
"""Start of the window: the first hit of an event (rigid), or the hit before (extending)."""


def parse_span(window: str | int, what: str = "an event") -> int:
    """How long after a hit another still belongs to it, ps; a UsageError, where it is no one time of 0 or more."""
    low, high = parse_window(window)
    if low != -high:
        raise UsageError(f"the window for {what} is a single time, such as 250ns, not '{window}'")
    return high


def parse_window_ref(text: str) -> WindowRef:
    """Check the start of a window; a UsageError, where it is neither `first` nor `last`."""
    for known in get_args(WindowRef):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"a window is measured from the first or the last hit of an event, not from '{text}'")


def event_starts(times: Integers, window_ps: int, ref: WindowRef, breaks: Mask | None = None) -> Mask:
    """True where an event begins.

    Args:
        times: of the hits, ascending (between breaks), in picoseconds.
        window_ps: how long an event reaches, from its first hit or from the hit before.
        ref: which of the two.
        breaks: true where an event begins in any case; times may step back there.

    Returns:
        One value a hit. The first hit begins an event.
    """
    starts = np.empty(len(times), np.bool_)
    if not len(times):
        return starts
    starts[0] = True
    np.greater(np.diff(times), window_ps, out=starts[1:])
    if breaks is not None:
        starts |= breaks
    if ref == "first":
        _cut_long(times, window_ps, starts)
    return starts


def fired(event: npt.NDArray[np.uint64], board: npt.NDArray[Any], channel: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Which detectors fired in which event (below 2^32): event << 32 | board << 16 | channel, each once, ascending."""
    keys = event << np.uint64(32) | board.astype(np.uint64) << np.uint64(16) | channel.astype(np.uint64)
    keys.sort()  # np.unique takes ten times as long where most are different
    different = np.ones(len(keys), np.bool_)
    different[1:] = keys[1:] != keys[:-1]
    return np.asarray(keys[different], np.uint64)


def _cut_long(times: Integers, window_ps: int, starts: Mask) -> None:
    """Cut stretches connected by gaps within the window into events that reach no further than the window.

    Only stretches longer than the window are looked at, and these are few at usual rates. They are put one after the
    other on one axis of time, far enough apart. There, the hit with which the next event would begin, if one began at
    a hit, is `following`; those that do begin one are reached from the stretches' first hits in steps of 1, 2, 4, …
    events, so that a run without any gap takes some twenty passes over it, and not one an event.
    """
    later = np.flatnonzero(~starts)
    last = np.flatnonzero(np.diff(later, append=len(times) + 1) != 1)  # of each stretch of several hits
    end = later[last] + 1
    first = later[np.append(0, last[:-1] + 1)] - 1 if len(later) else later
    spans = times[end - 1] - times[first]
    long = spans > window_ps
    if not long.any():
        return
    first, lengths = first[long], (end - first)[long]
    begins = np.cumsum(lengths) - lengths
    rows = np.repeat(first - begins, lengths) + np.arange(int(lengths.sum()))
    places = spans[long] + (window_ps + 1)
    moved = np.cumsum(places) - places - times[first]
    axis = times[rows] + np.repeat(moved, lengths)
    following = np.append(np.searchsorted(axis, axis + window_ps, side="right"), len(rows))
    starts[rows[_reached(following, begins)]] = True


def _reached(following: npt.NDArray[Any], seeds: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The places that are reached from some by following on and on; the last place of `following` is the end."""
    reached = np.zeros(len(following), np.bool_)
    reached[seeds] = True
    found = seeds
    while True:
        ahead = following[found]
        new = np.unique(ahead[~reached[ahead]])
        reached[new] = True
        if not len(new) or new[0] == len(following) - 1:
            return np.flatnonzero(reached[:-1])
        found = np.flatnonzero(reached)
        following = following[following]


MOST_HITS = 1_000_000
"""An event of more hits is none: the window is wider than the gaps between hits. It bounds the memory."""

BLOCK_HITS = 250_000
"""Hits are put into events in parts of so many, whose columns stay in the cache."""

COLUMNS = ("event", "multiplicity", "time_in_event_ps")


def events(
    hits: AnyFrame,
    window: str | int = defaults.WINDOW,
    *,
    window_ref: str = "first",
    reject: str | int = defaults.REJECT,
    min_multiplicity: int = 1,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """Hits with the number of their event, in time order.

    An event begins with the first hit that belongs to no earlier event. With `window_ref="first"` it holds all hits up
    to `window` after that first hit (closed), and is never longer; with `"last"` it continues as long as each hit
    follows the one before within `window`. Only hits of one `run` make an event, where that column distinguishes
    several.

    `multiplicity` is the number of different detectors that fired: two hits of one detector both belong to the event,
    and count once. `event` numbers all events from 0 in order of time, on through all runs, before those of lower
    multiplicity are left out: an event keeps its number whatever `min_multiplicity` is. Rejected hits are not used:
    they are left out, do not count for the multiplicity and do not prolong an event. The result is the same whatever
    the size of slices.

    Args:
        hits: a table of hits, nearly in time order; all of its columns are carried along.
        window: `250ns`, or picoseconds.
        window_ref: reference of the window: the `first` hit of the event, or the `last` one before.
        reject: flags that disqualify a hit, as on the command line: names, a mask, or `none`.
        min_multiplicity: events in which fewer detectors fired are left out.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of events, one row per hit.

    Raises:
        TableError: the frame is not a table of hits.
        UsageError: an invalid window, flag or multiplicity.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
        InputError: when collected, if an event grows beyond a million hits.
    """
    hits = lazy(hits, "hits")
    rule = EventRule(window, window_ref=window_ref, reject=reject, min_multiplicity=min_multiplicity)
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        needed = hits if wanted is None else hits.select(rule.columns_for(wanted, columns))
        parts = slices(needed, 0, reorder_ps=reorder_ps, slice_hits=slice_hits)
        for table, _ in rule.built(part.own for part in parts):
            yield table

    return lazy_frame(rule.schema(columns), batches)


class Counts(NamedTuple):
    """Outcome for the hits of a stretch.

    Attributes:
        events: how many events of each multiplicity, from 0, were built; those that were left out too.
        below: hits of detectors, by (board, channel), in events that were left out.
    """

    events: npt.NDArray[np.int64]
    below: dict[tuple[int, int], int]


class _Block(NamedTuple):
    """Whole events: their hits, of which some begin one, and the number of the first of them."""

    hits: pl.DataFrame
    starts: Mask
    number: int


class EventRule:
    """Definition of an event: the window, its start, the flags that disqualify, and how many detectors.

    Attributes:
        window_ps: how long after the first hit, or after the one before, a hit may come.
        window_ref: which of the two.
        reject: the masks that disqualify a hit, by flag name.
        min_multiplicity: the least number of detectors.
    """

    def __init__(
        self,
        window: str | int = defaults.WINDOW,
        *,
        window_ref: str = "first",
        reject: str | int | Mapping[str, int] = defaults.REJECT,
        min_multiplicity: int = 1,
    ) -> None:
        self.window_ps = parse_span(window)
        self.window_ref = parse_window_ref(window_ref)
        self.reject = dict(reject) if isinstance(reject, Mapping) else parse_reject(reject)
        self._mask = union(self.reject)
        if min_multiplicity < 1:
            raise UsageError(f"an event has at least one detector, not {min_multiplicity}")
        self.min_multiplicity = min_multiplicity

    def require(self, hits: pl.LazyFrame) -> pl.Schema:
        """The schema of a table of hits, checked for the columns needed."""
        needed = ["board", "channel", "timestamp_ps", *(["flags"] if self._mask else [])]
        return schema.require(hits, schema.HITS, columns=tuple(needed))

    def schema(self, columns: pl.Schema) -> pl.Schema:
        """The columns of the events, from those of the hits."""
        carried = {name: dtype for name, dtype in columns.items() if name not in COLUMNS}
        return pl.Schema(carried | {name: schema.EVENTS.columns[name] for name in COLUMNS})

    def columns_for(self, wanted: list[str], columns: pl.Schema) -> list[str]:
        """The columns of the hits that are needed to make the wanted columns of events."""
        needed = {"board", "channel", "timestamp_ps", "flags", "run", *wanted}
        return [name for name in columns if name in needed and name not in COLUMNS]

    def built(self, frames: Iterable[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, Counts]]:
        """Events of hits in time order, with their counts; frames hold hits of one run each, and runs follow another.

        The hits of the last event are held back, as hits of the next frame may belong to it: where events begin depends
        on nothing before that event's first hit, and so not on how the stream is cut.
        """
        yield from in_parallel(self._tables, self._blocks(frames))

    def _blocks(self, frames: Iterable[pl.DataFrame]) -> Iterator[_Block]:
        waiting: pl.DataFrame | None = None
        run, number = None, 0
        parts = (part for frame in frames for piece in pieces(frame) for part in piece.iter_slices(BLOCK_HITS))
        for frame in parts:
            used = frame.filter(~has_any(self._mask)) if self._mask else frame
            if used.is_empty():
                continue
            now = used["run"][0] if "run" in used.columns else None
            if waiting is not None and now != run:
                yield _one_event(waiting, number)
                waiting, number = None, number + 1
            run = now
            hits = used if waiting is None else pl.concat([waiting, used], rechunk=True)
            starts = self._starts(hits)
            if last := int(hits.height - 1 - starts[::-1].argmax()):
                yield _Block(hits[:last], starts[:last], number)
                number += int(np.count_nonzero(starts[:last]))
            waiting = hits[last:]
            self._check(waiting.height, waiting)
        if waiting is not None:
            yield _one_event(waiting, number)

    def _starts(self, hits: pl.DataFrame) -> Mask:
        return event_starts(hits["timestamp_ps"].to_numpy(), self.window_ps, self.window_ref)

    def _check(self, count: int, hits: pl.DataFrame) -> None:
        if count > MOST_HITS:
            first = setting("--window-ref first", 'window_ref="first"')
            raise InputError(
                f"an event at {format_ps(hits['timestamp_ps'][0])} has more than {MOST_HITS:,} hits: "
                f"{format_ps(self.window_ps)} is longer than the time between hits; choose a narrower window"
                + (f", or {first}" if self.window_ref == "last" else "")
            )

    def _tables(self, block: _Block) -> Iterator[tuple[pl.DataFrame, Counts]]:
        hits, starts, number = block
        if hits.height > MOST_HITS:
            first = np.append(np.flatnonzero(starts), hits.height)
            longest = int(np.diff(first).argmax())
            self._check(int(first[longest + 1] - first[longest]), hits[int(first[longest]) :])
        columns, counted = _event_columns(hits, starts, number)
        table = hits.drop(COLUMNS, strict=False).with_columns(columns)
        below: dict[tuple[int, int], int] = {}
        if self.min_multiplicity > 1:
            enough = pl.col("multiplicity") >= self.min_multiplicity
            below = detector_counts(table.filter(~enough))
            table = table.filter(enough)
        yield table, Counts(counted, below)


def _one_event(hits: pl.DataFrame, number: int) -> _Block:
    return _Block(hits, np.arange(hits.height) == 0, number)


def _event_columns(hits: pl.DataFrame, starts: Mask, number: int) -> tuple[list[pl.Series], npt.NDArray[np.int64]]:
    """The columns of events, and how many events there are of each multiplicity, from 0.

    Most events have one hit: only the others are looked at more closely.
    """
    later = np.flatnonzero(~starts)
    is_second = np.diff(later, prepend=-1) != 1  # of an event; no hit before the first of all is later than another
    place = np.cumsum(is_second) - 1  # among the events of several hits
    first = later[is_second] - 1
    of_several = _multiplicity(hits, np.append(first, later), np.append(np.arange(len(first)), place))
    multiplicity = np.ones(hits.height, np.uint16)
    multiplicity[first], multiplicity[later] = of_several, of_several[place]
    times, since = hits["timestamp_ps"].to_numpy(), np.zeros(hits.height, np.int64)
    since[later] = times[later] - times[first][place]
    events = np.cumsum(starts, dtype=np.uint64)
    counted = np.bincount(of_several, minlength=2)
    counted[1] += int(events[-1]) - len(first)
    events += np.uint64(number)
    events -= np.uint64(1)
    return [
        pl.Series("event", events),
        pl.Series("multiplicity", multiplicity),
        pl.Series("time_in_event_ps", since),
    ], counted


def _multiplicity(hits: pl.DataFrame, rows: npt.NDArray[Any], place: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How many different detectors fired in each event of several hits, by the rows of these and their events."""
    if not len(rows):
        return np.empty(0, np.int64)
    detector = (hits[name].to_numpy()[rows] for name in ("board", "channel"))
    return np.bincount((fired(place.astype(np.uint64), *detector) >> np.uint64(32)).astype(np.int64))


def detector_counts(hits: pl.DataFrame) -> dict[tuple[int, int], int]:
    """Hits by (board, channel)."""
    counted = hits.group_by("board", "channel").len()
    return {(board, channel): count for board, channel, count in counted.sort("board", "channel").iter_rows()}
