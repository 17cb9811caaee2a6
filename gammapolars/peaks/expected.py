"""Expected counts of a model at some parameters, with their first and second derivatives by those that are free.

Parameters that are fixed cost nothing: where there is no tail, none is calculated. Of the second derivatives only sums
over bins are needed in which each bin has a weight w. Those of a bin's integral S(z₊) - S(z₋) become sums over edges,
each with the weight v = w₋ - w₊ of the bins on its two sides (summation by parts).
"""

from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import ndtr

from gammapolars.core.types import Floats, Mask
from gammapolars.peaks.shape import ROOT_2_PI, Tail, tail_at


class Description(Protocol):
    """Of a model, as `Model` describes it."""

    @property
    def bins(self) -> int: ...
    @property
    def sigmas(self) -> Floats: ...
    @property
    def has_further(self) -> bool: ...
    @property
    def broad(self) -> int | None: ...
    @property
    def coefficients(self) -> slice: ...
    @property
    def basis(self) -> Floats: ...
    @property
    def edges(self) -> Floats: ...


class _Part(NamedTuple):
    """A tail of the shape: κ η g(s z, τ), with s = κ = -1 of the one on the high side, else 1, the places of η and τ
    among the parameters, and g with its derivatives.
    """

    sign: float
    part: float
    place: int
    slope: float
    tail: Tail


class Expected:
    """A model's counts per bin.

    Attributes:
        counts: (bins,) expected.
        slopes: (free parameters, bins) their derivatives.
    """

    def __init__(self, model: Description, parameters: Floats, free: Mask) -> None:
        peaks = len(model.sigmas)
        self._model, self._free, self._parameters = model, free, parameters
        self._areas = parameters[:peaks]
        self._width, _, _, self._step = parameters[2 * peaks : 2 * peaks + 4].tolist()
        self._sigmas = model.sigmas * self._width
        if model.broad is not None and model.has_further:
            self._sigmas[model.broad] *= parameters[-1]
        self._z = z = (model.edges - parameters[peaks : 2 * peaks, None]) / self._sigmas[:, None]
        # S(z), S'(z) and z S'(z) at the edges.
        self._at_edges = np.empty((3, *z.shape))
        ndtr(z, out=self._at_edges[0])
        np.multiply(np.exp(-0.5 * z * z), 1 / ROOT_2_PI, out=self._at_edges[1])
        self._gaussian, self._density = self._at_edges[:2]
        self._tails = self._tails_at(z)
        if self._tails:
            self._gaussian, self._density = self._at_edges[:2].copy()
        for sign, part, _, _, tail in self._tails:
            self._at_edges[0] += sign * part * tail.value
            self._at_edges[1] += part * tail.by_z
        np.multiply(z, self._at_edges[1], out=self._at_edges[2])
        self._has_step = bool(self._step) or bool(free[2 * peaks + 3])
        self._set_slopes()

    def _tails_at(self, z: Floats) -> list[_Part]:
        """The tails that are there or may be."""
        begin, further = 2 * len(self._areas) + 1, self._model.coefficients.stop
        places = [(1.0, begin)]
        if self._model.has_further:
            places += [(-1.0, further), (1.0, further + 2)]
        parts = []
        for sign, place in places:
            part, slope = self._parameters[place : place + 2].tolist()
            if part or self._free[place] or self._free[place + 1]:
                parts.append(_Part(sign, part, place, slope, tail_at(sign * z, slope, self._density)))
        return parts

    def _set_slopes(self) -> None:
        peaks, areas, model = len(self._areas), self._areas[:, None], self._model
        by_area, by_place, falling = self._at_edges[:, :, 1:] - self._at_edges[:, :, :-1]
        # The step is taken at both edges of a bin, and averaged.
        above = 1 - _mean(self._gaussian) if self._has_step else by_area
        if self._step:
            by_area = by_area + self._step * above
            by_place = by_place - self._step * _mean(self._density)
            falling = falling - self._step * _mean(self._z * self._density)
        by_width = falling * (areas / -self._width)
        rows = np.zeros((len(self._parameters), model.bins))
        rows[:peaks] = by_area
        np.multiply(by_place, areas / -self._sigmas[:, None], out=rows[peaks : 2 * peaks])
        rows[2 * peaks] = by_width.sum(0)
        if self._has_step:
            rows[2 * peaks + 3] = self._areas @ above
        rows[model.coefficients] = model.basis
        for sign, part, place, _, tail in self._tails:
            rows[place] = self._areas @ _per_bin(tail.value) * sign
            rows[place + 1] = self._areas @ _per_bin(tail.by_slope) * (sign * part)
        if model.broad is not None and model.has_further:
            rows[-1] = by_width[model.broad] * (self._width / self._parameters[-1])
        self.counts = self._areas @ by_area + self._parameters[model.coefficients] @ model.basis
        self.slopes = rows[self._free]

    def second(self, weights: Floats) -> Floats:
        """(free, free): the sums of the second derivatives over bins, each bin with its weight."""
        matrix = np.zeros((len(self._parameters), len(self._parameters)))
        padded = np.zeros(len(weights) + 2)
        padded[1:-1] = weights
        v, u = padded[:-1] - padded[1:], 0.5 * (padded[:-1] + padded[1:])
        self._of_places(matrix, v, u)
        for part in self._tails:
            self._of_tail(matrix, part, v)
        matrix += np.triu(matrix, 1).T
        return np.asarray(matrix[self._free][:, self._free], np.float64)

    def _of_places(self, matrix: Floats, v: Floats, u: Floats) -> None:
        """Second derivatives by areas, positions, widths and step."""
        peaks, areas, sigmas, z, width = len(self._areas), self._areas, self._sigmas, self._z, self._width
        falling = z * self._density
        by_zz = -falling
        for sign, part, _, slope, tail in self._tails:
            by_zz = by_zz + part * (sign * tail.by_z / slope + falling)
        turned = z * by_zz
        one, two = self._at_edges[1] @ v, self._at_edges[2] @ v
        three, four, five = by_zz @ v, turned @ v, (z * turned) @ v
        area, place, at, height = np.arange(peaks), np.arange(peaks, 2 * peaks), 2 * peaks, 2 * peaks + 3
        if self._has_step:
            by_place, by_width = self._density @ u, falling @ u
            matrix[:peaks, height] = u.sum() - self._gaussian @ u
            matrix[place, height] = areas / sigmas * by_place
            matrix[at, height] = float(areas @ by_width) / width
            one, two = one - self._step * by_place, two - self._step * by_width
            three, four = three + self._step * by_width, four + self._step * ((z * falling) @ u)
            five = five + self._step * ((z * z * falling) @ u)
        matrix[area, place] = -one / sigmas
        matrix[:peaks, at] = -two / width
        matrix[place, place] = areas * three / sigmas**2
        matrix[peaks : 2 * peaks, at] = areas * (four + one) / (sigmas * width)
        matrix[at, at] = float(areas @ (five + 2 * two)) / width**2
        if (broad := self._model.broad) is not None and self._model.has_further:
            own = float(self._parameters[-1])
            matrix[broad, -1] = -two[broad] / own
            matrix[place[broad], -1] = areas[broad] * (four[broad] + one[broad]) / (sigmas[broad] * own)
            matrix[at, -1] = areas[broad] * (five[broad] + two[broad]) / (width * own)
            matrix[-1, -1] = areas[broad] * (five[broad] + 2 * two[broad]) / own**2
            matrix[height, -1] = areas[broad] / own * float(falling[broad] @ u)

    def _of_tail(self, matrix: Floats, one: _Part, v: Floats) -> None:
        """Second derivatives by a tail's part and slope, and by these and anything else."""
        peaks, areas, sigmas, z = len(self._areas), self._areas, self._sigmas, self._z
        sign, part, by_part, slope, tail = one
        by_slope, area, place, at = by_part + 1, np.arange(peaks), np.arange(peaks, 2 * peaks), 2 * peaks
        by_z_slope = tail.by_slope / slope - tail.value / slope**2
        turned = sign * z
        twice = (
            tail.by_slope * (-turned / slope**2 - 1 / slope**3)
            + tail.value * (2 * turned / slope**3 + 3 / slope**4)
            - 2 * self._density / slope**3
        )
        for column, by, by_z in (
            (by_part, sign * tail.value, tail.by_z),
            (by_slope, sign * part * tail.by_slope, part * by_z_slope),
        ):
            matrix[area, column] = by @ v
            matrix[place, column] = -areas / sigmas * (by_z @ v)
            falling = areas * ((z * by_z) @ v)
            matrix[at, column] = -float(falling.sum()) / self._width
            if (broad := self._model.broad) is not None and self._model.has_further:
                matrix[column, -1] = -falling[broad] / float(self._parameters[-1])
        matrix[by_part, by_slope] = sign * float(areas @ (tail.by_slope @ v))
        matrix[by_slope, by_slope] = sign * part * float(areas @ (twice @ v))


def _per_bin(at_edges: Floats) -> Floats:
    return at_edges[:, 1:] - at_edges[:, :-1]


def _mean(at_edges: Floats) -> Floats:
    return 0.5 * (at_edges[:, 1:] + at_edges[:, :-1])
