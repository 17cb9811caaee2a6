"""Where lines are looked for in a detector's adc, and the position of one in a histogram."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from gammapolars.analysis.accumulators.drift import AdcRange
from gammapolars.core.types import Floats
from gammapolars.detectors import Detector

TOP_ADC = 2**16 - 1

WIDE_TOP_ADC = 2**22 - 1
"""Where lines are looked for in adc values of more than 16 bits."""

BINS_PER_FWHM = 10
"""Wide lines are counted in bins of several adc values: this many per line width lose nothing."""

SIDE_FWHM = 2.0
"""Beyond the reach of the drift there are this many widths of the line for its background."""

FWHM2_KEV2 = {"hpge": (0.55, 0.00216), "nai": (0.0, 3.2), "labr3": (0.0, 0.557), "cebr3": (0.0, 0.9)}
"""FWHM² = a + b E (keV²) of usual detectors, where none is known of a detector."""

WIDEST = FWHM2_KEV2["nai"]


class TrackedLine(NamedTuple):
    """A line in one detector: where the calibration expects it, keV per adc there, its width in adc (None where nothing
    is known of it), and the `part` of adc in which it is counted.
    """

    energy_kev: float
    expected_adc: float
    kev_per_adc: float
    fwhm_adc: float | None
    part: AdcRange


def tracked_lines(
    detector: Detector, energies_kev: Sequence[float], reach: float, *, top_adc: int = TOP_ADC
) -> list[TrackedLine]:
    """Those lines that lie in a calibrated detector's adc range, which ends at `top_adc`.

    `reach` is the largest relative change of the gain.
    """
    places = []
    for energy_kev in energies_kev:
        adc = adc_at(detector.energy or (), energy_kev, top_adc)
        if adc is None:
            continue
        slope = sum(order * c * adc ** (order - 1) for order, c in enumerate(detector.energy or ()) if order)
        if slope > 0:
            places.append((energy_kev, adc, slope, _fwhm_kev(detector, energy_kev) or math.nan))
    widths = [width / slope for _, _, slope, width in places if not math.isnan(width)]
    step = max(1, int(min(widths) / BINS_PER_FWHM)) if widths else 1
    lines = []
    for energy_kev, adc, slope, width in places:
        fwhm = None if math.isnan(width) else width / slope
        room = SIDE_FWHM * (fwhm or math.sqrt(WIDEST[0] + WIDEST[1] * energy_kev) / slope)
        first = max(0, int((adc * (1 - reach) - room) // step))
        last = min(top_adc // step, int((adc * (1 + reach) + room) // step))
        if last > first:
            lines.append(TrackedLine(energy_kev, adc, slope, fwhm, AdcRange(first * step, last - first + 1, step)))
    return lines


def adc_at(energy: Sequence[float], energy_kev: float, top_adc: int = TOP_ADC) -> float | None:
    """The lowest adc up to `top_adc`, not rounded, where a polynomial gives an energy; None where it never does."""
    if len(energy) < 2:
        return None
    polynomial = np.polynomial.Polynomial([energy[0] - energy_kev, *energy[1:]])
    roots: list[complex] = polynomial.trim().roots().astype(complex).tolist()
    real = sorted(root.real for root in roots if abs(root.imag) < 1e-6 and 0 < root.real <= top_adc)
    return real[0] if real else None


def _fwhm_kev(detector: Detector, energy_kev: float) -> float | None:
    model = detector.fwhm or FWHM2_KEV2.get(detector.kind.lower())
    square = sum(c * energy_kev**order for order, c in enumerate(model)) if model else 0.0
    return math.sqrt(square) if square > 0 else None


SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
MOST_STEPS = 40
WINDOW_FWHM = 1.75
"""The fit reaches so far to both sides of the guess: to 4 standard deviations of the line, and no further, because the
next line of a scintillator is near."""

LEAST_SIGMA = 4.0
"""Least significance of a line, in standard deviations."""

LEAST_BACKGROUND = 0.1
"""Counts in the window: with none, a single count outside the line would be impossible, and stop the search."""


class Position(NamedTuple):
    """The position of a line, with its FWHM, as given or fitted, in adc; and its counts above the background.

    `status` is `ok`; or why the fit is not to be used: `few counts`, `no line`, `at the edge`, `no convergence`.
    """

    position: float
    unc: float
    counts: float
    status: str
    fwhm: float


def line_position(
    counts: Floats, first_adc: float, guess: float, fwhm: float, *, bin_adc: float = 1.0, fit_width: bool = False
) -> Position:
    """Fit a Gaussian on a linear background to counts, by the likelihood of binned Poisson counts.

    The model is integrated over each bin. Steps of Newton's kind find the maximum; the uncertainty is that of the
    expected information, with the background's free. The background does not fall below 0 within the window.
    `first_adc` is the lowest adc value of the first bin, which holds pulse heights from half a step below it; a
    line found further than one FWHM from the `guess` is none.
    """
    low = first_adc - 0.5
    begin = max(0, int(np.floor((guess - WINDOW_FWHM * fwhm - low) / bin_adc)))
    end = min(len(counts), int(np.ceil((guess + WINDOW_FWHM * fwhm - low) / bin_adc)))
    part = counts[begin:end]
    total = float(part.sum())
    if end - begin < 6 or low + begin * bin_adc > guess or low + end * bin_adc < guess:
        return Position(guess, np.inf, 0.0, "at the edge", fwhm)
    if total < 20:
        return Position(guess, np.inf, total, "few counts", fwhm)
    scale = fwhm * SIGMA_PER_FWHM
    edges = (low + bin_adc * np.arange(begin, end + 1) - guess) / scale  # in standard deviations from the guess
    x, information, is_converged = _maximum(part, edges, fit_width=fit_width)
    unc, line_unc = _uncertainties(information, free=5 if fit_width else 4)
    position = guess + scale * float(x[0])
    unc *= scale
    status = "ok"
    if not is_converged or not 0 < unc < np.inf:
        status = "no convergence"
    elif x[1] < LEAST_SIGMA * line_unc:
        status = "no line"
    elif abs(x[0]) * SIGMA_PER_FWHM > 1:
        status = "at the edge"
    return Position(position, unc, float(x[1]), status, fwhm * float(x[4]))


def _uncertainties(information: Floats, *, free: int) -> tuple[float, float]:
    """Standard deviations of the first two parameters, infinite where nothing determines them."""
    try:
        variances = np.linalg.inv(information[:free, :free]).diagonal()
    except np.linalg.LinAlgError:
        return np.inf, np.inf
    return float(np.sqrt(max(variances[0], 0.0))), float(np.sqrt(max(variances[1], 0.0)))


def _maximum(counts: Floats, edges: Floats, *, fit_width: bool) -> tuple[Floats, Floats, bool]:
    """The parameters of largest likelihood, their information, and whether the search came to rest.

    Parameters: centre and, last, width in standard deviations as given; counts of the line; background per bin at the
    window's two ends.
    """
    total, bins = float(counts.sum()), len(counts)
    rise = (np.arange(bins) + 0.5) / bins
    quarter = max(1, bins // 8)
    left, right = counts[:quarter].mean(), counts[-quarter:].mean()
    line = max(total - 0.5 * (left + right) * bins, 0.1 * total)
    centre = float(np.clip((counts * (edges[1:] + edges[:-1]) / 2).sum() / total, -1, 1)) if total else 0.0
    least = LEAST_BACKGROUND / bins
    x = np.array([centre, line, left + least, right + least, 1.0])
    free = 5 if fit_width else 4
    model, slopes = _model(x, edges, rise)
    value = _likelihood(counts, model)
    information = np.eye(5)
    for _ in range(MOST_STEPS):
        weights = slopes / model
        information = weights @ slopes.T
        gradient = weights @ (counts - model)
        # The mean of expected and observed information: with the first only, steps in a low background overshoot.
        curvature = (information + (weights * counts) @ weights.T) / 2
        step = _step(x, curvature[:free, :free], gradient[:free], least)
        if step is None:
            return x, information, False
        step[0] = np.clip(step[0], -1.0, 1.0)
        gain = float(step @ gradient)
        for _ in range(12):
            trial = x + step
            trial[1:4] = np.maximum(trial[1:4], least)
            trial[4] = np.clip(trial[4], 0.2, 5.0)
            model, slopes = _model(trial, edges, rise)
            better = _likelihood(counts, model)
            if better >= value - 1e-9:
                break
            step /= 2
        else:
            return x, information, gain < 1e-4
        is_done = better - value < 1e-6 and abs(step[0]) < 1e-3
        x, value = trial, better
        if is_done:
            return x, information, True
    return x, information, False


def _step(x: Floats, information: Floats, gradient: Floats, least: float) -> Floats | None:
    """The next step, on which the background at the window's ends falls to the least at most."""
    free = len(gradient)
    step = np.zeros(5)
    fixed: list[int] = []
    for _ in range(3):
        try:
            if fixed:
                chosen = [place for place in range(free) if place not in fixed]
                pull = gradient[chosen] - information[np.ix_(chosen, fixed)] @ step[fixed]
                step[chosen] = np.linalg.solve(information[np.ix_(chosen, chosen)], pull)
            else:
                step[:free] = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        below = [place for place in (2, 3) if place not in fixed and x[place] + step[place] < least]
        if not below:
            break
        step[below] = least - x[below]
        fixed += below
    return step


def _model(x: Floats, edges: Floats, rise: Floats) -> tuple[Floats, Floats]:
    """Expected counts a bin, (bins,), and their derivatives by the parameters, (5, bins)."""
    z = (edges - x[0]) / x[4]
    share = np.diff(ndtr(z))
    density = np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * x[4])
    slopes = np.empty((5, len(rise)))
    slopes[0] = -x[1] * np.diff(density)
    slopes[1] = share
    slopes[2] = 1 - rise
    slopes[3] = rise
    slopes[4] = -x[1] * np.diff(density * z)
    return np.maximum(x[1] * share + x[2] * slopes[2] + x[3] * rise, 1e-9), slopes


def _likelihood(counts: Floats, model: Floats) -> float:
    return float((counts * np.log(model) - model).sum())
