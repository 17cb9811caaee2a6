"""Counting in a pass over hits and pairs: in parts, whose states add up to the whole."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import polars as pl

State = dict[str, Any]
"""Plain data: tables, arrays, numbers, None, or dicts and lists of them."""


class Mergeable(Protocol):
    """A sum whose parts add up."""

    def state(self) -> Any:
        """The sums so far, as plain data."""

    def merge(self, state: Any) -> None:
        """Add the state of another sum."""


class Accumulator:
    """Something that is summed up over slices; hits and pairs come from two threads, each in order of time.

    Several may each take a stretch of the hits and pairs. Merged in the order of the stretches, in any association,
    their states give the result of one that took all of them.

    Attributes:
        sees_removed: whether it takes hits that a selection removes, too, marked by their flags: to count them, or
            because detectors are dead after them as after others.
    """

    sees_removed: ClassVar[bool] = False

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take a slice's own hits, rejected ones too; none count unless this is overridden."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take a part of a slice's pairs, calibrated; none count unless this is overridden."""

    def parts(self) -> Mapping[str, Mergeable]:
        """The sums that it consists of: `state` and `merge` are theirs, unless they are extended or overridden."""
        raise NotImplementedError

    def state(self) -> State:
        """The counts so far, as plain data that can be pickled."""
        return {name: part.state() for name, part in self.parts().items()}

    def merge(self, state: State) -> None:
        """Add the state of the stretch that follows.

        Args:
            state: of an accumulator with the same parameters.
        """
        for name, part in self.parts().items():
            part.merge(state[name])
