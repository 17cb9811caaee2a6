"""The command `activity`: a file of peaks in, activities or their limits out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.activities import EfficiencyCurve, NuclideActivity, activity_of
from gammapolars.analysis.summaries import Summary
from gammapolars.commands.activity.parse import ActivityOptions
from gammapolars.commands.options import described_by
from gammapolars.commands.peak_files import Lines, PeakList, by_detector, lines_from, read_peak_lists
from gammapolars.core.errors import UsageError
from gammapolars.core.records import Rows
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detector, Detectors, parse_moment
from gammapolars.io import save
from gammapolars.io.output import check_output
from gammapolars.io.spectra.measurement import require_variance
from gammapolars.io.spectrum_files import read_spectrum


@dataclass(frozen=True, kw_only=True)
class ActivitySummary(Summary):
    """Activities of nuclides.

    Attributes:
        activities: of each detector (`name`, `board`, `channel`) and `nuclide`, `at` a date (null: while counting):
            `activity_bq` with its `activity_bq_unc`, of which `counting_bq_unc`, `intensity_bq_unc`,
            `efficiency_bq_unc` and `decay_bq_unc` are parts, `critical_bq`, `detectable_bq`, whether it is `detected`,
            the `upper_limit_bq` where not, `chi2`, `ndf`, and the `lines` that it is from.
    """

    activities: Rows


def activity(options: ActivityOptions) -> ActivitySummary:
    """The activities of nuclides from every detector's peaks, or why one cannot be determined.

    Raises:
        UsageError: no detector with peaks has an efficiency, or not one activity can be determined.
    """
    if options.output is not None:
        _check_table(options.output, overwrite=options.overwrite)
    detectors = described_by(options.detectors)
    (peak_list,) = read_peak_lists(
        [options.peaks],
        [options.live_time],
        [options.started] if options.started else [],
        [] if options.real_time is None else [options.real_time],
    )
    moment = parse_moment(options.at) if options.at else None
    outcomes = list(
        _activities(peak_list, options.nuclide, detectors, lines_from(options.lines), moment, options.spectrum)
    )
    errors = [(detector, one) for detector, one in outcomes if isinstance(one, UsageError)]
    if len(errors) == len(outcomes):
        raise errors[0][1]
    measured = [(detector, one) for detector, one in outcomes if isinstance(one, NuclideActivity)]
    rows = [_row(detector, one) for detector, one in measured]
    if options.output is not None:
        _save(rows, options.output, overwrite=options.overwrite)
    return ActivitySummary(
        inputs=tuple(str(path) for path in (options.peaks, options.spectrum) if path),
        activities=rows,
        warnings=(
            *(f"{detector.name}: {error}" for detector, error in errors),
            *(f"{detector.name}: {warning}" for detector, one in measured for warning in one.warnings),
        ),
    ).saved(options.output)


def _activities(
    peak_list: PeakList, nuclides: Sequence[str], detectors: Detectors, lines: Lines, at: date | None, path: Path | None
) -> Iterator[tuple[Detector, NuclideActivity | UsageError]]:
    """The activities by detector and nuclide, or why there is none; `path` is of the spectra with the peaks."""
    parts = by_detector(peak_list.peaks, detectors)
    with_efficiency = {key: peaks for key, peaks in sorted(parts.items()) if detectors.at(*key).efficiency is not None}
    if not with_efficiency:
        raise UsageError(
            "none of the detectors with these peaks has an efficiency in detectors.toml: determine it with "
            "gammapolars efficiency"
        )
    for key, peaks in with_efficiency.items():
        detector = detectors.at(*key)
        spectrum = _spectrum_of(path, detector, alone=len(parts) == 1) if path else None
        for nuclide in nuclides:
            try:
                yield (
                    detector,
                    activity_of(
                        nuclide,
                        peaks,
                        lines(nuclide),
                        EfficiencyCurve.of(detector),
                        live_time_s=peak_list.live_time_s,
                        real_time_s=peak_list.real_time_s,
                        started=peak_list.started,
                        at=at,
                        spectrum=spectrum,
                        fwhm=detector.fwhm,
                    ),
                )
            except UsageError as error:
                yield detector, error


def _spectrum_of(path: Path, detector: Detector, *, alone: bool) -> pl.DataFrame:
    """A detector's spectrum in keV: by the file's own calibration, or by that of detectors.toml."""
    if detector.fwhm is None:
        raise UsageError(
            f"the detection limit of a line without a peak needs the FWHM of detector '{detector.name}': "
            "give fwhm in detectors.toml"
        )
    table = read_spectrum(path, None if alone else f"b{detector.board}_ch{detector.channel}").table
    require_variance(table, path)
    if detector.energy is not None and "adc" in table.columns:
        own = table.with_columns(board=pl.lit(detector.board), channel=pl.lit(detector.channel))
        return own.with_columns(energy_kev(Detectors((detector,))))
    if "energy_kev" not in table.columns:
        raise UsageError(f"{path}: is not calibrated: give the energy polynomial of the detector in detectors.toml")
    return table


def _row(detector: Detector, activity: NuclideActivity) -> dict[str, Any]:
    """An activity as plain numbers."""
    own = {"name": detector.name, "board": detector.board, "channel": detector.channel, "nuclide": activity.nuclide}
    values = {
        name: value for name, value in vars(activity).items() if name not in ("nuclide", "at", "lines", "warnings")
    }
    at = activity.at.isoformat() if activity.at else None
    values["chi2"] = activity.chi2 if activity.ndf > 0 else None
    return own | {"at": at} | values | {"lines": activity.lines.to_dicts()}


ACTIVITY_COLUMNS = (
    *("board", "channel", "name", "nuclide", "at", "activity_bq", "activity_bq_unc", "counting_bq_unc"),
    *("intensity_bq_unc", "efficiency_bq_unc", "decay_bq_unc", "critical_bq", "detectable_bq", "detected"),
    *("upper_limit_bq", "chi2", "ndf"),
)


def _check_table(output: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(f"{output}: a table of activities ends in .csv or .parquet")
    check_output(output, overwrite=overwrite)


def _save(activities: list[dict[str, Any]], output: Path, *, overwrite: bool) -> None:
    table = pl.DataFrame(activities, infer_schema_length=None).select(ACTIVITY_COLUMNS)
    table = table.with_columns(pl.col("upper_limit_bq", "chi2").cast(pl.Float64), pl.col("at").cast(pl.String))
    save(table.lazy(), output, overwrite=overwrite)
