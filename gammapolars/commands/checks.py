"""Checks that several commands make before any work."""

from collections.abc import Collection, Mapping
from numbers import Integral, Real
from typing import Any

from gammapolars.commands.given import is_given
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, ENERGY
from gammapolars.spectra.bins import check_width


def check_bins(bin_kev: float | None, *, calibrated: bool) -> None:
    """Raise where bins of energy have no width, or no calibration to go by."""
    if bin_kev is None:
        return
    check_width(bin_kev)
    if not calibrated:
        raise UsageError("energy bins need a calibration: give a detectors.toml that contains one with --detectors")


def is_energy(unit: str, what: str) -> bool:
    """Whether `--unit` asks for energies; else it asks for channels.

    Raises:
        UsageError: it is neither keV nor adc; `what` is in one of them.
    """
    if unit not in (ENERGY.unit, ADC.unit):
        raise UsageError(f"unknown unit '{unit}': {what} are in {ENERGY.unit} or {ADC.unit}")
    return unit == ENERGY.unit


def refuse(options: Any, names: Mapping[str, str], why: str) -> None:
    """Raise where options are given that do not go with the input; the error names all of them.

    Args:
        options: of the command.
        names: the fields of these options, by the words that the command line has for them.
        why: they do not go with it.

    Raises:
        UsageError: some are given.
    """
    if given := [word for word, name in names.items() if is_given(options, name)]:
        raise UsageError(f"{why}: leave {' and '.join(given)} out")


def check_numbers(numbers: Mapping[str, Any], *, whole: Collection[str] = ()) -> None:
    """Raise where an argument of a function is no number, or not a whole one; the command line takes nothing else.

    Args:
        numbers: arguments by their names; None: not given.
        whole: names of those that count something.

    Raises:
        UsageError: the first that is none, by its name.
    """
    for name, value in numbers.items():
        kind: type = Integral if name in whole else Real
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise UsageError(f"{name} is {'a whole' if name in whole else 'a'} number, not {value!r}")
