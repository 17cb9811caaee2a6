"""Energy calibrations of the detectors of runs and files: the command `calibrate`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import typer

from gammapolars.analysis.accounting import HitAccount, Times
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.run_spectra import SpectrumSet, are_spectra, from_runs
from gammapolars.analysis.summaries import Summary
from gammapolars.calibration.energy import OFF, Calibration, Hints, parse_pairs
from gammapolars.commands.calibrate.detectors import Basis, calibrations, lines_of, lines_without
from gammapolars.commands.calibrate.parse import CalibrateOptions
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.drifts import DriftSummary, follow
from gammapolars.commands.spectra_inputs import spectra_of
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.records import Rows, optional
from gammapolars.core.units import parse_range
from gammapolars.corrections import Selection, energy_kev
from gammapolars.detectors import Detectors, named
from gammapolars.detectors.hits import is_one_of
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_output, write_bytes
from gammapolars.io.output_folder import check_folder, folder_complete_or_nothing
from gammapolars.io.transaction import outputs_at_once

_CURVES = {1: "straight line", 2: "parabola", 3: "cubic"}

PARTS = (1, 4, 16, 32, 64)
"""Where a drift smears all lines, they are looked for in the first of this many parts of a run."""


@dataclass(frozen=True, kw_only=True)
class CalibrateSummary(Summary):
    """The calibrations of detectors.

    Attributes:
        account: where every hit went, of runs.
        times: when hits were recorded, of runs.
        detectors: of each one that was calibrated `name`, `board`, `channel`, `order`, the polynomial `energy` (keV)
            with `energy_covariance` and `energy_range` (adc; that of the lines), the `data_range` (adc), `lines_used`,
            `chi2`, `ndf`, `largest_residual_kev` (both null where no degree of freedom tests the polynomial), the
            coefficients of `fwhm`, and the `evidence` for the match of its lines.
        lines: those that were matched: `board`, `channel`, `name`, `run`, `nuclide`, `energy_kev`, `energy_kev_unc`,
            `adc`, `adc_unc`, `fitted_kev`, `residual_kev`, `residual_sigma`, `fwhm_kev`, `fwhm_kev_unc`, `area`,
            `area_unc`, whether they are fit to `calibrate`, whether they were `used`, and the `reason` where not.
        drift: how gains drift, where that was followed.
    """

    account: HitAccount | None = optional()
    times: Times | None = optional()
    detectors: Rows
    lines: pl.DataFrame | None = optional()
    drift: DriftSummary | None = optional()


def calibrate(options: CalibrateOptions) -> CalibrateSummary:
    """Calibrate detectors by the lines of sources, and write detectors.toml."""
    pairs = parse_pairs(options.lines) if options.lines else None
    lines = lines_of(options.source)
    basis = Basis(
        lines,
        order=options.order,
        pairs=pairs,
        only=tuple(options.only or ()),
        without=lines_without(options.without or (), lines, pairs),
        hints=_hints(options),
    )
    check_output(options.output, overwrite=options.overwrite)
    if options.residuals:
        check_writable(options.residuals, overwrite=options.overwrite)
    if options.figures:
        check_folder(options.figures, overwrite=options.overwrite)
    spectra = spectra_of(
        options.inputs, options, reject=options.reject, spectrum=options.spectrum, recorded_energies=False
    )
    if not options.track:
        return _calibrated(spectra, basis, options)
    if are_spectra(options.inputs, options.spectrum):
        raise typer.BadParameter("drift can be tracked only in the hits of a run, not in a spectrum: leave --track out")
    return _calibrated_drifting(options.open(options.inputs), spectra, basis, options.track, options)


def _hints(options: CalibrateOptions) -> Hints:
    """Prior knowledge of gain and resolution.

    Raises:
        UsageError: they are none of a detector.
    """
    gain = parse_range(options.gain, "--gain", example="0.1:0.3") if options.gain else None
    if gain is not None and not 0 < gain[0] < gain[1] < math.inf:
        raise UsageError(
            "--gain takes a range of positive keV per ADC channel, lower value first, such as 0.1:0.3, not "
            f"'{options.gain}'"
        )
    percent = options.resolution
    if percent is not None and not 0 < percent < 100:
        raise UsageError(f"--resolution takes the relative FWHM at 662 keV in percent, such as 7, not {percent:g}")
    return Hints(gain, None if percent is None else percent / 100)


def _calibrated(
    spectra: SpectrumSet,
    basis: Basis,
    options: CalibrateOptions,
    drift: str = "",
    further_figures: Mapping[str, bytes] | None = None,
) -> CalibrateSummary:
    """Calibrate detectors; those of the old file that are not calibrated now stay in it as they were.

    Args:
        spectra: of runs or files.
        basis: of the calibration.
        options: name the files to write.
        drift: the table of drift that detectors.toml shall name, instead of the one that it names.
        further_figures: by their names, for the folder of figures.
    """
    results, warnings = calibrations(spectra, basis)
    detectors = spectra.detectors.in_folder(options.output.parent)
    detectors = replace(detectors, drift=drift or detectors.drift)
    for one in results:
        detectors = detectors.replacing(one.detector)
    shared, doubts = spectra.summary, (text for one in results for text in _doubts(one))
    shared = shared | {"warnings": (*shared["warnings"], *warnings, *doubts)}
    summary = CalibrateSummary(**shared, detectors=[_described(one) for one in results])
    lines = pl.concat([one.residuals for one in results])
    if options.figures:
        figures = _drawn(results, spectra, detectors) | dict(further_figures or {})
        with folder_complete_or_nothing(options.figures, overwrite=options.overwrite) as partial:
            for name, data in figures.items():
                (partial / name).write_bytes(data)
    if options.residuals:
        metadata = spectra.metadata(summary.to_json())
        save(lines.lazy(), options.residuals, overwrite=options.overwrite, metadata=metadata)
    save_detectors(detectors, options.output, overwrite=options.overwrite)
    return replace(summary, lines=lines).saved(options.output, options.residuals, options.figures)


def _calibrated_drifting(
    runs: Runs, spectra: SpectrumSet, basis: Basis, track: Sequence[float], options: CalibrateOptions
) -> CalibrateSummary:
    """Calibrate detectors whose gains drift: calibrate roughly, follow lines, correct the hits, and calibrate those.

    Hits are corrected to the mean gain, so that the rough calibration's errors do not enter: the new one holds for it.
    The factors of the gains become a table, `NAME.drift.parquet` next to detectors.toml, which names it, so that every
    command uses both; `drift.png` is with the other figures.
    """
    (table,) = options.further_outputs
    check_writable(table, overwrite=options.overwrite)
    detectors = replace(spectra.detectors, drift=None)
    selection = options.selection and options.selection.in_adc()
    for one in _rough(runs, spectra, basis, options.reject, selection):
        detectors = detectors.replacing(one.detector)
    with TemporaryDirectory() as scratch:
        tracked = Path(scratch) / table.name
        figure = Path(scratch) / "drift.png" if options.figures else None
        with outputs_at_once():
            moved = follow(
                Recording(runs, detectors, selection=selection),
                tracked,
                track,
                reject=options.reject,
                reference="mean",
                figure=figure,
            )
        drifting = replace(detectors, drift=str(tracked))
        corrected = from_runs(
            Recording(runs, drifting, selection=selection, recorded_energies=False), reject=options.reject
        )
        further = {figure.name: figure.read_bytes()} if figure else {}
        summary = _calibrated(corrected, basis, options, table.name, further)
        write_bytes(tracked.read_bytes(), table, overwrite=options.overwrite)
    warnings = (text for text in moved.warnings if text not in summary.warnings)
    moved = replace(moved, outputs=(str(table),))
    return replace(summary, warnings=(*summary.warnings, *warnings), drift=moved).saved(table)


def _rough(
    runs: Runs, spectra: SpectrumSet, basis: Basis, reject: str, selection: Selection | None
) -> list[Calibration]:
    """Calibrations to begin with: of all hits, or where a drift smears their lines, of fewer and fewer of the first."""
    hits = spectra.summary["account"].hits_read
    refused = None
    for part in PARTS:
        first = (
            spectra
            if part == 1
            else from_runs(
                Recording(
                    runs, spectra.detectors, selection=selection, most_hits=hits // part, recorded_energies=False
                ),
                reject=reject,
            )
        )
        try:
            return calibrations(first, basis)[0]
        except CalibrationError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _described(one: Calibration) -> dict[str, Any]:
    """A calibration as plain numbers."""
    detector, fit = one.detector, one.energy
    used = one.residuals.filter("used")
    resolution = one.resolution
    return {
        "name": detector.name,
        "board": detector.board,
        "channel": detector.channel,
        "order": fit.order,
        "energy": list(fit.coefficients),
        "energy_covariance": [list(row) for row in fit.covariance],
        "energy_range": list(fit.adc_range),
        "data_range": list(one.adc_range),
        "lines_used": used.height,
        "chi2": fit.chi2 if fit.ndf else None,
        "ndf": fit.ndf,
        "largest_residual_kev": used["residual_kev"].abs().max(),
        "fwhm": list(resolution.coefficients) if resolution else None,
        "evidence": one.match.evidence if one.match.evidence < float("inf") else None,
    }


def _doubts(one: Calibration) -> list[str]:
    """Warnings about a calibration."""
    name, doubts = one.detector.name, []
    if one.match.unseen:
        doubts.append(f"{name}: expected lines not seen: {', '.join(one.match.unseen)}")
    if one.match.missing:
        doubts.append(f"{name}: no line of {', '.join(one.match.missing)} was found")
    if not one.energy.ndf:
        doubts.append(f"{name}: {_untested(one)}")
    left_out = one.residuals.filter(pl.col("reason") == OFF)
    if left_out.height:
        energies = ", ".join(f"{energy:.1f}" for energy in left_out["energy_kev"])
        doubts.append(f"{name}: left out of the fit as outliers: {energies} keV")
    return doubts


def _untested(one: Calibration) -> str:
    """That nothing tests a polynomial through as many lines as it has coefficients, and where it is extrapolated."""
    lines = one.residuals.filter("used").height
    (low, high), (first, last) = one.energy.adc_range, one.adc_range
    if lines == 1:
        what = (
            "the gain was set by one line, and nothing tests the rest of the curve, which comes from the older "
            "calibration"
        )
    else:
        what = f"no further line tests the {_CURVES[one.energy.order]} through {lines} lines"
    beyond = [f"below ADC channel {low:,.0f} (down to {first:,.0f})"] if first < low else []
    beyond += [f"above {high:,.0f} (up to {last:,.0f})"] if last > high else []
    return what + (f"; the curve is extrapolated {' and '.join(beyond)}: add another source" if beyond else "")


def _drawn(results: list[Calibration], spectra: SpectrumSet, detectors: Detectors) -> dict[str, bytes]:
    """Spectra with their lines, residuals and widths, as PNG files by their names."""
    from gammapolars import figures
    from gammapolars.figures import png

    matched = pl.concat([one.residuals for one in results])
    table = spectra.table.filter(is_one_of(one.detector.key for one in results))
    counts = table.group_by("board", "channel", "adc").agg(pl.col("counts", "variance").sum())
    in_kev = counts.with_columns(energy_kev(detectors)).sort("board", "channel", "adc")
    curves = {one.detector.key: one.resolution.coefficients for one in results if one.resolution}
    drawn = {
        "lines.png": figures.calibration(named(in_kev, detectors), matched),
        "residuals_kev.png": figures.residuals(matched),
        "residuals_sigma.png": figures.residuals(matched, in_sigma=True),
        "resolution.png": figures.resolution(matched, curves),
    }
    return {name: png(plot) for name, plot in drawn.items()}
