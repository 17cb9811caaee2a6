"""What `gammapolars spectrum` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import (
    AsJson,
    Overwrite,
    Reject,
    Runs,
    app,
)
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def spectrum(
    runs: Runs,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Ends in .spe, .chn, .txt, .csv, .parquet, .root or .png."),
    ],
    bin_kev: Annotated[
        float | None, typer.Option("--bin-kev", help="Bins of energy of this width, instead of adc values.")
    ] = None,
    reject: Reject = defaults.REJECT,
    slice_width: Annotated[
        str | None, typer.Option("--slice", help="A spectrum for each slice of time, such as 10min: .parquet, .csv.")
    ] = None,
    per_second: Annotated[
        bool, typer.Option("--per-second", help="Counts per second of live time, where it is known.")
    ] = False,
    format: Annotated[str | None, typer.Option("--format", help="radware, for a .spe of RadWare's gf3.")] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the spectrum of each detector; in .spe, .chn and .txt, of several detectors a file each."""
    from gammapolars.commands.spectrum import run
    from gammapolars.commands.spectrum.text import spectra_text
    from gammapolars.commands.summaries import print_summary

    with how.reading(runs) as (opened, progress):
        summary = run.spectra(
            opened,
            output,
            reject=reject,
            detectors=how.known,
            bin_kev=bin_kev,
            slice_width=slice_width,
            per_second=per_second,
            format=format,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, spectra_text, as_json=as_json)
