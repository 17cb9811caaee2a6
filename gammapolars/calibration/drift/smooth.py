"""A smooth course through scattered positions: as smooth as their scatter asks for, with steps where they are seen."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from gammapolars.core.types import Floats

DIFFUSE = 1e8
"""The variance, in units of the positions' own, of a quantity that is not known at all."""

GRID = tuple((walk, bend) for walk in (-8.0, 0.0, 2.0, 4.0) for bend in (-8.0, 0.0, 3.0, 6.0, 9.0))

NEIGHBOURS = 6
"""Positions on both sides of a step that establish it."""

STEP_SIGMA = 5.0

STEP_GAIN = 6.0
"""A step is believed if it raises the log-likelihood by more."""

MOST_STEPS = 8


class Course(NamedTuple):
    """The level of a smooth course and its standard deviation, at the times asked for and at two times next to each
    step.
    """

    time: Floats
    level: Floats
    unc: Floats
    steps: tuple[float, ...]


class _Model(NamedTuple):
    """Variances that the level and its slope gain per unit of time, and the places before which a step lies."""

    walk: float
    bend: float
    steps: frozenset[int]


def smooth(time: Floats, value: Floats, unc: Floats, at: Floats, *, spacing: float = 1.0) -> Course:
    """The course of a level whose slope changes at random, seen through positions with uncertainties.

    Level and slope are those of the local linear trend (A. C. Harvey, Forecasting, Structural Time Series Models and
    the Kalman Filter, 1989): the level gains a random walk, its slope another one. Without the first the course is a
    cubic smoothing spline. The variances of both walks are those of largest likelihood, so that positions that scatter
    by no more than their uncertainties give a straight line. Between two positions where lines through their
    neighbours miss each other, and the likelihood grows much, the course steps. Times rise, and those at which the
    course is wanted (`at`) begin and end not inside the positions'; a step adds two, `spacing` apart.
    """
    if len(time) == 1:
        return Course(at, np.full(len(at), value[0]), np.full(len(at), unc[0]), ())
    middle = float(np.average(value, weights=unc**-2.0))
    unit = float(np.median(unc))
    start, span = float(at[0]), max(float(at[-1] - at[0]), spacing)
    t, y, r = (time - start) / span, (value - middle) / unit, (unc / unit) ** 2
    model = _fit_model(t, y, r)
    steps = sorted((time[place - 1] + time[place]) / 2 for place in model.steps)
    both = [edge for step in steps for edge in (step - spacing / 2, step + spacing / 2)]
    times = np.unique(np.concatenate([at, both]))
    level, variance = _smooth_model(t, y, r, model, (times - start) / span)
    return Course(times, middle + unit * level, unit * np.sqrt(variance), tuple(steps))


def _fit_model(t: Floats, y: Floats, r: Floats) -> _Model:
    """The model of largest likelihood; with few positions, a straight line."""
    if len(t) < 5:
        return _Model(0.0, 0.0, frozenset())
    best, model = _best_noise(t, y, r, frozenset())
    for _ in range(MOST_STEPS):
        place, sigma = _clearest_step(t, y, r, model.steps)
        if sigma < STEP_SIGMA:
            break
        likelihood, with_step = _best_noise(t, y, r, model.steps | {place})
        if likelihood < best + STEP_GAIN:
            break
        best, model = likelihood, with_step
    return model


def _best_noise(t: Floats, y: Floats, r: Floats, steps: frozenset[int]) -> tuple[float, _Model]:
    rows = list(zip(t.tolist(), y.tolist(), r.tolist(), strict=True))

    def cost(logs: npt.ArrayLike) -> float:
        walk, bend = np.clip(logs, -9, 14)
        return -_likelihood(rows, _Model(10.0**walk, 10.0**bend, steps))

    start = min(GRID, key=cost)
    minimum = minimize(cost, start, method="Nelder-Mead", options={"xatol": 0.1, "fatol": 0.02, "maxfev": 80})
    walk, bend = np.clip(minimum.x, -9, 14)
    return -float(minimum.fun), _Model(10.0**walk, 10.0**bend, steps)


def _likelihood(rows: list[tuple[float, float, float]], model: _Model) -> float:
    """The log-likelihood of positions, by the Kalman filter; written out, since there are thousands of calls."""
    walk, bend, steps = model
    level = slope = cross = total = 0.0
    p = s = DIFFUSE
    before = rows[0][0]
    for place, (time, value, variance) in enumerate(rows):
        d = time - before
        before = time
        level += slope * d
        p += 2 * d * cross + d * d * s + walk * d + bend * d * d * d / 3
        cross += d * s + bend * d * d / 2
        s += bend * d
        if place in steps:
            p += DIFFUSE
        f = p + variance
        off = value - level
        total -= 0.5 * (off * off / f + math.log(f))
        gain, turn = p / f, cross / f
        level += gain * off
        slope += turn * off
        s -= turn * cross
        cross -= gain * cross
        p -= gain * p
    return total


def _clearest_step(t: Floats, y: Floats, r: Floats, steps: frozenset[int]) -> tuple[int, float]:
    """Before which position the lines through its neighbours miss each other most, and by how many sigma."""
    best, clearest = 0, 0.0
    for place in range(2, len(t) - 1):
        if place in steps or t[place] <= t[place - 1]:
            continue
        middle = (t[place - 1] + t[place]) / 2
        left = max([place - NEIGHBOURS, 0, *(k for k in steps if k <= place)])
        right = min([place + NEIGHBOURS, len(t), *(k for k in steps if k >= place)])
        if place - left < 3 or right - place < 3:
            continue
        (a, va), (b, vb) = (
            _extrapolate(t[part] - middle, y[part], r[part]) for part in (slice(left, place), slice(place, right))
        )
        sigma = abs(a - b) / math.sqrt(va + vb)
        if sigma > clearest:
            best, clearest = place, sigma
    return best, clearest


def _extrapolate(x: Floats, y: Floats, r: Floats) -> tuple[float, float]:
    """Value at 0, and its variance, of the line through weighted points."""
    w = 1 / r
    s0, s1, s2 = w.sum(), (w * x).sum(), (w * x * x).sum()
    determinant = s0 * s2 - s1 * s1
    if determinant <= 1e-12 * s0 * s2:
        return float((w * y).sum() / s0), float(1 / s0)
    return float((s2 * (w * y).sum() - s1 * (w * x * y).sum()) / determinant), float(s2 / determinant)


def _inverse(symmetric: Floats) -> Floats:
    """The inverse of a 2 × 2 matrix; where it has none, the nearest one."""
    (a, b), (_, c) = symmetric.tolist()
    determinant = a * c - b * b
    if determinant > 1e-10 * a * c:
        return np.asarray(np.array([[c, -b], [-b, a]]) / determinant)
    return np.asarray(np.linalg.pinv(symmetric, rcond=1e-15, hermitian=True))


def _smooth_model(t: Floats, y: Floats, r: Floats, model: _Model, at: Floats) -> tuple[Floats, Floats]:
    """Level and its variance at times, by the Kalman filter forward and the smoother of Rauch, Tung and Striebel back.

    H. E. Rauch, F. Tung, C. T. Striebel, AIAA J. 3 (1965) 1445.
    """
    middles = np.array([(t[place - 1] + t[place]) / 2 for place in sorted(model.steps)])
    times = np.concatenate([t, at])
    order = np.argsort(times, kind="stable")
    knots = times[order]
    is_step = np.zeros(len(knots), np.bool_)
    is_step[np.searchsorted(knots, middles, side="right")] = True
    means, covariances, ahead = [], [], []
    mean, covariance = np.zeros(2), np.eye(2) * DIFFUSE
    before = knots[0]
    for row, (place, time) in enumerate(zip(order, knots, strict=True)):
        d = time - before
        before = time
        move = np.array([[1.0, d], [0.0, 1.0]])
        noise = np.array(
            [[model.walk * d + model.bend * d**3 / 3, model.bend * d**2 / 2], [model.bend * d**2 / 2, model.bend * d]]
        )
        noise[0, 0] += DIFFUSE * is_step[row]
        mean, covariance = move @ mean, move @ covariance @ move.T + noise
        ahead.append((move, mean, covariance))
        if place < len(t):
            gain = covariance[:, 0] / (covariance[0, 0] + r[place])
            mean = mean + gain * (y[place] - mean[0])
            gain_matrix = np.eye(2) - np.outer(gain, [1.0, 0.0])
            covariance = gain_matrix @ covariance @ gain_matrix.T + np.outer(gain, gain) * r[place]
        means.append(mean)
        covariances.append(covariance)
    for row in range(len(knots) - 2, -1, -1):
        move, predicted, spread = ahead[row + 1]
        back = covariances[row] @ move.T @ _inverse(spread)
        means[row] = means[row] + back @ (means[row + 1] - predicted)
        covariances[row] = covariances[row] + back @ (covariances[row + 1] - spread) @ back.T
    place = np.argsort(order)[len(t) :]
    level = np.array(means)[place, 0]
    variance = np.array(covariances)[place, 0, 0]
    return level, np.maximum(variance, 1e-12)
