"""Starting values for the fit of a time spectrum."""

import math
from itertools import combinations

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.lifetimes.model import TimeBins, deviance, shapes


def starting_values(
    bins: TimeBins, decays: int, *, prompt: bool, sigma: float | None, near: float | None = None
) -> list[float]:
    """Starting values: of peaks of several widths, decays of several lifetimes, the one that fits best.

    Amplitudes are linear, and follow for each.
    """
    widths = [sigma] if sigma else [bins.width * 2**k for k in range(-1, 12) if bins.width * 2**k < bins.span / 4]
    widths += [near] if near and not sigma else []
    lifetimes = np.geomspace(bins.width, bins.span, 14)
    coarse = _rebin(bins, 1500)
    best: tuple[float, list[float]] | None = None
    for width in widths:
        span = max(1, min(round(width / bins.width), len(bins.counts) // 2))
        smooth = np.convolve(bins.counts, np.ones(span), "same")
        peak = float(bins.centres[int(np.argmax(smooth))])
        for taus in combinations(lifetimes, decays):
            for shift in (0.0, 1.0, 2.0) if decays else (0.0,):
                t0 = max(peak - shift * width, float(bins.edges[0]))
                parts = shapes(coarse, t0, width, taus)
                amplitudes = _amplitudes(coarse.counts, parts, prompt=prompt)
                cost = deviance(coarse.counts, amplitudes @ parts)
                if best is None or cost < best[0]:
                    best = (cost, [t0, math.log(width), *np.log(taus), *amplitudes])
    assert best
    return best[1]


def _rebin(bins: TimeBins, most: int) -> TimeBins:
    """The same counts in no more than `most` bins; enough to start from."""
    if len(bins.counts) <= most:
        return bins
    factor = -(-len(bins.counts) // most)
    whole = len(bins.counts) // factor * factor
    counts = bins.counts[:whole].reshape(-1, factor).sum(axis=1)
    return TimeBins(bins.edges[: whole + 1 : factor], counts)


def _amplitudes(counts: Floats, parts: Floats, *, prompt: bool) -> Floats:
    """Amplitudes that are not negative, by weighted least squares."""
    from scipy.optimize import nnls

    weight = 1 / np.sqrt(np.maximum(counts, 1.0))
    free_parts = parts if prompt else parts[1:]
    scale = np.maximum(free_parts.sum(axis=1), 1e-9)
    solution, _ = nnls((free_parts / scale[:, None] * weight).T, counts * weight, maxiter=200)
    solution = solution / scale
    return np.asarray(np.maximum(solution if prompt else np.concatenate([[0.0], solution]), 1e-3), np.float64)
