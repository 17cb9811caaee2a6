"""The steps of the detectors' clocks, as the first hits of a run show them."""

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.coincidences.regions import Clock
from gammapolars.core.types import Key
from gammapolars.core.units import Window, format_ps
from gammapolars.detectors import Detectors
from gammapolars.streaming.slices import run_of

FIRST_HITS = 20_000
"""This many hits show the steps."""

LEAST_HITS = 50
"""The times of fewer hits of a detector may be multiples of more by accident."""

NAMED = 3


class ClockSteps(Accumulator):
    """The largest steps of which all times of a detector are multiples, up to an offset; only of the first hits.

    Several parts that are merged each count their own first hits.

    Args:
        least_hits: of a detector, that show its step.
    """

    sees_removed = True

    def __init__(self, least_hits: int = LEAST_HITS) -> None:
        self._left, self._least_hits = FIRST_HITS, least_hits
        # By run and detector: the time of the first hit, the step, the hits.
        self._steps: dict[tuple[int, Key], tuple[int, int, int]] = {}

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        if self._left <= 0 or hits.is_empty():
            return
        first = hits.select("board", "channel", "timestamp_ps").head(self._left)
        self._left -= first.height
        for key, part in first.group_by("board", "channel", maintain_order=True):
            times = part["timestamp_ps"].to_numpy()
            step = int(np.gcd.reduce(times - times[0]))
            self._add((run_of(hits), (int(key[0]), int(key[1]))), int(times[0]), step, len(times))

    def _add(self, key: tuple[int, Key], time_ps: int, step_ps: int, hits: int) -> None:
        first, step, before = self._steps.get(key, (time_ps, 0, 0))
        self._steps[key] = first, int(np.gcd.reduce([step, step_ps, abs(time_ps - first)])), before + hits

    def state(self) -> State:
        return {"steps": [[*key, *values] for key, values in self._steps.items()]}

    def merge(self, state: State) -> None:
        for run, key, *values in state["steps"]:
            self._add((run, key), *values)

    def steps_ps(self) -> dict[Key, int]:
        """The step (ps) of each detector that has hits enough at different times; of several runs the longest."""
        steps: dict[Key, int] = {}
        for (_, key), (_, step, hits) in sorted(self._steps.items()):
            if step and hits >= self._least_hits:
                steps[key] = max(step, steps.get(key, 0))
        return steps

    def clocks(self) -> dict[Key, Clock]:
        """The clock of each detector whose step is known."""
        steps = self.steps_ps()
        return {
            key: Clock(steps[key], first_ps % steps[key])
            for (_, key), (first_ps, _, _) in sorted(self._steps.items(), reverse=True)
            if key in steps
        }

    def warnings(self, window: Window, detectors: Detectors) -> list[str]:
        """Where clocks are too coarse for a coincidence window, in a sentence."""
        narrow = min(window.reach, window.high - window.low)
        coarse = {key: step for key, step in self.steps_ps().items() if step > narrow}
        if not coarse:
            return []
        step = max(coarse.values())
        names = [detectors.at(*key).name for key in coarse]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return [
            f"the clock of {', '.join(names[:NAMED])}{more} has steps of {format_ps(step)}, longer than the "
            f"coincidence window of {window}, so coincidences cannot be resolved (is the unit of the times "
            "correct, or is another time column missing?)"
        ]
