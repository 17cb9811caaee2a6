"""The command `efficiency`: files of peaks in, efficiencies in detectors.toml, figures and a summary out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.activities import EfficiencyFit, efficiency_points, fit_efficiency, unmatched_lines
from gammapolars.analysis.summaries import Summary
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.efficiency.parse import EfficiencyOptions
from gammapolars.commands.figure_files import FIGURES, save_figure
from gammapolars.commands.options import described_by
from gammapolars.commands.peak_files import Lines, PeakList, by_detector, lines_from, read_peak_lists, with_sources
from gammapolars.core.errors import UsageError
from gammapolars.core.records import Rows
from gammapolars.core.types import Key
from gammapolars.detectors import CalibrationSource, Detector, Detectors
from gammapolars.io.output import check_output, check_suffix


@dataclass(frozen=True, kw_only=True)
class EfficiencySummary(Summary):
    """Efficiencies of detectors.

    Attributes:
        detectors: of each `board`, `channel`, `name`, the coefficients `efficiency` with `efficiency_covariance` and
            `efficiency_range` (keV), `order`, `chi2`, `ndf`, and the `points` that it was fitted to.
    """

    detectors: Rows


def efficiency(options: EfficiencyOptions) -> EfficiencySummary:
    """Fit every detector's efficiency and write detectors.toml with them; figures of several are a file each.

    Raises:
        UsageError: no detector has enough peaks.
    """
    check_output(options.output, overwrite=options.overwrite)
    detectors = described_by(options.detectors)
    peak_lists = read_peak_lists(options.peaks, options.live_time, options.started, options.real_time or [])
    outcomes = _efficiencies(
        with_sources(peak_lists, options.source or [], detectors),
        detectors,
        lines_from(options.lines),
        order=options.order,
    )
    fits = {key: fit for key, fit in outcomes.items() if isinstance(fit, EfficiencyFit)}
    reasons = {key: str(error) for key, error in outcomes.items() if not isinstance(error, EfficiencyFit)}
    if not fits:
        raise UsageError(next(iter(reasons.values()), "there are no peaks"))
    figures = _figure_paths(options.figure, list(fits))
    for path in figures.values():
        check_output(path, overwrite=options.overwrite)
    for key, fit in fits.items():
        detectors = detectors.replacing(fit.into(detectors.at(*key)))
    for key, path in figures.items():
        _draw(fits[key], detectors.at(*key), path, overwrite=options.overwrite)
    save_detectors(detectors, options.output, overwrite=options.overwrite)
    names = {key: detectors.at(*key).name for key in outcomes}
    return EfficiencySummary(
        inputs=tuple(map(str, options.peaks)),
        detectors=[_row(detectors.at(*key), fit) for key, fit in fits.items()],
        warnings=(
            *(f"{names[key]}: {why}" for key, why in reasons.items()),
            *(f"{names[key]}: {warning}" for key, fit in fits.items() for warning in fit.warnings),
        ),
    ).saved(options.output, *figures.values())


def _efficiencies(
    measured: Sequence[tuple[PeakList, CalibrationSource]],
    detectors: Detectors,
    lines: Lines,
    *,
    order: int | None,
) -> dict[Key, EfficiencyFit | UsageError]:
    """The efficiency by (board, channel) from the peaks of one or several sources, or why there is none."""
    parts: dict[Key, list[tuple[PeakList, CalibrationSource, pl.DataFrame]]] = {}
    for peak_list, source in measured:
        for key, peaks in by_detector(peak_list.peaks, detectors).items():
            parts.setdefault(key, []).append((peak_list, source, peaks))
    outcomes: dict[Key, EfficiencyFit | UsageError] = {}
    for key, recorded in sorted(parts.items()):
        try:
            points = [_points(peak_list, source, peaks, lines) for peak_list, source, peaks in recorded]
            fit = fit_efficiency(pl.concat(points), order=order)
            unseen = [
                warning
                for (_, source, peaks), found_there in zip(recorded, points, strict=True)
                for warning in _unseen(source, found_there, peaks, lines)
            ]
            outcomes[key] = replace(fit, warnings=(*unseen, *fit.warnings))
        except UsageError as error:
            outcomes[key] = error
    return outcomes


def _points(peak_list: PeakList, source: CalibrationSource, peaks: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    if peak_list.started is None:
        raise UsageError(f"the activity of source '{source.name}' is needed at the start of counting: give started")
    return efficiency_points(
        peaks,
        lines(source.nuclide),
        source,
        live_time_s=peak_list.live_time_s,
        real_time_s=peak_list.real_time_s,
        started=peak_list.started,
    )


def _unseen(source: CalibrationSource, points: pl.DataFrame, peaks: pl.DataFrame, lines: Lines) -> list[str]:
    energies = ", ".join(f"{energy:.1f}" for energy in unmatched_lines(points, peaks, lines(source.nuclide)))
    if not energies:
        return []
    return [f"'{source.name}' has no usable peak at {energies} keV: is the energy calibration right?"]


def _row(detector: Detector, fit: EfficiencyFit) -> dict[str, Any]:
    shown = ("source", "energy_kev", "efficiency", "efficiency_unc", "residual_percent", "residual_sigma")
    return {
        "board": detector.board,
        "channel": detector.channel,
        "name": detector.name,
        "efficiency": list(fit.coefficients),
        "efficiency_covariance": fit.covariance,
        "efficiency_range": fit.energy_range_kev,
        "order": len(fit.coefficients) - 1,
        "chi2": fit.chi2 if fit.ndf else None,
        "ndf": fit.ndf,
        "points": fit.points.select(shown).to_dicts(),
    }


def _figure_paths(figure: Path | None, keys: list[Key]) -> dict[Key, Path]:
    if figure is None:
        return {}
    check_suffix(figure, "figures are", FIGURES)
    if len(keys) == 1:
        return {keys[0]: figure}
    return {(b, c): figure.with_name(f"{figure.stem}_b{b}_ch{c}{figure.suffix}") for b, c in keys}


def _draw(fit: EfficiencyFit, detector: Detector, path: Path, *, overwrite: bool) -> None:
    from gammapolars.figures import efficiency

    save_figure(efficiency(fit, title=f"Full-energy-peak efficiency of {detector.name}"), path, overwrite=overwrite)
