"""The fit of a prompt peak, exponential decays and random coincidences to a time spectrum."""

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.types import Floats
from gammapolars.lifetimes.interpretation import LIMIT, LifetimeFit, result, upper_end
from gammapolars.lifetimes.model import (
    Direction,
    Minimum,
    NearestStops,
    TimeBins,
    deviance,
    expected_counts,
    nearer_of,
    shapes,
)

LEAST_COUNTS = 50
LEAST_BINS = 8
MOST_BINS = 200_000

RESOLVED = 11.8
"""Twice the log-likelihood that a decay must gain over none: 3 standard deviations, of two parameters."""

SEEN = 25.0
"""Twice the log-likelihood that true coincidences, wherever they may be, must gain over random ones only."""

PROMPT_NEEDED = 9.0
"""The same that a prompt peak must gain in addition to the decays."""


def fit_lifetime(
    spectrum: AnyFrame,
    *,
    components: int = 1,
    sigma_ps: float | None = None,
    direction: Direction | None = None,
    window_ps: tuple[int, int] | None = None,
    sigma_near_ps: float | None = None,
    nearest: NearestStops | None = None,
) -> LifetimeFit:
    """Fit lifetimes to the time differences of start and stop.

    The model is a Gaussian prompt peak, decays that begin at its centre and are smeared by it, and flat random
    coincidences, each integrated over the bins; its binned Poisson likelihood is maximised. A prompt peak is kept only
    where the spectrum needs it in addition to the decays, and decays only where they are resolved from it: else there
    is an upper limit.

    Args:
        spectrum: `dt_ps` (first picosecond of equal bins), `width_ps`, `counts`, as `time_spectrum` gives it, of all
            pairs in a window, or of the nearest stops. Empty bins may be left out.
        components: how many decays at most, 1 or 2; only those that are resolved are kept.
        sigma_ps: standard deviation of the prompt peak, where it is known; None: it is fitted. Lifetimes shorter than
            about half of it need it.
        direction: on which side of the peak decays lie; None: on the one that fits better.
        window_ps: the window that the pairs were looked for in; None: from the first filled bin to the last.
        sigma_near_ps: approximate standard deviation of the prompt peak, where its fit starts.
        nearest: where the spectrum is of each start's nearest stop only: random coincidences are then not flat and
            take true stops away. Amplitudes are those of all pairs.

    Raises:
        TableError: the frame is not a time spectrum, or has negative counts.
        UsageError: too few counts, or impossible options.
    """
    spectrum = eager(spectrum, "spectrum")
    if components not in (1, 2):
        raise UsageError(f"one or two lifetimes can be fitted, not {components}")
    for sigma in (sigma_ps, sigma_near_ps):
        if sigma is not None and not 0 < sigma < math.inf:
            raise UsageError(f"the width of the prompt peak must be positive, not {sigma}")
    bins = bins_of(spectrum, window_ps)
    if nearest is not None:
        bins = TimeBins(bins.edges, bins.counts, nearer_of(bins.edges, nearest))
    width = Width(sigma_ps, sigma_near_ps)
    candidates: list[tuple[Minimum, Direction, TimeBins]] = []
    for way, oriented in (("stop after start", bins), ("start after stop", bins.mirrored())):
        if direction in (None, way):
            candidates.append((_best(oriented, components, width), way, oriented))  # type: ignore[arg-type]
    if not candidates:
        raise UsageError(f"unknown direction '{direction}': choose 'stop after start' or 'start after stop'")
    best, way, oriented = min(candidates, key=lambda one: one[0].deviance)
    limit = None if best.decays else _upper_limit(oriented, width)
    return result(best, oriented, way, limit=limit, is_width_fixed=sigma_ps is not None, components=components)


def check_bins(number: int) -> None:
    """Raise where a time spectrum has too few or too many bins for a fit."""
    if not LEAST_BINS <= number <= MOST_BINS:
        raise UsageError(f"a time spectrum of {number:,} bins cannot be fitted: change the bin width or the window")


def bins_of(spectrum: pl.DataFrame | pl.LazyFrame, window_ps: tuple[int, int] | None) -> TimeBins:
    """All bins of a time spectrum; those that a window cuts are left out."""
    table = spectrum.lazy().collect()
    if missing := {"dt_ps", "width_ps", "counts"} - set(table.columns):
        raise TableError(f"this frame is not a time spectrum: it has no column '{min(missing)}'")
    table = table.sort("dt_ps")
    if table.height < 2 or table["counts"].sum() < LEAST_COUNTS:
        raise UsageError(
            f"{table['counts'].sum():.0f} pairs are too few for a lifetime: at least {LEAST_COUNTS} are needed"
        )
    width = int(table["width_ps"][0])
    first, last = int(table["dt_ps"][0]), int(table["dt_ps"][-1])
    if window_ps is not None:
        first, last = -(-window_ps[0] // width) * width, (window_ps[1] + 1) // width * width - width
        table = table.filter(pl.col("dt_ps").is_between(first, last))
    number = (last - first) // width + 1
    check_bins(number)
    counts = np.zeros(number)
    counts[(table["dt_ps"].to_numpy() - first) // width] = table["counts"].to_numpy()
    if counts.min() < 0:
        raise TableError(
            "a lifetime fit needs a time spectrum of counts, not of net counts: random coincidences are part of the fit"
        )
    return TimeBins(first + width * np.arange(number + 1, dtype=np.float64), counts)


class Width(NamedTuple):
    """Prior knowledge of the prompt peak's standard deviation: its value, an estimate, or nothing."""

    value_ps: float | None = None
    start_ps: float | None = None


def _best(bins: TimeBins, components: int, width: Width) -> Minimum:
    """The fit with as few parts as the counts need."""
    best = _fit(bins, 0, prompt=True, width=width)
    for decays in range(1, components + 1):
        decays_only = _fit(bins, decays, prompt=False, width=width)
        both = _fit(bins, decays, prompt=True, width=width)
        more = both if both.deviance < decays_only.deviance - PROMPT_NEEDED else decays_only
        best = more if more.deviance < best.deviance - RESOLVED else best
    return best


def _fit(bins: TimeBins, decays: int, *, prompt: bool, width: Width) -> Minimum:
    start = starting_values(bins, decays, prompt=prompt, sigma=width.value_ps, near=width.start_ps)
    minuit = _minuit(bins, decays, start, prompt=prompt, width=width)
    minuit.strategy = 1
    minuit.migrad(ncall=20_000)
    if not minuit.valid:
        minuit.simplex().migrad()
    minuit.hesse()
    names = list(minuit.parameters)
    values = dict(zip(names, map(float, minuit.values), strict=True))
    errors = dict(zip(names, map(float, minuit.errors), strict=True))

    def again() -> Any:
        return _minuit(bins, decays, list(values.values()), prompt=prompt, width=width)

    return Minimum(values, errors, float(minuit.fval), minuit, decays, again)


def _minuit(bins: TimeBins, decays: int, start: list[float], *, prompt: bool, width: Width) -> Any:
    """The likelihood of a model as Minuit takes it, with limits."""
    from iminuit import Minuit

    names = ["t0", "log_sigma", *(f"log_tau_{k}" for k in range(decays)), *(f"n_{k}" for k in range(decays + 2))]

    def objective(*values: float) -> float:
        return deviance(bins.counts, expected_counts(bins, values, decays))

    minuit = Minuit(objective, *start, name=names)
    minuit.errordef = Minuit.LEAST_SQUARES  # a deviance is twice a log-likelihood
    minuit.limits["t0"] = (bins.edges[0], bins.edges[-1])
    minuit.limits["log_sigma"] = (math.log(bins.width / 50), math.log(bins.span))
    minuit.errors["t0"] = math.exp(start[1]) / 10
    minuit.errors["log_sigma"] = 0.1
    minuit.fixed["log_sigma"] = width.value_ps is not None
    for k in range(decays):
        minuit.limits[f"log_tau_{k}"] = (math.log(bins.width / 50), math.log(20 * bins.span))
        minuit.errors[f"log_tau_{k}"] = 0.1
    for k in range(decays + 2):
        minuit.limits[f"n_{k}"] = (0, 100 * bins.counts.sum())
        minuit.errors[f"n_{k}"] = max(math.sqrt(bins.counts.sum()), 1.0)
    if not prompt:
        minuit.values["n_0"], minuit.fixed["n_0"] = 0.0, True
    return minuit


def _upper_limit(bins: TimeBins, width: Width) -> float | None:
    """The longest lifetime that agrees with a spectrum in which all true coincidences were decays.

    None where random coincidences explain the spectrum, or lifetimes as long as the window agree.
    """
    best = _fit(bins, 1, prompt=False, width=width)
    flat = best.again()
    for name in flat.parameters[:-1]:
        flat.fixed[name] = True
    flat.values["n_1"] = 0.0
    flat.migrad()
    if flat.fval < best.deviance + SEEN:
        return None
    minuit, longest = best.minuit, math.log(bins.span)

    def loss(log_tau: float) -> float:
        minuit.values["log_tau_0"], minuit.fixed["log_tau_0"] = log_tau, True
        minuit.migrad()
        return float(minuit.fval) - best.deviance

    if best.values["log_tau_0"] >= longest or loss(longest) < LIMIT:
        return None
    return math.exp(upper_end(loss, best.values["log_tau_0"], 0.25, LIMIT))


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
