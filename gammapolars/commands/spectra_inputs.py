"""Spectra from the inputs named, for the commands that take runs or files of spectra."""

from gammapolars.analysis import run_spectra
from gammapolars.commands.checks import refuse
from gammapolars.commands.options import OF_SELECTION, Reading


def spectra_of(
    names: list[str],
    reading: Reading,
    *,
    reject: str,
    spectrum: str | None = None,
    calibration: tuple[float, ...] | None = None,
    recorded_energies: bool = True,
) -> run_spectra.SpectrumSet:
    """The spectra of files, or of runs: only in channels, where recorded energies are not wanted."""
    if run_spectra.are_spectra(names, spectrum):
        refuse(reading, OF_SELECTION, f"{names[0]} contains spectra, not single hits")
        return run_spectra.from_files(names, reading.known, spectrum=spectrum, calibration=calibration)
    with reading.recording(names) as opened:
        recording = opened if recorded_energies else opened.in_adc()
        return run_spectra.from_runs(recording, reject=reject, calibration=calibration)
