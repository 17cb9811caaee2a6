"""The fit of one region: a binned extended Poisson likelihood, minimised by Minuit."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from iminuit import Minuit
from scipy.optimize import nnls

from gammapolars.core.types import Floats
from gammapolars.peaks.model import SHAPE, Model

TINY = 1e-9

NEAR = 0.01
"""A fit that can gain no more than this in cost is at its minimum: parameters are within a tenth of their σ."""

LEAST_EXPECTED = 0.1
"""Bins where less is expected count as if this much were, in χ² and information, which divide by it."""

LIMITS = {"width": (0.3, 4.0), "tail": (-0.05, 0.9), "slope": (0.3, 10.0), "step": (-0.0005, 0.1)}
"""What shape parameters may be. Tail and step may fall a little below 0, so that their averages are not pushed up."""


@dataclass(frozen=True)
class Prior:
    """What is known of one shape parameter before the fit: a value, and how well; 0: it is fixed, None: it is free."""

    value: float
    unc: float | None = 0.0


class Knowledge(NamedTuple):
    """What is known of a region's shape, in the order of `SHAPE`: the factor on the expected widths, the tail's part η
    of the area, its slope τ in units of σ, and the height of the step per count of the peak's area.
    """

    width: Prior = Prior(1.0, None)
    tail: Prior = Prior(0.0)
    slope: Prior = Prior(1.5)
    step: Prior = Prior(0.0)


@dataclass(frozen=True)
class RegionFit:
    """The fit of a region: parameters in the model's order, and their covariance, 0 for those that are fixed.

    `cost` is -2 ln L of the counts against a saturated model, and the departures from what was known; `chi2` is
    Pearson's, `ndf` counts bins less free parameters. `valid` says whether Minuit found a minimum and a positive
    covariance there, `narrow` which parameters ended at the end of what they may be, and `price` what the freedom of
    this model costs where it is compared with others, in units of the cost. `scale` times the counts are Poisson
    numbers; None where χ² took the likelihood's place.
    """

    model: Model
    parameters: Floats
    covariance: Floats
    cost: float
    chi2: float
    ndf: int
    valid: bool
    narrow: tuple[str, ...] = ()
    price: float = 0.0
    scale: float | None = 1.0

    @property
    def areas(self) -> Floats:
        """Of the peaks, in counts."""
        return self.parameters[: len(self.model.sigmas)]

    @property
    def positions(self) -> Floats:
        """Of the peaks, in bins."""
        return self.parameters[len(self.model.sigmas) : 2 * len(self.model.sigmas)]

    @property
    def total(self) -> float:
        """Cost and price: what models are compared by."""
        return self.cost + self.price

    def shape(self) -> tuple[float, float, float, float]:
        """Width, tail, slope and step."""
        peaks = len(self.model.sigmas)
        width, tail, slope, step = self.parameters[2 * peaks : 2 * peaks + len(SHAPE)].tolist()
        return width, tail, slope, step


class Cost:
    """-2 ln L of a region's counts, with its gradient.

    Where variances are larger than counts by a factor (sums of weights, scaled spectra), counts and expectation are
    divided by it (Bohm and Zech 2014, Nucl. Instrum. Methods A 748, 1). Where counts can be negative, as after a
    subtraction, χ² with the given variances takes the likelihood's place. Departures of the shape from what is known of
    it add to the cost.
    """

    def __init__(self, model: Model, counts: Floats, variance: Floats, knowledge: Knowledge) -> None:
        self._model = model
        self._counts = counts
        self.is_poisson = bool((counts >= 0).all())
        self._total, spread = float(counts.sum()), float(variance.sum())
        self.scale = self._total / spread if self._total > 0 and spread > 0 else 1.0
        self._weight = 1 / np.maximum(variance, max(0.1 * spread / max(len(counts), 1), TINY))
        nonzero = counts[counts > 0]
        self._logs = float(nonzero @ np.log(nonzero))
        first = model.names.index(SHAPE[0])
        self._priors = [(number, prior.value, prior.unc) for number, prior in enumerate(knowledge, first) if prior.unc]

    def value(self, parameters: Floats) -> float:
        """The cost."""
        expected = self._model.expected(np.asarray(parameters, np.float64))
        penalty = float(sum(((parameters[number] - value) / unc) ** 2 for number, value, unc in self._priors))
        if not self.is_poisson:
            return float(self._weight @ (self._counts - expected) ** 2 + penalty)
        safe = np.maximum(expected, TINY)
        excess = float(safe.sum()) - self._total - float(self._counts @ np.log(safe)) + self._logs
        return 2 * self.scale * excess + penalty

    def gradient(self, parameters: Floats) -> Floats:
        """The cost's derivatives by the parameters."""
        values = np.asarray(parameters, np.float64)
        expected, slopes = self._model.expected(values), self._model.slopes(values)
        if self.is_poisson:
            pull = 2 * self.scale * (1 - self._counts / np.maximum(expected, TINY))
        else:
            pull = 2 * self._weight * (expected - self._counts)
        gradient = slopes @ pull
        for number, value, unc in self._priors:
            gradient[number] += 2 * (values[number] - value) / unc**2
        return np.asarray(gradient, np.float64)

    def information(self, parameters: Floats) -> Floats:
        """The Fisher information of the parameters: half of the cost's expected second derivatives."""
        slopes = self._model.slopes(parameters)
        weight = self.scale / np.maximum(self._model.expected(parameters), LEAST_EXPECTED)
        matrix = (slopes * (weight if self.is_poisson else self._weight)) @ slopes.T
        for number, _, unc in self._priors:
            matrix[number, number] += 1 / unc**2
        return np.asarray(matrix, np.float64)

    def chi2(self, parameters: Floats) -> float:
        """Pearson's χ²."""
        expected = self._model.expected(parameters)
        if not self.is_poisson:
            return float(self._weight @ (self._counts - expected) ** 2)
        return float(self.scale * ((self._counts - expected) ** 2 / np.maximum(expected, LEAST_EXPECTED)).sum())


def fit_region(counts: Floats, variance: Floats, model: Model, positions: Floats, knowledge: Knowledge) -> RegionFit:
    """Fit the peaks of one region together.

    Counts and variances are those of the model's bins; positions are where its peaks are looked for, in bins.
    """
    cost = Cost(model, counts, variance, knowledge)
    start = _start(counts, variance, model, positions, knowledge)
    minuit = Minuit(cost.value, start, grad=cost.gradient, name=model.names)
    minuit.errordef = 1.0
    minuit.strategy = 0
    for number in range(len(positions)):
        reach = 1.5 * model.sigmas[number]
        minuit.limits[f"position_{number}"] = (positions[number] - reach, positions[number] + reach)
        minuit.errors[f"position_{number}"] = 0.1 * model.sigmas[number]
        minuit.errors[f"area_{number}"] = np.sqrt(max(start[number], 1.0))
    for name, prior in zip(SHAPE, knowledge, strict=True):
        minuit.fixed[name] = prior.unc == 0.0
        minuit.limits[name] = LIMITS[name]
        minuit.errors[name] = prior.unc or 0.1 * max(prior.value, 0.01)
    for name in (name for name in model.names if name.startswith("background")):
        # What is left of a background that was subtracted lies on either side of 0.
        minuit.limits[name] = (0.0 if cost.is_poisson else None, None)
        minuit.errors[name] = np.sqrt(max(minuit.values[name], 1.0) / 5)
    return _minimise(minuit, cost, model)


def _start(counts: Floats, variance: Floats, model: Model, positions: Floats, knowledge: Knowledge) -> Floats:
    """Areas and background by linear least squares, none of them negative, with the shape as it is known."""
    shape = np.array([prior.value for prior in knowledge])
    parts = model.parts(positions, shape)
    root = 1 / np.sqrt(np.maximum(variance, max(1.0, 0.1 * float(variance.mean()))))
    linear, _ = nnls((parts * root).T, counts * root)
    areas, background = linear[: len(positions)], linear[len(positions) :]
    level = max(0.01 * float(np.abs(counts).mean()), 1e-3)
    return np.concatenate([np.maximum(areas, 1.0), positions, shape, np.maximum(background, level)])


def _minimise(minuit: Minuit, cost: Cost, model: Model) -> RegionFit:
    """Minimise, fix what ended at a limit, and take the covariance of the rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Minuit warns of is in `valid`
        minuit.migrad(ncall=3000)
        narrow = _at_limits(minuit)
        if narrow:
            for name in narrow:
                minuit.fixed[name] = True
            minuit.migrad(ncall=3000)
        if not minuit.valid:
            minuit.strategy = 1
            minuit.migrad(ncall=5000)
    parameters = np.array(minuit.values, np.float64)
    free = ~np.array(minuit.fixed)
    covariance = np.zeros((len(parameters), len(parameters)))
    covariance[np.ix_(free, free)] = inverse(cost.information(parameters)[np.ix_(free, free)])
    return RegionFit(
        model,
        parameters,
        covariance,
        cost.value(parameters),
        cost.chi2(parameters),
        max(model.bins - int(free.sum()), 1),
        _is_minimum(minuit) and bool((np.diag(covariance) >= 0).all()),
        tuple(narrow),
        scale=cost.scale if cost.is_poisson else None,
    )


def _is_minimum(minuit: Minuit) -> bool:
    """Whether Minuit found a minimum, or came so near that nothing is left to be gained.

    Without background around a peak the cost has a kink at an expectation of 0, and Minuit's own limit is not reached.
    """
    minimum = minuit.fmin
    near = minimum and minimum.edm < NEAR and not minimum.has_reached_call_limit and not minimum.hesse_failed
    return bool(minuit.valid or near)


def inverse(information: Floats) -> Floats:
    """The inverse of a matrix of information, whose parameters may have scales of any kind."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    inverted = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-13, hermitian=True)
    return np.asarray(inverted / np.outer(scale, scale), np.float64)


def _at_limits(minuit: Minuit) -> list[str]:
    """Free parameters that ended at a limit, where the curvature gives no covariance."""
    names = []
    for parameter in minuit.params:
        if parameter.is_fixed or (parameter.lower_limit is None and parameter.upper_limit is None):
            continue
        low, high, value = parameter.lower_limit, parameter.upper_limit, parameter.value
        scale = 1e-4 * (high - low) if low is not None and high is not None else 1e-3 * max(parameter.error, TINY)
        if (low is not None and value - low < scale) or (high is not None and high - value < scale):
            minuit.values[parameter.name] = low if low is not None and value - low < scale else high
            names.append(parameter.name)
    return names
