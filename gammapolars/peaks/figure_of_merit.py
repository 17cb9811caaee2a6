"""How well two kinds of particles are separated by the shape of their pulses."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import polars as pl
from scipy.special import ndtr

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.pulse_shape import PSD
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats, Range
from gammapolars.peaks.likelihood import inverse
from gammapolars.peaks.minimum import Minimum, Point, minimum

KEYS = ("board", "channel", "run")

OF_PEAKS = tuple(f"{name}_{peak}{unc}" for peak in "12" for name in ("psd", "fwhm", "counts") for unc in ("", "_unc"))

SCHEMA: dict[str, DType] = {**floats("fom", "fom_unc", *OF_PEAKS, "chi2_ndf"), "status": pl.String}

LEAST_GAIN = 25.0
"""A second peak gains at least so much in -2 ln L, 5 standard deviations: else there is none."""

RESOLVED = 0.6
"""Two peaks of the same width have no minimum between them below 0.42, and tails of one peak look like another."""

TINY = 1e-9

MOST_BINS = 1_000_000


def figure_of_merit(shapes: AnyFrame, *, between: Range | None = None) -> pl.DataFrame:
    """The figure of merit of pulse shape discrimination: the distance of two peaks over the sum of their FWHM.

    Two Gaussians and a constant background are fitted to each distribution, by the likelihood of its counts (Winyard et
    al. 1971, Nucl. Instrum. Methods 95, 141, define the figure of merit). Where counts lie further from them than they
    scatter, all uncertainties are larger by the square root of `chi2_ndf`. It depends on the pulse height: choose a
    range of it first.

    Args:
        shapes: distributions of the pulse shape, as `gp.spectrum(hits, bin_psd=0.005)` gives them: `psd` (bin centres),
            `counts`, and `board`, `channel` and `run` where there are several. Bins without counts may be left out.
        between: the range of pulse shapes that is fitted; None: from the first filled bin to the last.

    Returns:
        One row per distribution: `fom`, `fom_unc`; of the peak of smaller pulse shape `psd_1`, `fwhm_1`, `counts_1` and
        their `_unc`, of the other one the same with 2; `chi2_ndf`; and `status`: `ok`, or why it is not to be trusted.
        Where there is no second peak, the numbers are null.

    Raises:
        TableError: the frame has no distributions of whole counts in equal bins.
        UsageError: an empty range.
    """
    if between is not None and not between[0] < between[1]:
        raise UsageError(f"a range of pulse shapes must rise, not go from {between[0]:g} to {between[1]:g}")
    table = eager(shapes, "spectrum")
    if missing := [name for name in (PSD, "counts") if name not in table.columns]:
        raise TableError(f"this frame has no distributions of the pulse shape: it has no column '{missing[0]}'")
    keys = [name for name in KEYS if name in table.columns]
    of_keys: dict[str, DType] = {name: table.schema[name] for name in keys}
    rows = ([*key, *_row(*_counts(part, between))] for key, part in _parts(table.sort(*keys, PSD), keys))
    return pl.DataFrame(list(rows), of_keys | SCHEMA, orient="row")


def _parts(table: pl.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    if keys:
        yield from table.group_by(keys, maintain_order=True)
    else:
        yield (), table


def _counts(part: pl.DataFrame, between: Range | None) -> tuple[Floats, Floats]:
    """The edges of all bins, and the counts between them."""
    centres, counts = (part[name].cast(pl.Float64).to_numpy() for name in (PSD, "counts"))
    if not (np.isfinite(centres).all() and (counts >= 0).all()):
        raise TableError("a figure of merit needs distributions of counts that are not below 0")
    if not len(centres):
        return np.zeros(1), np.zeros(0)
    steps = np.diff(centres)
    width = float(steps.min()) if len(steps) else 1.0
    is_wide = 0 < width * MOST_BINS > centres[-1] - centres[0]
    places = np.rint((centres - centres[0]) / width) if is_wide else np.zeros(len(centres))
    if np.abs(centres - centres[0] - width * places).max() > 0.01 * width:
        raise TableError("the bins of a distribution of the pulse shape must be equally wide, and each in one row")
    full: Floats = np.bincount(places.astype(np.int64), counts).astype(np.float64)
    edges: Floats = centres[0] + width * (np.arange(len(full) + 1) - 0.5)
    if between is not None:
        inside = (edges[:-1] >= between[0] - 0.01 * width) & (edges[1:] <= between[1] + 0.01 * width)
        first, number = int(inside.argmax()), int(inside.sum())
        edges, full = edges[first : first + number + 1], full[first : first + number]
    return edges, full


@dataclass(frozen=True)
class _Gaussians:
    """-2 ln L of counts under Gaussians, each with its area, place and σ, and a constant background per bin.

    Attributes:
        edges: of the bins.
        counts: in them.
    """

    edges: Floats
    counts: Floats

    @property
    def bins(self) -> int:
        return len(self.counts)

    def at(self, parameters: Floats) -> Point:
        """The cost and its derivatives."""
        expected = np.full(self.bins, parameters[-1] + TINY)
        slopes = []
        for area, place, sigma in parameters[:-1].reshape(-1, 3):
            z = (self.edges - place) / sigma
            density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
            part = np.diff(ndtr(z))
            expected += area * part
            slopes += [part, -area * np.diff(density) / sigma, -area * np.diff(z * density) / sigma]
        jacobian = np.array([*slopes, np.ones(self.bins)])
        filled = self.counts > 0
        logs = self.counts[filled] * np.log(self.counts[filled] / expected[filled])
        cost = 2 * float((expected - self.counts).sum() + logs.sum())
        pull = 1 - self.counts / expected

        def rest() -> Floats:
            further = (jacobian * (self.counts / expected - 1) / expected) @ jacobian.T
            return np.asarray(further + self._second(parameters, pull), np.float64)

        return Point(cost, 2 * jacobian @ pull, (jacobian / expected) @ jacobian.T, rest)

    def _second(self, parameters: Floats, weights: Floats) -> Floats:
        """The sums of the second derivatives of the expected counts, each bin with its weight."""
        matrix = np.zeros((len(parameters), len(parameters)))
        at_edges = np.append(0.0, weights) - np.append(weights, 0.0)
        for number, (area, place, sigma) in enumerate(parameters[:-1].reshape(-1, 3)):
            z = (self.edges - place) / sigma
            first = at_edges * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
            one, two, three, four = (float(first @ z**power) for power in range(4))
            by_area, by_place = np.array([-one, -two]) / sigma, np.array([-two, one - three]) * area / sigma**2
            block = [[0.0, *by_area], [by_area[0], *by_place], [by_area[1], by_place[1], 0.0]]
            block[2][2] = area * (2 * two - four) / sigma**2
            here = slice(3 * number, 3 * number + 3)
            matrix[here, here] = block
        return matrix


def _fit(cost: _Gaussians, peaks: list[tuple[float, float, float]]) -> Minimum:
    """The fit that begins with some peaks: area, place and σ of each."""
    edges, total = cost.edges, float(cost.counts.sum())
    span, width = float(edges[-1] - edges[0]), float(edges[1] - edges[0])
    start = np.array([*chain.from_iterable(peaks), max(1e-3, 1e-3 * total / cost.bins)])
    low = np.array([*[0.0, edges[0], 0.2 * width] * len(peaks), 0.0])
    high = np.array([*[2 * total, edges[-1], span] * len(peaks), total])
    return minimum(cost, start, low, high)


def _starts(edges: Floats, counts: Floats) -> Iterator[list[tuple[float, float, float]]]:
    """Two peaks each: the highest, and what is highest without it, further from it by some multiples of its width; and
    one on top of the other, for what is a single peak with tails.
    """
    centres, total = (edges[1:] + edges[:-1]) / 2, float(counts.sum())
    smooth = np.convolve(counts, np.ones(3) / 3, "same")
    top = int(smooth.argmax())
    half = np.flatnonzero(smooth < smooth[top] / 2)
    reach = max(int(np.abs(half - top).min()) if len(half) else len(counts) // 4, 1)
    sigma = 2 * reach * float(edges[1] - edges[0]) / FWHM_PER_SIGMA
    for side in (-1.0, 1.0):
        yield [(0.7 * total, centres[top], sigma), (0.3 * total, centres[top] + 0.5 * side * sigma, 2.5 * sigma)]
    for apart in (2.0, 3.0, 4.5, 7.0):
        far = np.abs(centres - centres[top]) > apart * sigma
        if (smooth * far).any():
            other = int((smooth * far).argmax())
            part = smooth[other] / (smooth[top] + smooth[other])
            yield [((1 - part) * total, centres[top], sigma), (part * total, centres[other], sigma)]


def _row(edges: Floats, counts: Floats) -> list[float | str | None]:
    """The figure of merit of a distribution, in the order of `SCHEMA`."""
    nothing: list[float | str | None] = [None] * (len(SCHEMA) - 1)
    starts = list(_starts(edges, counts)) if len(counts) > 7 and counts.any() else []
    if not starts:
        return [*nothing, "too few bins with counts"]
    cost = _Gaussians(edges, counts)
    one = min(_fit(cost, [(float(counts.sum()), place, sigma)]).cost for [(_, place, sigma), _] in starts)
    best = min((_fit(cost, start) for start in starts), key=lambda found: found.cost)
    if one - best.cost < LEAST_GAIN:
        return [*nothing, "no second peak"]
    chi2_ndf = best.cost / (len(counts) - len(best.parameters))
    covariance = inverse(cost.at(best.parameters).information) * max(1.0, chi2_ndf)
    order = np.argsort(best.parameters[1:-1:3])
    areas, places, sigmas = (np.asarray(3 * order + number) for number in range(3))
    values, uncs = best.parameters, np.sqrt(np.maximum(np.diag(covariance), 0.0))
    total = FWHM_PER_SIGMA * float(values[sigmas].sum())
    fom = float(values[places[1]] - values[places[0]]) / total
    slopes = np.zeros(len(values))
    slopes[places], slopes[sigmas] = np.array([-1.0, 1.0]) / total, -fom * FWHM_PER_SIGMA / total
    row: list[float | str | None] = [fom, max(float(slopes @ covariance @ slopes), 0.0) ** 0.5]
    for peak in range(2):
        for place, scale in ((places[peak], 1.0), (sigmas[peak], FWHM_PER_SIGMA), (areas[peak], 1.0)):
            row += [scale * float(values[place]), scale * float(uncs[place])]
    return [*row, chi2_ndf, _status(best, fom)]


def _status(best: Minimum, fom: float) -> str:
    if not best.is_minimum or best.at_limit[:-1].any():
        return "the fit did not converge"
    return "ok" if fom > RESOLVED else "the peaks are not resolved"
