"""Expected counts of a stretch of a spectrum: peaks of one shape on a smooth background, and their derivatives."""

from dataclasses import dataclass, field
from math import comb

import numpy as np
from scipy.special import ndtr

from gammapolars.core.types import Floats, Mask
from gammapolars.peaks.expected import Expected
from gammapolars.peaks.shape import tail_integral

SHAPE = ("width", "tail", "slope", "step")
"""Parameters shared by all peaks of a region: the factor on their expected widths, η, τ, the step per count and bin."""

FURTHER = ("upper", "upper_slope", "long", "long_slope", "own_width")
"""Parameters of very strong peaks, in models that have further ones: η' and τ' of the tail on the high side,
η" and τ" of a second tail on the low side, and how much wider than the others one peak is.
"""


@dataclass(frozen=True)
class Model:
    """Peaks on a polynomial background of some degree, over neighbouring bins of a spectrum, from number `first` on.

    Positions, and the expected σ of each peak, are in bins; bin i reaches from i - ½ to i + ½. The parameters are, in
    this order, the areas, the positions, the common factor on the widths, tail, slope, step, and the background's
    coefficients. These are of Bernstein polynomials, which are nowhere negative where no coefficient is: the first and
    the last are the background at the two ends. Where the model `has_further` parameters, they are the last ones, and
    the `broad` peak is the one that has a width of its own.
    """

    first: int
    bins: int
    sigmas: Floats
    degree: int = 1
    has_further: bool = False
    broad: int | None = None
    coefficients: slice = field(init=False, repr=False, compare=False)
    basis: Floats = field(init=False, repr=False, compare=False)
    edges: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        share = (np.arange(self.bins) + 0.5) / self.bins
        basis = [comb(self.degree, k) * share**k * (1 - share) ** (self.degree - k) for k in range(self.degree + 1)]
        begin = 2 * len(self.sigmas) + len(SHAPE)
        object.__setattr__(self, "coefficients", slice(begin, begin + self.degree + 1))
        object.__setattr__(self, "basis", np.array(basis))
        object.__setattr__(self, "edges", self.first - 0.5 + np.arange(self.bins + 1))

    @property
    def names(self) -> list[str]:
        """The parameters' names, in their order."""
        peaks = range(len(self.sigmas))
        background = [f"background_{k}" for k in range(self.degree + 1)]
        further = FURTHER if self.has_further else ()
        return [*(f"area_{k}" for k in peaks), *(f"position_{k}" for k in peaks), *SHAPE, *background, *further]

    def shape(self, parameters: Floats) -> Floats:
        """The parameters of the shape: those of `SHAPE` and, where the model has them, of `FURTHER`."""
        peaks = 2 * len(self.sigmas)
        return np.concatenate([parameters[peaks : peaks + len(SHAPE)], parameters[self.coefficients.stop :]])

    def widths(self, shape: Floats) -> Floats:
        """σ of each peak, in bins."""
        sigmas = self.sigmas * shape[0]
        if self.broad is not None and len(shape) > len(SHAPE):
            sigmas[self.broad] *= shape[-1]
        return np.asarray(sigmas, np.float64)

    def background(self, parameters: Floats) -> Floats:
        """The polynomial only, without the peaks' steps, per bin."""
        return np.asarray(parameters[self.coefficients] @ self.basis, np.float64)

    def parts(self, positions: Floats, shape: Floats) -> Floats:
        """Linear components of the expected counts: each peak with its step for area 1, then the background."""
        return np.concatenate([self.peaks(positions, self.widths(shape), shape), self.basis])

    def peaks(self, positions: Floats, sigmas: Floats, shape: Floats) -> Floats:
        """Peaks of given σ (bins) with their steps, for area 1, over the model's bins."""
        _, tail, slope, step = shape[: len(SHAPE)]
        z = (self.edges - positions[:, None]) / sigmas[:, None]
        inside = gaussian = ndtr(z)
        if tail:
            inside = inside + tail * tail_integral(z, slope)
        if len(shape) > len(SHAPE):
            upper, upper_slope, long, long_slope = shape[len(SHAPE) : len(SHAPE) + 4]
            inside = inside - upper * tail_integral(-z, upper_slope) if upper else inside
            inside = inside + long * tail_integral(z, long_slope) if long else inside
        peaks = inside[:, 1:] - inside[:, :-1]
        if step:
            peaks = peaks + step * (1 - 0.5 * (gaussian[:, 1:] + gaussian[:, :-1]))
        return np.asarray(peaks, np.float64)

    def expected(self, parameters: Floats) -> Floats:
        """Expected counts per bin."""
        peaks = len(self.sigmas)
        linear = np.concatenate([parameters[:peaks], parameters[self.coefficients]])
        return linear @ self.parts(parameters[peaks : 2 * peaks], self.shape(parameters))

    def at(self, parameters: Floats, free: Mask) -> Expected:
        """Expected counts with their derivatives by the parameters that are free."""
        return Expected(self, parameters, free)

    def slopes(self, parameters: Floats) -> Floats:
        """Derivatives of the expected counts: one row per parameter, one column per bin."""
        return self.at(parameters, np.ones(len(parameters), np.bool_)).slopes
