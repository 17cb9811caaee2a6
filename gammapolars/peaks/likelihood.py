"""The fit of one region: a binned extended Poisson likelihood, and its minimum."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.nonnegative import nonnegative
from gammapolars.core.types import Floats
from gammapolars.peaks.expected import Expected
from gammapolars.peaks.minimum import Condition, Point, minimum
from gammapolars.peaks.model import FURTHER, SHAPE, Model

TINY = 1e-9

CLOSEST = 0.35
"""Peaks closer than this part of their FWHM are not resolved."""

REACH = 1.5
"""How far a peak may lie from where it is looked for, in σ."""

MOST_CENTRED = 4
"""How often a fit goes on where two peaks have come as near to each other as from their first places they may."""

LEAST_EXPECTED = 0.1
"""Bins where less is expected count as if this much were, in χ² and information, which divide by it."""

WELL_DETERMINED = 1e8
"""Elements of an inverse up to which rounding does not matter."""

LEAST_CURVED = 0.02
"""The same, in the search for the minimum, where bins without expectation would hold everything fast."""

LIMITS = {
    "width": (0.3, 4.0),
    "tail": (-0.05, 0.9),
    "slope": (0.3, 10.0),
    "step": (-0.0005, 0.1),
    "upper": (0.0, 0.3),
    "upper_slope": (0.5, 6.0),
    "long": (0.0, 0.3),
    "long_slope": (2.5, 20.0),
    "own_width": (0.5, 4.0),
}
"""Bounds of shape parameters. Tail and step may fall a little below 0, so that their averages are not pushed up."""


@dataclass(frozen=True)
class Prior:
    """Prior knowledge of one shape parameter: a value, and its uncertainty; 0: it is fixed, None: it is free."""

    value: float
    unc: float | None = 0.0


class Knowledge(NamedTuple):
    """Prior of a region's shape, in the order of `SHAPE` and `FURTHER`: the factor on the expected widths, the
    tail's part η of the area, its slope τ in units of σ, and the height of the step per count of the peak's area; part
    and slope of the tail on the high side, and of the second one on the low side; and how much wider one peak is.
    """

    width: Prior = Prior(1.0, None)
    tail: Prior = Prior(0.0)
    slope: Prior = Prior(1.5)
    step: Prior = Prior(0.0)
    upper: Prior = Prior(0.0)
    upper_slope: Prior = Prior(1.5)
    long: Prior = Prior(0.0)
    long_slope: Prior = Prior(6.0)
    own_width: Prior = Prior(1.0)

    def values(self, *, further: bool) -> Floats:
        """Prior knowledge of the shape's parameters, with those of `FURTHER` if they are asked for."""
        return np.array([prior.value for prior in self][: None if further else len(SHAPE)])

    @property
    def has_further(self) -> bool:
        """Whether a model needs the parameters of `FURTHER`."""
        return any(prior.unc != 0 for prior in self[len(SHAPE) :]) or self.upper.value > 0 or self.long.value > 0


@dataclass(frozen=True)
class RegionFit:
    """The fit of a region: parameters in the model's order, and their covariance, 0 for those that are fixed.

    `cost` is -2 ln L of the counts against a saturated model, and the departures from the prior; `chi2` is
    Pearson's, `ndf` counts bins less free parameters. `valid` says whether a minimum was found, with a positive
    covariance there, `narrow` which parameters ended at their bounds, and `price` what the freedom of
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
        """Areas of the peaks, in counts."""
        return self.parameters[: len(self.model.sigmas)]

    @property
    def positions(self) -> Floats:
        """Positions of the peaks, in bins."""
        return self.parameters[len(self.model.sigmas) : 2 * len(self.model.sigmas)]

    @property
    def total(self) -> float:
        """Cost and price: the measure by which models are compared."""
        return self.cost + self.price

    def shape(self) -> tuple[float, float, float, float]:
        """Width, tail, slope and step."""
        peaks = len(self.model.sigmas)
        width, tail, slope, step = self.parameters[2 * peaks : 2 * peaks + len(SHAPE)].tolist()
        return width, tail, slope, step


class Cost:
    """-2 ln L of a region's counts, with its slopes and the information that they hold, by the free parameters.

    Where variances are larger than counts by a factor (sums of weights, scaled spectra), counts and expectation are
    divided by it (Bohm and Zech 2014, Nucl. Instrum. Methods A 748, 1). Where counts can be negative, as after a
    subtraction, χ² with the given variances takes the likelihood's place. Departures of the shape from its prior
    add to the cost.
    """

    def __init__(self, model: Model, counts: Floats, variance: Floats, knowledge: Knowledge, start: Floats) -> None:
        self._model = model
        self._counts = counts
        self.is_poisson = bool((counts >= 0).all())
        self._total, spread = float(counts.sum()), float(variance.sum())
        self.scale = self._total / spread if self._total > 0 and spread > 0 else 1.0
        self._weight = 1 / np.maximum(variance, max(0.1 * spread / max(len(counts), 1), TINY))
        nonzero = counts[counts > 0]
        self._logs = float(nonzero @ np.log(nonzero))
        self._fixed = start
        known = list(zip(_places(model), knowledge, strict=False))
        self.free = np.ones(len(start), np.bool_)
        self.free[[place for place, prior in known if prior.unc == 0.0]] = False
        number = np.cumsum(self.free) - 1
        self._priors = [(int(number[place]), prior.value, prior.unc) for place, prior in known if prior.unc]

    @property
    def start(self) -> Floats:
        """The free parameters where the fit begins."""
        return self._fixed[self.free]

    @property
    def bins(self) -> int:
        """Number of bins of the region."""
        return len(self._counts)

    def parameters(self, values: Floats) -> Floats:
        """All parameters, from those that are free."""
        parameters = self._fixed.copy()
        parameters[self.free] = values
        return parameters

    def at(self, values: Floats) -> Point:
        """The cost and its derivatives by the free parameters."""
        there = self._model.at(self.parameters(values), self.free)
        expected, slopes = there.counts, there.slopes
        if self.is_poisson:
            safe = np.maximum(expected, TINY)
            pull = self.scale * (1 - self._counts / safe)
            excess = float(safe.sum()) - self._total - float(self._counts @ np.log(safe)) + self._logs
            value = 2 * self.scale * excess
            weight = self.scale / np.maximum(expected, LEAST_CURVED)
        else:
            pull = self._weight * (expected - self._counts)
            value = float(pull @ (expected - self._counts))
            weight = self._weight
        gradient = slopes @ (2 * pull)
        matrix = (slopes * weight) @ slopes.T
        for place, known, unc in self._priors:
            departure = (float(values[place]) - known) / unc
            value += departure**2
            gradient[place] += 2 * departure / unc
            matrix[place, place] += 1 / unc**2
        return Point(value, gradient, matrix, lambda: self._rest(there, pull, weight))

    def _rest(self, there: Expected, pull: Floats, weight: Floats) -> Floats:
        """Half of the second derivatives of the cost, less the information."""
        rest = there.second(pull)
        if self.is_poisson:
            safe = np.maximum(there.counts, TINY)
            rest += (there.slopes * (self.scale * self._counts / safe**2 - weight)) @ there.slopes.T
        return rest

    def ending(self, values: Floats) -> tuple[Floats, float]:
        """The Fisher information of the free parameters (half of the cost's expected second derivatives), and
        Pearson's χ².
        """
        there = self._model.at(self.parameters(values), self.free)
        weight = self.scale / np.maximum(there.counts, LEAST_EXPECTED) if self.is_poisson else self._weight
        matrix = (there.slopes * weight) @ there.slopes.T
        for number, _, unc in self._priors:
            matrix[number, number] += 1 / unc**2
        return np.asarray(matrix, np.float64), float(weight @ (self._counts - there.counts) ** 2)


def _places(model: Model) -> list[int]:
    """Places of the shape's parameters among all."""
    begin, end = 2 * len(model.sigmas), model.coefficients.stop
    return [*range(begin, begin + len(SHAPE)), *range(end, end + len(FURTHER) * model.has_further)]


def fit_region(
    counts: Floats,
    variance: Floats,
    model: Model,
    positions: Floats,
    knowledge: Knowledge,
    until: Condition | None = None,
) -> RegionFit:
    """Fit the peaks of one region together.

    Counts and variances are those of the model's bins; positions are where its peaks are looked for, in bins. Where
    `until` is true of the free parameters and their cost, the fit ends, and is not valid.
    """
    cost = Cost(model, counts, variance, knowledge, _start(counts, variance, model, positions, knowledge))
    free, start = cost.free, cost.start
    low, high = (limits[free] for limits in _limits(model, is_poisson=cost.is_poisson))
    at, here = positions, slice(len(positions), 2 * len(positions))
    for _ in range(MOST_CENTRED):
        inner_low, inner_high = _apart(at, model.sigmas)
        low[here] = np.maximum(positions - REACH * model.sigmas, inner_low)
        high[here] = np.minimum(positions + REACH * model.sigmas, inner_high)
        found = minimum(cost, start, low, high, until)
        start, at = found.parameters, found.parameters[here]
        if not (found.at_limit[here] & ((at == inner_low) | (at == inner_high))).any():
            break
    parameters, at_limit = cost.parameters(found.parameters), np.zeros(len(free), np.bool_)
    at_limit[free] = found.at_limit
    measured = free & ~at_limit
    covariance = np.zeros((len(parameters), len(parameters)))
    information, chi2 = cost.ending(found.parameters)
    covariance[np.ix_(measured, measured)] = inverse(information[np.ix_(~found.at_limit, ~found.at_limit)])
    return RegionFit(
        model,
        parameters,
        covariance,
        found.cost,
        chi2,
        max(model.bins - int(measured.sum()), 1),
        found.is_minimum and bool((np.diag(covariance) >= 0).all()),
        tuple(name for name, is_narrow in zip(model.names, at_limit, strict=True) if is_narrow),
        scale=cost.scale if cost.is_poisson else None,
    )


def _apart(positions: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
    """How far peaks may come to their neighbours: they cannot become one, whose two areas could be anything.

    From wherever they are, each has half of the space between, but for the distance that is never resolved.
    """
    between = 0.5 * (np.diff(positions) - CLOSEST * FWHM_PER_SIGMA * np.minimum(sigmas[1:], sigmas[:-1]))
    between = np.maximum(between, 0.01 * sigmas[1:])
    return positions - np.append(np.inf, between), positions + np.append(between, np.inf)


def _limits(model: Model, *, is_poisson: bool) -> tuple[Floats, Floats]:
    """The least and the most that parameters may be."""
    names = model.names
    low, high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    # The rest of a background that was subtracted lies on either side of 0.
    low[model.coefficients] = 0.0 if is_poisson else -np.inf
    for place in _places(model):
        low[place], high[place] = LIMITS[names[place]]
    return low, high


def _start(counts: Floats, variance: Floats, model: Model, positions: Floats, knowledge: Knowledge) -> Floats:
    """Areas and background by linear least squares, none of them negative, with the shape as it is known."""
    shape = knowledge.values(further=model.has_further)
    parts = model.parts(positions, shape)
    root = 1 / np.sqrt(np.maximum(variance, max(1.0, 0.1 * float(variance.mean()))))
    linear = nonnegative(parts * root, counts * root)
    areas, background = np.maximum(linear[: len(positions)], 1.0), linear[len(positions) :]
    level = max(0.01 * float(np.abs(counts).mean()), 1e-3)
    return np.concatenate([areas, positions, shape[:4], np.maximum(background, level), shape[4:]])


def inverse(information: Floats) -> Floats:
    """The inverse of a matrix of information, whose parameters may have scales of any kind."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    scales = scale[:, None] * scale
    matrix = information / scales
    try:
        inverted = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        inverted = np.full_like(matrix, np.inf)
    if not np.abs(inverted).max(initial=0.0) < WELL_DETERMINED:
        inverted = np.linalg.pinv(matrix, rcond=1e-13, hermitian=True)
    return np.asarray(0.5 * (inverted + inverted.T) / scales, np.float64)
