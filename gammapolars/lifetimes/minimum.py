"""A minimum of the fit of a time spectrum."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.lifetimes.model import TimeBins, shapes

Direction = Literal["stop after start", "start after stop"]


@dataclass
class Minimum:
    """A minimum: values, covariance and deviance, and the fit itself for its profiles.

    `again` gives the fit once more, to be changed at will.
    """

    values: dict[str, float]
    errors: dict[str, float]
    deviance: float
    minuit: Any
    decays: int
    prompt: bool
    again: Callable[[], Any]

    @property
    def taus(self) -> list[float]:
        return [math.exp(self.values[f"log_tau_{k}"]) for k in range(self.decays)]


def expected_counts(bins: TimeBins, values: Sequence[float], decays: int) -> Floats:
    """Counts that the bins should hold: of all pairs, or of the nearest stops alone."""
    return part_counts(bins, values, decays).sum(axis=0)  # type: ignore[no-any-return]


def part_counts(bins: TimeBins, values: Sequence[float], decays: int) -> Floats:
    """The same of each part: prompt peak, decays, chance, (2 + decays, n)."""
    t0, log_sigma, *rest = values
    amplitudes = np.array(rest[decays:])
    parts: Floats = amplitudes[:, None] * shapes(bins, t0, math.exp(log_sigma), np.exp(rest[:decays]))
    if bins.nearest:
        total = bins.nearest.of_nearest(parts[:-1].sum(axis=0), parts[-1])
        parts[:-1] *= bins.nearest.free
        parts[-1] = total - parts[:-1].sum(axis=0)
    return parts
