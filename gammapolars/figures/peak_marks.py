"""Marks at gamma lines and peaks in spectra, with their names."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from gammapolars.figures import theme as house
from gammapolars.figures.axes import number_labels
from gammapolars.figures.labels import peak_labels
from gammapolars.figures.style import FigureStyle

LETTER = 7.0
"""Size of the letters, in points."""

LABELLED = 80
"""At most this many peaks of a spectrum are marked, the largest."""

NEAR = 0.004
"""How far from a line, as part of the axis, the bin that is its tip may be."""

SHORT_KINDS = {
    "full energy": "",
    "annihilation": "annihilation",
    "single escape": "SE",
    "double escape": "DE",
    "Compton edge or hump": "hump",
    "unknown": "",
}
"""Names of the kinds of peaks in labels; others by their own names."""

CLAIMED = ("full energy", "annihilation")


def line_marks(frame: pl.DataFrame, lines: Mapping[float, str], style: FigureStyle) -> list[Any]:
    """Labels at gamma lines in the calibrated facets.

    Args:
        frame: histograms: `axis`, `facet`, `x`, `left`, `right`, `counts`.
        lines: labels by energy in keV.
        style: style of the figure.
    """
    calibrated = frame.filter(axis="keV")
    if not lines or calibrated.is_empty():
        return []
    marks = pl.DataFrame(
        {"at": list(lines), "label": [house.plain(text) for text in lines.values()]},
        schema={"at": pl.Float64, "label": pl.String},
    )
    marks = marks.join(calibrated.select("facet").unique(maintain_order=True), how="cross")
    marks = marks.with_columns(reach=pl.lit(None, pl.Float64))
    return _labels(_with_tips(marks, calibrated, style), {})


def peak_marks(frame: pl.DataFrame, peaks: pl.DataFrame | None, style: FigureStyle) -> list[Any]:
    """Labels at peaks: the nuclide and energy where they are known, else the centroid and the kind.

    Peaks of a table with `board` and `channel` are in the facet of their detector; those without in all of them.

    Args:
        frame: histograms: `board`, `channel`, `axis`, `facet`, `x`, `left`, `right`, `counts`.
        peaks: of PEAKS, perhaps with `kind`, `nuclide` and `line_kev`.
        style: style of the figure.
    """
    if peaks is None or peaks.is_empty():
        return []
    if "status" in peaks.columns:
        peaks = peaks.filter(pl.col("status").fill_null("ok") != "failed")
    units = [unit for unit in ("kev", "adc") if f"centroid_{unit}" in peaks.columns]
    if not units:
        return []
    marks = pl.concat(_rows(frame, peaks, {"kev": "keV", "adc": "adc"}[unit], unit) for unit in units)
    colours = {row["label"]: house.QUIET for row in marks.filter(~pl.col("claimed")).iter_rows(named=True)}
    return _labels(_with_tips(marks, frame, style), colours)


def _rows(frame: pl.DataFrame, peaks: pl.DataFrame, axis: str, unit: str) -> pl.DataFrame:
    """The peaks in the facets of one unit: `facet`, `at`, `reach`, `label`, `claimed`."""
    keys = ["board", "channel"]
    facets = frame.filter(axis=axis).select(*keys, "facet").unique(maintain_order=True)
    has_own = all(key in peaks.columns for key in keys) and bool((facets["facet"] != "").any())
    if has_own:
        whole = pl.col(keys).cast(pl.Int64)
        joined = peaks.with_columns(whole).join(facets.with_columns(whole), on=keys, maintain_order="left")
    else:
        joined = peaks.drop(keys, strict=False).join(facets.select("facet"), how="cross")
    joined = joined.filter(pl.col(f"centroid_{unit}").is_finite())
    largest = joined.sort("area", descending=True, maintain_order=True).group_by("facet", maintain_order=True)
    shown = largest.head(LABELLED)
    kind = shown["kind"] if "kind" in shown.columns else pl.Series("kind", ["full energy"] * shown.height, pl.String)
    texts = [peak_text(row, unit) for row in shown.iter_rows(named=True)]
    fwhm = pl.col(f"fwhm_{unit}") if f"fwhm_{unit}" in shown.columns else pl.lit(None, pl.Float64)
    return shown.select(
        "facet",
        at=pl.col(f"centroid_{unit}"),
        reach=0.7 * fwhm,
        label=pl.Series(texts, dtype=pl.String),
        claimed=kind.fill_null("full energy").is_in(CLAIMED),
    )


def peak_text(peak: Mapping[str, Any], unit: str = "kev") -> str:
    """The name of a peak in a figure: `Co-60 1173.2`, `511.0 annihilation`, `1592.4 DE`, or only its centroid."""
    place = float(peak[f"centroid_{unit}"])
    at = f"{place:.1f}" if unit == "kev" else number_labels([round(place)])[0]
    if peak.get("nuclide") and peak.get("line_kev") and unit == "kev":
        return house.plain(f"{peak['nuclide']} {peak['line_kev']:.1f}")
    kind = peak.get("kind") or ""
    return house.plain(" ".join(part for part in (at, SHORT_KINDS.get(kind, kind)) if part))


def _with_tips(marks: pl.DataFrame, frame: pl.DataFrame, style: FigureStyle) -> pl.DataFrame:
    """Marks with `x` and `counts`, the tip of the spectrum near `at`; those outside the figure are left out.

    The tip is looked for as far as `reach`, which neighbours of a peak lie outside of.
    """
    low, high = style.range_x or (float(frame["x"].min()), float(frame["x"].max()))  # type: ignore[arg-type]
    marks = marks.filter(pl.col("at").is_between(low, high))
    bins = frame.group_by("facet", "x").agg(pl.col("counts").max(), half=(pl.col("right") - pl.col("left")).max() / 2)
    tips = []
    for facet, at, reach in marks.select("facet", "at", "reach").iter_rows():
        off = (pl.col("x") - at).abs() - pl.col("half")
        # One detector's bins at a time: marks are few.
        tips.append(bins.filter(pl.col("facet") == facet, off <= (reach or NEAR * (high - low)))["counts"].max())
    counts = pl.Series("counts", tips, pl.Float64)
    return marks.with_columns(counts, x=pl.col("at")).drop_nulls("counts").sort("counts", descending=True)


CROWD = 3
"""So many labels find room next to the tips of their peaks."""

FEW_ROOM, MOST_ROOM = 0.14, 0.55
"""Part of the axis of a spectrum that is kept free above it for few and for many labels."""

NEAR_TOP = 0.2
"""Peaks that end in this uppermost part of the axis have no room for a label above them."""


def room_for_labels(labels: list[Any], highest: float, floor: float | None, panel: float) -> float:
    """The part of the axis that is kept free above a spectrum, which begins at `floor` if it is logarithmic.

    Where a few peaks rise to the top, their labels have room next to them; where there are many, above. The panel is
    `panel` inches high.
    """
    if not labels:
        return 0.04
    tips = pl.concat([layer.data.select("facet", "counts", "label") for layer in labels])
    near = highest * (floor / highest) ** NEAR_TOP if floor else (1 - NEAR_TOP) * highest
    at_top = tips.filter(pl.col("counts") > near)
    if at_top.group_by("facet").len().filter(pl.col("len") > CROWD).is_empty():
        return FEW_ROOM
    longest = max(map(len, at_top["label"]))
    need = (0.66 * longest + 2) * LETTER / 72 / panel
    return min(MOST_ROOM, need / max(1 - need, 0.1))


def _labels(marks: pl.DataFrame, colours: Mapping[str, str]) -> list[Any]:
    return [peak_labels(marks, "x", "counts", size=LETTER, colours=colours)] if marks.height else []
