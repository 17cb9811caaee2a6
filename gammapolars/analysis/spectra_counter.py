"""Counter for the spectra of a run in a pass."""

import polars as pl

from gammapolars.analysis.accumulators import AdcSpectra, EnergySpectra
from gammapolars.analysis.recording import Recording
from gammapolars.detectors import Detectors


def spectra_counter(
    recording: Recording, mask: int, bin_kev: float | None, slice_ps: int | None = None, *, sums: bool = False
) -> AdcSpectra | EnergySpectra:
    """Counter for the spectra of a run: by adc value, or in bins of energy.

    The latter where energies were recorded or are sums, and where adc values are real numbers, of any scale.

    Args:
        recording: the run.
        mask: flags that reject a hit.
        bin_kev: the width of bins of energy, which recorded energies and sums need.
        slice_ps: the width of slices of time, if there are any.
        sums: whether energies are of several hits each.
    """
    real = "adc" in recording.schema and recording.schema["adc"].is_float()
    if bin_kev is not None and (sums or recording.has_energies or (real and recording.is_calibrated)):
        return EnergySpectra(mask, recording.detectors, bin_kev=bin_kev, sums=sums, slice_ps=slice_ps)
    recording.require_adc("counted by ADC channel")
    return AdcSpectra(mask, slice_ps)


def spectra_table(counts: AdcSpectra | EnergySpectra, detectors: Detectors, bin_kev: float | None) -> pl.DataFrame:
    """The table of spectra that was counted, as `AdcSpectra.spectra` gives it."""
    return counts.table() if isinstance(counts, EnergySpectra) else counts.spectra(detectors, bin_kev)
