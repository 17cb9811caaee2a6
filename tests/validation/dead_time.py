"""Simulated detectors with dead time: their random coincidences, and true ones that they are too dead to count."""

import math
from itertools import product

import numpy as np
import polars as pl

from tests.deadtimes import US, Detectors, expected, live_part, random_pairs, recorded, true_pairs
from tests.validation.outcomes import Outcome, pull_checks

SHARES = (0.0, 0.2, 0.4, 0.6)
DEAD_PS = (US // 10, US, 10 * US)
RATES_CPS = (30_000.0, 20_000.0)

PROMPT, BEYOND = "prompt window, within the dead time", "random window beyond it"
LIVE = "true pairs without dead time"


SHORT_DEAD = 5.0
"""Runs with the shortest dead time are so many times longer: the windows within it have few pairs, and that a detector
is dead for 0.1 us is only seen in many hits."""


def dead_time(runs: int = 25, time_s: float = 4.0) -> Outcome:
    """Pulls of the expectation in two windows, for each share of true coincidences, dead time, and kind of it."""
    lines, pulls = [], dict[str, list[float]]({PROMPT: [], BEYOND: [], LIVE: []})
    for number, (share, dead_ps, extendable) in enumerate(product(SHARES, DEAD_PS, (False, True))):
        detectors = Detectors(RATES_CPS, share, (dead_ps, dead_ps), extendable)
        lasts_s = time_s * SHORT_DEAD if dead_ps == min(DEAD_PS) else time_s
        found = [pulls_of(runs * number + run, detectors, lasts_s) for run in range(runs)]
        for name, values in zip(pulls, zip(*found, strict=True), strict=True):
            pulls[name] += [value for value in values if np.isfinite(value)]
        means, widths = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        kind = "extendable" if extendable else "non-extendable"
        lines.append(
            f"share {share:.1f}, dead for {dead_ps / US:4.1f} us, {kind:>14}: mean pull and width "
            + ", ".join(
                f"{mean:+.2f} {width:.2f}" for mean, width in zip(means, widths, strict=True) if np.isfinite(mean)
            )
        )
    checks = [check for name, values in pulls.items() for check in pull_checks(name, values)]
    return Outcome(f"Random coincidences within dead time: {runs} runs each", lines, checks)


def pulls_of(seed: int, detectors: Detectors, time_s: float) -> tuple[float, float, float]:
    """(counted - expected) / σ in a window of 0.4 dead times, in one beyond them, and of true pairs without dead time;
    NaN where there are none.
    """
    hits, dead_ps = recorded(seed, detectors, time_s), max(detectors.dead_ps)
    pulls = []
    for low, high in ((0, 2 * dead_ps // 5), (5 * dead_ps, 6 * dead_ps)):
        counted = random_pairs(hits, low, high)
        window = f"{high}ps" if not low else "1ps"
        number, unc = expected(hits, window, f"{low}ps:{high}ps" if low else "")
        pulls.append((counted - number) / np.sqrt(number + unc**2))
    return float(pulls[0]), float(pulls[1]), _live_pull(hits, detectors, time_s)


def _live_pull(hits: pl.DataFrame, detectors: Detectors, time_s: float) -> float:
    part, unc, _ = live_part(hits)
    true = detectors.share * min(detectors.rates_cps) * time_s
    if not true or part is None or unc is None:
        return math.nan
    counted = true_pairs(hits)
    return (counted / part - true) / math.hypot(math.sqrt(counted) / part, counted * unc / part**2)
