"""What `gammapolars peaks` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.commands.spectra_inputs import Inputs, SpectrumName, _gathered
from gammapolars.core import defaults


@app.command()
@reads_runs
def peaks(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .csv, .parquet or .arrow.")],
    calibration: Annotated[
        str | None, typer.Option("--calibration", help="Energy polynomial: keV at adc 0, keV per adc, …: 3.545,0.3965.")
    ] = None,
    significance: Annotated[
        float, typer.Option("--significance", help="Least significance of a peak, in standard deviations.")
    ] = defaults.LEAST_SIGNIFICANCE,
    reject: Reject = defaults.REJECT,
    spectrum: SpectrumName = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find the peaks of spectra, and fit their energies, widths and areas."""
    from gammapolars.commands.peaks import run
    from gammapolars.commands.peaks.text import peaks_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.core.units import parse_numbers
    from gammapolars.io import check_writable

    check_writable(output, overwrite=overwrite, text=True)
    polynomial = parse_numbers(calibration, "--calibration", at_least=2) if calibration else None
    spectra = _gathered(inputs, how, reject, spectrum, polynomial)
    summary = run.peaks(spectra, output, least_significance=significance, overwrite=overwrite)
    print_summary(summary, peaks_text, as_json=as_json)
