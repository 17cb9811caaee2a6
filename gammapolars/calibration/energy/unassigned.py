"""Peaks that a source's lines do not explain, and what they cost."""

import numpy as np

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.core.types import Floats

BACKGROUND_KEV = (238.6, 295.2, 351.9, 511.0, 583.2, 609.3, 911.2, 969.0, 1120.3, 1460.8, 1764.5, 2204.1, 2614.5)
"""Lines of rooms; a peak there is held against no source."""

HIGHEST_KEV = 2800.0
"""Hardly any source or room has lines above."""


def unassigned_peaks(
    curve: tuple[Floats, Floats], peaks: Peaks, matches: tuple[Indices, Indices], lines: Lines
) -> tuple[float, float]:
    """The strongest peak without a line against the strongest with one (ln of the ratio), and what such peaks cost.

    A source need not be alone, so that a peak without a line costs little where many lines are matched. Where few are,
    hardly more is known than that they are the spectrum's main peaks: then every other one counts. Lines of the room,
    Compton edges, backscatter, sums and escapes of the matched lines are explained; hardly any source has lines above
    the highest of them and of the room.
    """
    (b, covariance), (peak, line) = curve, matches
    u = peaks.adc / peaks.high
    powers = np.stack([np.ones_like(u), u, u**2], 1)
    kev = powers @ b
    # Far from the matched lines the curve is uncertain, by some keV that must not make everything explained.
    unc = np.minimum(np.sqrt(np.einsum("ij,jk,ik->i", powers, covariance, powers)), 10.0)
    width = np.maximum(0.5 * peaks.fwhm / peaks.high * (b[1] + 2 * b[2] * u), 1e-9) + 1.5 * unc
    width = np.minimum(width, 20.0 + 0.5 * peaks.fwhm / peaks.high * b[1])
    largest = np.full(peaks.spectrum.max() + 1, np.inf)
    for spectrum in np.unique(peaks.spectrum[peak]):
        largest[spectrum] = peaks.log_area[peak][peaks.spectrum[peak] == spectrum].max()
    ratio = peaks.log_area - largest[peaks.spectrum]
    strong = lines.energy[line[np.argsort(-peaks.log_area[peak], kind="stable")[:4]]]
    sharp, broad = _companions(strong)
    explained = (np.abs(kev[:, None] - sharp) < width[:, None]).any(1)
    explained |= (np.abs(kev[:, None] - broad) < 2 * width[:, None]).any(1)
    other = ~explained & (kev > 100) & np.isfinite(ratio)
    other[peak] = False
    if not other.any():
        return -np.inf, 0.0
    beyond = 1.5 * float((other & (kev > HIGHEST_KEV)).sum())
    if len(np.unique(line)) > 3:
        return float(ratio[other].max()), beyond + min(5.0, float((other & (ratio > np.log(0.3))).sum()))
    above = other & (kev > lines.energy.max()) & (ratio > np.log(0.002))
    cost = 1.5 * float((other & (ratio > np.log(0.05))).sum()) + 1.5 * float(above.sum())
    # Of the room's peaks most would be in their places if the curve were right.
    cost += min(4.0, 0.4 * float((other & (ratio > np.log(0.002))).sum()))
    return float(ratio[other].max()), cost + beyond


def _companions(strong: Floats) -> tuple[Floats, Floats]:
    """Where strong lines and the room give peaks of their own: sharp ones, and edges and humps."""
    sums = (strong[:, None] + strong[None, :]).ravel()
    escapes = np.concatenate([strong - 511.0, strong - 1022.0])
    sharp = np.concatenate([np.array(BACKGROUND_KEV), sums, escapes[escapes > 300]])
    # Compton edge and backscatter: E / (1 + m/2E) and E / (1 + 2E/m), m = 511 keV.
    return sharp, np.concatenate([strong / (1 + 511.0 / (2 * strong)), strong / (1 + 2 * strong / 511.0)])
