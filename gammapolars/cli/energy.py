"""Commands on energies: peaks of spectra, calibrations, gamma lines and cascades."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammapolars import defaults
from gammapolars.cli.app import AsJson, Overwrite, Reject, app
from gammapolars.options import ReadingOptions, reads_runs

if TYPE_CHECKING:
    from gammapolars.gathered import Gathered

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="Runs, as for other commands; or spectra: .spe, .chn, .txt, .csv, .parquet."),
]
SpectrumName = Annotated[
    str | None, typer.Option("--spectrum", help="Which spectrum, of a file that holds several: b0_ch3, or a TH1.")
]


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
    from gammapolars import energies
    from gammapolars.energy_text import peaks_text
    from gammapolars.io import check_writable
    from gammapolars.printing import print_summary
    from gammapolars.units import parse_numbers

    check_writable(output, overwrite=overwrite, text=True)
    polynomial = parse_numbers(calibration, "--calibration", at_least=2) if calibration else None
    spectra = _gathered(inputs, how, reject, spectrum, polynomial)
    summary = energies.peaks(spectra, output, least_significance=significance, overwrite=overwrite)
    print_summary(summary, peaks_text, as_json=as_json)


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
    from gammapolars import calibrating, calibrations, gathered
    from gammapolars.calibration.by_hand import parse_pairs
    from gammapolars.energy_text import calibration_text
    from gammapolars.printing import print_summary

    wanted = calibrations.Wanted(
        calibrations.lines_of(source), order=order, pairs=parse_pairs(lines) if lines else None, only=tuple(only or ())
    )
    calibrating.check_outputs(output, residuals, figures, overwrite=overwrite)
    spectra = _gathered(inputs, how, reject, spectrum, None)
    outputs: dict[str, Any] = {"residuals": residuals, "figures": figures, "overwrite": overwrite}
    if track:
        if gathered.are_spectra(inputs, spectrum):
            raise typer.BadParameter(
                "a drift is followed through the hits of a run, not in a spectrum: leave --track out"
            )
        summary = calibrating.calibrate_drifting(
            how.open(inputs), spectra, wanted, track, output, reject=reject, **outputs
        )
    else:
        summary = calibrating.calibrate(spectra, wanted, output, **outputs)
    print_summary(summary, calibration_text, as_json=as_json)


@app.command()
def lines(
    nuclide: Annotated[
        str | None, typer.Argument(metavar="NUCLIDE|KEV", help="Eu-152, Ra-226 for its chain, or an energy in keV.")
    ] = None,
    within: Annotated[float, typer.Option("--within", help="Around an energy: how far lines may lie, in keV.")] = 3.0,
    cascades: Annotated[
        bool, typer.Option("--cascades", help="Pairs of photons from one decay, with gammapolars[nuclear].")
    ] = False,
    least: Annotated[
        float | None, typer.Option("--least", help="Photons, or pairs, per 100 decays; of pairs 0.1 if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show gamma lines of a nuclide or near an energy, with uncertainties; without a name, which nuclides there are."""
    from gammapolars import gamma_lines, lines_text
    from gammapolars.gamma_lines import cascades as pairs
    from gammapolars.printing import print_summary

    energy = _energy(nuclide)
    summary: dict[str, Any]
    if cascades:
        if nuclide is None or energy is not None:
            raise typer.BadParameter("cascades are those of a nuclide: gammapolars lines Co-60 --cascades")
        least = pairs.NOTABLE if least is None else least
        name, found = pairs.canonical(nuclide), pairs.cascades(nuclide, least_coincidences=least)
        summary = {"nuclide": name, "cascades": found.to_dicts()}
        text = lines_text.cascades_text(name, found, least)
    elif nuclide is None:
        summary = {"nuclides": gamma_lines.nuclides()}
        text = lines_text.names_text(gamma_lines.nuclides())
    elif energy is not None:
        found = gamma_lines.nearest_lines(energy, within_kev=within, least_intensity=least or 0.0)
        summary = {"energy_kev": energy, "within_kev": within, "lines": found.to_dicts()}
        text = lines_text.near_text(energy, within, found)
    else:
        name, found = gamma_lines.canonical(nuclide), gamma_lines.lines(nuclide, least_intensity=least or 0.0)
        summary = {"nuclide": name, "lines": found.to_dicts()}
        text = lines_text.nuclide_text(name, found)
    print_summary(summary, lambda _: text, as_json=as_json)


def _energy(text: str | None) -> float | None:
    """The number of keV that an argument is, if it is one."""
    try:
        return float(text or "")
    except ValueError:
        return None


def _gathered(
    inputs: list[str], how: ReadingOptions, reject: str, spectrum: str | None, calibration: tuple[float, ...] | None
) -> "Gathered":
    """The spectra of files, or of runs."""
    from gammapolars import gathered

    if gathered.are_spectra(inputs, spectrum):
        return gathered.from_files(inputs, how.known, spectrum=spectrum, calibration=calibration)
    with how.reading(inputs) as (opened, progress):
        return gathered.from_runs(opened, how.known, reject=reject, calibration=calibration, progress=progress)
