"""Checks that several commands make before any work."""

from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, ENERGY
from gammapolars.spectra.bins import check_width


def check_bins(bin_kev: float | None, *, calibrated: bool) -> None:
    """Raise where bins of energy have no width, or no calibration to go by."""
    if bin_kev is None:
        return
    check_width(bin_kev)
    if not calibrated:
        raise UsageError("bins of energy need a calibration: name a detectors.toml that has one with --detectors")


def is_energy(unit: str, what: str) -> bool:
    """Whether `--unit` asks for energies; else it asks for channels.

    Raises:
        UsageError: it is neither keV nor adc; `what` is in one of them.
    """
    if unit not in (ENERGY.unit, ADC.unit):
        raise UsageError(f"unknown unit '{unit}': {what} are in {ENERGY.unit} or {ADC.unit}")
    return unit == ENERGY.unit
