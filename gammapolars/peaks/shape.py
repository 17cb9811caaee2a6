"""The shape of a peak, integrated: the part of it below a place, and its derivatives.

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
from typing import NamedTuple

import numpy as np
from scipy.special import erfcx, ndtr

from gammapolars.core.types import Floats

ROOT_2_PI = math.sqrt(2 * math.pi)


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
    density = np.exp(-0.5 * z * z) / ROOT_2_PI
    low = tail_at(z, slope, density)
    value, by_z = gaussian + tail * low.value, density + tail * low.by_z
    return Integral(value, by_z, low.value, tail * low.by_slope, gaussian, density)


FAR = -25.0
"""Below, exp(u²) overflows."""


def tail_integral(z: Floats, slope: float, density: Floats | None = None) -> Floats:
    """g(z), free of overflow on either side; the Gaussian's density φ(z) need not be calculated where it is known."""
    u = (z + 1 / slope) / math.sqrt(2)
    gaussian = np.exp(-0.5 * z * z) if density is None else density * ROOT_2_PI
    if u.min(initial=0.0) > FAR:
        return np.asarray(0.5 * gaussian * erfcx(u), np.float64)
    right = u > FAR
    plain = np.exp(np.where(right, 0.0, z / slope + 0.5 / slope**2))  # erfc is 2 there
    return np.asarray(np.where(right, 0.5 * gaussian * erfcx(np.where(right, u, 0.0)), plain), np.float64)


class Tail(NamedTuple):
    """g(z) and its derivatives by z and τ."""

    value: Floats
    by_z: Floats
    by_slope: Floats


def tail_at(z: Floats, slope: float, density: Floats) -> Tail:
    """G and its derivatives at any z, where the Gaussian's density φ(z) is known."""
    g = tail_integral(z, slope, density)
    return Tail(g, g / slope - density, g * (-z / slope**2 - 1 / slope**3) + density / slope**2)


def _density(z: Floats, tail: float, slope: float, further: Sequence[float]) -> Floats:
    """S'(z), with a high-side and a second low-side tail where `further` has their parts and slopes."""
    inner = integral(z, tail, slope)
    if not len(further):
        return inner.by_z
    upper, upper_slope, long, long_slope = further[:4]
    high, low = tail_at(-z, upper_slope, inner.density), tail_at(z, long_slope, inner.density)
    return np.asarray(inner.by_z + upper * high.by_z + long * low.by_z, np.float64)


class Form(NamedTuple):
    """Where the maximum of a shape lies (z = 0 without a tail, below with one), and its full width at half maximum,
    both in σ.
    """

    top: float
    fwhm: float


def form_of(tail: float, slope: float, further: Sequence[float] = ()) -> Form:
    """Maximum and width of the shape, tail (η) and its slope (τ), and further tails where there are any, included."""
    density = _density(GRID, tail, slope, further)
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
