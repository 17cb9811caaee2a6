"""Calibrations: spectra with their identified lines, residuals of the fit, and resolution; one facet a detector."""

from collections.abc import Mapping

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.figures import bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import DETECTOR, facets_of

LABEL_ROOM = 0.012
"""What a label takes of the axis."""

USED, LEFT_OUT = "used in the fit", "left out"


def calibration(spectra: pl.DataFrame, residuals: pl.DataFrame) -> p9.ggplot:
    """Spectra in keV on a logarithmic scale with the lines that were matched, one facet a detector.

    Args:
        spectra: `board`, `channel`, `name`, `energy_kev` (bin centres), `counts`; calibrated.
        residuals: `board`, `channel`, `nuclide`, `energy_kev`, `used`, as a calibration gives them.
    """
    title = "Energy calibration: identified lines"
    highest = residuals.group_by("board", "channel").agg(most=1.15 * pl.col("energy_kev").max())
    table = (
        spectra.drop_nulls("energy_kev")
        .join(highest, on=["board", "channel"], maintain_order="left")
        .filter(pl.col("energy_kev") <= pl.col("most"))
    )
    if table.is_empty() or not (table["counts"] > 0).any():
        return house.no_data(title, "no data: no detector was calibrated")
    facets = facets_of(table)
    columns = facets.columns
    parts = [
        bins.rebin(part.sort("energy_kev"), DETECTOR, "energy_kev", 1500 // columns)
        for _, part in facets.join(table).group_by(DETECTOR, maintain_order=True)
    ]
    floor = 0.5
    frame = pl.concat(
        bins.outline(part, "energy_kev", width).with_columns(
            height=pl.col("counts").clip(lower_bound=floor), width=pl.lit(width)
        )
        for part, width in parts
    )
    frame = facets.join(frame).with_columns(floor=pl.lit(floor))
    top = float(frame["height"].sort()[-1])
    lines = residuals.join(facets.labels, on=["board", "channel"])
    marks = _marks(lines, frame, top / floor, with_nuclides=columns == 1)
    labels, size = p9.aes(y="text", label="label", color="state"), 6.5 if columns < 3 else 5
    room = 0.7 if facets.number == 1 else 0.95 if columns == 1 else 0.5
    return house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "height")),
        p9.geom_ribbon(p9.aes(ymin="floor", ymax="height"), fill=house.BLUE, alpha=0.25),
        p9.geom_line(color=house.BLUE, size=0.35),
        p9.geom_segment(
            p9.aes(x="energy_kev", xend="energy_kev", y="foot", yend="tip", color="state"), data=marks, size=0.4
        ),
        house.text(marks, labels, angle=90, va="bottom", ha="center", size=size, show_legend=False),
        p9.facet_wrap("facet", ncol=columns, scales="free_x"),
        _colours(),
        house.number_axis(columns, expand=(0.01, 0)),
        house.log_axis(limits=(floor, top * (top / floor) ** room), expand=(0, 0), minor_breaks=True),
        p9.labs(
            title=title,
            subtitle=facets.note("the first {} detectors; "),
            x="energy (keV)",
            y="counts per bin",
            color="",
        ),
        house.house_theme(height=house.height_for(facets.number, columns)),
        house.legend_below(columns),
    )


def residuals(residuals: pl.DataFrame, *, in_sigma: bool = False) -> p9.ggplot:
    """Line energy less fit against energy, one facet a detector: in keV with error bars, or in standard deviations.

    Args:
        residuals: `board`, `channel`, `name`, `energy_kev`, `residual_kev`, `residual_sigma`, `used`; lines without a
            residual, which are 0 by construction, are left out.
        in_sigma: in units of each line's own uncertainty.
    """
    title = "Residuals of the energy fit"
    if residuals.is_empty():
        return house.no_data(title, "no data: no detector was calibrated")
    residuals = residuals.drop_nulls("residual_kev")
    if residuals.is_empty():
        return house.no_data(title, "no data: there are no more lines than coefficients")
    facets = facets_of(residuals)
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
    return house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "value", color="state", shape="state")),
        p9.geom_blank(p9.aes("energy_kev", "value"), data=span, inherit_aes=False),
        p9.geom_hline(yintercept=0, color=house.QUIET, size=0.4),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high"), size=0.5),
        p9.geom_point(size=1.8, fill="white"),
        p9.facet_wrap("facet", ncol=columns, scales="free_y"),
        _colours(),
        p9.scale_shape_manual({USED: "o", LEFT_OUT: "D"}),
        house.number_axis(columns),
        p9.scale_y_continuous(labels=house.number_labels),
        p9.labs(
            title=title,
            subtitle=facets.note("the first {} detectors; "),
            x="energy (keV)",
            y="line − fit (σ)" if in_sigma else "line − fit (keV)",
            color="",
            shape="",
        ),
        house.house_theme(height=house.height_for(facets.number, columns, alone=3.4)),
        house.legend_below(columns),
    )


def _state() -> pl.Expr:
    return pl.when("used").then(pl.lit(USED)).otherwise(pl.lit(LEFT_OUT)).cast(pl.Enum([USED, LEFT_OUT]))


def _colours() -> object:
    return p9.scale_color_manual({USED: house.ORANGE, LEFT_OUT: house.QUIET}, limits=[USED, LEFT_OUT])


def _middle(frame: pl.DataFrame) -> float:
    return float(frame["energy_kev"].sort()[frame.height // 2])


def _legible(tops: pl.DataFrame, room: float) -> list[bool]:
    """Which lines have room for a label: not those that a stronger one of the facet is nearer to than `room` keV."""
    rows = tops.select("facet", "energy_kev", "strength").rows()
    return [
        not any(
            facet == other_facet and 0 < abs(energy - other) < room and (strength, energy) < (other_strength, other)
            for other_facet, other, other_strength in rows
        )
        for facet, energy, strength in rows
    ]


def _marks(lines: pl.DataFrame, frame: pl.DataFrame, span: float, *, with_nuclides: bool) -> pl.DataFrame:
    """A tick above each identified peak, and its label: once where several runs have the line."""
    once = lines.sort("used", descending=True).unique(["board", "channel", "nuclide", "energy_kev"], keep="first")
    near = frame.select("board", "channel", "width", at="energy_kev", height="height")
    heights = once.drop("name", strict=False).join(near, on=["board", "channel"])
    # The peak's top, within its width or 1 % of its energy.
    width = pl.max_horizontal(
        pl.col("fwhm_kev") if "fwhm_kev" in lines.columns else pl.lit(0.0), 0.01 * pl.col("energy_kev")
    )
    tops = (
        heights.filter((pl.col("at") - pl.col("energy_kev")).abs() <= width + pl.col("width"))
        .group_by("board", "channel", "facet", "nuclide", "energy_kev", "used")
        .agg(peak=pl.col("height").max(), strength=pl.col("area" if "area" in lines.columns else "height").max())
        .sort("facet", "energy_kev")
    )
    room = LABEL_ROOM * float(frame["energy_kev"].sort()[-1]) * (1 if with_nuclides else 3)
    energies = [
        house.plain(f"{nuclide} {energy:.1f}" if with_nuclides else f"{energy:.0f}") if legible else ""
        for (nuclide, energy), legible in zip(
            tops.select("nuclide", "energy_kev").rows(), _legible(tops, room), strict=True
        )
    ]
    return tops.with_columns(
        pl.Series("label", energies, pl.String),
        foot=pl.col("peak") * span**0.02,
        tip=pl.col("peak") * span**0.06,
        text=pl.col("peak") * span**0.08,
        state=_state(),
    )


LINE, BROAD = "line", "511 keV (Doppler broadened) or left out"


def resolution(residuals: pl.DataFrame, curves: Mapping[tuple[int, int], tuple[float, ...]]) -> p9.ggplot:
    """Widths of the identified lines and FWHM² = a + b E + c E².

    Args:
        residuals: `board`, `channel`, `name`, `energy_kev`, `fwhm_kev`, `fwhm_kev_unc`, `used`.
        curves: a, b, c of each (board, channel) that has them.
    """
    title = "Resolution: FWHM against energy"
    table = residuals.filter(pl.col("fwhm_kev").is_finite())
    if table.is_empty():
        return house.no_data(title, "no data: no width was fitted")
    facets = facets_of(table)
    columns = facets.columns
    broad = ((pl.col("energy_kev") - 511).abs() < 0.5) | ~pl.col("used")
    frame = facets.join(table).with_columns(
        low=pl.col("fwhm_kev") - pl.col("fwhm_kev_unc").fill_null(0.0),
        high=pl.col("fwhm_kev") + pl.col("fwhm_kev_unc").fill_null(0.0),
        state=pl.when(broad).then(pl.lit(BROAD)).otherwise(pl.lit(LINE)).cast(pl.Enum([LINE, BROAD])),
    )
    hidden = f"; the first {facets.number} detectors, {facets.hidden} more are not drawn" if facets.hidden else ""
    return house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "fwhm_kev")),
        p9.expand_limits(y=0),
        p9.geom_line(data=_curves(frame, facets.labels, curves), color=house.BLUE, size=0.7),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high", color="state"), size=0.5),
        p9.geom_point(p9.aes(color="state", shape="state"), size=1.8, fill="white"),
        p9.facet_wrap("facet", ncol=columns, scales="free_y"),
        p9.scale_color_manual({LINE: house.ORANGE, BROAD: house.QUIET}, limits=[LINE, BROAD]),
        p9.scale_shape_manual({LINE: "o", BROAD: "D"}, limits=[LINE, BROAD]),
        house.number_axis(columns),
        p9.scale_y_continuous(labels=house.number_labels),
        p9.labs(
            title=title,
            subtitle="curve: FWHM² = a + b E + c E²" + hidden,
            x="energy (keV)",
            y="FWHM (keV)",
            color="",
            shape="",
        ),
        house.house_theme(height=house.height_for(facets.number, columns, alone=3.6)),
        house.legend_below(columns),
    )


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
