"""What a matrix of chosen detectors and quantities is to show, as the command line tells it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gammapolars.analysis.accumulators.axes import UNITS, Axis, Quantity, Sides
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S, parse_ps, parse_range
from gammapolars.detectors import Detectors
from gammapolars.gates import PolygonGate

QUANTITIES: dict[str, Quantity] = {"energy": "energy_kev", "adc": "adc", "dt": "dt_ps", "time": "time_s"}
"""What axes are called on the command line."""

DEFAULTS: dict[Quantity, float] = {"energy_kev": 2.0, "adc": 16.0, "dt_ps": 1000.0, "time_s": 10.0}
"""Widths of bins, if none are given: keV, adc values, ps, s."""


@dataclass(frozen=True)
class Choice:
    """What a matrix is to show, as the command line tells it.

    Attributes:
        x: names of detectors or groups on x; none: all.
        y: the same on y.
        axes: such as `energy:energy`, `dt:energy` or `adc:time`: what lies along x, and along y.
        bins: widths of the bins on x and on y, such as `2`, or `1ns` for a time; None: what `bin_kev` or `bin_adc` say.
        ranges: LOW:HIGH of x and of y; None: all of it.
        bin_kev: width of bins of energy.
        bin_adc: width of bins of adc.
        symmetric: whether each pair stands in both orders; None: where x and y are the same.
        polygons: only pairs inside all of these count; in columns of pairs (`adc_a`: of the earlier hit), or of the
            matrix, as `adc_x` and `dt_ps_y`.
    """

    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    axes: str = "energy:energy"
    bins: tuple[str | None, str | None] = (None, None)
    ranges: tuple[str | None, str | None] = (None, None)
    bin_kev: float | None = None
    bin_adc: float | None = None
    symmetric: bool | None = None
    polygons: tuple[PolygonGate, ...] = ()

    def along(self) -> tuple[Axis, Axis]:
        """The two axes.

        Raises:
            UsageError: an unknown quantity, a bin without a width, or an empty range.
        """
        words = self.axes.split(":")
        if len(words) != 2 or any(word not in QUANTITIES for word in words):
            known = ", ".join(QUANTITIES)
            raise UsageError(f"unknown axes '{self.axes}': write X:Y, such as dt:energy, of {known}")
        if words[0] == words[1] and words[0] in ("dt", "time"):
            raise UsageError(f"axes '{self.axes}' show the same twice: take an energy or adc beside the time")
        if {"dt", "time"} <= set(words):
            raise UsageError("a time difference is one of pairs, and time an axis of single hits: take one of them")
        x, y = (self._axis(QUANTITIES[word], *of) for word, *of in zip(words, self.bins, self.ranges, strict=True))
        return x, y

    def _axis(self, quantity: Quantity, width: str | None, wanted: str | None) -> Axis:
        default = {"energy_kev": self.bin_kev, "adc": self.bin_adc}.get(quantity) or DEFAULTS[quantity]
        found = default if width is None else _number(quantity, width)
        if not 0 < found < math.inf:
            raise UsageError(f"a bin must be wider than 0 {UNITS[quantity]}, not {found:g}")
        if wanted is None:
            return Axis(quantity, found)
        ends = parse_range(wanted, "--range", lambda text: _number(quantity, text), example="0:3000")
        return Axis(quantity, found, *ends)

    def of(self, detectors: Detectors) -> Sides:
        """The detectors on x and on y.

        Raises:
            UsageError: a name that no detector or group has.
        """
        return Sides(*(frozenset(keys_of(names, detectors)) or None for names in (self.x, self.y)))

    def is_symmetric(self) -> bool:
        """Whether each pair stands in both orders; only a matrix of the same quantity in the same bins can be so.

        Raises:
            UsageError: it is asked for, and x and y differ.
        """
        x, y = self.along()
        if self.symmetric is None:
            return x == y and sorted(self.x) == sorted(self.y)
        if self.symmetric and x != y:
            raise UsageError("a symmetric matrix has the same quantity on both axes, in the same bins and range")
        return self.symmetric


def _number(quantity: Quantity, text: str) -> float:
    """A number in an axis' unit; of times with units of their own, too."""
    try:
        found = float(text)
    except ValueError:
        if quantity not in ("dt_ps", "time_s"):
            raise UsageError(f"'{text}' is no number of {UNITS[quantity]}") from None
        picoseconds = parse_ps(text)
        return float(picoseconds) if quantity == "dt_ps" else picoseconds / PS_PER_S
    if not math.isfinite(found):
        raise UsageError(f"'{text}' is no finite number")
    return found


def keys_of(names: Sequence[str], detectors: Detectors) -> list[Key]:
    """The detectors that some names stand for: those of detectors, of groups, or several divided by commas.

    Raises:
        UsageError: a name that no detector or group has.
    """
    found: list[Key] = []
    known = {detector.name for detector in detectors} | {detector.group for detector in detectors}
    for text in names:
        for name in [text] if text in known else text.split(","):
            group = [detector.key for detector in detectors if name and detector.group == name]
            found += group or [detectors.named(name).key]
    return found
