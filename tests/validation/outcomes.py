"""What a validation finds: tables to read, and figures that must lie within limits."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One figure, and the limits that it has to keep.

    Attributes:
        what: what was measured.
        value: the figure.
        low: the least that it may be.
        high: the most.
    """

    what: str
    value: float
    low: float = -np.inf
    high: float = np.inf

    @property
    def kept(self) -> bool:
        """True where the figure lies within its limits."""
        return bool(self.low <= self.value <= self.high)

    def __str__(self) -> str:
        if np.isfinite(self.low) and np.isfinite(self.high):
            limits = f"{self.low:g} to {self.high:g}"
        else:
            limits = f"at least {self.low:g}" if np.isfinite(self.low) else f"at most {self.high:g}"
        return f"{'ok  ' if self.kept else 'MISS'}  {self.what}: {self.value:.6g} ({limits})"


@dataclass
class Outcome:
    """What one validation found.

    Attributes:
        title: what it is about.
        lines: a table, or several, as text.
        checks: figures and limits.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([f"== {self.title}", *self.lines, *map(str, self.checks), ""])


def pull_checks(what: str, pulls: npt.ArrayLike) -> list[Check]:
    """The mean and width of pulls: (found - true) / uncertainty."""
    values = np.asarray(pulls, np.float64)
    return [
        Check(f"mean pull of {what}, {values.size} of them", float(values.mean()), -0.1, 0.1),
        Check(f"width of the pulls of {what}", float(values.std(ddof=1)), 0.9, 1.1),
    ]
