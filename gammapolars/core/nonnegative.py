"""Least squares without negative coefficients, of a few columns.

C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (1974), chapter 23, on the normal equations. SciPy has the
same for problems of any size; importing it takes longer than all fits of a spectrum.
"""

import numpy as np

from gammapolars.core.types import Floats

ROUNDING = 1e-12


def nonnegative(columns: Floats, target: Floats) -> Floats:
    """The coefficients x ≥ 0 with the least |target - x @ columns|².

    Args:
        columns: (coefficients, values), one row for each.
        target: (values,).
    """
    scale = np.sqrt((columns**2).sum(1))
    scale[scale == 0] = 1.0
    units = columns / scale[:, None]
    return np.asarray(nonnegative_solution(units @ units.T, units @ target) / scale, np.float64)


def nonnegative_solution(matrix: Floats, right: Floats) -> Floats:
    """The same from normal equations; the matrix has a diagonal of about 1."""
    number = len(right)
    solution, is_in = np.zeros(number), np.zeros(number, np.bool_)
    least = ROUNDING * float(np.abs(right).max(initial=0.0))
    all_in = _unbounded(matrix, right)
    if (all_in >= 0).all():
        return all_in
    for _ in range(3 * number):
        pull = np.where(is_in, -np.inf, right - matrix @ solution)
        if is_in.all() or pull.max() <= least:
            break
        is_in[int(pull.argmax())] = True
        while is_in.any():
            trial = np.zeros(number)
            trial[is_in] = _unbounded(matrix[np.ix_(is_in, is_in)], right[is_in])
            leaving = is_in & (trial <= 0)
            if not leaving.any():
                solution = trial
                break
            # Towards the trial until the first coefficient is 0.
            lengths = solution[leaving] / np.maximum(solution[leaving] - trial[leaving], 1e-300)
            solution = solution + float(lengths.min()) * (trial - solution)
            is_in &= ~(leaving & (solution <= ROUNDING * max(float(solution.max()), 0.0)))
            solution[~is_in] = 0.0
    return solution


def _unbounded(matrix: Floats, right: Floats) -> Floats:
    """The solution of normal equations; the shortest one where it is not determined."""
    try:
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, right, rcond=1e-13)[0], np.float64)
