"""A table of peaks as a figure: areas over energy, and the kinds of peaks."""

import plotnine as p9
import polars as pl

from gammapolars.core.quantities import ADC, ENERGY
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import facets_of
from gammapolars.figures.finish import finish, is_inside
from gammapolars.figures.labels import peak_labels
from gammapolars.figures.panels import panels
from gammapolars.figures.peak_marks import CLAIMED, peak_text
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected, require, with_detectors

SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "h")


def peaks(frame: Frame, *, title: str = "Peaks", style: FigureStyle = SCREEN) -> p9.ggplot:
    """The areas of peaks on a logarithmic scale with bars of ±1σ, one facet per detector.

    Args:
        frame: table of PEAKS, optionally with `kind`, `nuclide` and `line_kev` of `gp.peak_kinds`, shown by symbols.
        title: title of the figure.
        style: style of the figure.
    """
    table = collected(frame)
    require(table, "peaks", ("area", "area_unc"))
    unit = next((unit for unit in ("kev", "adc") if f"centroid_{unit}" in table.columns), "kev")
    require(table, "peaks", (f"centroid_{unit}",))
    at = pl.col(f"centroid_{unit}")
    table = with_detectors(table).filter(at.is_finite() & (pl.col("area") > 0) & is_inside(at, style.range_x))
    if table.is_empty():
        return house.no_data(title, "no data: there are no peaks", style)
    facets = facets_of(table, style)
    points = _points(facets.join(table), unit)
    kinds = [str(kind) for kind in points["kind"].unique(maintain_order=True)]
    floor = bins.log_floor(points["bottom"].clip(lower_bound=0).append(points["area"]))
    several = facets.number > 1 or facets.labels["name"][0] != ""
    plot = house.compose(
        p9.ggplot(points, p9.aes("at", "area")),
        p9.geom_linerange(
            p9.aes(ymin="base", ymax="area"), data=points.with_columns(base=pl.lit(floor)), color=house.SKY
        ),
        p9.geom_linerange(p9.aes(ymin="bottom", ymax="top"), color=house.INK, size=0.6),
        p9.geom_point(p9.aes(shape="kind", color="kind"), size=1.8, fill="white"),
        peak_labels(points.filter(pl.col("kind").cast(pl.String).is_in((*CLAIMED, "peak"))), "at", "top"),
        panels("facet", ncol=facets.columns) if several else [],
        p9.scale_shape_manual(dict(zip(kinds, SHAPES, strict=False)), name=" "),
        p9.scale_color_manual({kind: house.ORANGE if kind in CLAIMED else house.QUIET for kind in kinds}, name=" "),
        axes.number_axis(style.letters // facets.columns, expand=(0.03, 0)),
        axes.log_axis(floor, expand=(0, 0, 0.16, 0)),
        p9.labs(
            title=title,
            subtitle=facets.note("first {} detectors"),
            x=(ENERGY if unit == "kev" else ADC).axis_title(),
            y="Net area (counts)",
        ),
        house.house_theme(style, height=house.height_for(facets.number, facets.columns)),
        p9.theme(legend_position="bottom" if len(kinds) > 1 else "none"),
    )
    return finish(plot, style)


def _points(table: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Peaks with the ends of their bars, kind and label."""
    texts = [peak_text(row, unit) for row in table.iter_rows(named=True)]
    kinds = table["kind"].fill_null("unknown").to_list() if "kind" in table.columns else ["peak"] * table.height
    levels = list(dict.fromkeys(kinds))
    return table.with_columns(
        pl.Series("label", texts, pl.String),
        pl.Series("kind", kinds, pl.Enum(levels)),
        at=pl.col(f"centroid_{unit}"),
        bottom=pl.col("area") - pl.col("area_unc").fill_nan(0.0).fill_null(0.0),
        top=pl.col("area") + pl.col("area_unc").fill_nan(0.0).fill_null(0.0),
    )
