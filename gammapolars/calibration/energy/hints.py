"""A user's prior knowledge of a detector: its approximate gain, and its resolution."""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.calibration.energy.arrays import Lines, Peaks
from gammapolars.calibration.energy.evidence import Candidate, positions
from gammapolars.core.types import Floats, Mask

SAME_RESOLUTION = 0.4
"""How far ln(FWHM) may be from the resolution that is given: that of a source's lines differs, and so do detectors."""


class Hints(NamedTuple):
    """Hints for a match.

    Attributes:
        gain: from which to which number of keV per adc, on the mean over the range.
        resolution: FWHM over energy at 662 keV; it is taken to follow 1/√E.
    """

    gain: tuple[float, float] | None = None
    resolution: float | None = None

    def has_gain(self, curves: Floats, high: float) -> Mask:
        """Which curves (n, 3) over u = adc / high have such a gain."""
        if self.gain is None:
            return np.ones(len(curves), dtype=bool)
        gain = (curves[:, 1] + curves[:, 2]) / high
        return np.asarray((gain >= self.gain[0]) & (gain <= self.gain[1]))

    def allow(self, one: Candidate, peaks: Peaks, lines: Lines) -> bool:
        """Whether a hypothesis agrees with the hints."""
        if not self.has_gain(one.b[None, :], peaks.high)[0]:
            return False
        if self.resolution is None:
            return True
        slope = positions(one.b, lines.energy[one.line])[1] / peaks.high
        width = np.log(peaks.fwhm[one.peak] * slope / np.sqrt(662.0 * lines.energy[one.line]))
        return abs(float(np.median(width)) - math.log(self.resolution)) < SAME_RESOLUTION


NO_HINTS = Hints()
