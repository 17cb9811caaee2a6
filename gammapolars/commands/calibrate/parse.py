"""Commands on energies: peaks of spectra, calibrations, gamma lines and cascades."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.commands.spectra_inputs import Inputs, SpectrumName, _gathered
from gammapolars.core import defaults

if TYPE_CHECKING:
    pass


@app.command()
@reads_runs
def calibrate(
    inputs: Inputs,
    source: Annotated[list[str], typer.Option("--source", help="A source that was measured: Eu-152. May be repeated.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The detectors.toml to write.")],
    order: Annotated[
        int | None, typer.Option("--order", help="Of the polynomial, 1 to 3; chosen if it is not given.")
    ] = None,
    lines: Annotated[
        list[str] | None,
        typer.Option("--lines", help="Pairs by hand: ADC=KEV,ADC=KEV; for one detector BOARD/CHANNEL:ADC=KEV,…"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Calibrate this detector alone: its name, or board/channel.")
    ] = None,
    residuals: Annotated[
        Path | None, typer.Option("--residuals", help="Table of the lines: .csv, .parquet or .arrow.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for figures of lines, residuals and widths.")
    ] = None,
    track: Annotated[
        list[float] | None,
        typer.Option("--track", metavar="KEV", help="Gains drift: follow this line, and calibrate corrected hits."),
    ] = None,
    reject: Reject = defaults.REJECT,
    spectrum: SpectrumName = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate detectors by the lines of sources: from raw adc values, or from an older --detectors file."""
    from gammapolars.analysis import run_spectra
    from gammapolars.calibration.energy import parse_pairs
    from gammapolars.commands.calibrate import detectors, run
    from gammapolars.commands.calibrate.text import calibration_text
    from gammapolars.commands.summaries import print_summary

    wanted = detectors.Wanted(
        detectors.lines_of(source), order=order, pairs=parse_pairs(lines) if lines else None, only=tuple(only or ())
    )
    run.check_outputs(output, residuals, figures, overwrite=overwrite)
    spectra = _gathered(inputs, how, reject, spectrum, None)
    outputs: dict[str, Any] = {"residuals": residuals, "figures": figures, "overwrite": overwrite}
    if track:
        if run_spectra.are_spectra(inputs, spectrum):
            raise typer.BadParameter(
                "a drift is followed through the hits of a run, not in a spectrum: leave --track out"
            )
        summary = run.calibrate_drifting(how.open(inputs), spectra, wanted, track, output, reject=reject, **outputs)
    else:
        summary = run.calibrate(spectra, wanted, output, **outputs)
    print_summary(summary, calibration_text, as_json=as_json)
