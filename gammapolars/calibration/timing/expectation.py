"""Where a moving peak is expected next: a Kalman filter of its place and of how fast it moves.

R. E. Kalman, J. Basic Eng. 82 (1960) 35. Clocks change their rates by as much as `ACCELERATION` lets them.
"""

import math

import numpy as np

from gammapolars.calibration.timing.lines import Line
from gammapolars.core.types import Floats

ACCELERATION = 1e4 / 3
"""Rates change by 3 × 10⁻⁹ a second (in ps/s²): a third of that of a quartz that warms up, so that it is 3 σ."""

SMOOTHING = 0.2
"""The share of the latest stretch in the peak's width and in its pairs per second."""


class Expectation:
    """The peak as it is known, from its first line on.

    Attributes:
        line: its line, by all that was seen.
        per_s: true pairs per second.
    """

    def __init__(self, line: Line, per_s: float) -> None:
        self.line = line
        self.per_s = per_s
        self._covariance = np.diag([line.position_ps_unc**2, line.slope_unc**2])

    def unc_at(self, time_s: float) -> tuple[float, float]:
        """How uncertain its place (ps) and its slope (ps/s) are at a time."""
        variances = np.maximum(np.diag(self._predicted(time_s - self.line.time_s)), 0.0)
        return math.sqrt(variances[0]), math.sqrt(variances[1])

    def take(self, line: Line, length_s: float) -> None:
        """Take account of the line of another stretch, so long."""
        covariance = self._predicted(line.time_s - self.line.time_s)
        noise = np.diag([line.position_ps_unc**2, min(line.slope_unc, 1e9) ** 2])
        sizes = np.sqrt(np.diag(covariance + noise))  # ps and ps/s, far apart
        scaled = (covariance + noise) / np.outer(sizes, sizes)
        gain = covariance @ (np.linalg.pinv(scaled, rcond=1e-15, hermitian=True) / np.outer(sizes, sizes))
        before = np.array([float(self.line.at(line.time_s)), self.line.slope])
        position, slope = before + gain @ (np.array([line.position_ps, line.slope]) - before)
        rest = np.eye(2) - gain
        self._covariance = rest @ covariance @ rest.T + gain @ noise @ gain.T  # never negative, as rounding may be
        sigma = self.line.sigma_ps + SMOOTHING * (line.sigma_ps - self.line.sigma_ps)
        self.line = line._replace(position_ps=float(position), slope=float(slope), sigma_ps=sigma)
        self.per_s += SMOOTHING * (line.points / length_s - self.per_s)

    def _predicted(self, passed_s: float) -> Floats:
        move = np.array([[1.0, passed_s], [0.0, 1.0]])
        change = np.array([0.5 * passed_s**2, passed_s]) * ACCELERATION
        return np.asarray(move @ self._covariance @ move.T + np.outer(change, change))
