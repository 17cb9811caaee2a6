"""What is known of a calibration's curve before its lines are looked at."""

from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats

OFFSET = 0.025
"""One standard deviation of the offset b0 that is expected, as a share of the range; `WIDEST` times it is the most."""

BEND = 0.01
"""One standard deviation of the quadratic term b2 that is expected, as a share of b1."""

WIDEST = 4.5


class Prior(NamedTuple):
    """What is known of b0, b1 and b2 beforehand: a normal distribution, or where the gain is `free`, what is usual.

    Attributes:
        mean: of a calibration to start from.
        width: one standard deviation of each.
        free: nothing is known of the gain: mean and width do not count.
        highest: the highest line, keV: the range is about that, however far peaks of the room reach.
    """

    mean: Floats
    width: Floats
    free: bool
    highest: float = 1000.0

    def range_at(self, b1: Floats | float) -> Floats:
        """The range that offsets are a share of, keV; of low-energy sources at least 800."""
        return np.minimum(b1, max(1.3 * self.highest, 800.0))

    def at(self, b1: float) -> tuple[Floats, Floats]:
        """Mean and width where the gain is about b1."""
        if not self.free:
            return self.mean, self.width
        return np.array([0.0, b1, 0.0]), np.array([OFFSET * float(self.range_at(b1)), 1e3 * b1, BEND * b1])

    def log_density(self, b: Floats) -> float:
        """Logarithm of the density at b, per keV³."""
        mean, width = self.at(b[1])
        pull = (b - mean) / width
        terms = -0.5 * pull**2 - np.log(width * np.sqrt(2 * np.pi))
        if self.free:
            terms[1] = -0.5 * (np.log(b[1] / (1.3 * self.highest)) / 1.2) ** 2 - np.log(1.2 * np.sqrt(2 * np.pi) * b[1])
        return float(terms.sum())
