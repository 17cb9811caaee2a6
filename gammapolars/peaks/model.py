"""Expected counts of a stretch of a spectrum: peaks of one shape on a smooth background, and their derivatives.

A peak is a Gaussian with an exponential tail on its low side, (1 - η) G + η T: T is the same Gaussian folded with an
exponential of slope τ σ (Phillips and Marlow 1976, Nucl. Instrum. Methods 137, 525). Below the peak the background is
higher by a step that follows the Gaussian's integral, from photons that scatter by small angles. In units of
z = (x - μ) / σ the integral of the whole shape is

    S(z) = Φ(z) + η g(z),   g(z) = ½ exp(z/τ + 1/(2 τ²)) erfc((z + 1/τ) / √2),

since the integral of T is Φ + g. Very strong lines show more: a tail on the high side, of pulses that sit on earlier
ones, with the integral -η' g(-z, τ'), and a second, longer tail on the low side, η" g(z, τ"), of incomplete charge
collection and escaping electrons. A bin holds the difference of S between its edges, so that bins as wide as the peak
are treated exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.special import erfc, erfcx, ndtr

from gammapolars.core.types import Floats


class Integral(NamedTuple):
    """S(z) at the edges of bins, its derivatives by z, η and τ, the Φ(z) of which the step is made, and φ(z)."""

    value: Floats
    by_z: Floats
    by_tail: Floats
    by_slope: Floats
    gaussian: Floats
    density: Floats


def integral(z: Floats, tail: float, slope: float) -> Integral:
    """S and its derivatives at any z, for a tail with the part η of the area and the slope τ in units of σ."""
    gaussian = ndtr(z)
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    g = tail_integral(z, slope)
    by_slope = g * (-z / slope**2 - 1 / slope**3) + density / slope**2
    return Integral(gaussian + tail * g, density + tail * (g / slope - density), g, tail * by_slope, gaussian, density)


def tail_integral(z: Floats, slope: float) -> Floats:
    """g(z), free of overflow on either side."""
    u = (z + 1 / slope) / math.sqrt(2)
    right = u > 0
    scaled = np.exp(-0.5 * z * z) * erfcx(np.where(right, u, 0.0))
    plain = np.exp(np.where(right, 0.0, z / slope + 0.5 / slope**2)) * erfc(np.where(right, 0.0, u))
    return np.asarray(0.5 * np.where(right, scaled, plain), np.float64)


class Slopes(NamedTuple):
    """S(z) at the edges of bins, its derivatives by z, and by the tails' parameters in their order; Φ(z) and φ(z)."""

    value: Floats
    by_z: Floats
    by_tails: list[Floats]
    gaussian: Floats
    density: Floats


def shape_integral(z: Floats, tail: float, slope: float, further: Sequence[float] = ()) -> Slopes:
    """S and its derivatives, with a high-side and a second low-side tail where `further` has their parts and slopes."""
    inner = integral(z, tail, slope)
    value, by_z, by_tails = inner.value, inner.by_z, [inner.by_tail, inner.by_slope]
    if len(further):
        upper, upper_slope, long, long_slope = further[:4]
        g, g_by_slope, g_by_z = _tail(-z, upper_slope, inner.density)
        h, h_by_slope, h_by_z = _tail(z, long_slope, inner.density)
        value, by_z = value - upper * g + long * h, by_z + upper * g_by_z + long * h_by_z
        by_tails += [-g, -upper * g_by_slope, h, long * h_by_slope]
    return Slopes(value, by_z, by_tails, inner.gaussian, inner.density)


def _tail(z: Floats, slope: float, density: Floats) -> tuple[Floats, Floats, Floats]:
    """G and its derivatives by τ and z."""
    g = tail_integral(z, slope)
    return g, g * (-z / slope**2 - 1 / slope**3) + density / slope**2, g / slope - density


class Form(NamedTuple):
    """Where the maximum of a shape lies (z = 0 without a tail, below with one), and its full width at half maximum,
    both in σ.
    """

    top: float
    fwhm: float


def form_of(tail: float, slope: float, further: Sequence[float] = ()) -> Form:
    """Maximum and width of the shape, tail (η) and its slope (τ), and further tails where there are any, included."""
    density = shape_integral(GRID, tail, slope, further).by_z
    top = int(density[1:-1].argmax()) + 1
    before, here, after = density[top - 1 : top + 2]
    # Through three points goes a parabola, whose maximum lies between them.
    step = float(GRID[1] - GRID[0])
    shift = 0.5 * float(before - after) / float(before - 2 * here + after)
    half = 0.5 * float(here - 0.25 * (before - after) * shift)
    low = float(np.interp(half, density[: top + 1], GRID[: top + 1]))
    high = float(np.interp(-half, -density[top:], GRID[top:]))
    return Form(float(GRID[top]) + shift * step, high - low)


GRID = np.linspace(-8.0, 3.0, 1101)
"""Where the density is looked at, in units of σ."""


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
        further = FURTHER if self.has_further else ()
        return [*(f"area_{k}" for k in peaks), *(f"position_{k}" for k in peaks), *SHAPE, *background, *further]

    @property
    def coefficients(self) -> slice:
        """Places of the background's coefficients among the parameters."""
        begin = 2 * len(self.sigmas) + len(SHAPE)
        return slice(begin, begin + self.degree + 1)

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
        return np.asarray(parameters[self.coefficients] @ self._basis, np.float64)

    def parts(self, positions: Floats, shape: Floats) -> Floats:
        """Linear components of the expected counts: each peak with its step for area 1, then the background."""
        return np.concatenate([self.peaks(positions, self.widths(shape), shape), self._basis])

    def peaks(self, positions: Floats, sigmas: Floats, shape: Floats) -> Floats:
        """Peaks of given σ (bins) with their steps, for area 1, over the model's bins."""
        _, tail, slope, step = shape[: len(SHAPE)]
        z = (self._edges - positions[:, None]) / sigmas[:, None]
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

    def slopes(self, parameters: Floats) -> Floats:
        """Derivatives of the expected counts: one row per parameter, one column per bin."""
        peaks = len(self.sigmas)
        areas, positions = parameters[:peaks, None], parameters[peaks : 2 * peaks, None]
        shape = self.shape(parameters)
        width, tail, slope, step = shape[: len(SHAPE)]
        sigma = self.widths(shape)[:, None]
        z = (self._edges - positions) / sigma
        inside = shape_integral(z, tail, slope, shape[len(SHAPE) :].tolist())
        above = 1 - 0.5 * (inside.gaussian[:, 1:] + inside.gaussian[:, :-1])
        # The step is taken at both edges of a bin, and averaged.
        step_by_z = -0.5 * step * (inside.density[:, 1:] + inside.density[:, :-1])
        falling = z * inside.density
        step_by_zz = -0.5 * step * (falling[:, 1:] + falling[:, :-1])
        by_position = -(_per_bin(inside.by_z) + step_by_z) / sigma
        by_width = -(_per_bin(z * inside.by_z) + step_by_zz) * areas / width
        by_tails = [(areas * _per_bin(by_tail)).sum(0) for by_tail in inside.by_tails]
        rows = [by_width.sum(0), *by_tails[:2], (areas * above).sum(0)]
        further = []
        if self.has_further:
            own = by_width[self.broad] * width / shape[-1] if self.broad is not None else np.zeros(self.bins)
            further = [np.array([*by_tails[2:], own])]
        return np.concatenate(
            [_per_bin(inside.value) + step * above, areas * by_position, np.array(rows), self._basis, *further]
        )


def _per_bin(at_edges: Floats) -> Floats:
    return at_edges[:, 1:] - at_edges[:, :-1]
