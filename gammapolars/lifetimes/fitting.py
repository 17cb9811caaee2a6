"""The fit of a prompt peak, exponential decays and chance to a time spectrum."""

import math
from collections.abc import Callable

import numpy as np
import polars as pl

from gammapolars.errors import TableError, UsageError
from gammapolars.lifetimes.interpreting import result
from gammapolars.lifetimes.minimum import Direction, Fitted, expected_counts
from gammapolars.lifetimes.model import TimeBins, deviance
from gammapolars.lifetimes.results import LifetimeFit
from gammapolars.lifetimes.starting import starting_values

LEAST_COUNTS = 50
MOST_BINS = 200_000

RESOLVED = 11.8
"""Twice the log-likelihood that a decay must gain over none: 3 standard deviations, of two parameters."""

PROMPT_NEEDED = 9.0
"""The same that a prompt peak must gain beside the decays."""

LIMIT = 2.71
"""Twice the log-likelihood lost at the upper limit of 95 %."""


def fit_lifetime(
    spectrum: pl.DataFrame | pl.LazyFrame,
    *,
    components: int = 1,
    sigma_ps: float | None = None,
    direction: Direction | None = None,
    window_ps: tuple[int, int] | None = None,
) -> LifetimeFit:
    """Fit lifetimes to the time differences of start and stop.

    The model is a Gaussian prompt peak, decays that begin at its centre and are smeared by it, and flat chance, each
    integrated over the bins; its binned Poisson likelihood is maximised. A prompt peak is kept only where the spectrum
    needs it beside the decays, and decays only where they are resolved from the peak: else there is an upper limit.

    Args:
        spectrum: `dt_ps` (first picosecond of equal bins), `width_ps`, `counts`, as `time_spectrum` gives it, of all
            pairs in a window (not the nearest stops alone, whose chance is not flat). Empty bins may be left out.
        components: how many decays, 1 or 2.
        sigma_ps: standard deviation of the prompt peak, where it is known; None: it is fitted. Lifetimes shorter than
            about half of it need it.
        direction: on which side of the peak decays lie; None: on the one that fits better.
        window_ps: the window that the pairs were looked for in; None: from the first filled bin to the last.

    Raises:
        TableError: the frame is no time spectrum, or has negative counts.
        UsageError: too few counts, or options that cannot be.
    """
    if components not in (1, 2):
        raise UsageError(f"one or two lifetimes can be fitted, not {components}")
    if sigma_ps is not None and not 0 < sigma_ps < math.inf:
        raise UsageError(f"the width of the prompt peak must be above 0, not {sigma_ps}")
    bins = bins_of(spectrum, window_ps)
    tried: list[tuple[Fitted, Direction, TimeBins]] = []
    for way, turned in (("stop after start", bins), ("start after stop", bins.mirrored())):
        if direction in (None, way):
            tried.append((_best(turned, components, sigma_ps), way, turned))  # type: ignore[arg-type]
    if not tried:
        raise UsageError(f"unknown direction '{direction}': it is 'stop after start' or 'start after stop'")
    found, way, turned = min(tried, key=lambda one: one[0].deviance)
    limit = None if found.decays else _upper_limit(turned, sigma_ps)
    return result(found, turned, way, limit=limit, known_width=sigma_ps is not None)


def bins_of(spectrum: pl.DataFrame | pl.LazyFrame, window_ps: tuple[int, int] | None) -> TimeBins:
    """All bins of a time spectrum; those that a window cuts are left out."""
    table = spectrum.lazy().collect()
    if missing := {"dt_ps", "width_ps", "counts"} - set(table.columns):
        raise TableError(f"this frame is no time spectrum: it has no column '{min(missing)}'")
    table = table.sort("dt_ps")
    if table.height < 2 or table["counts"].sum() < LEAST_COUNTS:
        raise UsageError(f"{table['counts'].sum():.0f} pairs are too few for a lifetime: it takes {LEAST_COUNTS}")
    width = int(table["width_ps"][0])
    first, last = int(table["dt_ps"][0]), int(table["dt_ps"][-1])
    if window_ps is not None:
        first, last = -(-window_ps[0] // width) * width, (window_ps[1] + 1) // width * width - width
        table = table.filter(pl.col("dt_ps").is_between(first, last))
    number = (last - first) // width + 1
    if not 8 <= number <= MOST_BINS:
        raise UsageError(f"a time spectrum of {number:,} bins is not fitted: choose other bins, or another window")
    counts = np.zeros(number)
    counts[(table["dt_ps"].to_numpy() - first) // width] = table["counts"].to_numpy()
    if counts.min() < 0:
        raise TableError("a time spectrum for lifetimes holds counts, not net ones: chance is part of the fit")
    return TimeBins(first + width * np.arange(number + 1, dtype=np.float64), counts)


def _best(bins: TimeBins, components: int, sigma: float | None) -> Fitted:
    """The fit with as few parts as the counts need."""
    alone = _fit(bins, 0, prompt=True, sigma=sigma)
    bare = _fit(bins, components, prompt=False, sigma=sigma)
    both = _fit(bins, components, prompt=True, sigma=sigma)
    found = both if both.deviance < bare.deviance - PROMPT_NEEDED else bare
    return alone if found.deviance > alone.deviance - RESOLVED else found


def _fit(bins: TimeBins, decays: int, *, prompt: bool, sigma: float | None) -> Fitted:
    from iminuit import Minuit

    names = ["t0", "log_sigma", *(f"log_tau_{k}" for k in range(decays)), *(f"n_{k}" for k in range(decays + 2))]
    start = starting_values(bins, decays, prompt=prompt, sigma=sigma)

    def objective(*values: float) -> float:
        return deviance(bins.counts, expected_counts(bins, values, decays))

    minuit = Minuit(objective, *start, name=names)
    minuit.errordef = Minuit.LEAST_SQUARES  # a deviance is twice a log-likelihood
    minuit.limits["t0"] = (bins.edges[0], bins.edges[-1])
    minuit.limits["log_sigma"] = (math.log(bins.width / 50), math.log(bins.span))
    minuit.errors["t0"] = math.exp(start[1]) / 10
    minuit.errors["log_sigma"] = 0.1
    minuit.fixed["log_sigma"] = sigma is not None
    for k in range(decays):
        minuit.limits[f"log_tau_{k}"] = (math.log(bins.width / 50), math.log(20 * bins.span))
        minuit.errors[f"log_tau_{k}"] = 0.1
    for k in range(decays + 2):
        minuit.limits[f"n_{k}"] = (0, 100 * bins.counts.sum())
        minuit.errors[f"n_{k}"] = max(math.sqrt(bins.counts.sum()), 1.0)
    if not prompt:
        minuit.values["n_0"], minuit.fixed["n_0"] = 0.0, True
    minuit.strategy = 1
    minuit.migrad(ncall=20_000)
    if not minuit.valid:
        minuit.simplex().migrad()
    minuit.hesse()
    values = dict(zip(names, map(float, minuit.values), strict=True))
    errors = dict(zip(names, map(float, minuit.errors), strict=True))
    return Fitted(names, values, errors, float(minuit.fval), minuit, decays, prompt)


def _upper_limit(bins: TimeBins, sigma: float | None) -> float:
    """The longest lifetime that agrees with a spectrum in which all true coincidences were decays."""
    best = _fit(bins, 1, prompt=False, sigma=sigma)
    minuit = best.minuit

    def lost(log_tau: float) -> float:
        minuit.values["log_tau_0"], minuit.fixed["log_tau_0"] = log_tau, True
        minuit.migrad()
        return float(minuit.fval) - best.deviance - LIMIT

    low = best.values["log_tau_0"]
    high = low + 0.25
    top = math.log(20 * bins.span)
    while lost(high) < 0:
        low, high = high, high + 0.5
        if high > top:
            return math.exp(top)
    return math.exp(_root(lost, low, high))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2
