"""Inputs that are runs or files of spectra, for the commands that take either."""

from typing import TYPE_CHECKING, Annotated

import typer

from gammapolars.commands.options import ReadingOptions

if TYPE_CHECKING:
    from gammapolars.analysis.run_spectra import Gathered


Inputs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="Runs, as for other commands; or spectra: .spe, .chn, .txt, .csv, .parquet."),
]


SpectrumName = Annotated[
    str | None, typer.Option("--spectrum", help="Which spectrum, of a file that holds several: b0_ch3, or a TH1.")
]


def _gathered(
    inputs: list[str], how: ReadingOptions, reject: str, spectrum: str | None, calibration: tuple[float, ...] | None
) -> "Gathered":
    """The spectra of files, or of runs."""
    from gammapolars.analysis import run_spectra

    if run_spectra.are_spectra(inputs, spectrum):
        return run_spectra.from_files(inputs, how.known, spectrum=spectrum, calibration=calibration)
    with how.reading(inputs) as (opened, progress):
        return run_spectra.from_runs(opened, how.known, reject=reject, calibration=calibration, progress=progress)
