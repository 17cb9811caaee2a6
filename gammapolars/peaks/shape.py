"""The shape of a full-energy peak, integrated over bins, with its derivatives.

A peak is a Gaussian with an exponential tail on its low side, (1 - η) G + η T: T is the same Gaussian folded with an
exponential of slope τ σ (Phillips and Marlow 1976, Nucl. Instrum. Methods 137, 525). Below the peak the background is
higher by a step that follows the Gaussian's integral, from photons that scatter by small angles. In units of
z = (x - μ) / σ the integral of the whole shape is

    S(z) = Φ(z) + η g(z),   g(z) = ½ exp(z/τ + 1/(2 τ²)) erfc((z + 1/τ) / √2),

since the integral of T is Φ + g. A bin holds the difference of S between its edges, so that bins as wide as the peak
are treated exactly.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import erfc, erfcx, ndtr

from gammapolars.core.types import Floats


class Integral(NamedTuple):
    """S at the edges of bins, and its derivatives.

    Attributes:
        value: S(z).
        by_z: ∂S/∂z.
        by_tail: ∂S/∂η.
        by_slope: ∂S/∂τ.
        gaussian: Φ(z), of which the step is made.
        density: φ(z).
    """

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


class Form(NamedTuple):
    """Where the maximum of a shape lies, and how wide it is, in units of σ.

    Attributes:
        top: z of the maximum; 0 without a tail, below 0 with one.
        fwhm: full width at half maximum.
    """

    top: float
    fwhm: float


def form_of(tail: float, slope: float) -> Form:
    """Maximum and width of the shape, tail (η) and its slope (τ) included."""
    density = integral(GRID, tail, slope).by_z
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
