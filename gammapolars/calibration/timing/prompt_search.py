"""Where the prompt peak of two detectors lies: the densest stretch of a histogram, against its chance level.

Stretches of 1, 2, 4, … bins are slid over the whole histogram. Each is judged by the likelihood ratio of T. P. Li and
Y. Q. Ma, Astrophys. J. 272 (1983) 317, eq. 17, against what lies outside it; how many stretches were tried is counted.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats, Integers

CHANCE = 1e-6
"""A peak is one if chance makes one as clear, anywhere in a search, with no more than this probability."""

LEAST_EXCESS = 10
"""Fewer pairs above chance are no peak, however little chance expects."""

MOST_PART = 8
"""Stretches are at most the histogram's length divided by this: the chance level must show next to a peak."""


class Stretch(NamedTuple):
    """The clearest stretch of a histogram.

    Attributes:
        first: its first bin.
        bins: its length.
        counts: in it.
        excess: counts above chance.
        centre: mean of the excess, in bins from the first bin's beginning.
        sigmas: its significance in standard deviations, of this stretch alone.
        trials: about how many independent stretches were compared.
    """

    first: int
    bins: int
    counts: int
    excess: float
    centre: float
    sigmas: float
    trials: int

    def is_clear(self, histograms: int = 1) -> bool:
        """Whether chance does not make it, where this many histograms are searched."""
        return self.excess >= LEAST_EXCESS and self.sigmas > least_sigmas(self.trials * histograms)


def least_sigmas(trials: int) -> float:
    """The significance that chance reaches in one of `trials` with the probability `CHANCE`."""
    return -NormalDist().inv_cdf(CHANCE / max(trials, 1))


def significance(counts: Floats, outside: Floats, ratio: float) -> Floats:
    """Standard deviations of an excess over what counts outside let expect; negative where there are too few.

    `ratio` is the stretch's length divided by that of the rest.
    """
    total = counts + outside
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(counts > 0, counts * np.log((1 + ratio) / ratio * counts / total), 0.0)
        outer = np.where(outside > 0, outside * np.log((1 + ratio) * outside / total), 0.0)
    sign = np.where(counts > ratio * outside, 1.0, -1.0)
    return np.asarray(sign * np.sqrt(2 * np.maximum(inner + outer, 0.0)))


def densest(histogram: Integers) -> Stretch:
    """The clearest stretch of a histogram, clear or not."""
    length, total = len(histogram), int(histogram.sum())
    cumulative = np.concatenate([[0], np.cumsum(histogram)])
    best = Stretch(0, length, total, 0.0, length / 2, 0.0, 1)
    trials, bins = 0, 1
    while bins <= max(1, length // MOST_PART):
        counts = cumulative[bins:] - cumulative[:-bins]
        first = int(counts.argmax())  # of one length, the fullest stretch is the clearest
        inside, ratio = float(counts[first]), bins / (length - bins)
        sigmas = float(significance(np.array(inside), np.array(total - inside), ratio))
        trials += length // bins
        if sigmas > best.sigmas:
            excess = inside - ratio * (total - inside)
            best = Stretch(first, bins, int(inside), excess, 0.0, sigmas, 1)
        bins *= 2
    part = histogram[best.first : best.first + best.bins]
    middle = best.first + best.bins / 2
    moment = float(part @ (np.arange(len(part)) + best.first + 0.5 - middle))
    shift = moment / best.excess if best.excess > 0 else 0.0
    return best._replace(centre=middle + float(np.clip(shift, -best.bins / 2, best.bins / 2)), trials=max(trials, 1))
