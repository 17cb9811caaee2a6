"""Which peaks are the lines of a nuclide, and the efficiencies at those of sources of known activity."""

import polars as pl

from gammapolars.activities.decay import activity_at
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.detectors import AnyMoment, CalibrationSource
from gammapolars.gamma_lines import AnyLines, lines_of

LINE_COLUMNS = ("nuclide", "energy_kev", "intensity", "intensity_unc")
PEAK_COLUMNS = ("centroid_kev", "fwhm_kev", "area", "area_unc")

UNRESOLVED_FWHM = 1.0
"""A line without a peak of its own counts into the next peak, if it lies within this many of its FWHM."""


STRONG = 0.1
"""Lines with this share of the strongest one's intensity should have a peak."""


def match_peaks(
    peaks: pl.DataFrame, lines: pl.DataFrame, *, within_fwhm: float = 0.5, least_intensity: float = 1.0
) -> pl.DataFrame:
    """The peaks that are lines, with the sum of the intensities that each of them holds.

    A line belongs to the nearest peak, distances measured in FWHM, if that is not farther than one FWHM. Lines of one
    peak add up, as those of a doublet have been added up in the table: energy is then their mean by intensity. A peak
    is kept if that energy lies within `within_fwhm` of its centroid and the intensities reach `least_intensity`. Which
    peaks are kept does not depend on their areas, since weak peaks that happen to be large would be kept more often.
    Annihilation (511 keV) is left out: it comes from where positrons stop, and from all that makes pairs nearby.

    Args:
        peaks: a table of PEAKS of one detector, in keV; those whose status is not `ok` are left out.
        lines: the lines of one nuclide, or of its chain per 100 decays of the head: `nuclide`, `energy_kev`,
            `intensity` (photons per 100 decays), `intensity_unc`.
        within_fwhm: how far a peak may lie from its lines.
        least_intensity: photons per 100 decays.

    Returns:
        `nuclide`, `energy_kev`, `intensity`, `intensity_unc`, `lines` (how many), and the peak's columns, by energy.

    Raises:
        TableError: a table lacks a column.
        UsageError: the peaks are of several detectors.
    """
    check(peaks, lines)
    usable = peaks.filter(pl.col("status") == "ok") if "status" in peaks.columns else peaks
    usable = usable.filter(pl.col("fwhm_kev") > 0, pl.col("centroid_kev").is_not_null()).with_row_index("peak")
    distance = (pl.col("centroid_kev") - pl.col("energy_kev")).abs() / pl.col("fwhm_kev")
    owners = (
        emission_lines(lines)
        .select(LINE_COLUMNS)
        .with_row_index("line")
        .join(usable.select("peak", "centroid_kev", "fwhm_kev"), how="cross")
        .with_columns(distance=distance)
        .filter(pl.col("distance") <= UNRESOLVED_FWHM)
        .sort("distance", "peak")
        .unique("line", keep="first", maintain_order=True)
    )
    weight = pl.col("intensity")
    strongest = pl.col("nuclide").sort_by("intensity").last()
    sums = owners.group_by("peak").agg(
        strongest,
        energy_kev=((pl.col("energy_kev") * weight).sum() / weight.sum()).round(6),
        intensity=weight.sum(),
        intensity_unc=pl.col("intensity_unc").pow(2).sum().sqrt(),
        lines=pl.len(),
    )
    return (
        sums.join(usable, on="peak")
        .filter(distance <= within_fwhm, pl.col("intensity") >= least_intensity)
        .sort("energy_kev")
        .drop("peak")
    )


def unmatched_lines(matches: pl.DataFrame, peaks: pl.DataFrame, lines: pl.DataFrame) -> list[float]:
    """The strong lines of a nuclide, in keV, between the lowest and the highest of all peaks, that no peak was found
    for.

    Strong are those with a tenth of the strongest one's intensity; `matches` are the peaks that are lines, from
    `match_peaks`.
    """
    peak_centroids = set(matches["centroid_kev"])
    finite = peaks.filter(pl.col("fwhm_kev") > 0).drop_nulls("centroid_kev")
    if finite.is_empty():
        return []
    centroids, widths = finite["centroid_kev"].to_numpy(), finite["fwhm_kev"].to_numpy()
    unseen = []
    strong = emission_lines(lines).filter(pl.col("intensity") >= STRONG * pl.col("intensity").max())
    for energy in strong["energy_kev"]:
        distance = abs(centroids - energy) / widths
        between = centroids.min() <= energy <= centroids.max()
        near = centroids[distance <= UNRESOLVED_FWHM]
        if between and not any(centroid in peak_centroids for centroid in near):
            unseen.append(float(energy))
    return unseen


def emission_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines without annihilation."""
    return lines.filter((pl.col("energy_kev") - ANNIHILATION_KEV).abs() > 0.01, pl.col("intensity") > 0)


def check(peaks: pl.DataFrame, lines: pl.DataFrame) -> None:
    """Raise where the tables cannot be matched."""
    for table, columns, what in ((peaks, PEAK_COLUMNS, "peaks"), (lines, LINE_COLUMNS, "lines")):
        if absent := [name for name in columns if name not in table.columns]:
            kev = ": fit a spectrum that is calibrated in keV" if absent[0].endswith("_kev") else ""
            raise TableError(f"this table of {what} has no column '{absent[0]}'{kev}")
    keys = [name for name in ("board", "channel") if name in peaks.columns]
    if keys and peaks.select(keys).n_unique() > 1:
        raise UsageError("these peaks belong to several detectors: filter them by board and channel first")


PARTS = ("efficiency_unc_area", "efficiency_unc_intensity", "efficiency_unc_activity")
"""Components of a point's uncertainty: its own; that of its line, shared by all points of it; that of its source."""


def efficiency_points(
    peaks: AnyFrame,
    lines: AnyLines,
    source: CalibrationSource,
    *,
    live_time_s: float,
    started: AnyMoment,
    real_time_s: float | None = None,
    within_fwhm: float = 0.5,
    least_intensity: float = 1.0,
) -> pl.DataFrame:
    """Full-energy-peak efficiencies ε = area / (A I t) from the peaks of a source in one detector.

    A is the mean activity during counting, I the photons per decay, t the live time. Lines that one peak holds count
    together, and so do doublets of the table, by their summed intensity: over their distance ε does not change. True
    coincidence summing is not corrected: close to the detector, a nuclide that emits several photons at once gives
    efficiencies that are too low for lines of cascades and too high for crossovers. Self-absorption is not corrected
    either.

    Args:
        peaks: a table of PEAKS of one detector, calibrated in keV.
        lines: the source's lines, per 100 of its decays, as `gp.lines(source.nuclide)` gives them, or names of
            nuclides.
        source: its activity and when that was.
        live_time_s: live time, seconds.
        started: when counting began; a date without a time means its noon.
        real_time_s: real time, over which the activity decays; the live time, if it is not given.
        within_fwhm: how far a peak may lie from its lines, in FWHM.
        least_intensity: least number of photons per 100 decays in a peak.

    Returns:
        One row per peak, by energy: `energy_kev` of the lines, `efficiency`, `efficiency_unc` and its components:
        `efficiency_unc_area` (each point's own), `efficiency_unc_intensity` (common to points of one line) and
        `efficiency_unc_activity` (common to all points of one source); `source`, `nuclide`, `lines` (how many the peak
        holds), `intensity`, `intensity_unc`, `centroid_kev`, `area`, `area_unc`.

    Raises:
        TableError: a table lacks a column.
        UsageError: an impossible time, peaks of several detectors, or a half-life that is not known.
    """
    peaks, lines = eager(peaks, "table"), lines_of(lines)
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
    """The real time of counting; raises where times are impossible."""
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
            raise TableError(f"this is not a table of efficiency points: it has no column '{name}'")
