"""Energy spectra, one facet a detector."""

from collections.abc import Mapping

import plotnine as p9
import polars as pl

from gammapolars.core.quantities import ADC, ENERGY
from gammapolars.figures import bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import DETECTOR, facet_column, facets_of


def spectrum(spectra: pl.DataFrame, *, lines: Mapping[float, str] | None = None) -> p9.ggplot:
    """Spectra on a logarithmic scale, one facet a detector; bins without counts lie on the axis.

    Args:
        spectra: `board`, `channel`, `name`, `energy_kev` and/or `adc` (bin centres), `counts`. Detectors without
            `energy_kev` are drawn over adc, and say so.
        lines: labels of gamma lines by energy in keV, to be marked in the calibrated spectra.
    """
    title = "Energy spectra"
    table = _with_axis(spectra)
    if table.is_empty() or not (table["counts"] > 0).any():
        return house.no_data(title, "no data: no hit was used")
    facets = facets_of(table, by_counts=True)
    columns = facets.columns
    parts = {axis: part for (axis,), part in facets.join(table).group_by("axis", maintain_order=True)}
    histograms = {axis: bins.rebin(part, DETECTOR, "x", 1500 // columns) for axis, part in parts.items()}
    frame = _with_facets(
        pl.concat([part.with_columns(axis=pl.lit(axis)) for axis, (part, _) in histograms.items()]), columns
    )
    floor = bins.log_floor(frame["counts"])
    points = pl.concat(
        bins.outline(frame.filter(axis=axis), "x", width) for axis, (_, width) in histograms.items()
    ).with_columns(pl.col("counts").clip(lower_bound=floor), floor=pl.lit(floor))
    top = float(points["counts"].sort()[-1])
    top *= (top / floor) ** 0.45 if lines and columns < 3 else 2.0  # labels of lines stand above the spectra
    return house.compose(
        p9.ggplot(points, p9.aes("x", "counts")),
        p9.geom_ribbon(p9.aes(ymin="floor", ymax="counts"), fill=house.BLUE, alpha=0.25),
        p9.geom_line(color=house.BLUE, size=0.35),
        _line_marks(frame, lines or {}, top, with_labels=columns < 3),
        p9.facet_wrap("facet", ncol=columns, scales="free_x" if len(parts) > 1 else "fixed"),
        house.number_axis(columns, expand=(0.005, 0)),
        house.log_axis(limits=(floor, top), expand=(0, 0)),
        p9.labs(
            title=title,
            subtitle=facets.note("{} detectors with the most hits; "),
            x=" or ".join((ENERGY if axis == "keV" else ADC).drawn_label for axis in parts),
            y="counts per " + " or ".join(f"{width:.4g} {axis}" for axis, (_, width) in histograms.items()),
        ),
        house.house_theme(height=house.height_for(facets.number, columns)),
        p9.theme(strip_text=house.facet_text(columns)),
    )


def _with_axis(spectra: pl.DataFrame) -> pl.DataFrame:
    """One column `x` for what a spectrum is drawn over, and `axis` for its unit."""
    kev = pl.col("energy_kev").cast(pl.Float64) if "energy_kev" in spectra.columns else pl.lit(None, pl.Float64)
    adc = pl.col("adc").cast(pl.Float64) if "adc" in spectra.columns else pl.lit(None, pl.Float64)
    return (
        spectra.select(
            *DETECTOR,
            "counts",
            x=pl.coalesce(kev, adc),
            axis=pl.when(kev.is_not_null()).then(pl.lit("keV")).otherwise(pl.lit("adc")),
        )
        .drop_nulls("x")
        .sort("axis", *DETECTOR, "x", descending=[True, False, False, False, False])
    )


def _with_facets(frame: pl.DataFrame, columns: int) -> pl.DataFrame:
    """`facet`: each detector's name, in order of board and channel; where axes differ, with the axis."""
    detectors = frame.select(*DETECTOR, "axis").unique().sort("board", "channel", "axis")
    has_both = detectors["axis"].n_unique() > 1
    names = [f"{name} (adc)" if has_both and axis == "adc" else name for *_, name, axis in detectors.iter_rows()]
    names = house.short_names(names, house.name_room(columns))
    labels = detectors.with_columns(facet_column(names))
    return frame.join(labels, on=[*DETECTOR, "axis"], how="left", maintain_order="left")


def _line_marks(frame: pl.DataFrame, lines: Mapping[float, str], top: float, *, with_labels: bool) -> list[object]:
    """Dashed marks at gamma lines in the calibrated facets, with labels where there is room for them."""
    calibrated = frame.filter(axis="keV")
    if not lines or calibrated.is_empty():
        return []
    low, high = (float(calibrated["x"].sort()[place]) for place in (0, -1))
    marks = pl.DataFrame(
        {"x": list(lines), "label": [house.plain(text) for text in lines.values()]},
        schema={"x": pl.Float64, "label": pl.String},
    ).filter(pl.col("x").is_between(low, high))
    marks = marks.join(calibrated.select("facet").unique(), how="cross").with_columns(counts=pl.lit(top * 0.85))
    dashes = p9.geom_vline(p9.aes(xintercept="x"), data=marks, color=house.ORANGE, linetype="dashed", size=0.3)
    if not with_labels:
        return [dashes]
    look = {"angle": 90, "va": "top", "ha": "right", "size": 6.5, "color": house.ORANGE}
    return [dashes, house.text(marks, p9.aes(label="label"), nudge_x=-0.003 * (high - low), **look)]
