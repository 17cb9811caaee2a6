"""The lines of a whole run before and after the correction of its drift, and their widths."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gammapolars.calibration.drift.curves import Curves, gain_at
from gammapolars.calibration.drift.lines import TrackedLine
from gammapolars.calibration.drift.position import line_position
from gammapolars.calibration.drift.tracks import RunLines, Tracks
from gammapolars.core.types import Floats

SIDE_FWHM = 2.5
"""A line's background is taken this many FWHM beyond where it drifted."""


class Spectra(NamedTuple):
    """Counts around a line, of all runs.

    Attributes:
        adc: centres of the bins.
        before: counts as recorded.
        after: counts with each slice's adc corrected.
        fwhm_before: adc, fitted, or at half maximum where the line drifted by more than half its width; None where it
            cannot be determined.
        fwhm_after: adc.
    """

    adc: Floats
    before: Floats
    after: Floats
    fwhm_before: float | None
    fwhm_after: float | None


def line_spectra(
    lines: Sequence[TrackedLine], tracks: Tracks, curves: Curves, runs: Sequence[RunLines]
) -> list[Spectra]:
    """Sum up each line's surroundings over all runs, as they are and slice by slice corrected."""
    spectra = []
    for place, line in enumerate(lines):
        bins = runs[0].lines[place].counts.shape[1]
        edges = runs[0].lines[place].low_adc + line.part.bin_adc * np.arange(bins + 1)
        before, after = np.zeros(bins), np.zeros(bins)
        for one in runs:
            counts = one.lines[place].counts
            before += counts.sum(axis=0)
            gains = gain_at(curves.curves.get(one.run.run), (one.run.edges_ps[:-1] + one.run.edges_ps[1:]) // 2)
            cumulative = np.zeros(bins + 1)
            for slice_, gain in zip(counts, gains, strict=True):
                np.cumsum(slice_, out=cumulative[1:])
                after += np.diff(np.interp(edges * gain, edges, cumulative))
        width, step = tracks.fwhm_adc[place], line.part.bin_adc
        steady = line.expected_adc * float(np.exp(curves.offsets[place]))
        fwhm_before = fwhm_after = None
        if curves.curves and np.isfinite(steady):
            gains = np.concatenate([curve.gain for curve in curves.curves.values()])
            low, high = steady * float(gains.min()), steady * float(gains.max())
            if high - low < width / 2:
                fwhm_before = _width(before, edges, (low + high) / 2, width, step)
            else:
                near = (edges[1:] > low - SIDE_FWHM * width) & (edges[:-1] < high + SIDE_FWHM * width)
                fwhm_before = _half_maximum(before[near], width, step)
            fwhm_after = _width(after, edges, steady, width, step)
        spectra.append(Spectra((edges[:-1] + edges[1:]) / 2, before, after, fwhm_before, fwhm_after))
    return spectra


def _half_maximum(counts: Floats, fwhm: float, bin_adc: float) -> float | None:
    """Width at half maximum, above a line through both ends, of what drift has made no Gaussian any more.

    It is that of the counts smoothed over half the line's own width.
    """
    over = max(1, round(fwhm / bin_adc / 2))
    level = np.convolve(counts, np.full(over, 1 / over), "valid")
    ends = max(1, over // 2)
    if len(level) < 4 * ends:
        return None
    rest = level - np.linspace(level[:ends].mean(), level[-ends:].mean(), len(level))
    above = np.flatnonzero(rest > rest.max() / 2)
    if rest.max() < 5 * np.sqrt((level.max() + 1) / over) or above[0] == 0 or above[-1] == len(rest) - 1:
        return None
    return float(above[-1] - above[0] + 1) * bin_adc


def _width(counts: Floats, edges: Floats, centre: float, fwhm: float, bin_adc: float) -> float | None:
    """The fitted width; None where the fit fails."""
    fit = line_position(counts, edges[0] + 0.5, centre, fwhm, bin_adc=bin_adc, fit_width=True)
    return fit.fwhm if fit.status == "ok" else None
