"""Which part of the true coincidences of two detectors is counted: those that find neither of them dead."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.close_hits import REACH_PS, STEP, STEPS, CloseSample
from gammapolars.coincidences.dead_time import MOST_DEAD, RandomDensity, live_fraction
from gammapolars.coincidences.hit_intervals import DeadEnd, DeadTime, dead_end
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S

SURE = 0.99
"""Dead times that are less probable are not known."""

STEADY = 0.05
"""Where the mean product of two rates exceeds the product of their means by more, live fractions change with time."""

TOGETHER, LEAST_EXPECTED = 0.3, 20.0
"""Detectors share their dead time where less than this part of the pairs is there that belongs within it, of so many
that are expected there at least."""


class LivePart(NamedTuple):
    """The part of true coincidences that is counted.

    Attributes:
        part: the part of the time in which neither detector is dead; None: dead times are not known.
        unc: one standard deviation.
        doubt: why it does not do for a correction, as a clause; empty: it does.
    """

    part: float | None
    unc: float | None
    doubt: str = ""


UNKNOWN = LivePart(None, None, "their dead times are not known")


class Together(NamedTuple):
    """Two detectors, as far as it matters for how long both are alive.

    Attributes:
        keys: of both.
        rates_cps: all their hits, in the time in which both were recorded (1/s).
        dead: dead times of both.
        changing: the mean product of both rates, over the product of their means.
        is_partial: whether there are more gaps than can be followed.
        share: the part of the hits of each that are in true coincidences.
        extendable: how probable it is that their dead times are prolonged.
    """

    keys: tuple[Key, Key]
    rates_cps: tuple[float, float]
    dead: tuple[DeadTime, DeadTime]
    changing: float
    is_partial: bool
    share: tuple[float, float]
    extendable: float


def live_part(
    both: Together,
    densities: Sequence[tuple[float, RandomDensity]],
    close: CloseSample,
    by_step: pl.DataFrame | None,
) -> LivePart:
    """The part of the true coincidences of two detectors that is counted.

    A true coincidence is counted where both detectors are alive. It is assumed that events come at random with rates
    that do not change, each seen by one of the detectors or by both, that each detector is dead for a time of its own
    after each hit, and that nothing else makes them dead: `coincidences.dead_time` derives the rest, with the dead
    time that true coincidences have in common. Where there are too few of these to be seen, it is the product of the
    live fractions.

    Args:
        both: the detectors.
        densities: how probable it is that dead time is not prolonged, or is, with the resulting densities; none: there
            are no true coincidences to be seen.
        close: hits that follow each other closely.
        by_step: `pairs` of the two among them, by the `step` of their time difference; None: there are none.
    """
    ends = [_end(key, close) for key in both.keys]
    busy = [rate * end.dead_ps / PS_PER_S for rate, end in zip(both.rates_cps, ends, strict=True)]
    if min(one.probability for one in both.dead) < SURE or not 0 < max(busy) < MOST_DEAD[False]:
        return UNKNOWN
    if any(both.share) and not densities:  # too busy for results from true coincidences
        return UNKNOWN
    parts = [(weight, density.both_alive) for weight, density in densities] or _of_each(both)
    total = sum(weight for weight, _ in parts)
    mean = sum(weight * part for weight, part in parts) / total
    variance = sum(weight * (part - mean) ** 2 for weight, part in parts) / total
    # Densities are those of the beginning of the bin in which dead time ends. Electronics of one kind end at one place.
    steepness = [one / (1 - one) for one in busy]
    longer = [1 - one.dead_ps / end.dead_ps for one, end in zip(both.dead, ends, strict=True)]
    mean *= math.exp(-sum(one * part for one, part in zip(steepness, longer, strict=True)))
    parts_unc = [one * end.unc_ps / end.dead_ps for one, end in zip(steepness, ends, strict=True)]
    return LivePart(mean, math.hypot(math.sqrt(variance), mean * sum(parts_unc)), _doubt(both, close, by_step))


def by_pair(close: CloseSample) -> dict[tuple[Key, Key], pl.DataFrame]:
    """Pairs of hits that follow each other closely, by their detectors, the lower one first."""
    if not close.pairs.height:
        return {}
    parts = close.pairs.partition_by("pair", as_dict=True)
    return {(_key(code >> 32), _key(code & 0xFFFFFFFF)): table for (code,), table in parts.items()}


def _key(code: int) -> Key:
    return code >> 16, code & 0xFFFF


def _end(key: Key, close: CloseSample) -> DeadEnd:
    return dead_end(close.intervals[key].astype(np.float64)) if key in close.intervals else DeadEnd(0.0, 0.0)


def _of_each(both: Together) -> list[tuple[float, float]]:
    """The product of the live fractions, as dead time is prolonged or not, each as probable as it is."""
    ends = list(zip(both.rates_cps, both.dead, strict=True))
    prolonged = both.extendable if all(rate * one.dead_ps / PS_PER_S < MOST_DEAD[True] for rate, one in ends) else 0.0
    return [
        (weight, math.prod(live_fraction(rate, one.dead_ps, extendable=kind) for rate, one in ends))
        for kind, weight in ((False, 1 - prolonged), (True, prolonged))
        if weight
    ]


def _doubt(both: Together, close: CloseSample, by_step: pl.DataFrame | None) -> str:
    """Why the assumptions do not hold, as a clause; empty where nothing speaks against them."""
    if both.is_partial:
        return "there are more gaps in the data than can be tracked"
    if both.changing > 1 + STEADY:
        return "their rates changed"
    if _is_shared(both, close, by_step):
        return "they are dead together, not independently"
    return ""


def _is_shared(both: Together, close: CloseSample, by_step: pl.DataFrame | None) -> bool:
    """Whether a hit of either detector makes both dead: then there are no pairs of single hits within the dead time."""
    within_ps = min(*(one.dead_ps for one in both.dead), REACH_PS)
    near, far = int(within_ps / 2) >> STEP, int(within_ps) >> STEP
    side_s = (far - near - 1) * (1 << STEP) / PS_PER_S
    hits = float(close.hits[both.keys[0]][0])
    expected = hits * both.rates_cps[1] * side_s * (2 - sum(both.share))
    if far - near < 2 or expected < LEAST_EXPECTED:
        return False
    if by_step is None:
        return True
    apart = np.abs(by_step["step"].to_numpy() - STEPS)
    seen = by_step["pairs"].to_numpy()[(apart > near) & (apart < far)].sum()
    return bool(seen < TOGETHER * expected)
