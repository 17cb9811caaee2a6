"""Efficiencies and activities from files of peaks: what the commands `efficiency` and `activity` do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.activities.combined import NuclideActivity, activity_of
from gammapolars.activities.curve import EfficiencyCurve
from gammapolars.activities.fit import EfficiencyFit, fit_efficiency
from gammapolars.activities.matching import missing
from gammapolars.activities.points import efficiency_points
from gammapolars.calibration import energy_kev
from gammapolars.detectors import CalibrationSource, Detector, Detectors, format_detectors
from gammapolars.errors import UsageError
from gammapolars.figure_files import FIGURE, save_figure
from gammapolars.io.output import check_output, check_suffix, complete_or_nothing
from gammapolars.io.spectrum_files import read_spectrum
from gammapolars.peak_files import Counted, Lines

Key = tuple[int, int]


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
    energies = ", ".join(f"{energy:.1f}" for energy in missing(points, peaks, lines(source.nuclide)))
    if not energies:
        return []
    return [f"'{source.name}' has no usable peak at {energies} keV: is the energy calibration right?"]


def by_detector(peaks: pl.DataFrame, detectors: Detectors) -> dict[Key, pl.DataFrame]:
    """A table of peaks by (board, channel); without these columns it is that of the only detector there is.

    Raises:
        UsageError: it does not tell, and there is not one detector.
    """
    if "channel" not in peaks.columns or peaks["channel"].null_count():
        if len(detectors) > 1:
            raise UsageError("these peaks do not tell their detector: they have no column 'channel'")
        return {next((detector.key for detector in detectors), (0, 0)): peaks}
    with_board = peaks if "board" in peaks.columns else peaks.with_columns(board=pl.lit(0, pl.UInt16))
    parts = with_board.partition_by("board", "channel", as_dict=True)
    return {(int(board), int(channel)): part for (board, channel), part in parts.items()}


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
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        hidden.write_text(format_detectors(detectors), encoding="utf-8")
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
    from gammapolars.figures.efficiency import curve_energies, efficiency

    note = f"χ²/ndf = {fit.chi2:.1f}/{fit.ndf}; band: ±1σ of the curve; bars: ±1σ of area and intensity"
    title = f"Full-energy-peak efficiency of {detector.name}"
    plot = efficiency(fit.points, fit.band(curve_energies(fit.points)), title=title, note=note)
    save_figure(plot, path, overwrite=overwrite)


def activities_from_peaks(
    counted: Counted,
    nuclides: Sequence[str],
    detectors: Detectors,
    lines: Lines,
    *,
    at: date | None = None,
    spectrum: Path | None = None,
) -> list[tuple[Detector, str, NuclideActivity | UsageError]]:
    """The activities of nuclides from every detector's peaks; or why one cannot be told.

    Args:
        counted: the peaks.
        nuclides: such as `Cs-137`.
        detectors: with their efficiencies.
        lines: of the nuclides.
        at: the moment for which the activities are wanted; None: the mean while counting.
        spectrum: a file with the spectra that the peaks were found in.

    Raises:
        UsageError: no detector with peaks has an efficiency.
    """
    parts = by_detector(counted.peaks, detectors)
    known = {key: peaks for key, peaks in sorted(parts.items()) if detectors.at(*key).efficiency is not None}
    if not known:
        raise UsageError("no detector of these peaks has an efficiency in detectors.toml: see gammapolars efficiency")
    found: list[tuple[Detector, str, NuclideActivity | UsageError]] = []
    for key, peaks in known.items():
        detector = detectors.at(*key)
        table = _spectrum_of(spectrum, detector, alone=len(parts) == 1) if spectrum else None
        for nuclide in nuclides:
            try:
                one = activity_of(
                    nuclide,
                    peaks,
                    lines(nuclide),
                    EfficiencyCurve.of(detector),
                    live_time_s=counted.live_time_s,
                    real_time_s=counted.real_time_s,
                    started=counted.started,
                    at=at,
                    spectrum=table,
                    fwhm=detector.fwhm,
                )
                found.append((detector, nuclide, one))
            except UsageError as error:
                found.append((detector, nuclide, error))
    return found


def _spectrum_of(path: Path, detector: Detector, *, alone: bool) -> pl.DataFrame:
    """A detector's spectrum in keV: by the file's own calibration, or by that of detectors.toml."""
    if detector.fwhm is None:
        raise UsageError(
            f"limits without a peak need the FWHM of detector '{detector.name}': give fwhm in detectors.toml"
        )
    table = read_spectrum(path, None if alone else f"b{detector.board}_ch{detector.channel}").table
    if detector.energy is not None and "adc" in table.columns:
        own = table.with_columns(board=pl.lit(detector.board), channel=pl.lit(detector.channel))
        return own.with_columns(energy_kev(Detectors((detector,))))
    if "energy_kev" not in table.columns:
        raise UsageError(f"{path}: is not calibrated: give the detector's energy in detectors.toml")
    return table


def activity_summary(
    counted: Counted,
    nuclides: Sequence[str],
    detectors: Detectors,
    lines: Lines,
    *,
    at: date | None = None,
    spectrum: Path | None = None,
) -> dict[str, Any]:
    """What `gammapolars activity --json` prints: a row for each detector and nuclide.

    Raises:
        UsageError: not one activity can be told.
    """
    found = activities_from_peaks(counted, nuclides, detectors, lines, at=at, spectrum=spectrum)
    errors = [(detector, nuclide, one) for detector, nuclide, one in found if isinstance(one, UsageError)]
    if len(errors) == len(found):
        raise errors[0][2]
    rows: list[dict[str, Any]] = [
        {"name": detector.name, "board": detector.board, "channel": detector.channel} | _as_json(one)
        for detector, _, one in found
        if isinstance(one, NuclideActivity)
    ]
    warnings = [f"{detector.name}: {error}" for detector, _, error in errors]
    warnings += [f"{row['name']}: {warning}" for row in rows for warning in row.pop("warnings")]
    return {"activities": rows, "warnings": warnings}


def _as_json(found: NuclideActivity) -> dict[str, Any]:
    values = {name: value for name, value in vars(found).items() if name not in ("lines", "at")}
    at = found.at.isoformat() if found.at else None
    return {"nuclide": values.pop("nuclide"), "at": at} | values | {"lines": found.lines.to_dicts()}


ACTIVITY_COLUMNS = (
    *("board", "channel", "name", "nuclide", "at", "activity_bq", "activity_bq_unc", "counting_bq_unc"),
    *("intensity_bq_unc", "efficiency_bq_unc", "decay_bq_unc", "critical_bq", "detectable_bq", "detected"),
    *("upper_limit_bq", "chi2", "ndf"),
)


def check_table(output: Path, *, overwrite: bool) -> None:
    """Raise before any work is done where a table of activities cannot be written."""
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(f"{output}: a table of activities ends in .csv or .parquet")
    check_output(output, overwrite=overwrite)


def save_activities(summary: dict[str, Any], output: Path, *, overwrite: bool = False) -> None:
    """Write the activities of a summary as a table, .csv or .parquet."""
    check_table(output, overwrite=overwrite)
    table = pl.DataFrame(summary["activities"], infer_schema_length=None).select(ACTIVITY_COLUMNS)
    table = table.with_columns(pl.col("upper_limit_bq").cast(pl.Float64), pl.col("at").cast(pl.String))
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        table.write_csv(hidden) if output.suffix.lower() == ".csv" else table.write_parquet(hidden)
