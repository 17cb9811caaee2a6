"""Integers from one hit to the next."""

import numpy as np

from gammapolars.core.types import Integers


class Gaps:
    """Integers from each hit of one kind to the next, whatever batches they come in; none from one run to the next."""

    def __init__(self) -> None:
        self._run: int | None = None
        self._last_ps: int | None = None

    def of(self, run: int, times_ps: Integers) -> Integers:
        """The times to these hits from those before them, ps: to a run's first hit there is none.

        Args:
            run: theirs.
            times_ps: of the hits, in order.
        """
        if run != self._run:
            self._run, self._last_ps = run, None
        if not len(times_ps):
            return np.empty(0, np.int64)
        before = np.array([] if self._last_ps is None else [self._last_ps], np.int64)
        self._last_ps = int(times_ps[-1])
        return np.diff(np.concatenate([before, times_ps]))
