"""How far a stream of hits, as recorded, is out of time order."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from gammapolars.core.types import Integers
from gammapolars.streaming.epochs import Epoch, epochs
from gammapolars.streaming.slices import parts_by_run
from gammapolars.streaming.steps_back import StepBack

MOST_RESTARTS = 100
"""Where times step far back more often than this among some hits, they are in disorder, and no clock starts again."""


class OrderTally:
    """How far a stream of hits is out of time order.

    Args:
        restart_ps: a step back of more than this is taken for a clock that starts again, and is not counted; None: all
            are counted.

    Attributes:
        hits: how many have been seen.
        inversions: hits that lie before their predecessor.
        largest_step_back_ps: by how much at most, relative to the latest hit so far.
        step_back: where it looks as if the clock had started again, without a flag.
        blocks: the runs, in the order in which their hits come.
    """

    def __init__(self, restart_ps: int | None = None) -> None:
        self.hits = self.inversions = self.largest_step_back_ps = 0
        self.step_back: StepBack | None = None
        self.blocks: list[int] = []
        self._restart_ps = restart_ps
        self._latest: int | None = None
        self._previous: int | None = None
        self._run = 1

    def epochs(self, batches: Iterator[pl.DataFrame], reorder_ps: int, *, by_flag: bool = False) -> list[Epoch]:
        """Count a stream to its end; where flags show that timestamps start again, no step back is counted.

        Returns:
            Its epochs, which have been read.
        """
        found = []
        for epoch in epochs(lambda: batches, reorder_ps=reorder_ps, disorder=True, by_flag=by_flag):
            self._latest = self._previous = None
            for batch in epoch.batches:
                for of_run in parts_by_run(batch):
                    self.add(of_run["timestamp_ps"], of_run["run"][0] if "run" in batch.columns else 1)
            epoch.close()
            self.step_back = self.step_back or epoch.step_back
            found.append(epoch)
        return found

    def add(self, times: pl.Series, run: int = 1) -> None:
        """Take the times of hits that follow, of one run."""
        if times.is_empty():
            return
        if not self.blocks or self.blocks[-1] != run:
            self.blocks.append(run)
        if run != self._run:
            self._run, self._latest, self._previous = run, None, None
        values = times.to_numpy()
        back = np.empty(0, np.int64) if times.is_sorted() else np.flatnonzero(values[1:] < values[:-1]) + 1
        far = [] if self._restart_ps is None else back[values[back - 1] - values[back] > self._restart_ps]
        begin = 0
        for end in [*(far if len(far) < MOST_RESTARTS else []), len(values)]:
            self._add_part(values[begin:end], back[(back > begin) & (back < end)] - begin)
            begin = end

    def _add_part(self, times: Integers, back: Integers) -> None:
        """Take times between restarts, and the rows of those that lie before their predecessor.

        Times ascend between such rows, so that nothing is further before the latest than one of them, or the first.
        """
        first, last = int(times[0]), int(times[-1])
        if self._restart_ps is not None and self._latest is not None and first < self._latest - self._restart_ps:
            self._latest = self._previous = None
        self.inversions += len(back) + (self._previous is not None and first < self._previous)
        latest = first if self._latest is None else max(self._latest, first)
        steps = [latest - first]
        if len(back):
            so_far = np.maximum(np.maximum.accumulate(times[back - 1]), latest)
            steps.append(int((so_far - times[back]).max()))
            latest = int(so_far[-1])
        self.largest_step_back_ps = max(self.largest_step_back_ps, *steps)
        self._latest, self._previous = max(latest, last), last
        self.hits += len(times)
