"""Hits of a detector at the time of another of its hits, which no detector can have."""

from typing import Any

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Integers, Key
from gammapolars.streaming.repeats import PLACE, detections, same_as_before
from gammapolars.streaming.slices import run_of

At = tuple[int, dict[Key, int]]
"""A time (ps), and how many hits each detector has at it."""

Crowd = tuple[int, int, Key]
"""How many hits a detector has at one time, the time (ps), and the detector."""


class Repeats(Accumulator):
    """Hits at the time of another hit of their detector, without fake events, which nothing was detected for.

    Attributes:
        hits: how many there are besides the first of each detector and time.
        most: the most hits that a detector has at one time, and where; None: there are none.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.most: Crowd | None = None
        self._ends: dict[int, tuple[At, At]] = {}  # of each run, its first and its last time

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        shared = _alike(hits)
        if len(shared):
            rows = detections(hits.select(*PLACE, "flags")[shared])
            crowds = rows.group_by(PLACE).agg(hits=pl.len()).filter(pl.col("hits") > 1)
            if crowds.height:
                self.hits += int(crowds["hits"].sum()) - crowds.height
                time, board, channel, most = crowds.sort("hits", *PLACE, descending=[True, *[False] * 3]).row(0)
                self._crowd((most, time, (board, channel)))
        self._follow(run_of(hits), *_ends(hits))

    def _crowd(self, crowd: Crowd) -> None:
        """Remember the larger crowd; of two alike, the earlier one."""
        if self.most is None or (-crowd[0], *crowd[1:]) < (-self.most[0], *self.most[1:]):
            self.most = crowd

    def _follow(self, run: int, first: At, last: At) -> None:
        """Count the repeats across the seam to a stretch that follows."""
        before = self._ends.get(run)
        if before is None:
            self._ends[run] = first, last
            return
        begin, end = before
        if end[0] == first[0]:
            both = {key: end[1].get(key, 0) + first[1].get(key, 0) for key in end[1] | first[1]}
            for key in end[1].keys() & first[1].keys():
                self.hits += 1
                self._crowd((both[key], first[0], key))
            begin = (begin[0], both) if begin[0] == end[0] else begin
            last = (last[0], both) if last[0] == first[0] else last
        self._ends[run] = begin, last

    def state(self) -> State:
        return {"hits": self.hits, "most": self.most, "ends": dict(self._ends)}

    def merge(self, state: dict[str, Any]) -> None:
        self.hits += state["hits"]
        if state["most"]:
            self._crowd(state["most"])
        for run, (first, last) in state["ends"].items():
            self._follow(run, first, last)


def _alike(hits: pl.DataFrame) -> Integers:
    """The rows of hits that may repeat another one: of the same time as a neighbour, and of its detector too unless
    more than two hits have that time.

    Most hits that share a time are two of a coincidence, which need not be grouped.
    """
    times, board, channel = (hits[name].to_numpy() for name in PLACE)
    behind = same_as_before(times)
    doubtful = (board[behind] == board[behind - 1]) & (channel[behind] == channel[behind - 1])
    third = np.diff(behind) == 1
    doubtful[1:] |= third
    doubtful[:-1] |= third
    rows = behind[doubtful]
    return np.union1d(rows - 1, rows) if len(rows) else rows


def _ends(hits: pl.DataFrame) -> tuple[At, At]:
    """Hits of detectors at the first and at the last time of hits in time order."""
    times = hits["timestamp_ps"].to_numpy()
    first, last = int(times[0]), int(times[-1])
    behind, before = int(np.searchsorted(times, first, side="right")), int(np.searchsorted(times, last))
    return (first, _by_detector(hits[:behind])), (last, _by_detector(hits[before:]))


def _by_detector(hits: pl.DataFrame) -> dict[Key, int]:
    if hits.height == 1:
        is_fake = "flags" in hits.columns and hits["flags"][0] & FLAGS["fake_event"]
        return {} if is_fake else {(hits["board"][0], hits["channel"][0]): 1}
    counts = detections(hits).group_by("board", "channel").len()
    return {(board, channel): count for board, channel, count in counts.iter_rows()}
