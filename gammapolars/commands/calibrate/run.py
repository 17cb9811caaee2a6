"""Energy calibrations of the detectors of runs and files: what the command `calibrate` does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from gammapolars.analysis.passes import named
from gammapolars.analysis.run_spectra import Gathered, from_runs
from gammapolars.calibration.energy import Calibration
from gammapolars.commands.calibrate.detectors import Wanted, calibrations
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.drift import run
from gammapolars.core.errors import CalibrationError
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.output_folder import check_folder, folder_complete_or_nothing

PARTS = (1, 4, 16, 32, 64)
"""Where a drift smears lines so that none can be told, they are looked for in the first of so many parts of a run."""


def check_outputs(output: Path, residuals: Path | None, figures: Path | None, *, overwrite: bool) -> None:
    """Raise at once if what `calibrate` writes could not be written later."""
    check_output(output, overwrite=overwrite)
    if residuals:
        check_writable(residuals, overwrite=overwrite)
    if figures:
        check_folder(figures, overwrite=overwrite)


def calibrate(
    spectra: Gathered,
    wanted: Wanted,
    output: Path,
    *,
    residuals: Path | None = None,
    figures: Path | None = None,
    drift: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Calibrate detectors by the lines of sources, and write detectors.toml.

    Detectors of the old file that are not calibrated now stay in it as they were.

    Args:
        spectra: of runs or files.
        wanted: what to calibrate by.
        output: the detectors.toml.
        residuals: a table of the matched lines, in .csv, .parquet or .arrow; None: none.
        figures: a folder for figures of the spectra, the residuals and the widths; None: none.
        drift: the table of drift that detectors.toml shall name, instead of the one that it names.
        overwrite: whether existing outputs are replaced.

    Returns:
        The summary, as `gammapolars calibrate --json` prints it.

    Raises:
        CalibrationError: as for `calibrations`.
    """
    check_outputs(output, residuals, figures, overwrite=overwrite)
    found, warnings = calibrations(spectra, wanted)
    table = pl.concat([one.residuals for one in found])
    known = spectra.detectors.in_folder(output.parent)
    known = replace(known, drift=drift or known.drift)
    for one in found:
        known = known.replacing(one.detector)
    summary = {
        **spectra.summary,
        "detectors": [_described(one) for one in found],
        "warnings": [*spectra.summary["warnings"], *warnings, *(text for one in found for text in _doubts(one))],
    }
    if figures:
        _draw(found, spectra, known, figures, overwrite=overwrite)
    if residuals:
        save(table.lazy(), residuals, overwrite=overwrite, metadata=lambda: spectra.metadata(summary))
    save_detectors(known, output, overwrite=overwrite)
    return summary | {"lines": table.to_dicts(), "output": str(output)}


def calibrate_drifting(
    runs: Runs,
    spectra: Gathered,
    wanted: Wanted,
    lines_kev: Sequence[float],
    output: Path,
    *,
    reject: str,
    residuals: Path | None = None,
    figures: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Calibrate detectors whose gains drift: calibrate roughly, follow lines, correct the hits, and calibrate those.

    The factors of the gains become a table beside detectors.toml, which names it, so that every command uses both.

    Args:
        runs: from `open_runs`.
        spectra: of these runs.
        wanted: what to calibrate by.
        lines_kev: energies of the lines that are followed.
        output: the detectors.toml; the table is `NAME.drift.parquet` beside it.
        reject: names of the flags that reject a hit.
        residuals: as for `calibrate`, and so are the following.
        figures: with `drift.png` beside the others.
        overwrite: whether existing outputs are replaced.

    Returns:
        The summary of `calibrate`, with that of `tracking.drift` as `drift`.
    """
    table = output.with_suffix(".drift.parquet")
    check_writable(table, overwrite=overwrite)
    rough = _rough(runs, spectra, wanted, reject)
    known = replace(spectra.detectors, drift=None)
    for one in rough:
        known = known.replacing(one.detector)
    with TemporaryDirectory() as scratch:
        tracked = Path(scratch) / table.name
        figure = Path(scratch) / "drift.png" if figures else None
        told = run.drift(runs, tracked, lines_kev, detectors=known, reject=reject, figure=figure)
        corrected = from_runs(runs, replace(known, drift=str(tracked)), reject=reject)
        summary = calibrate(
            corrected, wanted, output, residuals=residuals, figures=figures, drift=table.name, overwrite=overwrite
        )
        for made, final in ((tracked, table), (figure, figures and figures / "drift.png")):
            if made and final:
                with complete_or_nothing(final, overwrite=True) as hidden:
                    hidden.write_bytes(made.read_bytes())
    warnings = [text for text in told["warnings"] if text not in summary["warnings"]]
    return summary | {"warnings": [*summary["warnings"], *warnings], "drift": told | {"outputs": [str(table)]}}


def _rough(runs: Runs, spectra: Gathered, wanted: Wanted, reject: str) -> list[Calibration]:
    """Calibrations to begin with: of all hits, or where a drift smears their lines, of fewer and fewer of the first."""
    hits = int(spectra.summary["hits_read"])
    refused = None
    for part in PARTS:
        first = spectra if part == 1 else from_runs(runs, spectra.detectors, reject=reject, most_hits=hits // part)
        try:
            return calibrations(first, wanted)[0]
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
        "lines_used": used.height,
        "chi2": fit.chi2,
        "ndf": fit.ndf,
        "largest_residual_kev": float(used["residual_kev"].abs().max() or 0.0),  # type: ignore[arg-type]
        "fwhm": list(resolution.coefficients) if resolution else None,
        "evidence": one.match.evidence if one.match.evidence < float("inf") else None,
    }


def _doubts(one: Calibration) -> list[str]:
    """What a reader should know before trusting a calibration."""
    name, doubts = one.detector.name, []
    if one.match.unseen:
        doubts.append(f"{name}: not seen: {', '.join(one.match.unseen)}")
    if one.match.missing:
        doubts.append(f"{name}: no line of {', '.join(one.match.missing)} was found")
    left_out = one.residuals.filter(pl.col("calibrate") & ~pl.col("used"))
    if left_out.height:
        energies = ", ".join(f"{energy:.1f}" for energy in left_out["energy_kev"])
        doubts.append(f"{name}: left out of the fit, for they lie off it: {energies} keV")
    return doubts


def _draw(found: list[Calibration], spectra: Gathered, known: Detectors, folder: Path, *, overwrite: bool) -> None:
    """Spectra with their lines, residuals and widths, as PNG files in a folder."""
    from gammapolars import figures
    from gammapolars.figures import png

    matched = pl.concat([one.residuals for one in found])
    table = spectra.table.filter(is_one_of(one.detector.key for one in found))
    counts = table.group_by("board", "channel", "adc").agg(pl.col("counts", "variance").sum())
    in_kev = counts.with_columns(energy_kev(known)).sort("board", "channel", "adc")
    curves = {one.detector.key: one.resolution.coefficients for one in found if one.resolution}
    drawn = {
        "lines.png": figures.calibration(named(in_kev, known), matched),
        "residuals_kev.png": figures.residuals(matched),
        "residuals_sigma.png": figures.residuals(matched, in_sigma=True),
        "resolution.png": figures.resolution(matched, curves),
    }
    with folder_complete_or_nothing(folder, overwrite=overwrite) as partial:
        for name, plot in drawn.items():
            (partial / name).write_bytes(png(plot))
