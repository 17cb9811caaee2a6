"""How fast the clocks of boards run, from how the prompt peaks of their pairs move through the run.

The clock of a board has counted D(t) = Σ c_k B_k(t) too much when it shows t, B_k being integrals of triangles about
times equally spaced: the rate is straight between them. The peak of boards a and b lies at a constant + D_b(t_b) -
D_a(t_a). How many rates are needed is decided by the positions of the peak in short stretches, by least squares; the
rates are then fitted to single pairs by maximum likelihood, each detector pair a Gaussian on a level of random pairs,
by expectation and maximisation.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gammapolars.calibration.timing.follow import SAMPLED, Stretch
from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats, Integers
from gammapolars.core.units import PS_PER_S

RATES = (1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513)
"""How many rates of a clock are tried, until twice more of them are no better."""

STRETCHES_A_RATE = 3

PENALTY = 8.0
"""Each further rate must lower χ² by more than this, and all together by `CHANGES` more."""

CHANGES = 40.0

MOST_CELLS = 20_000_000
"""Pairs times parameters of a fit: of more pairs some are left out, evenly through the run."""

MOST_ROUNDS = 100

LEAST_SIGMA_PS = 0.5


class Moves(NamedTuple):
    """The moves of the peak of two boards in one run."""

    run: int
    boards: tuple[int, int]
    stretches: Sequence[Stretch]


class Knots(NamedTuple):
    """The times of the first and the last rate of the clocks, s, and how many there are."""

    first_s: float
    last_s: float
    number: int

    def basis(self, time_s: Floats) -> Floats:
        """(times, rates): the integrals of the triangles from 0 to each time, s."""
        if self.number == 1:
            return time_s[:, None]
        step = (self.last_s - self.first_s) / (self.number - 1)
        place = np.clip((time_s - self.first_s) / step, 0, self.number - 1)
        parts = step * _triangle_integral(place[:, None] - np.arange(self.number))
        parts[:, 0] += self.first_s - step / 2 + np.minimum(time_s - self.first_s, 0)
        parts[:, -1] += np.maximum(time_s - self.last_s, 0)
        return parts


def _triangle_integral(x: Floats) -> Floats:
    """The integral of a triangle of height 1 between -1 and 1, up to x."""
    x = np.clip(x, -1, 1)
    return np.where(x < 0, (x + 1) ** 2 / 2, 1 - (1 - x) ** 2 / 2)


class ClockFit(NamedTuple):
    """Clocks found, compared with a reference.

    Attributes:
        knots: the times of the rates.
        boards: whose clocks were fitted.
        rates: (boards, rates): the share of a clock's time that is too much, ps/s.
        covariance: (boards, rates, boards, rates) of them.
        offsets: of each of the moves, where its peak would lie if clocks were right, ps.
        fwhm_ps: of the narrowest peak.
        chi2_ndf: of the positions of the peaks in stretches.
        remaining_ps: how far peaks still move, a standard deviation beyond their uncertainties.
    """

    knots: Knots
    boards: tuple[int, ...]
    rates: Floats
    covariance: Floats
    offsets: Floats
    fwhm_ps: float
    chi2_ndf: float
    remaining_ps: float

    def shifts(self, rates: Floats) -> Floats:
        """The excess count of a clock of some rates at 200 times of the run, ps."""
        times = np.linspace(self.knots.first_s, self.knots.last_s, 200)
        return np.asarray(self.knots.basis(times) @ rates)


def fit_clocks(moves: Sequence[Moves], reference: int, *, number: int | None = None) -> ClockFit:
    """Rates of all boards that moves tie to a reference board.

    Args:
        moves: of boards that are all tied to each other.
        reference: the board whose clock is right.
        number: how many rates each clock has; None: as many as are needed, and one where there are several runs.
    """
    boards = tuple(sorted({board for one in moves for board in one.boards} - {reference}))
    times = [stretch.line.time_s for one in moves for stretch in one.stretches]
    tried = [Knots(min(times), max(times), n) for n in (RATES if number is None else (number,))]
    if number is None and len({one.run for one in moves}) > 1:
        tried = tried[:1]
    tried = [one for one in tried if one.number == 1 or len(times) >= STRETCHES_A_RATE * one.number] or tried[:1]
    positions = _needed((_fit_positions(moves, boards, knots) for knots in tried), len(boards))
    pairs = _Pairs(moves, boards, positions.knots)
    values, covariance = pairs.fit()
    shape = (len(boards), positions.knots.number)
    ndf = max(len(times) - len(moves) - len(values), 1)
    return ClockFit(
        positions.knots,
        boards,
        values.reshape(shape),
        covariance.reshape(*shape, *shape),
        positions.offsets,
        pairs.fwhm_ps,
        positions.chi2 / ndf,
        math.sqrt(max(float(np.mean(positions.residual_ps**2 - positions.unc_ps**2)), 0.0)),
    )


class _Positions(NamedTuple):
    """A fit to the positions of the peaks in stretches."""

    knots: Knots
    chi2: float
    offsets: Floats
    residual_ps: Floats
    unc_ps: Floats


def _needed(fits: Iterable[_Positions], boards: int) -> _Positions:
    """The fit with the number of rates that the positions require."""
    best, least, worse = None, math.inf, 0
    for fit in fits:
        cost = fit.chi2 + PENALTY * boards * fit.knots.number + (CHANGES if fit.knots.number > 1 else 0.0)
        worse = 0 if cost < least else worse + 1
        if cost < least:
            best, least = fit, cost
        elif worse == 2:
            break
    assert best
    return best


def _design(boards: Sequence[int], knots: Knots, ends: tuple[int, int], time_s: Floats, dt_ps: Floats) -> Floats:
    """(pairs, boards × rates): how far each rate moves the time difference of pairs of two boards, s."""
    parts = np.zeros((len(time_s), len(boards), knots.number))
    for board, time, sign in zip(ends, (time_s, time_s + dt_ps / PS_PER_S), (-1.0, 1.0), strict=True):
        if board in boards:
            parts[:, boards.index(board)] += sign * knots.basis(time)
    return parts.reshape(len(time_s), -1)


def _sizes(design: Floats) -> Floats:
    """The root mean square of each column; 1 of one that is 0."""
    sizes = np.sqrt((design**2).mean(axis=0))
    return np.asarray(np.where(sizes > 0, sizes, 1.0))


def _fit_positions(moves: Sequence[Moves], boards: Sequence[int], knots: Knots) -> _Positions:
    """Rates and a constant of each of the moves, by least squares."""
    designs, lines = [], []
    for place, one in enumerate(moves):
        line = np.array([(s.line.time_s, s.line.position_ps, s.line.position_ps_unc) for s in one.stretches]).T
        constant = np.zeros((line.shape[1], len(moves)))
        constant[:, place] = 1.0
        designs.append(np.hstack([constant, _design(boards, knots, one.boards, line[0], line[1])]))
        lines.append(line)
    design, (_, position, unc) = np.concatenate(designs), np.concatenate(lines, axis=1)
    scale = _sizes(design)
    matrix = design / scale
    solution = np.linalg.lstsq(matrix / unc[:, None], position / unc, rcond=1e-13)[0]
    residual = position - matrix @ solution
    return _Positions(knots, float(((residual / unc) ** 2).sum()), (solution / scale)[: len(moves)], residual, unc)


class _Pairs:
    """The sampled pairs of all moves, and the mixture of prompt and random ones of each detector pair in each run.

    Attributes:
        fwhm_ps: of the narrowest peak, after a fit.
    """

    def __init__(self, moves: Sequence[Moves], boards: Sequence[int], knots: Knots) -> None:
        self.fwhm_ps = math.inf
        groups = sum(len(np.unique(_codes(stretch))) for one in moves for stretch in one.stretches[:1])
        rows = sum(len(stretch.time_ps) for one in moves for stretch in one.stretches)
        step = 1 + rows * (groups + len(boards) * knots.number) // MOST_CELLS
        codes, columns, designs = [], [], []
        for place, one in enumerate(moves):
            codes.append((place << 32) | np.concatenate([_codes(stretch) for stretch in one.stretches])[::step])
            own = np.array(
                [
                    np.concatenate([np.asarray(getattr(stretch, name), np.float64) for stretch in one.stretches])[
                        ::step
                    ]
                    for name in ("time_ps", "dt_ps", "residual_ps", "sigma_ps")
                ]
            )
            columns.append(own)
            designs.append(_design(boards, knots, one.boards, own[0] / PS_PER_S, own[1]))
        _, self._dt, self._start, self._width = np.concatenate(columns, axis=1)
        self._group = np.unique(np.concatenate(codes), return_inverse=True)[1]
        self._counts = np.bincount(self._group)
        constant = np.zeros((len(self._dt), len(self._counts)))
        constant[np.arange(len(self._dt)), self._group] = 1.0
        self._design = np.hstack([constant, np.concatenate(designs)])

    def fit(self) -> tuple[Floats, Floats]:
        """Rates of boards and their covariance, that of the estimate whether or not pairs follow the model."""
        scale = _sizes(self._design)
        design = self._design / scale
        some = design[:: max(1, len(design) // 1000)]
        residual, sigma, part = self._start, self._width, np.full(len(self._dt), 0.9)
        values = np.zeros(design.shape[1])
        for _ in range(MOST_ROUNDS):
            prompt = self._prompt(residual, sigma, part)
            weight = prompt / sigma**2
            before = values
            matrix = design.T @ (design * weight[:, None])
            values = np.linalg.lstsq(matrix, design.T @ (weight * self._dt), rcond=1e-14)[0]
            residual = self._dt - design @ values
            total = self._sums(prompt) + 1e-12
            spread = np.maximum(np.sqrt(self._sums(prompt * residual**2) / total), LEAST_SIGMA_PS)
            sigma, part = spread[self._group], np.clip(total / self._counts, 1e-3, 1 - 1e-6)[self._group]
            if np.abs(some @ (values - before)).max() < 1e-3 * spread.min():
                break
        self.fwhm_ps = FWHM_PER_SIGMA * float(spread[total >= 0.5 * total.max()].min())
        prompt = self._prompt(residual, sigma, part)
        score = design * (prompt * residual / sigma**2)[:, None]
        bend = prompt / sigma**2 - prompt * (1 - prompt) * (residual / sigma**2) ** 2
        inverse = np.linalg.pinv(design.T @ (design * bend[:, None]), rcond=1e-14, hermitian=True)
        covariance = inverse @ (score.T @ score) @ inverse / np.outer(scale, scale)
        first = len(self._counts)
        return (values / scale)[first:], covariance[first:, first:]

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self._group, values, len(self._counts)), np.float64)

    def _prompt(self, residual: Floats, sigma: Floats, part: Floats) -> Floats:
        """The probability of each pair to be prompt; random pairs lie evenly where pairs were sampled."""
        with np.errstate(under="ignore"):
            peak = part * np.exp(-0.5 * (residual / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        return np.asarray(peak / (peak + (1 - part) / (2 * SAMPLED * self._width)))


def _codes(stretch: Stretch) -> Integers:
    return np.asarray(stretch.channel[0] << 16 | stretch.channel[1])
