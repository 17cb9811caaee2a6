"""Time walk: how much later small pulses are, t = b1 adc^(-1/2) + b2 adc^(-1) + …, in numbers and as an expression."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import DetectorsError
from gammapolars.core.units import MAX_PS
from gammapolars.corrections.energy import FARTHEST_ADC, by_detector, gain_corrected_adc
from gammapolars.detectors import Detector, Detectors

ADC_RANGE = (1.0, FARTHEST_ADC)
"""Where a walk holds that has no range: an adc of 0 is taken for 1, since the walk has no end there."""

NEGLIGIBLE_PS = 1e-3

MARGIN_PS = 0.6
"""Half a picosecond for the rounding, and some for terms that were left out."""


class Walking(Protocol):
    """Whatever has a time walk: a detector, or a simulated one."""

    @property
    def name(self) -> str:
        """How messages call it."""

    @property
    def time_walk_ps(self) -> tuple[float, ...] | None:
        """b_1, b_2, …"""

    @property
    def time_walk_range(self) -> tuple[float, float] | None:
        """Lowest and highest adc."""


def walk_ps(detector: Walking, adc: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The time walk of a detector in picoseconds, not yet rounded; zeros where it has none.

    t = Σ b_i adc^(-i/2), i from 1, with the adc moved into `time_walk_range`.

    Args:
        detector: with `time_walk_ps`.
        adc: of any shape; whole numbers or, corrected for drift, others.
    """
    root = 1 / np.sqrt(np.clip(np.asarray(adc, np.float64), *adc_range(detector)))
    return np.asarray(np.polynomial.polynomial.polyval(root, (0.0, *(detector.time_walk_ps or ()))))


def adc_range(detector: Walking) -> tuple[float, float]:
    """The adc values between which a detector's walk holds."""
    return detector.time_walk_range or ADC_RANGE


def walk_expression(detectors: Detectors, columns: Sequence[str]) -> pl.Expr:
    """The walk in whole picoseconds, as an expression of `board`, `channel` and `adc`; 0 where there is none.

    Args:
        detectors: their `time_walk_ps`.
        columns: of the hits; with `gain_factor`, the adc is multiplied by it.
    """
    walking = Detectors(tuple(detector for detector in detectors if detector.time_walk_ps))
    low = by_detector(walking, lambda detector: adc_range(detector)[0], pl.Float64)
    high = by_detector(walking, lambda detector: adc_range(detector)[1], pl.Float64)
    adc = gain_corrected_adc(columns).cast(pl.Float64)
    root = 1 / pl.min_horizontal(pl.max_horizontal(adc, low), high).sqrt()

    def coefficient(order: int) -> pl.Expr:
        def of(detector: Detector) -> float:
            given = detector.time_walk_ps or ()
            return given[order] if order < len(given) else 0.0

        return by_detector(walking, of, pl.Float64)

    terms = max(len(detector.time_walk_ps or ()) for detector in walking)
    walk = coefficient(terms - 1)
    for order in reversed(range(terms - 1)):
        walk = walk * root + coefficient(order)
    # A detector without walk has no coefficients: null, and so no shift.
    return (walk * root).round().cast(pl.Int64).fill_null(0)


def extremes_ps(detector: Walking) -> tuple[int, int]:
    """The least and the largest walk that any adc gives, in whole picoseconds.

    Raises:
        DetectorsError: the walk is longer than any time that there is.
    """
    if not detector.time_walk_ps:
        return (0, 0)
    low, high = (1 / math.sqrt(end) for end in reversed(adc_range(detector)))
    coefficients = np.array((0.0, *detector.time_walk_ps))
    with np.errstate(over="ignore"):
        sizes = np.abs(coefficients) * np.array([high**power for power in range(len(coefficients))])
    if not sizes.sum() < MAX_PS:
        raise DetectorsError(f"the time walk of {detector.name} has no end: check time_walk_ps and time_walk_range")
    # Terms far below a picosecond turn nothing, and can be too small for finding where.
    polynomial = np.polynomial.Polynomial(np.where(sizes < NEGLIGIBLE_PS, 0.0, coefficients)).trim()
    turning = polynomial.deriv().roots().real if polynomial.degree() > 1 else np.empty(0)
    reached = polynomial(np.array([low, high, *turning[(turning > low) & (turning < high)]]))
    return (math.floor(reached.min() - MARGIN_PS), math.ceil(reached.max() + MARGIN_PS))
