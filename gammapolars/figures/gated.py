"""A net gated spectrum."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotnine as p9
import polars as pl

from gammapolars.core.quantities import BY_COLUMN
from gammapolars.figures import theme as house

MOST_BINS = 1500

LABELLED = 12
"""At most this many peaks have labels."""


def gated(
    spectrum: pl.DataFrame, *, title: str = "Gated spectrum", peaks: Sequence[Mapping[str, Any]] = ()
) -> p9.ggplot:
    """Net counts with the line at 0, below which they can fall; one facet a detector, where there are several.

    Args:
        spectrum: `energy_kev` or `adc` (bin centre), `counts`; `board` and `channel`, or `name`, too, where each
            detector has its own.
        title: what the figure shows.
        peaks: rows of fitted peaks, whose centroids are marked: the strongest with a label.
    """
    axis = "energy_kev" if "energy_kev" in spectrum.columns else "adc"
    table = spectrum.drop_nulls(axis)
    if table.is_empty():
        return house.no_data(title, "no data: no pair has a hit in the gate")
    by_detector = "board" in table.columns
    numbers = pl.concat_str("board", pl.lit("/"), "channel") if by_detector else pl.lit("all detectors")
    name = pl.col("name") if "name" in table.columns else numbers
    rows = _histogram(table.with_columns(facet=name), axis)
    facets = rows["facet"].n_unique()
    columns = house.columns_for(facets)
    width = float(rows[axis].unique().sort().diff().min() or 1.0)  # type: ignore[arg-type]
    return house.compose(
        p9.ggplot(rows, p9.aes(axis, "counts")),
        p9.geom_hline(yintercept=0, color=house.QUIET, size=0.4),
        p9.geom_step(direction="mid", color=house.BLUE, size=0.4),
        _marks(rows, axis, [] if by_detector else peaks),
        p9.facet_wrap("facet", ncol=columns, scales="free_y") if by_detector else p9.labs(),
        p9.scale_x_continuous(expand=(0, 0, 0.03, 0), labels=house.number_labels),
        p9.scale_y_continuous(expand=(0.02, 0, 0.12, 0), labels=house.number_labels),
        p9.labs(
            title=title,
            x=BY_COLUMN[axis].drawn_label,
            y=f"net counts per {width:.4g} {BY_COLUMN[axis].drawn_unit}",
        ),
        house.house_theme(height=house.height_for(facets, columns)),
    )


def _marks(rows: pl.DataFrame, axis: str, peaks: Sequence[Mapping[str, Any]]) -> list[object]:
    """The centroids of the strongest peaks above the spectrum, none so close to another that labels overlap."""
    unit = "kev" if axis == "energy_kev" else "adc"
    span = float(rows.select(pl.col(axis).max() - pl.col(axis).min()).item()) or 1.0
    top = float(rows["counts"].max())  # type: ignore[arg-type]
    labels: list[tuple[float, float, str]] = []
    for peak in sorted(peaks, key=lambda one: -one["area"])[:LABELLED]:
        at = float(peak[f"centroid_{unit}"])
        if all(abs(at - other) > 0.03 * span for other, _, _ in labels):
            near = rows.filter((pl.col(axis) - at).abs() < 0.01 * span)["counts"].max()
            height = float(near) if near is not None else 0.0  # type: ignore[arg-type]
            labels.append((at, height + 0.02 * top, f"{at:.1f}"))
    if not labels:
        return []
    marks = pl.DataFrame(labels, {axis: pl.Float64, "counts": pl.Float64, "label": pl.String}, orient="row")
    look = {"angle": 90, "va": "bottom", "ha": "center", "size": 7, "color": house.ORANGE}
    return [house.text(marks, p9.aes(label="label"), **look)]


def _histogram(table: pl.DataFrame, axis: str) -> pl.DataFrame:
    """All bins, those without counts too, and no more than the eye resolves: neighbours are added up."""
    centres = table[axis].unique().sort()
    steps = centres.diff().drop_nulls()
    width = float(steps.min()) if len(steps) else 1.0  # type: ignore[arg-type]
    low = float(centres[0]) - width / 2
    bins = round((float(centres[-1]) - low) / width + 0.5)
    factor = -(-bins // MOST_BINS)
    place = ((pl.col(axis) - low) / (width * factor)).floor().cast(pl.Int64)
    every = pl.DataFrame({"bin": range(-(-bins // factor))}, {"bin": pl.Int64})
    sums = table.group_by("facet", bin=place).agg(pl.col("counts").sum())
    full = table.select("facet").unique().join(every, how="cross").join(sums, on=["facet", "bin"], how="left")
    centre = low + (pl.col("bin") + 0.5) * width * factor
    return full.with_columns(pl.col("counts").fill_null(0.0), centre.alias(axis)).sort("facet", "bin")
