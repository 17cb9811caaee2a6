"""Where in the files of a stream which times lie: places and a few times, looked up when they are needed."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from gammapolars.core.types import Integers
from gammapolars.io.input_file import InputFile
from gammapolars.io.places import borders_of, times_at
from gammapolars.io.stretches import Stretch, stretch_of

FIRST_ROWS = 1000
"""The first step away from a border at which a later time is looked for."""

MARGIN = 0.02
"""An estimate of where a time lies between two borders is made safe by this part of their distance."""


class StreamIndex:
    """The places of files that follow each other, numbered on from one to the next.

    Hits are in time order up to a limit: those before a place are no later than the hit there by more than that, and
    those after it no earlier.

    Args:
        files: in the order in which they were recorded.

    Attributes:
        total: how many places there are.
    """

    def __init__(self, files: tuple[InputFile, ...]) -> None:
        self._files = files
        borders = [borders_of(file) for file in files]
        self.can_be_cut = all(one is not None for one in borders)
        self._of_files = [np.zeros(1, np.int64) if one is None else one for one in borders]
        self._begins = np.cumsum([0, *(int(one[-1]) for one in self._of_files)])
        self.total = int(self._begins[-1])
        self._times: dict[int, int] = {}

    @cached_property
    def borders(self) -> Integers:
        """(n,) the places at which the files are cut at little cost, ascending: the first is 0, the last the end."""
        parts = [places + begin for places, begin in zip(self._of_files, self._begins[:-1], strict=True)]
        return np.unique(np.concatenate([[0], *parts]))

    @cached_property
    def rows(self) -> int | None:
        """How many hits there are, if places are rows; None: places are bytes."""
        counts = [file.count() for file in self._files]
        return self.total if counts == [int(one[-1]) for one in self._of_files] else None

    def time_ps(self, place: int) -> int:
        """The recorded time of the hit at a place."""
        if place not in self._times:
            number = int(np.searchsorted(self._begins, place, side="right")) - 1
            self._times[place] = times_at(self._files[number], [place - int(self._begins[number])])[0]
        return self._times[place]

    def last_before(self, limit_ps: int) -> int:
        """A place near the last one whose time lies before a limit; 0 where there is none."""
        upper = bisect_left(self.borders[:-1], limit_ps, key=lambda place: self.time_ps(int(place)))
        if not upper:
            return 0
        low, high = int(self.borders[upper - 1]), int(self.borders[upper])
        near = self._between(low, high, limit_ps, -MARGIN)
        return near if near is not None and self.time_ps(near) < limit_ps else low

    def first_after(self, limit_ps: int, begin: int = 0) -> int:
        """A place near the first one, from `begin` on, whose time lies behind a limit; the end where there is none."""
        first = int(np.searchsorted(self.borders, begin, side="right"))
        inner = self.borders[first:-1]
        upper = first + bisect_left(inner, limit_ps + 1, key=lambda place: self.time_ps(int(place)))
        high = int(self.borders[min(upper, len(self.borders) - 1)])
        low = max(int(self.borders[upper - 1]), begin)
        for place in self._steps(low, high):
            if self.time_ps(place) > limit_ps:
                return place
        near = self._between(low, high, limit_ps, MARGIN)
        return near if near is not None and self.time_ps(near) > limit_ps else high

    def _steps(self, low: int, high: int) -> Iterator[int]:
        """A few places closely behind a border: it costs little to read up to these."""
        if self.rows is not None:
            yield from (low + step for step in (FIRST_ROWS, 16 * FIRST_ROWS) if low + step < high)

    def _between(self, low: int, high: int, time_ps: int, margin: float) -> int | None:
        """About where a time lies between two places, if it can be between them."""
        if self.rows is None or high >= self.total or (ends := self.time_ps(high)) <= (begins := self.time_ps(low)):
            return None
        place = low + int(((time_ps - begins) / (ends - begins) + margin) * (high - low))
        return place if low < place < high else None

    def stretches(self, first: int, own_end: int, end: int) -> tuple[Stretch, ...]:
        """The parts of files between places."""
        found = []
        for file, begin, places in zip(self._files, self._begins[:-1], self._of_files, strict=True):
            low, mine, high = (min(max(place - int(begin), 0), int(places[-1])) for place in (first, own_end, end))
            if low < high:
                found.append(stretch_of(file, low, mine, high))
        return tuple(found)
