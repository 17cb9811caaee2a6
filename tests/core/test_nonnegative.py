"""Least squares without negative coefficients, against SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from gammapolars.core.nonnegative import nonnegative


@given(seed=st.integers(0, 2**32), number=st.integers(1, 8), is_degenerate=st.booleans(), scale=st.floats(1e-3, 1e6))
def test_as_good_as_that_of_scipy(seed: int, number: int, is_degenerate: bool, scale: float) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(0.3, 1.0, (number, 12)) * scale ** rng.uniform(-1, 1, (number, 1))
    if is_degenerate:
        columns[-1] = columns[0]
    target = rng.normal(0.0, 1.0, 12)

    found = nonnegative(columns, target)

    assert (found >= 0).all()
    _, least = nnls(columns.T, target)
    np.testing.assert_allclose(np.linalg.norm(target - found @ columns), least, rtol=1e-7)
