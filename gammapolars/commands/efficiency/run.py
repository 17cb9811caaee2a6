"""What the command `efficiency` does: files of peaks in, efficiencies in detectors.toml, figures and a summary out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.activities import EfficiencyFit, efficiency_points, fit_efficiency, unmatched_lines
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.figure_files import FIGURE, save_figure
from gammapolars.commands.peak_files import Counted, Lines, by_detector
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.detectors import CalibrationSource, Detector, Detectors
from gammapolars.io.output import check_output, check_suffix


def efficiency_from_peaks(
    measured: Sequence[tuple[Counted, CalibrationSource]],
    detectors: Detectors,
    lines: Lines,
    *,
    order: int | None = None,
) -> dict[Key, EfficiencyFit | UsageError]:
    """The efficiency of every detector from the peaks of one or several sources.

    Args:
        measured: peaks of each source.
        detectors: tell which one the peaks are of, where a table does not.
        lines: of the sources.
        order: of the polynomial; chosen, if it is not given.

    Returns:
        By (board, channel), the fit, or why there is none.
    """
    parts: dict[Key, list[tuple[Counted, CalibrationSource, pl.DataFrame]]] = {}
    for counted, source in measured:
        for key, peaks in by_detector(counted.peaks, detectors).items():
            parts.setdefault(key, []).append((counted, source, peaks))
    found: dict[Key, EfficiencyFit | UsageError] = {}
    for key, recorded in sorted(parts.items()):
        try:
            points = [_points(counted, source, peaks, lines) for counted, source, peaks in recorded]
            fit = fit_efficiency(pl.concat(points), order=order)
            unseen = [
                warning
                for (_, source, peaks), found_there in zip(recorded, points, strict=True)
                for warning in _unseen(source, found_there, peaks, lines)
            ]
            found[key] = replace(fit, warnings=(*unseen, *fit.warnings))
        except UsageError as error:
            found[key] = error
    return found


def _points(counted: Counted, source: CalibrationSource, peaks: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    if counted.started is None:
        raise UsageError(f"the activity of source '{source.name}' needs the start of counting: give started")
    return efficiency_points(
        peaks,
        lines(source.nuclide),
        source,
        live_time_s=counted.live_time_s,
        real_time_s=counted.real_time_s,
        started=counted.started,
    )


def _unseen(source: CalibrationSource, points: pl.DataFrame, peaks: pl.DataFrame, lines: Lines) -> list[str]:
    energies = ", ".join(f"{energy:.1f}" for energy in unmatched_lines(points, peaks, lines(source.nuclide)))
    if not energies:
        return []
    return [f"'{source.name}' has no usable peak at {energies} keV: is the energy calibration right?"]


def save_efficiencies(
    measured: Sequence[tuple[Counted, CalibrationSource]],
    detectors: Detectors,
    lines: Lines,
    output: Path,
    *,
    order: int | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Fit every detector's efficiency and write detectors.toml with them.

    Args:
        measured: peaks of each source.
        detectors: that the efficiencies are added to.
        lines: of the sources.
        output: the new detectors.toml.
        order: of the polynomial; chosen, if it is not given.
        figure: a .png; with several detectors a file each, named by board and channel.
        overwrite: whether existing outputs are replaced.

    Returns:
        The summary, as `gammapolars efficiency --json` prints it.

    Raises:
        UsageError: no detector has enough peaks.
    """
    check_output(output, overwrite=overwrite)
    found = efficiency_from_peaks(measured, detectors, lines, order=order)
    fits = {key: fit for key, fit in found.items() if isinstance(fit, EfficiencyFit)}
    failed = {key: str(error) for key, error in found.items() if not isinstance(error, EfficiencyFit)}
    if not fits:
        raise UsageError(next(iter(failed.values()), "there are no peaks"))
    figures = _figure_paths(figure, list(fits))
    for path in figures.values():
        check_output(path, overwrite=overwrite)
    for key, fit in fits.items():
        detectors = detectors.replacing(fit.into(detectors.at(*key)))
    for key, path in figures.items():
        _draw(fits[key], detectors.at(*key), path, overwrite=overwrite)
    save_detectors(detectors, output, overwrite=overwrite)
    names = {key: detectors.at(*key).name for key in found}
    return {
        "detectors": [_fit_summary(detectors.at(*key), fit) for key, fit in fits.items()],
        "warnings": [f"{names[key]}: {why}" for key, why in failed.items()]
        + [f"{names[key]}: {warning}" for key, fit in fits.items() for warning in fit.warnings],
        "outputs": [str(output), *map(str, figures.values())],
    }


def _fit_summary(detector: Detector, fit: EfficiencyFit) -> dict[str, Any]:
    shown = ("source", "energy_kev", "efficiency", "efficiency_unc", "residual_percent", "residual_sigma")
    return {
        "board": detector.board,
        "channel": detector.channel,
        "name": detector.name,
        "efficiency": list(fit.coefficients),
        "efficiency_covariance": fit.covariance,
        "efficiency_range": fit.energy_range_kev,
        "order": len(fit.coefficients) - 1,
        "chi2": fit.chi2,
        "ndf": fit.ndf,
        "points": fit.points.select(shown).to_dicts(),
    }


def _figure_paths(figure: Path | None, keys: list[Key]) -> dict[Key, Path]:
    if figure is None:
        return {}
    check_suffix(figure, "figures are", (FIGURE,))
    if len(keys) == 1:
        return {keys[0]: figure}
    return {(b, c): figure.with_name(f"{figure.stem}_b{b}_ch{c}{figure.suffix}") for b, c in keys}


def _draw(fit: EfficiencyFit, detector: Detector, path: Path, *, overwrite: bool) -> None:
    from gammapolars.figures import curve_energies, efficiency

    note = f"χ²/ndf = {fit.chi2:.1f}/{fit.ndf}; band: ±1σ of the curve; bars: ±1σ of area and intensity"
    title = f"Full-energy-peak efficiency of {detector.name}"
    plot = efficiency(fit.points, fit.band(curve_energies(fit.points)), title=title, note=note)
    save_figure(plot, path, overwrite=overwrite)
