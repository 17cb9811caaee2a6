"""A minimum of the fit of a time spectrum."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gammapolars.lifetimes.model import Floats, TimeBins, shapes

Direction = Literal["stop after start", "start after stop"]


@dataclass
class Fitted:
    """A minimum: values, covariance and deviance, and the fit itself for its profiles."""

    names: list[str]
    values: dict[str, float]
    errors: dict[str, float]
    deviance: float
    minuit: Any
    decays: int
    prompt: bool

    @property
    def taus(self) -> list[float]:
        return [math.exp(self.values[f"log_tau_{k}"]) for k in range(self.decays)]


def expected_counts(bins: TimeBins, values: Sequence[float], decays: int) -> Floats:
    t0, log_sigma, *rest = values
    amplitudes = np.array(rest[decays:])
    return np.asarray(amplitudes @ shapes(bins, t0, math.exp(log_sigma), np.exp(rest[:decays])), np.float64)
