"""The evidence of areas: they follow intensities times a smooth efficiency, and strong lines are seen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.core.types import Floats

EFFICIENCY_MEAN = np.array([0.0, -0.8, -0.2])

EFFICIENCY_WIDTH = np.array([1.3, 0.7, 0.3])
"""What is expected of ln ε = p0 + p1 t + p2 t², t = ln(E / 300 keV); p0 from the strongest peak, see `areas`."""

AREA_SCATTER = 0.35
"""How far ln area scatters about a smooth efficiency: summing, doublets, absorption."""


class Group(NamedTuple):
    """A nuclide in a spectrum, and its matches there."""

    spectrum: int
    nuclide: int
    peak: Indices
    line: Indices


def areas(group: Group, peaks: Peaks, lines: Lines, x: Floats) -> tuple[float, int, list[int]]:
    """The evidence of areas and of detection; how many lines should have been seen clearly, and which were not.

    ln(area / intensity) is a parabola in ln E, whose parameters are known beforehand to their usual widths and to the
    spectrum's strongest peak: a source that somebody names is about the strongest there.
    """
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    others = np.flatnonzero((lines.nuclide == group.nuclide) & (x >= peaks.low) & (x <= peaks.high))
    others = np.setdiff1d(others, group.line)
    rows = np.concatenate([group.line, others])
    t = np.log(lines.energy[rows] / 300.0)
    design = np.stack([np.ones_like(t), t, t**2], 1)
    usual = lines.log_intensity[rows] + design @ EFFICIENCY_MEAN
    mean = EFFICIENCY_MEAN + np.array([peaks.log_area[here].max() - usual.max(), 0, 0])
    prior = np.diag(EFFICIENCY_WIDTH**2)
    count = len(group.line)
    y = peaks.log_area[group.peak] - lines.log_intensity[group.line]
    variance = AREA_SCATTER**2 + peaks.log_area_unc[group.peak] ** 2
    for _ in range(3):  # an area that fits nowhere loses its weight
        joint = design[:count] @ prior @ design[:count].T + np.diag(variance)
        inverse = np.linalg.inv(joint)
        difference = y - design[:count] @ mean
        posterior = mean + prior @ design[:count].T @ inverse @ difference
        residual = y - design[:count] @ posterior
        variance = np.maximum(variance, np.square(residual / 2.0))
    value = -0.5 * float(difference @ inverse @ difference) - 0.5 * float(np.linalg.slogdet(2 * np.pi * joint)[1])
    scatter = max(1.0, float(peaks.log_area[here].std())) if len(here) > 3 else 1.5
    centre = float(peaks.log_area[here].mean()) if len(here) > 3 else float(peaks.log_area[here].max()) - 1.0
    pull = (peaks.log_area[group.peak] - centre) / scatter
    value += float((0.5 * pull**2 + np.log(scatter * np.sqrt(2 * np.pi))).sum())
    spread = prior - prior @ design[:count].T @ inverse @ design[:count] @ prior
    likely, hidden = _detection(group, peaks, lines, x, (rows, design, posterior, spread))
    value += float(np.log(likely[:count]).sum()) + float(np.log(1 - likely[count:][~hidden]).sum())
    clear = likely > 0.9
    missing = others[clear[count:] & ~hidden]
    return value, int(clear[:count].sum()) + len(missing), missing.tolist()


def _detection(
    group: Group, peaks: Peaks, lines: Lines, x: Floats, curve: tuple[Indices, Floats, Floats, Floats]
) -> tuple[Floats, NDArray[np.bool_]]:
    """How likely each line of a nuclide gives a peak, and which of the unmatched ones another peak may hide."""
    rows, design, parameters, spread = curve
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    nearest = np.abs(peaks.adc[here][:, None] - x[rows][None, :])
    order = np.argsort(nearest, axis=0, kind="stable")[:5]
    least = np.median(peaks.log_least[here][order], axis=0)
    sigma = np.sqrt(np.einsum("ij,jk,ik->i", design, spread, design) + AREA_SCATTER**2 + 0.25)
    strength = lines.log_intensity[rows] + design @ parameters
    likely = np.clip(ndtr((strength - least - 0.5) / sigma), 0.01, 0.97)
    count = len(group.line)
    # A peak hides a neighbouring line that should not be much stronger than itself.
    close = nearest[:, count:] < peaks.fwhm[here][:, None]
    close &= peaks.log_area[here][:, None] > strength[count:] - 1.0
    return np.asarray(likely), np.asarray(close.any(0))
