"""Gains that change over a run."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import UsageError
from gammapolars.core.units import PS_PER_S


@dataclass(frozen=True)
class GainDrift:
    """How a detector's gain changes with time: pulse heights are multiplied by `gain`.

    gain(t) = 1 + per_hour t / 1 h + amplitude sin(2π t / period) + (step, from step_s on), with the time t of the
    digitizer's clock.

    Attributes:
        per_hour: relative change of the gain in an hour.
        amplitude: of a sine, relative.
        period_s: of the sine.
        step: relative change of the gain at one moment.
        step_s: the moment of the step.
    """

    per_hour: float = 0.0
    amplitude: float = 0.0
    period_s: float = 3600.0
    step: float = 0.0
    step_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no gain does.

        Raises:
            UsageError: a number that is not finite, or a period that is not positive.
        """
        if not all(map(math.isfinite, (self.per_hour, self.amplitude, self.period_s, self.step, self.step_s))):
            raise UsageError(f"a gain's drift is made of finite numbers, not {self}")
        if self.period_s <= 0:
            raise UsageError(f"the period of a gain's drift must be longer than 0 s, not {self.period_s}")

    def __bool__(self) -> bool:
        return bool(self.per_hour or self.amplitude or self.step)

    def gain(self, timestamp_ps: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The factor on pulse heights at times of the digitizer's clock, at least 0.

        Args:
            timestamp_ps: as hits have it.
        """
        seconds = np.asarray(timestamp_ps, np.float64) / PS_PER_S
        gain = 1 + self.per_hour * seconds / 3600
        gain += self.amplitude * np.sin(2 * math.pi / self.period_s * seconds)
        gain += self.step * (seconds >= self.step_s)
        return np.asarray(np.maximum(gain, 0.0))


STEADY = GainDrift()
