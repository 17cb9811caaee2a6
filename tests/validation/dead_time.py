"""Random coincidences of simulated detectors with dead time: what is expected of them, and what is counted."""

from itertools import product

import numpy as np

from tests.deadtimes import US, Detectors, expected, random_pairs, recorded
from tests.validation.outcomes import Outcome, pull_checks

SHARES = (0.0, 0.2, 0.4, 0.6)
DEAD_PS = (US // 10, US, 10 * US)
RATES_CPS = (30_000.0, 20_000.0)

PROMPT, BEYOND = "prompt window, within the dead time", "random window beyond it"


def dead_time(runs: int = 25, time_s: float = 4.0) -> Outcome:
    """Pulls of the expectation in two windows, for each share of true coincidences, dead time, and kind of it."""
    lines, pulls = [], dict[str, list[float]]({PROMPT: [], BEYOND: []})
    for number, (share, dead_ps, extendable) in enumerate(product(SHARES, DEAD_PS, (False, True))):
        detectors = Detectors(RATES_CPS, share, (dead_ps, dead_ps), extendable)
        found = [pulls_of(runs * number + run, detectors, time_s) for run in range(runs)]
        for name, values in zip(pulls, zip(*found, strict=True), strict=True):
            pulls[name] += values
        means, widths = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        kind = "extendable" if extendable else "non-extendable"
        lines.append(
            f"share {share:.1f}, dead for {dead_ps / US:4.1f} us, {kind:>14}: mean pull and width "
            + ", ".join(f"{mean:+.2f} {width:.2f}" for mean, width in zip(means, widths, strict=True))
        )
    checks = [check for name, values in pulls.items() for check in pull_checks(name, values)]
    return Outcome(f"Random coincidences within dead time: {runs} runs each", lines, checks)


def pulls_of(seed: int, detectors: Detectors, time_s: float) -> tuple[float, float]:
    """(counted - expected) / σ in a window of 0.4 dead times, and in one beyond them."""
    hits, dead_ps = recorded(seed, detectors, time_s), max(detectors.dead_ps)
    pulls = []
    for low, high in ((0, 2 * dead_ps // 5), (5 * dead_ps, 6 * dead_ps)):
        counted = random_pairs(hits, low, high)
        window = f"{high}ps" if not low else "1ps"
        number, unc = expected(hits, window, f"{low}ps:{high}ps" if low else "")
        pulls.append((counted - number) / np.sqrt(number + unc**2))
    return float(pulls[0]), float(pulls[1])
