"""The bins of a time spectrum, as its window and the clocks of the detectors suggest."""

import math
from collections.abc import Callable

from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import CLOCK_HITS, clocks
from gammapolars.core.errors import UsageError
from gammapolars.core.units import Window
from gammapolars.corrections import align

BINS = 2000
"""This many bins, or fewer, if none are asked for."""


def fitting_bin_ps(window: Window, clock: Callable[[], int]) -> int:
    """About two thousand bins: 1, 2 or 5 times a power of ten, and a whole number of steps of a coarse clock."""
    span = window.high - window.low
    if span < 1000:
        raise UsageError(f"the window {window} is too short for a lifetime fit")
    least_ps = span / BINS
    decade = 10.0 ** math.floor(math.log10(least_ps))
    width = max(1, round(next(step * decade for step in (1, 2, 5, 10) if step * decade >= least_ps * (1 - 1e-9))))
    step = clock()
    return -(-width // step) * step if step > 1 and step * 100 > width else width


def run_clock_ps(recording: Recording, rule: PairRule) -> int:
    """The common step of the clocks of start and stop."""
    names = ["board", "channel", "timestamp_ps"]
    with recording.runs.naming_errors():
        hits = align(recording.runs.hits, recording.detectors, reorder_ps=recording.runs.reorder_ps)
        first = hits.select(names).head(CLOCK_HITS).collect()
    of_detectors = clocks(first)
    return math.gcd(*(of_detectors[key].step_ps for key in rule.detectors or () if key in of_detectors))
