"""Full-energy-peak efficiencies at the lines of sources of known activity."""

from datetime import date

import polars as pl

from gammapolars.activities.decay import activity_at
from gammapolars.activities.matching import match_peaks
from gammapolars.core.errors import TableError, UsageError
from gammapolars.detectors import CalibrationSource

PARTS = ("efficiency_unc_area", "efficiency_unc_intensity", "efficiency_unc_activity")
"""What a point's uncertainty consists of: its own; that of its line, in all points of it; that of its source."""


def efficiency_points(
    peaks: pl.DataFrame,
    lines: pl.DataFrame,
    source: CalibrationSource,
    *,
    live_time_s: float,
    started: date,
    real_time_s: float | None = None,
    within_fwhm: float = 0.5,
    least_intensity: float = 1.0,
) -> pl.DataFrame:
    """Full-energy-peak efficiencies ε = area / (A I t) from the peaks of a source in one detector.

    A is the mean activity while counting, I the photons per decay, t the live time. Lines that one peak holds count
    together, and so do doublets of the table, by their summed intensity: over their distance ε does not change. True
    coincidence summing is not corrected: close to the detector, a nuclide that emits several photons at once gives
    efficiencies that are too low for lines of cascades and too high for crossovers. Nor is self-absorption.

    Args:
        peaks: a table of PEAKS of one detector, calibrated in keV.
        lines: the source's lines, per 100 of its decays, as `gp.lines(source.nuclide)` gives them.
        source: its activity and when that was.
        live_time_s: live time, seconds.
        started: when counting began; a date alone means its noon.
        real_time_s: real time, over which the activity decays; the live time, if it is not given.
        within_fwhm: how far a peak may lie from its lines, in FWHM.
        least_intensity: photons per 100 decays that a peak must hold.

    Returns:
        A row a peak, by energy: `energy_kev` of the lines, `efficiency`, `efficiency_unc` and what it consists of:
        `efficiency_unc_area` (each point's own), `efficiency_unc_intensity` (common to points of one line) and
        `efficiency_unc_activity` (common to all points of one source); `source`, `nuclide`, `lines` (how many the peak
        holds), `intensity`, `intensity_unc`, `centroid_kev`, `area`, `area_unc`.

    Raises:
        TableError: a table lacks a column.
        UsageError: a time that cannot be, peaks of several detectors, or a half-life that is not known.
    """
    counting = check_times(live_time_s, real_time_s)
    activity = activity_at(source, started, counting_s=counting)
    table = match_peaks(peaks, lines, within_fwhm=within_fwhm, least_intensity=least_intensity)
    efficiency = pl.col("area") / (activity.value * live_time_s * pl.col("intensity") / 100)
    parts = (
        (pl.col("efficiency") * pl.col("area_unc") / pl.col("area")).alias(PARTS[0]),
        (pl.col("efficiency") * pl.col("intensity_unc") / pl.col("intensity")).alias(PARTS[1]),
        (pl.col("efficiency") * activity.unc / activity.value).alias(PARTS[2]),
    )
    return (
        table.filter(pl.col("area") > 0, pl.col("area_unc") > 0)
        .with_columns(efficiency=efficiency, source=pl.lit(source.name))
        .with_columns(parts)
        .with_columns(efficiency_unc=pl.sum_horizontal(pl.col(name).pow(2) for name in PARTS).sqrt())
        .select(
            *("energy_kev", "efficiency", "efficiency_unc", *PARTS, "source", "nuclide", "lines"),
            *("intensity", "intensity_unc", "centroid_kev", "area", "area_unc"),
        )
    )


def check_times(live_time_s: float, real_time_s: float | None) -> float:
    """The real time of counting; raises where times cannot be."""
    if not 0 < live_time_s < float("inf"):
        raise UsageError(f"the live time must be more than 0 s, not {live_time_s}")
    if real_time_s is None:
        return live_time_s
    if not live_time_s <= real_time_s < float("inf"):
        raise UsageError(f"a real time of {real_time_s} s is shorter than the live time of {live_time_s} s")
    return real_time_s


def check_points(points: pl.DataFrame) -> None:
    """Raise where a table does not hold efficiency points."""
    for name in ("energy_kev", "efficiency", *PARTS, "source", "nuclide"):
        if name not in points.columns:
            raise TableError(f"this is no table of efficiency points: it has no column '{name}'")
