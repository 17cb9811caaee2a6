"""What the command `activity` does: a file of peaks in, activities or their limits out."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.activities import EfficiencyCurve, NuclideActivity, activity_of
from gammapolars.commands.peak_files import Counted, Lines, by_detector
from gammapolars.core.errors import UsageError
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detector, Detectors
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.spectrum_files import read_spectrum


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
