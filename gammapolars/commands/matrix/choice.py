"""What a matrix is to show, as the command line says it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.analysis.accumulators.matrix import energy_axis
from gammapolars.commands.checks import check_bins
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, BY_WORD, ENERGY, Quantity
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_UNIT, parse_ps, parse_range
from gammapolars.detectors import Detectors
from gammapolars.gates import PolygonGate


@dataclass(frozen=True)
class Choice:
    """What a matrix is to show, as the command line says it.

    Attributes:
        x: names of detectors or groups on x; none: all.
        y: the same on y.
        axes: such as `energy:energy`, `dt:energy` or `adc:time`: what lies along x, and along y; None: the energies, or
            the adc values where nothing is calibrated.
        bins: widths of the bins on x and on y, such as `2`, or `1ns` for a time; None: what `bin_kev` or `bin_adc` say.
            Those of x are those of y, too, where it shows the same.
        ranges: LOW:HIGH of x and of y, likewise; None: all of it.
        bin_kev: width of bins of energy; None: 2 keV, or what the detectors need.
        bin_adc: width of bins of adc.
        symmetric: whether each pair stands in both orders; None: where x and y are the same.
        polygons: only pairs inside all of these count; in columns of pairs (`adc_a`: of the earlier hit), or of the
            matrix, as `adc_x` and `dt_ps_y`.
    """

    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    axes: str | None = None
    bins: tuple[str | None, str | None] = (None, None)
    ranges: tuple[str | None, str | None] = (None, None)
    bin_kev: float | None = None
    bin_adc: float | None = None
    symmetric: bool | None = None
    polygons: tuple[PolygonGate, ...] = ()

    def along(self, detectors: Detectors) -> tuple[Axis, Axis]:
        """The two axes.

        Raises:
            UsageError: an unknown quantity, one that needs a calibration, a bin without a width, or an empty range.
        """
        check_bins(self.bin_kev, detectors)
        x, y = quantities = self._quantities(detectors)
        if ENERGY in quantities and not any(one.energy for one in detectors):
            raise UsageError(
                "axes of energy need a calibration: name a detectors.toml that has one, or take axes of adc"
            )
        bins, ranges = ((of_x, of_y or (of_x if x == y else None)) for of_x, of_y in (self.bins, self.ranges))
        along_x, along_y = (self._axis(*of_axis, detectors) for of_axis in zip(quantities, bins, ranges, strict=True))
        return along_x, along_y

    def _quantities(self, detectors: Detectors) -> tuple[Quantity, Quantity]:
        if self.axes is None:
            quantity = energy_axis(detectors).quantity
            return quantity, quantity
        words = self.axes.split(":")
        if len(words) != 2 or any(word not in BY_WORD for word in words):
            raise UsageError(f"unknown axes '{self.axes}': write X:Y, such as dt:energy, of {', '.join(BY_WORD)}")
        x, y = (BY_WORD[word] for word in words)
        if x == y and not (x.of_pairs and x.of_hits):
            raise UsageError(f"axes '{self.axes}' show the same twice: take an energy or adc beside the time")
        if not (x.of_pairs and y.of_pairs) and not (x.of_hits and y.of_hits):
            raise UsageError("a time difference is one of pairs, and time an axis of single hits: take one of them")
        return x, y

    def _axis(self, quantity: Quantity, bin_: str | None, range_: str | None, detectors: Detectors) -> Axis:
        if bin_ is not None:
            width = _number(quantity, bin_)
        elif quantity == ENERGY:
            width = energy_axis(detectors, self.bin_kev).width
        else:
            width = self.bin_adc if quantity == ADC and self.bin_adc is not None else quantity.bin
        if not 0 < width < math.inf:
            raise UsageError(f"a bin must be wider than 0 {quantity.unit}, not {width:g}")
        if range_ is None:
            return Axis(quantity, width)
        return Axis(
            quantity, width, *parse_range(range_, "--range", lambda text: _number(quantity, text), example="0:3000")
        )

    def sides(self, detectors: Detectors) -> Sides:
        """The detectors on x and on y.

        Raises:
            UsageError: a name that no detector or group has.
        """
        return Sides(*(frozenset(keys_of(names, detectors)) or None for names in (self.x, self.y)))

    def is_symmetric(self, x: Axis, y: Axis) -> bool:
        """Whether each pair stands in both orders; only a matrix of the same quantity in the same bins can be so.

        Raises:
            UsageError: it is asked for, and x and y differ.
        """
        if self.symmetric is None:
            return x == y and sorted(self.x) == sorted(self.y)
        if self.symmetric and x != y:
            raise UsageError("a symmetric matrix has the same quantity on both axes, in the same bins and range")
        return self.symmetric


def _number(quantity: Quantity, text: str) -> float:
    """A number in a quantity's unit; of times with units of their own, too."""
    try:
        number = float(text)
    except ValueError:
        if quantity.unit not in PS_PER_UNIT:
            raise UsageError(f"'{text}' is no number of {quantity.unit}") from None
        return parse_ps(text) / PS_PER_UNIT[quantity.unit]
    if not math.isfinite(number):
        raise UsageError(f"'{text}' is no finite number")
    return number


def keys_of(names: Sequence[str], detectors: Detectors) -> list[Key]:
    """The detectors that some names stand for: those of detectors, of groups, or several divided by commas.

    Raises:
        UsageError: a name that no detector or group has.
    """
    keys: list[Key] = []
    names_and_groups = {detector.name for detector in detectors} | {detector.group for detector in detectors}
    for text in names:
        for name in [text] if text in names_and_groups else text.split(","):
            group = [detector.key for detector in detectors if name and detector.group == name]
            keys += group or [detectors.named(name).key]
    return keys
