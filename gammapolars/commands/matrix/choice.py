"""The axes, bins and detectors of a matrix, as the command line says them."""

import math
from collections.abc import Sequence

from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.analysis.accumulators.matrix import energy_axis
from gammapolars.commands.checks import check_bins
from gammapolars.commands.matrix.parse import MatrixOptions
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, BY_WORD, ENERGY, Quantity
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_UNIT, parse_ps, parse_range
from gammapolars.detectors import Detectors


def axes_of(options: MatrixOptions, detectors: Detectors, *, calibrated: bool) -> tuple[Axis, Axis]:
    """The quantities on x and y: the energies, or the adc values where nothing is calibrated, unless axes are named.

    Bins and range of x are those of y, too, where it shows the same.

    Raises:
        UsageError: an unknown quantity, one that needs a calibration, a bin without a width, or an empty range.
    """
    check_bins(options.bin_kev, calibrated=calibrated)
    x, y = quantities = _quantities(options.axes, detectors, calibrated=calibrated)
    if ENERGY in quantities and not calibrated:
        raise UsageError("energy axes need a calibration: give a detectors.toml that contains one, or use adc axes")
    alike = x == y
    along_x = _axis(x, options.bin_x, options.range_x, options, detectors)
    bin_y = options.bin_y or (options.bin_x if alike else None)
    range_y = options.range_y or (options.range_x if alike else None)
    return along_x, _axis(y, bin_y, range_y, options, detectors)


def _quantities(axes: str | None, detectors: Detectors, *, calibrated: bool) -> tuple[Quantity, Quantity]:
    if axes is None:
        quantity = energy_axis(detectors, calibrated=calibrated).quantity
        return quantity, quantity
    words = axes.split(":")
    if len(words) != 2 or any(word not in BY_WORD for word in words):
        raise UsageError(f"unknown axes '{axes}': write X:Y, such as dt:energy, of {', '.join(BY_WORD)}")
    x, y = (BY_WORD[word] for word in words)
    if x == y and not (x.of_pairs and x.of_hits):
        raise UsageError(f"axes '{axes}' show the same quantity twice: combine the time with an energy or adc")
    if not (x.of_pairs and y.of_pairs) and not (x.of_hits and y.of_hits):
        raise UsageError("a time difference belongs to pairs, and time to single hits: use only one of them")
    return x, y


def _axis(
    quantity: Quantity, bin_: str | None, range_: str | None, options: MatrixOptions, detectors: Detectors
) -> Axis:
    if bin_ is not None:
        width = _number(quantity, bin_)
    elif quantity == ENERGY:
        width = energy_axis(detectors, options.bin_kev, calibrated=True).width
    else:
        width = options.bin_adc if quantity == ADC and options.bin_adc is not None else quantity.bin
    if not 0 < width < math.inf:
        raise UsageError(f"a bin must be wider than 0 {quantity.unit}, not {width:g}")
    if range_ is None:
        return Axis(quantity, width, *(quantity.range or ()))
    ends = parse_range(range_, "--range", lambda text: _number(quantity, text), example="0:3000")
    return Axis(quantity, width, *ends)


def sides_of(x: Sequence[str], y: Sequence[str], detectors: Detectors) -> Sides:
    """The detectors on x and on y, by names of detectors or groups; none: all.

    Raises:
        UsageError: a name that no detector or group has.
    """
    return Sides(*(frozenset(keys_of(names, detectors)) or None for names in (x, y)))


def is_symmetric(options: MatrixOptions, x: Axis, y: Axis) -> bool:
    """Whether each pair is counted in both orders; only a matrix of the same quantity in the same bins can be so.

    Raises:
        UsageError: it is asked for, and x and y differ.
    """
    if options.symmetric is None:
        return x == y and sorted(options.x or ()) == sorted(options.y or ())
    if options.symmetric and x != y:
        raise UsageError("a symmetric matrix needs the same quantity, bins and range on both axes")
    return options.symmetric


def _number(quantity: Quantity, text: str) -> float:
    """A number in a quantity's unit; of times with units of their own, too."""
    try:
        number = float(text)
    except ValueError:
        if quantity.unit not in PS_PER_UNIT:
            raise UsageError(f"'{text}' is not a number of {quantity.unit}") from None
        return parse_ps(text) / PS_PER_UNIT[quantity.unit]
    if not math.isfinite(number):
        raise UsageError(f"'{text}' is not a finite number")
    return number


def keys_of(names: Sequence[str], detectors: Detectors) -> list[Key]:
    """The detectors that some names mean: those of detectors, of groups, or several divided by commas.

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
