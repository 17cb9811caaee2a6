"""Results at a minimum of the fit: lifetimes with uncertainties, the components as curves, and warnings."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.overview import Overview
from gammapolars.core.records import Part, entries
from gammapolars.core.types import Floats
from gammapolars.lifetimes.model import Direction, Minimum, TimeBins, deviances, expected_counts, part_counts


@dataclass(frozen=True)
class Component:
    """One exponential decay.

    Attributes:
        lifetime_ps: the mean lifetime τ.
        lifetime_ps_unc: its uncertainty, one standard deviation.
        lifetime_ps_low: how far below `lifetime_ps` the likelihood falls by ½.
        lifetime_ps_high: how far above it does so.
        counts: decays, those beyond the window included.
        counts_unc: one standard deviation.
    """

    DERIVED: ClassVar = ("half_life_ps", "half_life_ps_unc")

    lifetime_ps: float
    lifetime_ps_unc: float
    lifetime_ps_low: float
    lifetime_ps_high: float
    counts: float
    counts_unc: float

    @property
    def half_life_ps(self) -> float:
        """The half-life, τ ln 2."""
        return self.lifetime_ps * math.log(2)

    @property
    def half_life_ps_unc(self) -> float:
        """Its uncertainty."""
        return self.lifetime_ps_unc * math.log(2)


@dataclass(frozen=True, repr=False)
class LifetimeFit(Part, Overview):
    """A fit of a prompt peak, decays and random coincidences to a time spectrum.

    Attributes:
        components: the decays, the longest lifetime first; none where none is resolved from the prompt peak.
        upper_limit_ps: where no decay is resolved: no lifetime above this agrees with the spectrum (95 %); None also
            where none can be excluded.
        direction: whether decays come after the start (`stop after start`) or before it.
        t0_ps: position of the prompt peak, where decays begin.
        t0_ps_unc: its uncertainty.
        fwhm_ps: full width at half maximum of the prompt peak.
        fwhm_ps_unc: its uncertainty; 0 where the width was given.
        prompt: counts of the prompt peak; 0 where none is needed.
        prompt_unc: one standard deviation; where there is a limit, that above `prompt`.
        prompt_limit: 95 % upper limit, where no prompt peak is needed or zero is within one standard deviation.
        chance_per_ns: random coincidences per ns, of all pairs.
        chance_per_ns_unc: one standard deviation; where there is a limit, that above `chance_per_ns`.
        chance_per_ns_limit: 95 % upper limit, where zero random coincidences are within one standard deviation.
        chi2: of the likelihood (Baker and Cousins), of bins joined to hold some counts each.
        ndf: degrees of freedom.
        curves: `dt_ps` (bin's first ps), `width_ps`, `counts`, and the expected `fit`, `prompt`, `decay_1`, …,
            `chance`.
        warnings: doubts to consider, one sentence each.
    """

    HIDDEN: ClassVar = ("curves", "warnings")

    components: tuple[Component, ...]
    upper_limit_ps: float | None
    direction: Literal["stop after start", "start after stop"]
    t0_ps: float
    t0_ps_unc: float
    fwhm_ps: float
    fwhm_ps_unc: float
    prompt: float
    prompt_unc: float
    prompt_limit: float | None
    chance_per_ns: float
    chance_per_ns_unc: float
    chance_per_ns_limit: float | None
    chi2: float
    ndf: int
    curves: pl.DataFrame = field(repr=False)
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """All but the curves and the warnings, for JSON."""
        return entries(self)


LIMIT = 2.71
"""Twice the log-likelihood lost at the upper limit of 95 %."""

POOR, POOR_PROBABILITY = 1.5, 1e-6
"""A fit is called poor where χ² is as many times its expectation, and less probable."""

JOINED_COUNTS = 10.0
"""χ² is taken of bins that hold as many expected counts."""


def result(
    minimum: Minimum, bins: TimeBins, way: Direction, *, limit: float | None, is_width_fixed: bool, components: int
) -> LifetimeFit:
    """Results for the time spectrum at a minimum."""
    minuit, values, errors = minimum.minuit, minimum.values, minimum.errors
    parts = [_component(minimum, k) for k in range(minimum.decays)]
    order = sorted(range(minimum.decays), key=lambda k: -parts[k].lifetime_ps)
    chance = amplitude(minimum, f"n_{minimum.decays + 1}")
    prompt = amplitude(minimum, "n_0")
    per_ns = 1000 / bins.span
    sigma = math.exp(values["log_sigma"])
    expected = expected_counts(bins, tuple(minuit.values), minimum.decays)
    chi2, groups = _grouped_deviance(bins.counts, expected)
    free = sum(not minuit.fixed[name] for name in values)
    t0 = values["t0"] if way == "stop after start" else -values["t0"]
    return LifetimeFit(
        components=tuple(parts[k] for k in order),
        upper_limit_ps=limit,
        direction=way,
        t0_ps=t0,
        t0_ps_unc=errors["t0"],
        fwhm_ps=FWHM_PER_SIGMA * sigma,
        fwhm_ps_unc=0.0 if is_width_fixed else FWHM_PER_SIGMA * sigma * errors["log_sigma"],
        prompt=prompt.counts,
        prompt_unc=prompt.unc,
        prompt_limit=prompt.limit,
        chance_per_ns=chance.counts * per_ns,
        chance_per_ns_unc=chance.unc * per_ns,
        chance_per_ns_limit=None if chance.limit is None else chance.limit * per_ns,
        chi2=chi2,
        ndf=max(groups - free, 0),
        curves=_curves(minimum, bins, order, way),
        warnings=(
            *_warnings(minimum, bins, [parts[k] for k in order], components=components, limit=limit),
            *_poor(chi2, groups - free),
        ),
    )


def _component(minimum: Minimum, k: int) -> Component:
    """A decay, with the interval in which the likelihood stays within ½ of its maximum."""
    name = f"log_tau_{k}"
    tau, unc = math.exp(minimum.values[name]), math.exp(minimum.values[name]) * minimum.errors[name]
    low, high = tau - unc, tau + unc
    try:
        minimum.minuit.minos(name)
    except RuntimeError:  # no minimum to go out from
        pass
    else:
        error = minimum.minuit.merrors[name]
        if error.is_valid:
            low, high = tau * math.exp(error.lower), tau * math.exp(error.upper)
    amplitude = f"n_{k + 1}"
    return Component(tau, unc, low, high, minimum.values[amplitude], minimum.errors[amplitude])


def _grouped_deviance(counts: Floats, expected: Floats) -> tuple[float, int]:
    """χ² of bins joined until each holds some expected counts, and how many these are."""
    cumulative = np.cumsum(expected)
    group = np.floor(cumulative / JOINED_COUNTS).astype(np.int64)
    _, first = np.unique(group, return_index=True)
    group_counts, group_expected = np.add.reduceat(counts, first), np.add.reduceat(expected, first)
    return float(deviances(group_counts, group_expected).sum()), len(first)


def _curves(minimum: Minimum, bins: TimeBins, order: list[int], way: Direction) -> pl.DataFrame:
    """The counts and the expected ones of each component, bin by bin."""
    parts = part_counts(bins, tuple(minimum.values.values()), minimum.decays)
    table: dict[str, Any] = {"counts": bins.counts, "fit": parts.sum(axis=0), "prompt": parts[0]}
    table |= {f"decay_{place}": parts[1 + k] for place, k in enumerate(order, 1)}
    table |= {"chance": parts[-1]}
    start = bins.edges[:-1]
    if way == "start after stop":
        start, table = bins.mirrored().edges[:-1], {name: values[::-1] for name, values in table.items()}
    frame = pl.DataFrame({"dt_ps": start.astype(np.int64)} | table)
    return frame.insert_column(1, pl.Series("width_ps", [round(bins.width)] * frame.height, pl.Int64))


def _warnings(
    minimum: Minimum, bins: TimeBins, parts: list[Component], *, components: int, limit: float | None
) -> Iterator[str]:
    if not minimum.minuit.valid:
        yield "the fit did not converge to a proper minimum: check its figure before using it"
    after = bins.edges[-1] - minimum.values["t0"]
    for part in parts:
        if part.lifetime_ps > after / 2:
            yield (
                f"the window ends {after / part.lifetime_ps:.1f} lifetimes after the peak, so the decay and "
                "random coincidences are hard to separate: widen it"
            )
    if bins.width > 2 * math.exp(minimum.values["log_sigma"]) and any(part.lifetime_ps < bins.width for part in parts):
        yield "the bins are wider than the peak and the lifetime: choose narrower bins"
    if not parts and limit is not None:
        yield ("no lifetime is resolved from the prompt peak: the limit holds if all true coincidences are delayed")
    if not parts and limit is None:
        yield "no lifetime is resolved and none can be excluded: there are too few true coincidences"
    if 0 < len(parts) < components:
        yield f"{len(parts)} of {components} lifetimes is resolved: the time spectrum does not need a second one"


def _poor(chi2: float, ndf: int) -> Iterator[str]:
    """Whether the model does not describe the counts, in a sentence."""
    from scipy.stats import chi2 as distribution

    if ndf >= 1 and chi2 >= POOR * ndf and distribution.sf(chi2, ndf) <= POOR_PROBABILITY:
        yield (
            f"the model does not describe the time spectrum (χ²/ndf {chi2:,.0f}/{ndf}): do not trust the "
            "lifetimes. Time walk, tails of the prompt peak or additional lifetimes can cause this: gate "
            "on both energies, align the detectors, check the figure"
        )


class Amplitude(NamedTuple):
    """Counts of a part, most probably, with one standard deviation; where there is a limit, how far up the likelihood
    falls by ½.

    `limit` is that of 95 %, where no counts at all are within one standard deviation; else None.
    """

    counts: float
    unc: float
    limit: float | None


def amplitude(minimum: Minimum, name: str) -> Amplitude:
    """Counts of a part, from the profile of the likelihood where they are next to their bound, 0.

    There a parabola would give an uncertainty that reaches below 0, or, at the bound itself, a useless one.
    """
    value, unc = minimum.values[name], minimum.errors[name]
    is_free = not minimum.minuit.fixed[name]
    minuit = minimum.again()
    minuit.fixed[name] = False
    minuit.migrad()
    best, least = float(minuit.values[name]), float(minuit.fval)

    def loss(counts: float) -> float:
        minuit.values[name], minuit.fixed[name] = counts, True
        minuit.migrad()
        return float(minuit.fval) - least

    if is_free and loss(0.0) > 1:
        return Amplitude(value, unc, None)
    step = max(unc, float(minuit.errors[name]), 1.0)
    estimate = value if is_free else 0.0
    return Amplitude(estimate, upper_end(loss, best, step, 1.0) - estimate, upper_end(loss, best, step, LIMIT))


def upper_end(loss: Callable[[float], float], best: float, step: float, rise: float) -> float:
    """The value above the best one at which the likelihood has fallen by `rise`."""
    low, high = best, best + step
    for _ in range(40):
        if loss(high) > rise:
            break
        low, high = high, high + 2 * (high - best)
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < rise else (low, middle)
    return (low + high) / 2
