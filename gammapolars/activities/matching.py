"""Which peaks are the lines of a nuclide."""

import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import TableError, UsageError

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
    """The strong lines, in keV, between the lowest and the highest peak that no peak was found for.

    Args:
        matches: peaks that are lines, from `match_peaks`: their `centroid_kev`.
        peaks: all peaks.
        lines: of the nuclide; those with a tenth of the strongest one's intensity are strong.
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
    """Raise where the tables are not what matching needs."""
    for table, columns, what in ((peaks, PEAK_COLUMNS, "peaks"), (lines, LINE_COLUMNS, "lines")):
        if absent := [name for name in columns if name not in table.columns]:
            kev = ": fit a spectrum that is calibrated in keV" if absent[0].endswith("_kev") else ""
            raise TableError(f"this table of {what} has no column '{absent[0]}'{kev}")
    keys = [name for name in ("board", "channel") if name in peaks.columns]
    if keys and peaks.select(keys).n_unique() > 1:
        raise UsageError("these peaks are of several detectors: filter them by board and channel first")
