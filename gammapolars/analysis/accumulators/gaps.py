"""Times from one hit to the next."""

from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from gammapolars.core.types import Integers

K = TypeVar("K", bound=Hashable)

Spans = dict[K, tuple[int, int]]


class Gaps(Generic[K]):
    """Times from each hit of one kind to the next, whatever batches they come in.

    Attributes:
        spans: the times (ps) of the first and the last hit by kind: a run, or a detector in a run.
    """

    def __init__(self) -> None:
        self.spans: Spans[K] = {}

    def before(self, kind: K, times_ps: Integers) -> Integers:
        """The times to these hits from those before them, ps: to the first of a kind there is none.

        Args:
            kind: theirs.
            times_ps: of the hits, in order.
        """
        if not len(times_ps):
            return np.empty(0, np.int64)
        earlier = self.spans.get(kind)
        self.spans[kind] = earlier[0] if earlier else int(times_ps[0]), int(times_ps[-1])
        return np.diff(times_ps, prepend=np.array(earlier[1:] if earlier else [], np.int64))

    def state(self) -> Spans[K]:
        """The spans."""
        return dict(self.spans)

    def join(self, state: Spans[K]) -> dict[K, int]:
        """Add hits that follow.

        Returns:
            The time, ps, from the last hit before to the first of those, of each kind that has both.
        """
        seams = {kind: first - self.spans[kind][1] for kind, (first, _) in state.items() if kind in self.spans}
        for kind, (first, last) in state.items():
            self.spans[kind] = self.spans.get(kind, (first, 0))[0], last
        return seams
