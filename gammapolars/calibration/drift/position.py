"""The position of a spectral line in one histogram."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from gammapolars.core.types import Floats

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
MOST_STEPS = 40
WINDOW_FWHM = 1.75
"""The fit reaches so far to both sides of the guess: to 4 standard deviations of the line, and no further, because the
next line of a scintillator is near."""

LEAST_SIGMA = 4.0
"""A line must stand out by this many standard deviations."""

LEAST_BACKGROUND = 0.1
"""Counts in the window: with none, a single count outside the line would be impossible, and stop the search."""


class Position(NamedTuple):
    """Where a line stands.

    Attributes:
        position: of the line's centre, adc.
        unc: standard deviation of the position.
        counts: of the line, above its background.
        status: `ok`; or why the fit is not to be used: `few counts`, `no line`, `at the edge`, `no convergence`.
        fwhm: full width at half maximum, adc: the given one, or the fitted.
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

    Args:
        counts: of neighbouring bins.
        first_adc: the lowest adc value of the first bin, which stands for pulse heights from half a step below it.
        guess: where the line is looked for; a line found further than one FWHM away is none.
        fwhm: full width at half maximum, adc.
        bin_adc: adc values a bin.
        fit_width: whether the width is fitted too.
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
        # The mean of expected and observed information: with the first alone, steps in a low background overshoot.
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
