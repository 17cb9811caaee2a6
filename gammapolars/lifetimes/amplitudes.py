"""How many counts a part of a time spectrum has: with an upper limit where it may as well have none."""

from collections.abc import Callable
from typing import NamedTuple

from gammapolars.lifetimes.minimum import Fitted

LIMIT = 2.71
"""Twice the log-likelihood lost at the upper limit of 95 %."""


class Amplitude(NamedTuple):
    """Counts of a part.

    Attributes:
        counts: most probable number.
        unc: one standard deviation; where there is a limit, how far up the likelihood falls by ½.
        limit: upper limit of 95 %, where no counts at all are within one standard deviation; else None.
    """

    counts: float
    unc: float
    limit: float | None


def amplitude(found: Fitted, name: str) -> Amplitude:
    """Counts of a part, from the profile of the likelihood where they are next to their bound, 0.

    There a parabola would tell an uncertainty that reaches below 0, or, at the bound itself, none of use.
    """
    value, unc = found.values[name], found.errors[name]
    needed = not found.minuit.fixed[name]
    minuit = found.again()
    minuit.fixed[name] = False
    minuit.migrad()
    best, least = float(minuit.values[name]), float(minuit.fval)

    def lost(counts: float) -> float:
        minuit.values[name], minuit.fixed[name] = counts, True
        minuit.migrad()
        return float(minuit.fval) - least

    if needed and lost(0.0) > 1:
        return Amplitude(value, unc, None)
    step = max(unc, float(minuit.errors[name]), 1.0)
    shown = value if needed else 0.0
    return Amplitude(shown, reaching(lost, best, step, 1.0) - shown, reaching(lost, best, step, LIMIT))


def reaching(lost: Callable[[float], float], best: float, step: float, rise: float) -> float:
    """Above the best value, where so much is lost."""
    low, high = best, best + step
    for _ in range(40):
        if lost(high) > rise:
            break
        low, high = high, high + 2 * (high - best)
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if lost(middle) < rise else (low, middle)
    return (low + high) / 2
