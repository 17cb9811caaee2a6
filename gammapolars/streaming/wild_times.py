"""Single hits whose time is far from that of all hits around them, as where a bit of the counter was read wrongly."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import TimeOrderError
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Integers
from gammapolars.core.units import PS_PER_S, format_ps

LEAST_PS = PS_PER_S // 10
"""Hits that are off by less come late from the digitizer's buffers, more likely."""

INTERVALS = 100
"""A hit at an end is off where it is so by more than this many times the usual interval of hits."""

FORWARD = 20
"""Among hits that are out of order, a step forward of this many times the mean interval of hits leads astray."""

ONE_IN = 100
"""One of this many hits may be off; where more are, they are in disorder."""

MOST_STEPS, MOST_PARTS = 200, 1000
"""Where hits step back more often, or would have to be cut into more parts, they are in disorder."""

LAST_HITS = 16
"""This many hits at the end of a batch may be off; the batch then waits for the next one."""

RECENT_HITS = 10_000
"""This many hits before a last one show how long gaps are."""

AT_ENDS = 3
"""As many hits before all others, or after them, are looked at."""

ALONE = 10
"""Hits at an end are off where they are so by this many times the longest gap among the others."""

NEAR_HITS = 16
"""A fake event that marks a rollover may be this many hits before the step back."""

ANNOUNCED = FLAGS["external_reset"] | FLAGS["rollover"] | FLAGS["fake_rollover"]


class WildTime(NamedTuple):
    """A hit with an impossible time.

    Attributes:
        hit: its number, from 1, in its file or stream.
        off_ps: how much later it is than the hits around it; below 0, earlier.
        at_end: whether it is the first or last hit in time as well, so that nothing is out of order.
    """

    hit: int
    off_ps: int
    at_end: bool = False

    def __str__(self) -> str:
        off = format_ps(int(float(f"{abs(self.off_ps):.3g}")))
        side = "later" if self.off_ps > 0 else "earlier"
        return f"hit {self.hit:,} is {off} {side} than {'all others' if self.at_end else 'the hits around it'}"

    @property
    def verdict(self) -> str:
        """The statement about it: at an end, it may be a good hit after a gap."""
        return f"{self}: its time {'may be' if self.at_end else 'is'} wrong"


OnWild = Callable[[WildTime], bool]
"""Called with each; whether it is left out. Where it is not, and is out of order, its time is taken as it is."""


def refuse(wild: WildTime) -> bool:
    """Without a handler: hits out of order are an error, hits in order stay.

    Raises:
        TimeOrderError: the hit is out of order.
    """
    if wild.at_end:
        return False
    raise TimeOrderError(f"times are out of order: {wild}")


def without_wild_times(batches: Iterable[pl.DataFrame], reorder_ps: int, on_wild: OnWild) -> Iterator[pl.DataFrame]:
    """The hits of a stream without those with an impossible time; a batch waits for the next where its last may be off.

    Args:
        batches: as recorded, none of them empty.
        reorder_ps: how far back in time a hit may lie.
        on_wild: called with each of them.
    """
    stream = _Stream(reorder_ps, on_wild)
    for batch in batches:
        yield from stream.add(batch)
    yield from stream.end()


Numbers = range | Integers
"""The numbers of hits in their stream, from 1."""


class _Stream:
    """State of the reading of a stream: the last batch may wait, all before it has been given out."""

    def __init__(self, reorder_ps: int, on_wild: OnWild) -> None:
        self._reorder_ps, self._on_wild = reorder_ps, on_wild
        self._waiting = pl.DataFrame(schema={"timestamp_ps": pl.Int64})
        self._numbers: Numbers = range(0)  # of the hits that wait
        self._rows = 0
        self._first: int | None = None
        self._given: int | None = None  # the latest time that has been given out
        self._recent: Integers = np.empty(0, np.int64)  # the last times that have been given out

    def add(self, batch: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Take the next batch."""
        times = batch["timestamp_ps"]
        in_order = times.is_sorted()
        if in_order:  # so that it need not be found out again
            batch = batch.with_columns(pl.col("timestamp_ps").set_sorted())
        numbers: Numbers = range(self._rows + 1, self._rows + 1 + batch.height)
        is_first, self._rows = not self._rows, self._rows + batch.height
        waiting = self._waiting
        known = self._latest(waiting)
        if not in_order or int(times[0]) < known - self._reorder_ps:
            before = waiting.height
            wild = self._out_of_order(pl.concat([waiting, batch]) if before else batch)
            of_batch = [one._replace(hit=one.hit - before) for one in wild if one.hit >= before]
            batch, numbers = self._left(batch, numbers, of_batch)
            waiting, _ = self._left(waiting, self._numbers, [one for one in wild if one.hit < before])
        if is_first:
            batch, numbers = self._left(batch, numbers, _before_all(batch["timestamp_ps"].to_numpy()))
        yield from self._give(waiting)
        self._waiting, self._numbers = batch, numbers
        if not self._may_be_off(batch):
            self._waiting = batch.clear()  # a slice of no rows would keep the batch in memory
            yield from self._give(batch)

    def _may_be_off(self, batch: pl.DataFrame) -> bool:
        """Whether the last hits of a batch may be off, which those that follow will show."""
        given = np.array([] if self._given is None else [self._given], np.int64)
        last = np.concatenate([given, batch["timestamp_ps"].tail(LAST_HITS).to_numpy()])
        return bool(np.any(np.abs(np.diff(last)) > LEAST_PS))

    def end(self) -> Iterator[pl.DataFrame]:
        """Give out the waiting hits."""
        if self._waiting.height:
            times = self._waiting["timestamp_ps"].to_numpy()
            first = int(times.min()) if self._first is None else self._first
            known = len(self._recent)
            wild = _behind_all(np.concatenate([self._recent, times]), first, known, self._rows)
            wild = [one._replace(hit=one.hit - known) for one in wild]
            yield from self._give(self._left(self._waiting, self._numbers, wild)[0])

    def _latest(self, batch: pl.DataFrame) -> int:
        """The latest time of those given out and of a batch."""
        times = [] if self._given is None else [self._given]
        if batch.height:
            times.append(int(batch["timestamp_ps"].max()))  # type: ignore[arg-type]
        return max(times, default=-(2**63))

    def _give(self, batch: pl.DataFrame) -> Iterator[pl.DataFrame]:
        if batch.height:
            if self._first is None:
                self._first = int(batch["timestamp_ps"].min())  # type: ignore[arg-type]
            self._given = self._latest(batch)
            self._recent = batch["timestamp_ps"].tail(RECENT_HITS).to_numpy().copy()
            yield batch

    def _out_of_order(self, hits: pl.DataFrame) -> list[WildTime]:
        flags = hits["flags"].to_numpy() if "flags" in hits.columns else None
        return _out_of_order(hits["timestamp_ps"].to_numpy(), flags, self._given, self._reorder_ps)

    def _left(self, hits: pl.DataFrame, numbers: Numbers, wild: list[WildTime]) -> tuple[pl.DataFrame, Numbers]:
        """The hits that are left, and their numbers, when others, named by their rows, have been reported."""
        out = [one.hit for one in wild if self._on_wild(one._replace(hit=int(numbers[one.hit])))]
        if not out:
            return hits, numbers
        stays = np.ones(hits.height, np.bool_)
        stays[out] = False
        return hits.filter(pl.Series(stays)), np.asarray(numbers)[stays]


def _out_of_order(
    times: Integers, flags: npt.NDArray[Any] | None, given_ps: int | None, reorder_ps: int
) -> list[WildTime]:
    """The hits, by their rows, without which the others are in order, as far as these are but a few and far off.

    Args:
        times: of hits of which some lie further back than the reorder buffer reaches.
        flags: of the same hits; where a clock starts again by these, nothing is off.
        given_ps: the latest time before; None: there is none.
        reorder_ps: how far back hits may lie.
    """
    back = np.flatnonzero(times[1:] < times[:-1]) + 1
    back = back[times[back - 1] - times[back] > reorder_ps]
    is_behind = given_ps is None or int(times[0]) >= given_ps - reorder_ps
    if len(times) < ONE_IN or (is_behind and not len(back)) or len(back) > MOST_STEPS:
        return []
    begins = _parts(times, back.tolist(), reorder_ps)
    if begins is None or (flags is not None and _is_announced(flags, back)):
        return []
    far = max(LEAST_PS, reorder_ps)
    ends = np.append(begins[1:], len(times))
    first = np.array([int(times[b:e].min()) for b, e in zip(begins, ends, strict=True)])
    last = np.array([int(times[b:e].max()) for b, e in zip(begins, ends, strict=True)])
    stays = _longest(first, last, ends - begins, given_ps, reorder_ps)
    if int((ends - begins)[~stays].sum()) > len(times) // ONE_IN:
        return []
    known = [given_ps] if given_ps is not None else []
    found: list[WildTime] = []
    for part in np.flatnonzero(~stays):
        later, earlier = first[part:][stays[part:]], [*known, *last[:part][stays[:part]]]
        off = int(first[part] - later[0]) if len(later) and first[part] > later[0] else int(last[part] - earlier[-1])
        if abs(off) <= far:
            return []
        found += [WildTime(int(row), off) for row in range(begins[part], ends[part])]
    return found


def _is_announced(flags: npt.NDArray[Any], back: Integers) -> bool:
    """Whether flags at, or shortly before, some hits show that the clock starts again."""
    return any(bool(np.any(flags[max(row - NEAR_HITS, 0) : row + 1] & ANNOUNCED)) for row in back.tolist())


def _parts(times: Integers, back: list[int], reorder_ps: int) -> Integers | None:
    """The rows with which parts begin that are as a whole before or after others; None: there are far too many.

    Times are cut where they step back, around what they step back over, and where they step far forward.
    """
    low, high = np.quantile(times, [0.05, 0.95])
    forward = np.flatnonzero(np.diff(times) > max(LEAST_PS, reorder_ps, FORWARD * (high - low) / len(times))) + 1
    cuts = {0, *back, *forward[: MOST_PARTS + 1].tolist()}
    for before, row, behind in zip([0, *back], back, [*back[1:], len(times)], strict=False):
        cuts.add(before + int(np.searchsorted(times[before:row], times[row] + reorder_ps, side="right")))
        cuts.add(row + int(np.searchsorted(times[row:behind], times[row - 1] - reorder_ps)))
    begins = np.array(sorted(cuts - {len(times)}))
    return begins if len(begins) <= MOST_PARTS else None


def _longest(
    first: Integers, last: Integers, hits: Integers, given_ps: int | None, reorder_ps: int
) -> npt.NDArray[np.bool_]:
    """Which parts make the longest stream in order: the most hits of which each part begins where one before ended.

    Args:
        first: (n,) the earliest time of each part, ps.
        last: (n,) the latest one.
        hits: (n,) how many it has.
        given_ps: all parts that stay must be later than this, if given.
        reorder_ps: how far a part may reach back into the one before.
    """
    most, before = np.zeros(len(first), np.int64), np.full(len(first), -1)
    for part in range(len(first)):
        if given_ps is not None and first[part] < given_ps - reorder_ps:
            continue
        fits = np.where(last[:part] - reorder_ps <= first[part], most[:part], 0)
        if part and fits.max() > 0:
            before[part] = int(fits.argmax())
        most[part] = hits[part] + (fits.max() if part else 0)
    stays = np.zeros(len(first), np.bool_)
    part = int(most.argmax())
    while part >= 0 and most[part]:
        stays[part] = True
        part = int(before[part])
    return stays


def _before_all(times: Integers) -> list[WildTime]:
    """Hits at the beginning of a stream, by their rows, that lie far before all others."""
    if len(times) < ONE_IN:
        return []
    rest = times[AT_ENDS:]
    begin, end = int(rest.min()), int(rest.max())
    rows = _alone(begin - times[:AT_ENDS], (end - begin) / len(rest), rest)
    return [WildTime(int(row), int(times[row]) - begin, at_end=True) for row in rows]


def _behind_all(times: Integers, first_ps: int, given: int, hits: int) -> list[WildTime]:
    """Hits at the end of a stream, by their rows, that are far later than all others.

    Args:
        times: of the last hits.
        first_ps: when the stream began.
        given: how many of these have been given out.
        hits: how many the stream has.
    """
    start = max(len(times) - AT_ENDS, given)
    rest = times[:start]
    if hits < ONE_IN or not len(rest):
        return []
    latest = int(rest.max())
    rows = _alone(times[start:] - latest, (latest - first_ps) / hits, rest)
    return [WildTime(start + int(row), int(times[start + row]) - latest, at_end=True) for row in rows]


def _alone(off_ps: Integers, interval_ps: float, others: Integers) -> Integers:
    """Which of some hits at an end are off the others by more than any gap can be."""
    far = max(float(LEAST_PS), INTERVALS * interval_ps)
    candidates = np.flatnonzero(off_ps > far)
    if len(candidates) and len(others) > 1:
        far = max(far, ALONE * float(np.abs(np.diff(others)).max()))
    return candidates[off_ps[candidates] > far] if len(candidates) else candidates
