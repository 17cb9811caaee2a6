"""Model of a time spectrum: a prompt peak, decays smeared by it, and random coincidences, as counts in bins."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.core.types import Floats

Direction = Literal["stop after start", "start after stop"]

GRACE = 1e-12
"""Expected counts are no smaller: likelihoods need their logarithm."""


class NearestStops(NamedTuple):
    """Input for a fit of the nearest stop of each start.

    Attributes:
        starts: how many starts there were, with a stop or without.
        longer: (bins,): the part of the times between two stops that are longer than k + ½ bins.
    """

    starts: int
    longer: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Nearer:
    """Loss of a bin to stops nearer to the start, where each start has only its nearest stop.

    A stop shows only if no other lies between, in the part of the window that is nearer to the start. Random stops do
    not with the probability that the time from the stop before it is longer, and no start has two true ones. So the
    counts of all pairs, true and random, are multiplied by the former, and the random ones also by 1 - Q, with the
    part Q of the starts whose true stop is nearer (P. B. Coates, J. Phys. E 1 (1968) 878, of counted losses).

    Attributes:
        order: (n,) bins by their distance from 0.
        free: (n,) probability that no stop lies nearer, by bin.
        starts: how many starts there were.
    """

    order: npt.NDArray[np.intp]
    free: Floats
    starts: float

    def mirrored(self) -> "Nearer":
        """The same with time running the other way."""
        return Nearer(len(self.free) - 1 - self.order, self.free[::-1], self.starts)

    def of_nearest(self, true: Floats, chance: Floats) -> Floats:
        """Expected nearest stops of expected pairs, bin by bin."""
        in_order = true[self.order]
        nearer = np.empty_like(true)
        nearer[self.order] = np.cumsum(in_order) - in_order / 2
        return np.asarray(self.free * (true + chance * np.maximum(1 - nearer / self.starts, 0.0)))


def nearer_of(edges: Floats, nearest: NearestStops) -> Nearer:
    """Loss of equal bins to nearer stops; half of a bin's own width is nearer."""
    order = np.argsort(np.abs(edges[1:] + edges[:-1]), kind="stable")
    free = np.empty(len(order))
    free[order] = nearest.longer[: len(order)]
    return Nearer(order, free, nearest.starts)


@dataclass(frozen=True)
class TimeBins:
    """Counts (n,) in equal bins of time difference with edges (n + 1,) in ps, empty ones included.

    For nearest stops only, `nearest` gives the loss to nearer ones; None: all pairs.
    """

    edges: Floats
    counts: Floats
    nearest: "Nearer | None" = None

    @property
    def width(self) -> float:
        return float(self.edges[1] - self.edges[0])

    @property
    def span(self) -> float:
        return float(self.edges[-1] - self.edges[0])

    @property
    def centres(self) -> Floats:
        return np.asarray((self.edges[1:] + self.edges[:-1]) / 2, np.float64)

    def mirrored(self) -> "TimeBins":
        """The same with time running the other way."""
        return TimeBins(-self.edges[::-1], self.counts[::-1], self.nearest.mirrored() if self.nearest else None)


class Share(NamedTuple):
    """The part of a peak in each bin, which adds up to 1 over all times, and its derivatives per ps."""

    part: Floats
    by_position: Floats
    by_sigma: Floats


def part_in_bins(edges: Floats, position: float, sigma: float) -> Floats:
    """The part of a prompt peak, a Gaussian, in each bin."""
    from scipy.special import ndtr

    return np.asarray(np.diff(ndtr((edges - position) / sigma)), np.float64)


def in_bins(edges: Floats, position: float, sigma: float) -> Share:
    """The same, with its derivatives."""
    z = (edges - position) / sigma
    density = _density(z)
    return Share(
        part_in_bins(edges, position, sigma), -np.diff(density) / sigma, np.asarray(-np.diff(z * density) / sigma)
    )


def cut_off_in_bins(edges: Floats, position: float, sigma: float) -> Share:
    """The same of differences of two times that a clock has cut off, at the bins' centres; bins are its steps."""
    from scipy.special import ndtr

    step = float(edges[1] - edges[0])
    x = np.arange(len(edges) + 1) * step + (edges[0] - step / 2)  # multiples of the step, one more at both ends
    z = (x - position) / sigma
    below, density = ndtr(z), _density(z)
    integral = (x - position) * below + sigma * density
    return Share(*(np.diff(one, 2) / step for one in (integral, -below, density)))


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi), np.float64)


def decay_share(edges: Floats, t0: float, sigma: float, tau: float) -> Floats:
    """The part of an exponential decay that begins at t0, smeared by a Gaussian, in each bin.

    Its cumulative distribution is Φ(z) - exp(σ²/2τ² - (t - t0)/τ) Φ(z - σ/τ), with z = (t - t0)/σ. The exponential and
    the Gaussian tail, of which one can be huge where the other vanishes, are multiplied as logarithms.
    """
    from scipy.special import log_ndtr, ndtr

    z = (edges - t0) / sigma
    ratio = sigma / tau
    tail = np.exp(np.minimum(ratio**2 / 2 - z * ratio + log_ndtr(z - ratio), 0.0))
    return np.asarray(np.diff(ndtr(z) - tail))


def shapes(bins: TimeBins, t0: float, sigma: float, taus: npt.ArrayLike) -> Floats:
    """Shapes of the prompt peak, of each decay and of randoms, (2 + decays, n); each adds up to 1 over all times.

    Randoms add up to 1 over the bins, because they have no end.
    """
    decays = [decay_share(bins.edges, t0, sigma, float(tau)) for tau in np.atleast_1d(np.asarray(taus, np.float64))]
    flat = np.full(len(bins.counts), 1 / len(bins.counts))
    return np.asarray(np.maximum(np.stack([part_in_bins(bins.edges, t0, sigma), *decays, flat]), 0.0))


def deviance(counts: Floats, expected: Floats) -> float:
    """Twice the log of the likelihood ratio to a perfect fit, of Poisson counts.

    S. Baker and R. D. Cousins, Nucl. Instrum. Methods 221 (1984) 437.
    """
    return float(deviances(counts, expected).sum())


def deviances(counts: Floats, expected: Floats) -> Floats:
    """The same bin by bin."""
    mu = np.maximum(expected, GRACE)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Any = np.where(counts > 0, counts * np.log(counts / mu), 0.0)
    return np.asarray(2 * (mu - counts + ratio), np.float64)


@dataclass
class Minimum:
    """A minimum of the fit: values, their errors and the deviance, and Minuit itself for its profiles.

    `again` gives the fit once more, to be changed at will.
    """

    values: dict[str, float]
    errors: dict[str, float]
    deviance: float
    minuit: Any
    decays: int
    again: Callable[[], Any]


def expected_counts(bins: TimeBins, values: Sequence[float], decays: int) -> Floats:
    """Counts expected in the bins: of all pairs, or only of the nearest stops."""
    return part_counts(bins, values, decays).sum(axis=0)  # type: ignore[no-any-return]


def part_counts(bins: TimeBins, values: Sequence[float], decays: int) -> Floats:
    """The same for each component: prompt peak, decays, randoms, (2 + decays, n)."""
    t0, log_sigma, *rest = values
    amplitudes = np.array(rest[decays:])
    parts: Floats = amplitudes[:, None] * shapes(bins, t0, math.exp(log_sigma), np.exp(rest[:decays]))
    if bins.nearest:
        total = bins.nearest.of_nearest(parts[:-1].sum(axis=0), parts[-1])
        parts[:-1] *= bins.nearest.free
        parts[-1] = total - parts[:-1].sum(axis=0)
    return parts
