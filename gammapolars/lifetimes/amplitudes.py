"""How many counts a part of a time spectrum has: with an upper limit where it may as well have none."""

from collections.abc import Callable
from typing import NamedTuple

from gammapolars.lifetimes.minimum import Minimum

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


def amplitude(minimum: Minimum, name: str) -> Amplitude:
    """Counts of a part, from the profile of the likelihood where they are next to their bound, 0.

    There a parabola would give an uncertainty that reaches below 0, or, at the bound itself, a useless one.
    """
    value, unc = minimum.values[name], minimum.errors[name]
    is_free = not minimum.minuit.fixed[name]
    minuit = minimum.again()
    minuit.fixed[name] = False
    minuit.migrad()
    best, least = float(minuit.values[name]), float(minuit.fval)

    def loss(counts: float) -> float:
        minuit.values[name], minuit.fixed[name] = counts, True
        minuit.migrad()
        return float(minuit.fval) - least

    if is_free and loss(0.0) > 1:
        return Amplitude(value, unc, None)
    step = max(unc, float(minuit.errors[name]), 1.0)
    estimate = value if is_free else 0.0
    return Amplitude(estimate, upper_end(loss, best, step, 1.0) - estimate, upper_end(loss, best, step, LIMIT))


def upper_end(loss: Callable[[float], float], best: float, step: float, rise: float) -> float:
    """The value above the best one at which the likelihood has fallen by `rise`."""
    low, high = best, best + step
    for _ in range(40):
        if loss(high) > rise:
            break
        low, high = high, high + 2 * (high - best)
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < rise else (low, middle)
    return (low + high) / 2
