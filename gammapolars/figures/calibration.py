"""Calibrations: spectra with their identified lines, residuals of the fit, and resolution; one facet per detector."""

from collections.abc import Mapping

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.channels import with_empty_channels
from gammapolars.figures.facets import DETECTOR, facets_of
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band
from gammapolars.figures.labels import peak_labels
from gammapolars.figures.panels import panels
from gammapolars.figures.peak_marks import room_for_labels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import with_overlay

USED, LEFT_OUT = "used in the fit", "left out"


def calibration(spectra: pl.DataFrame, residuals: pl.DataFrame, *, style: FigureStyle = SCREEN) -> p9.ggplot:
    """Spectra in keV on a logarithmic scale with the lines that were matched, one facet per detector.

    Args:
        spectra: `board`, `channel`, `name`, `energy_kev` (bin centres), `counts`; calibrated. With `adc`, channels
            without counts may be missing.
        residuals: `board`, `channel`, `nuclide`, `energy_kev`, `used`, as a calibration gives them.
        style: style of the figure.
    """
    title = "Energy calibration: identified lines"
    highest = residuals.group_by("board", "channel").agg(most=1.15 * pl.col("energy_kev").max())
    table = (
        with_empty_channels(with_overlay(spectra.drop_nulls("energy_kev"), None, style)[0])
        .join(highest, on=["board", "channel"], maintain_order="left")
        .filter(pl.col("energy_kev") <= pl.col("most"))
    )
    if table.is_empty() or not (table["counts"] > 0).any():
        return house.no_data(title, "no data: no detector was calibrated", style)
    facets = facets_of(table, style)
    columns = facets.columns
    parts = [
        bins.rebin(part.sort("energy_kev"), DETECTOR, "energy_kev", 1500 // columns)
        for _, part in facets.join(table).group_by(DETECTOR, maintain_order=True)
    ]
    frame = facets.join(pl.concat(part.with_columns(width=pl.lit(width)) for part, width in parts))
    floor = bins.log_floor(frame["counts"])
    points = bins.outline(frame, "energy_kev").with_columns(floor=pl.lit(floor))
    lines = residuals.drop("name", strict=False).join(facets.labels, on=["board", "channel"])
    marks = _marks(lines, frame, with_nuclides=columns < 3)
    colours = dict.fromkeys(marks.filter(~pl.col("used"))["label"], house.QUIET)
    labels = peak_labels(marks, "energy_kev", "counts", size=6.5 if columns < 3 else 5.5, colours=colours)
    height = 1.15 * house.height_for(facets.number, columns)
    room = room_for_labels([labels], float(frame["counts"].max()), floor, style.panel(height, facets.number, columns))  # type: ignore[arg-type]
    notes = ["in brackets: lines left out of the fit" if colours else None, facets.note("first {} detectors")]
    plot = house.compose(
        p9.ggplot(points, p9.aes("energy_kev", "counts")),
        geom_band(p9.aes(ymin="floor", ymax="counts"), fill=house.BLUE, alpha=0.25),
        p9.geom_path(color=house.BLUE, size=0.35),
        labels,
        panels("facet", ncol=columns, scales="free_x"),
        axes.number_axis(style.letters // columns, expand=(0.01, 0)),
        axes.log_axis(floor, expand=(0, 0, room, 0)),
        p9.labs(
            title=title,
            subtitle="; ".join(note for note in notes if note) or None,
            x="Energy (keV)",
            y="Counts per bin",
        ),
        house.house_theme(style, height=height),
    )
    return finish(plot, style)


def residuals(residuals: pl.DataFrame, *, in_sigma: bool = False, style: FigureStyle = SCREEN) -> p9.ggplot:
    """Line energy minus fit versus energy, one facet per detector: in keV with error bars, or in standard deviations.

    Args:
        residuals: `board`, `channel`, `name`, `energy_kev`, `residual_kev`, `residual_sigma`, `used`; lines without a
            residual, which are 0 by construction, are left out.
        in_sigma: in units of each line's own uncertainty.
        style: style of the figure.
    """
    title = "Residuals of the energy fit"
    if residuals.is_empty():
        return house.no_data(title, "no data: no detector was calibrated", style)
    residuals = residuals.drop_nulls("residual_kev")
    if residuals.is_empty():
        return house.no_data(title, "no data: there are no more lines than fitted coefficients", style)
    facets = facets_of(residuals, style)
    columns = facets.columns
    frame = facets.join(residuals).with_columns(
        unc=pl.lit(1.0) if in_sigma else (pl.col("residual_kev") / pl.col("residual_sigma")).abs().fill_nan(0.0),
        value=pl.col("residual_sigma" if in_sigma else "residual_kev"),
        state=_state(),
    )
    frame = frame.with_columns(low=pl.col("value") - pl.col("unc"), high=pl.col("value") + pl.col("unc"))
    # A scale of its own for each detector, with 0 in its middle.
    reach = frame.group_by("facet").agg(
        pl.max_horizontal(pl.col("low").abs(), pl.col("high").abs()).max().alias("most")
    )
    span = reach.with_columns(
        value=pl.concat_list(-1.05 * pl.col("most"), 1.05 * pl.col("most")), energy_kev=pl.lit(_middle(frame))
    ).explode("value")
    plot = house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "value", color="state", shape="state")),
        p9.geom_blank(p9.aes("energy_kev", "value"), data=span, inherit_aes=False),
        p9.geom_hline(yintercept=0, color=house.QUIET, size=0.4),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high"), size=0.5),
        p9.geom_point(size=1.8, fill="white"),
        panels("facet", ncol=columns, scales="free_y"),
        _colours(),
        p9.scale_shape_manual({USED: "o", LEFT_OUT: "D"}),
        axes.number_axis(style.letters // columns),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle=facets.note("first {} detectors"),
            x="Energy (keV)",
            y="Line − fit (σ)" if in_sigma else "Line − fit (keV)",
            color="",
            shape="",
        ),
        house.house_theme(style, height=house.height_for(facets.number, columns, alone=3.4)),
        house.legend_below(),
    )
    return finish(plot, style)


def _state() -> pl.Expr:
    return pl.when("used").then(pl.lit(USED)).otherwise(pl.lit(LEFT_OUT)).cast(pl.Enum([USED, LEFT_OUT]))


def _colours() -> object:
    return p9.scale_color_manual({USED: house.ORANGE, LEFT_OUT: house.QUIET}, limits=[USED, LEFT_OUT])


def _middle(frame: pl.DataFrame) -> float:
    return float(frame["energy_kev"].sort()[frame.height // 2])


def _marks(lines: pl.DataFrame, frame: pl.DataFrame, *, with_nuclides: bool) -> pl.DataFrame:
    """The tip of each identified peak, and its label: once where several runs have the line."""
    once = lines.sort("used", descending=True).unique(
        ["board", "channel", "nuclide", "energy_kev"], keep="first", maintain_order=True
    )
    near = frame.select("board", "channel", "width", "counts", at="energy_kev")
    # The peak's top, within its width or 1 % of its energy.
    width = pl.max_horizontal(
        pl.col("fwhm_kev") if "fwhm_kev" in lines.columns else pl.lit(0.0), 0.01 * pl.col("energy_kev")
    )
    tops = (
        once.join(near, on=["board", "channel"])
        .filter((pl.col("at") - pl.col("energy_kev")).abs() <= width + pl.col("width"))
        .group_by("board", "channel", "facet", "nuclide", "energy_kev", "used")
        .agg(pl.col("counts").max())
        .sort("facet", "energy_kev")
    )
    texts = [
        house.plain(f"{nuclide} {energy:.1f}" if with_nuclides else f"{energy:.0f}")
        if used
        else house.plain(f"({nuclide} {energy:.1f})" if with_nuclides else f"({energy:.0f})")
        for nuclide, energy, used in tops.select("nuclide", "energy_kev", "used").iter_rows()
    ]
    return tops.with_columns(label=pl.Series(texts, dtype=pl.String))


LINE, BROAD = "line", "511 keV (Doppler broadened) or left out"


def resolution(
    residuals: pl.DataFrame,
    curves: Mapping[tuple[int, int], tuple[float, ...]],
    *,
    style: FigureStyle = SCREEN,
) -> p9.ggplot:
    """Widths of the identified lines and FWHM² = a + b E + c E².

    Args:
        residuals: `board`, `channel`, `name`, `energy_kev`, `fwhm_kev`, `fwhm_kev_unc`, `used`.
        curves: a, b, c of each (board, channel) that has them.
        style: style of the figure.
    """
    title = "Energy resolution (FWHM) versus energy"
    table = residuals.filter(pl.col("fwhm_kev").is_finite())
    if table.is_empty():
        return house.no_data(title, "no data: no width was fitted", style)
    facets = facets_of(table, style)
    columns = facets.columns
    broad = ((pl.col("energy_kev") - 511).abs() < 0.5) | ~pl.col("used")
    frame = facets.join(table).with_columns(
        low=pl.col("fwhm_kev") - pl.col("fwhm_kev_unc").fill_null(0.0),
        high=pl.col("fwhm_kev") + pl.col("fwhm_kev_unc").fill_null(0.0),
        state=pl.when(broad).then(pl.lit(BROAD)).otherwise(pl.lit(LINE)).cast(pl.Enum([LINE, BROAD])),
    )
    notes = ("curve: FWHM² = a + b E + c E²", facets.note("first {} detectors"))
    plot = house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "fwhm_kev")),
        p9.expand_limits(y=0),
        p9.geom_line(data=_curves(frame, facets.labels, curves), color=house.BLUE, size=0.7),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high", color="state"), size=0.5),
        p9.geom_point(p9.aes(color="state", shape="state"), size=1.8, fill="white"),
        panels("facet", ncol=columns, scales="free_y"),
        p9.scale_color_manual({LINE: house.ORANGE, BROAD: house.QUIET}, limits=[LINE, BROAD]),
        p9.scale_shape_manual({LINE: "o", BROAD: "D"}, limits=[LINE, BROAD]),
        axes.number_axis(style.letters // columns),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle="; ".join(note for note in notes if note),
            x="Energy (keV)",
            y="FWHM (keV)",
            color="",
            shape="",
        ),
        house.house_theme(style, height=house.height_for(facets.number, columns, alone=3.6)),
        house.legend_below(),
    )
    return finish(plot, style)


def _curves(
    frame: pl.DataFrame, labels: pl.DataFrame, curves: Mapping[tuple[int, int], tuple[float, ...]]
) -> pl.DataFrame:
    """Points of each detector's curve, over the energies of all lines."""
    low, high = (float(frame["energy_kev"].sort()[place]) for place in (0, -1))
    energy = np.linspace(max(0.0, low - 0.03 * (high - low)), high * 1.02, 200)
    parts = [labels.head(0).select("facet").with_columns(energy_kev=pl.lit(0.0), fwhm_kev=pl.lit(0.0))]
    for board, channel, facet in labels.select("board", "channel", "facet").iter_rows():
        if (terms := curves.get((board, channel))) is not None:
            square = np.polynomial.polynomial.polyval(energy, np.asarray(terms, np.float64))
            parts.append(
                pl.DataFrame({"energy_kev": energy, "fwhm_kev": np.sqrt(np.maximum(square, 0.0))}).select(
                    pl.lit(facet).cast(labels["facet"].dtype).alias("facet"), "energy_kev", "fwhm_kev"
                )
            )
    return pl.concat(parts)
