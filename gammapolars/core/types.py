"""Types that many rooms share."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Key = tuple[int, int]
"""A detector as (board, channel)."""

Range = tuple[float, float]
"""From the lower to the upper end."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Progress = Callable[[int], None]
"""Told, now and then, how many hits have been read."""
