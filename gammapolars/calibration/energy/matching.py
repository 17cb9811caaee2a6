"""Which peak is which line: found from the peaks' pattern, or given by hand."""

import math
from collections.abc import Sequence

import numpy as np

from gammapolars.calibration.energy.arrays import Lines, Peaks, line_arrays, peak_arrays
from gammapolars.calibration.energy.evidence import MATCHED, Candidate, Prior, positions, refine
from gammapolars.calibration.energy.hints import NO_HINTS, Hints
from gammapolars.calibration.energy.hypotheses import propose, propose_near
from gammapolars.calibration.energy.trial import Match, Trial
from gammapolars.calibration.energy.unresolved_match import match_unresolved
from gammapolars.core.errors import CalibrationError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.types import Floats
from gammapolars.gamma_lines import AnyLines, lines_of

LEAST_SUPPORT = 6.0
"""Least evidence that a matched line must add if the others would put it elsewhere, or it is left out."""


def match_lines(
    peaks: AnyFrame,
    lines: AnyLines,
    *,
    start: Sequence[float] | None = None,
    start_tolerance: float = 0.03,
    adc_range: tuple[float, float] | None = None,
    hints: Hints = NO_HINTS,
    detector: str = "",
) -> Match:
    """Assign peaks to the lines of the given sources without knowing the gain.

    Peaks of several spectra of the same detector are matched together; the nuclides of each spectrum are
    found. Every curve through prominent peaks and strong lines with an offset up to some 10 % and a bend up to some
    4 % of the range is a hypothesis; the best is accepted if it is far more likely than a random match and than the
    next best (see `gammapolars.calibration.energy.evidence`).

    Args:
        peaks: `centroid_adc`, `centroid_adc_unc`, `fwhm_adc`, `area`, `area_unc`; `run` where there are several
            spectra. Peaks without a position, width or positive area are left out.
        lines: of the named sources: `nuclide`, `energy_kev`, `energy_kev_unc`, `intensity`; `calibrate` where some are
            not fit for a calibration.
        start: coefficients of a calibration to start from, keV, lowest order first: lines are looked for near where it
            puts them. One line is enough then.
        start_tolerance: how far the gain may be from that of `start`, one standard deviation, as a share of it; offset
            and bend may differ by a tenth of that share of the range.
        adc_range: the range that was searched for peaks; from the lowest to the highest peak if it is not given.
        hints: the approximate gain and resolution of the detector.
        detector: its name, for messages.

    Raises:
        CalibrationError: no match is clearly better than a random one and than every other.
    """
    peaks, lines = eager(peaks, "table"), lines_of(lines)
    peak_data = peak_arrays(peaks, adc_range)
    try:
        return _matched(Trial(peaks, lines, peak_data, line_arrays(lines), detector), start, start_tolerance, hints)
    except CalibrationError:
        is_blended = start is None and peak_data.are_broad
        blends = match_unresolved(peaks, lines, peak_data, hints, detector) if is_blended else None
        if blends is None:
            raise
        return blends


def _matched(trial: Trial, start: Sequence[float] | None, start_tolerance: float, hints: Hints) -> Match:
    """The best match of lines as they are."""
    peak_data, line_data = trial.peaks, trial.lines
    if len(line_data.energy) == 0 or len(peak_data.adc) == 0:
        raise trial.refusal("there is nothing to match")
    if start is None:
        if len(line_data.energy) < 2 or len(peak_data.adc) < 2:
            raise trial.refusal(
                "one line does not determine a calibration: add another source, or give a calibration to start from"
            )
        prior = Prior(np.zeros(3), np.ones(3), True, float(line_data.energy.max()))
        curves = propose(peak_data, line_data, prior, hints)
    else:
        prior = _near(start, start_tolerance, peak_data.high)
        curves = propose_near(peak_data, line_data, prior)
    best, margin = _best(curves, peak_data, line_data, prior, hints)
    if best is None:
        what = "a small offset" if hints == NO_HINTS else "such a gain or resolution"
        raise trial.refusal(f"no curve with {what} maps two lines onto peaks")
    best = _with_support(best, peak_data, line_data, prior)
    trial.check(best, margin, at_least=2 if start is None else 1)
    return trial.match(best, margin)


def _best(
    curves: list[Floats], peaks: Peaks, lines: Lines, prior: Prior, hints: Hints
) -> tuple[Candidate | None, float]:
    """The hypothesis with the most evidence, and by how much it beats the next that is another."""
    refined = [item for curve in curves if (item := refine(curve, peaks, lines, prior)) is not None]
    candidates = [item for item in refined if hints.allow(item, peaks, lines)]
    candidates.sort(key=lambda item: (-item.evidence, tuple(item.peak), tuple(item.line)))
    if not candidates:
        return None, math.inf
    best = candidates[0]
    return best, min(
        (best.evidence - item.evidence for item in candidates[1:] if _differ(best, item, peaks, lines)),
        default=math.inf,
    )


def _with_support(best: Candidate, peaks: Peaks, lines: Lines, prior: Prior) -> Candidate:
    """The hypothesis without matches that bend the curve to where no other match puts it, for little evidence."""
    excluded: tuple[int, ...] = ()
    while len(np.unique(best.line)) > 3:
        doubtful = []
        for line in np.unique(best.line).tolist():
            fewer = refine(best.b, peaks, lines, prior, (*excluded, line))
            own = best.peak[best.line == line]
            if fewer is None or best.evidence - fewer.evidence >= LEAST_SUPPORT:
                continue
            x = positions(fewer.b, lines.energy[[line]])[0][0] * peaks.high
            if not (np.abs(x - peaks.adc[own]) <= peaks.fwhm[own]).all():
                doubtful.append((best.evidence - fewer.evidence, line, fewer))
        if not doubtful:
            break
        _, line, best = min(doubtful, key=lambda one: one[:2])
        excluded = (*excluded, line)
    return best


def _near(start: Sequence[float], tolerance: float, high: float) -> Prior:
    """Prior of the curve from a calibration to start from, over u = adc / high."""
    coefficients: Floats = np.zeros(3)
    for order, value in enumerate(start):
        if order < 3:
            coefficients[order] = value * high**order
    if len(start) > 3:  # a parabola as near to the polynomial as the range asks for
        u = np.linspace(0.05, 1, 64)
        curve = np.polynomial.polynomial.polyval(u * high, np.asarray(start, np.float64))
        coefficients = np.asarray(np.polynomial.polynomial.polyfit(u, curve, 2), np.float64)
    width = np.array([0.1, 1.0, 0.1]) * tolerance * coefficients[1]
    return Prior(coefficients, width, False)


def _differ(best: Candidate, other: Candidate, peaks: Peaks, lines: Lines) -> bool:
    """True if another hypothesis moves a line of the best one by a peak's width, and has other matches for it.

    A hypothesis with some of the same matches and none that contradicts is a poorer version of the same.
    """
    x = positions(other.b, lines.energy[best.line])[0] * peaks.high
    distance = np.abs(x - peaks.adc[best.peak])
    is_elsewhere = ~(distance <= np.maximum(peaks.fwhm[best.peak], MATCHED * peaks.tolerance[best.peak]))
    same = set(zip(best.peak.tolist(), best.line.tolist(), strict=True))
    others = set(zip(other.peak.tolist(), other.line.tolist(), strict=True))
    return bool(is_elsewhere.any()) and not others < same
