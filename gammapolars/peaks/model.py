"""Expected counts of a stretch of a spectrum: peaks of one shape on a smooth background, and their derivatives."""

from dataclasses import dataclass, field
from math import comb

import numpy as np
from scipy.special import ndtr

from gammapolars.core.types import Floats
from gammapolars.peaks.shape import integral, tail_integral

SHAPE = ("width", "tail", "slope", "step")
"""What all peaks of a region share: the factor on their expected widths, η, τ, and the step per count and bin."""


@dataclass(frozen=True)
class Model:
    """Peaks on a polynomial background, over neighbouring bins of a spectrum.

    Positions and widths are in bins; bin i reaches from i - ½ to i + ½. The parameters are, in this order, the areas,
    the positions, the common factor on the widths, tail, slope, step, and the background's coefficients. These are of
    Bernstein polynomials, which are nowhere negative where no coefficient is: the first and the last are the
    background at the two ends.

    Attributes:
        first: number of the first bin.
        bins: how many there are.
        sigmas: the expected σ of each peak.
        degree: of the background's polynomial.
    """

    first: int
    bins: int
    sigmas: Floats
    degree: int = 1
    _basis: Floats = field(init=False, repr=False, compare=False)
    _edges: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        share = (np.arange(self.bins) + 0.5) / self.bins
        basis = [comb(self.degree, k) * share**k * (1 - share) ** (self.degree - k) for k in range(self.degree + 1)]
        object.__setattr__(self, "_basis", np.array(basis))
        object.__setattr__(self, "_edges", self.first - 0.5 + np.arange(self.bins + 1))

    @property
    def names(self) -> list[str]:
        """The parameters' names, in their order."""
        peaks = range(len(self.sigmas))
        background = [f"background_{k}" for k in range(self.degree + 1)]
        return [*(f"area_{k}" for k in peaks), *(f"position_{k}" for k in peaks), *SHAPE, *background]

    def background(self, parameters: Floats) -> Floats:
        """The polynomial alone, without the peaks' steps, per bin."""
        return np.asarray(parameters[2 * len(self.sigmas) + len(SHAPE) :] @ self._basis, np.float64)

    def parts(self, positions: Floats, shape: Floats) -> Floats:
        """What the expected counts are made of, linearly: each peak with its step for area 1, then the background."""
        width, tail, slope, step = shape
        z = (self._edges - positions[:, None]) / (self.sigmas[:, None] * width)
        gaussian = ndtr(z)
        inside = gaussian + tail * tail_integral(z, slope) if tail else gaussian
        peaks = inside[:, 1:] - inside[:, :-1]
        if step:
            peaks += step * (1 - 0.5 * (gaussian[:, 1:] + gaussian[:, :-1]))
        return np.concatenate([peaks, self._basis])

    def expected(self, parameters: Floats) -> Floats:
        """Expected counts per bin."""
        peaks = len(self.sigmas)
        shape_end = 2 * peaks + len(SHAPE)
        linear = np.concatenate([parameters[:peaks], parameters[shape_end:]])
        return linear @ self.parts(parameters[peaks : 2 * peaks], parameters[2 * peaks : shape_end])

    def slopes(self, parameters: Floats) -> Floats:
        """Derivatives of the expected counts: one row a parameter, one column a bin."""
        peaks = len(self.sigmas)
        areas, positions = parameters[:peaks, None], parameters[peaks : 2 * peaks, None]
        width, tail, slope, step = parameters[2 * peaks : 2 * peaks + len(SHAPE)]
        sigma = self.sigmas[:, None] * width
        z = (self._edges - positions) / sigma
        inside = integral(z, tail, slope)
        above = 1 - 0.5 * (inside.gaussian[:, 1:] + inside.gaussian[:, :-1])
        # The step is taken at both edges of a bin, and averaged.
        step_by_z = -0.5 * step * (inside.density[:, 1:] + inside.density[:, :-1])
        falling = z * inside.density
        step_by_zz = -0.5 * step * (falling[:, 1:] + falling[:, :-1])
        by_position = -(_per_bin(inside.by_z) + step_by_z) / sigma
        by_width = -(_per_bin(z * inside.by_z) + step_by_zz) / width
        by_shape = [
            (areas * part).sum(0) for part in (by_width, _per_bin(inside.by_tail), _per_bin(inside.by_slope), above)
        ]
        return np.concatenate(
            [_per_bin(inside.value) + step * above, areas * by_position, np.array(by_shape), self._basis]
        )


def _per_bin(at_edges: Floats) -> Floats:
    return at_edges[:, 1:] - at_edges[:, :-1]
