"""Spectra of what is named, for the commands that take runs or files of spectra."""

from gammapolars.analysis import run_spectra
from gammapolars.commands.options import Reading


def spectra_of(
    names: list[str],
    reading: Reading,
    *,
    reject: str,
    spectrum: str | None = None,
    calibration: tuple[float, ...] | None = None,
) -> run_spectra.SpectrumSet:
    """The spectra of files, or of runs."""
    if run_spectra.are_spectra(names, spectrum):
        return run_spectra.from_files(names, reading.known, spectrum=spectrum, calibration=calibration)
    with reading.recording(names) as recording:
        return run_spectra.from_runs(recording, reject=reject, calibration=calibration)
