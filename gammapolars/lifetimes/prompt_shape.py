"""The shape of a prompt peak in bins of time difference: a Gaussian, or one that two clocks have cut off."""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats


class Share(NamedTuple):
    """The part of a peak in each bin, and its derivatives.

    Attributes:
        part: adds up to 1 over all times.
        by_position: per ps.
        by_sigma: per ps.
    """

    part: Floats
    by_position: Floats
    by_sigma: Floats


def part_in_bins(edges: Floats, position: float, sigma: float) -> Floats:
    """The part of a Gaussian in each bin."""
    from scipy.special import ndtr

    return np.asarray(np.diff(ndtr((edges - position) / sigma)), np.float64)


def in_bins(edges: Floats, position: float, sigma: float) -> Share:
    """The same, with its derivatives."""
    z = (edges - position) / sigma
    density = _density(z)
    return Share(
        part_in_bins(edges, position, sigma), -np.diff(density) / sigma, np.asarray(-np.diff(z * density) / sigma)
    )


def cut_off_in_bins(edges: Floats, position: float, sigma: float) -> Share:
    """The same of differences of two times that a clock has cut off, at the bins' centres; bins are its steps."""
    from scipy.special import ndtr

    step = float(edges[1] - edges[0])
    x = np.arange(len(edges) + 1) * step + (edges[0] - step / 2)  # multiples of the step, one more at both ends
    z = (x - position) / sigma
    below, density = ndtr(z), _density(z)
    integral = (x - position) * below + sigma * density
    return Share(*(np.diff(one, 2) / step for one in (integral, -below, density)))


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi), np.float64)
