"""Matches of detectors that do not resolve the lines of their sources."""

import math

import numpy as np
import polars as pl

from gammapolars.calibration.energy.arrays import Lines, Peaks, line_arrays
from gammapolars.calibration.energy.evidence import Candidate, Prior, refine
from gammapolars.calibration.energy.hints import Hints
from gammapolars.calibration.energy.hypotheses import propose
from gammapolars.calibration.energy.trial import MOST_UNEXPLAINED, Match, Trial
from gammapolars.calibration.energy.unresolved import TYPICAL, unresolved, with_room
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.types import Floats, Mask

LEAST_WITH_GAIN, LEAST_WITHOUT, MOST_OFFSET = -2.0, 8.0, 0.03
"""Least evidence of such a match where the gain is known to a factor of `NARROW`, and where it is not; and the most
offset, as a part of the range."""

EVIDENCE_OF_A_PAIR = 5.0
"""Increase of the least evidence per pair of peak and line beyond `LEAST_PAIRS`: a true match gains as much by it."""

NARROW = 2.0

CLEAR = 8.0
"""Area over its uncertainty of peaks each of which must be a line."""

HUMP = 1.2
"""How far from a Compton edge, or from 180°, a hump may lie, in units of the FWHM there."""

NOTABLE, MOST_UNMATCHED = 0.05, 1
"""This many of them with this part of the largest area may be none: a backscatter peak, or an edge."""

LEAST_PAIRS, MOST_PULL = 3, 2.0
"""For lines that are not resolved: pairs of peak and line, and the mean square of their distances in tolerances."""

WIDTHS_AGREE, SAME_RESOLUTION = 0.36, 0.25
"""How far ln(FWHM/√E) may differ between peaks, and from the resolution that lines were taken together with."""


def match_unresolved(
    peaks: pl.DataFrame, lines: pl.DataFrame, peak_data: Peaks, hints: Hints, detector: str
) -> Match | None:
    """The match of a detector that does not resolve the lines, where only one explains its spectrum; None otherwise.

    Lines that are one peak are one line, for each resolution that scintillators have; lines of the room, which nobody
    names, belong to it. Areas of blends are of little use, so that a match is taken where three peaks or more lie on a
    nearly straight curve, their widths grow as √E does, every strong peak is explained, no strong line lacks one, and
    no other curve does as well. Without a narrow hint of the gain, little else than a source that is well known anyway
    is accepted: of spectra of other sources, one in 15 would pass for three lines of the one that is named.
    """
    narrow = hints.gain is not None and hints.gain[1] <= NARROW * hints.gain[0]
    least = LEAST_WITH_GAIN if narrow else LEAST_WITHOUT
    valid: list[tuple[Candidate, Trial]] = []
    for resolution in (hints.resolution,) if hints.resolution else TYPICAL:
        seen = with_room(unresolved(lines, resolution))
        line_data = line_arrays(seen)
        trial = Trial(peaks, seen, peak_data, line_data, detector)
        prior = Prior(np.zeros(3), np.ones(3), True, float(line_data.energy[~line_data.may_lack].max(initial=100.0)))
        for curve in propose(peak_data, line_data, prior, hints):
            one = refine(curve, peak_data, line_data, prior)
            if one is None or not hints.allow(one, peak_data, line_data):
                continue
            if _convinces(one, peak_data, line_data, resolution, least):
                valid.append((one, trial))
    if not valid:
        return None
    best, trial = max(valid, key=lambda pair: pair[0].evidence)
    kev = np.polynomial.polynomial.polyval(peak_data.adc / peak_data.high, best.b)
    for other, _ in valid:
        moved = np.abs(np.polynomial.polynomial.polyval(peak_data.adc / peak_data.high, other.b) - kev)
        if (moved > 0.5 * peak_data.fwhm / peak_data.high * best.b[1]).any():
            return None
    return trial.match(best, math.inf)


def _convinces(best: Candidate, peaks: Peaks, lines: Lines, resolution: float, least: float) -> bool:
    """Whether a match of unresolved lines explains a spectrum."""
    own = best.line[~lines.may_lack[best.line]]
    pairs = len(np.unique(best.line))
    # With a pair more than are needed, one line may be lost in the threshold or in a heap of others.
    if pairs < LEAST_PAIRS or not len(own) or len(best.unseen) > (pairs > LEAST_PAIRS):
        return False
    if set(lines.source[~lines.may_lack].tolist()) - set(lines.source[own].tolist()):
        return False
    needed = max(least, LEAST_WITH_GAIN + EVIDENCE_OF_A_PAIR * (pairs - LEAST_PAIRS))
    if best.evidence < needed or abs(best.b[0]) > MOST_OFFSET * best.b[1]:
        return False
    clear = (peaks.log_area_unc < 1 / CLEAR) & ~_humps(best, peaks, lines)
    strong = clear & (peaks.log_area > peaks.log_area.max() + math.log(MOST_UNEXPLAINED))
    notable = clear & (peaks.log_area > peaks.log_area.max() + math.log(NOTABLE))
    notable[best.peak] = False
    if strong.sum() > strong[best.peak].sum() or notable.sum() > MOST_UNMATCHED or _hides_stronger(best, peaks, lines):
        return False
    slope = (best.b[1] + 2 * best.b[2] * peaks.adc[best.peak] / peaks.high) / peaks.high
    width = np.log(peaks.fwhm[best.peak] * slope / np.sqrt(662.0 * lines.energy[best.line]))
    middle = float(np.median(width))
    return bool(
        float(np.square(best.pull).mean()) < MOST_PULL
        and np.abs(width - middle).max() < WIDTHS_AGREE
        and abs(middle - math.log(resolution)) < SAME_RESOLUTION
    )


def _humps(best: Candidate, peaks: Peaks, lines: Lines) -> Mask:
    """Which peaks lie where matched lines that are stronger have their Compton edge or backscatter peak."""
    kev, width = _in_kev(best, peaks)
    energy, area = lines.energy[best.line], peaks.log_area[best.peak]
    edge, back = energy / (1 + ANNIHILATION_KEV / (2 * energy)), energy / (1 + 2 * energy / ANNIHILATION_KEV)
    near = np.abs(kev[:, None] - np.concatenate([edge, back])) < HUMP * width[:, None]
    humps = (near & (peaks.log_area[:, None] < np.concatenate([area, area]))).any(1)
    humps[best.peak] = False
    return np.asarray(humps)


def _hides_stronger(best: Candidate, peaks: Peaks, lines: Lines) -> bool:
    """Whether a line of the room has a stronger peak without a line around it: the room's strongest is that line."""
    kev, _ = _in_kev(best, peaks)
    free = np.ones(len(kev), dtype=bool)
    free[best.peak] = False
    for peak, line in zip(best.peak.tolist(), best.line.tolist(), strict=True):
        if not lines.may_lack[line] or lines.energy[line] < 1000:
            continue
        around = (kev > 0.6 * lines.energy[line]) & (kev < 1.5 * lines.energy[line])
        if (free & around & (peaks.log_area > peaks.log_area[peak])).any():
            return True
    return False


def _in_kev(best: Candidate, peaks: Peaks) -> tuple[Floats, Floats]:
    """Position and FWHM of all peaks, keV."""
    u = peaks.adc / peaks.high
    kev = best.b[0] + best.b[1] * u + best.b[2] * u**2
    return kev, peaks.fwhm / peaks.high * (best.b[1] + 2 * best.b[2] * u)
