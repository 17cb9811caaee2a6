"""Checks that several commands make before any work."""

from gammapolars.core.errors import UsageError
from gammapolars.spectra.bins import check_width


def check_bins(bin_kev: float | None, *, calibrated: bool) -> None:
    """Raise where bins of energy have no width, or no calibration to go by."""
    if bin_kev is None:
        return
    check_width(bin_kev)
    if not calibrated:
        raise UsageError("bins of energy need a calibration: name a detectors.toml that has one with --detectors")
