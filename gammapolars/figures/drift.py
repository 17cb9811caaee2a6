"""The drift of gains over time, and a line before and after its correction, one row per detector."""

from dataclasses import replace
from typing import Any

import plotnine as p9
import polars as pl
from plotnine.composition import Beside, Compose, Stack

from gammapolars.core.units import PS_PER_S
from gammapolars.figures import axes
from gammapolars.figures import theme as house
from gammapolars.figures.facets import facets_of
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band
from gammapolars.figures.panels import panels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected, require, with_detectors

TITLE = "Gain drift"
MOST_DETECTORS = 12
LEAST_SPAN_PCT = 0.05
"""A scale spans at least this, so that mere statistics does not look like a drift."""

BEFORE, AFTER = "as recorded", "corrected"


def drift(
    positions: Frame,
    curves: pl.DataFrame | None = None,
    spectra: pl.DataFrame | None = None,
    *,
    style: FigureStyle = SCREEN,
) -> p9.ggplot | Compose:
    """Gain versus time (left), and the line with the most counts before and after (right); one row per detector.

    Fits that failed are not drawn. Where no line was found, a plot says so.

    Args:
        positions: of a `DriftTrack`; or only a table of DRIFT, whose gain is drawn.
        curves: of the `DriftTrack`.
        spectra: of the `DriftTrack`.
        style: style of the figure.
    """
    positions = collected(positions)
    if curves is None or spectra is None:
        return _of_table(positions, style)
    good = positions.filter(pl.col("status") == "ok")
    if good.is_empty():
        return house.no_data(TITLE, "no data: no line was found", style)
    facets = facets_of(good, style, most=MOST_DETECTORS, columns=2)
    good, curves, spectra = (facets.join(table) for table in (good, curves, spectra))
    height = 1.2 + 2.1 * facets.number if facets.number > 1 else 3.6
    note = facets.note("; {} detectors") or ""
    gains = _over_time(good, curves, height, note, style)
    line = _line(good, spectra, height, style)
    return Stack([gains, line]) if style.theme == "print" else Beside([gains, line])


def _of_table(table: pl.DataFrame, style: FigureStyle) -> p9.ggplot:
    """The gain over time that a table of DRIFT holds, one row per detector."""
    require(table, "tables of drift", ("run", "board", "channel", "timestamp_ps", "gain_factor", "gain_factor_unc"))
    if table.is_empty():
        return house.no_data(TITLE, "no data: the table has no rows", style)
    table = with_detectors(table)
    facets = facets_of(table, style, most=MOST_DETECTORS, columns=1)
    elapsed_s = (pl.col("timestamp_ps") - pl.col("timestamp_ps").min().over("run")) / PS_PER_S
    unit, seconds = axes.time_unit(float(table.select(elapsed_s.max()).item()) or 1.0)
    gain, unc = 1 / pl.col("gain_factor"), pl.col("gain_factor_unc") / pl.col("gain_factor") ** 2
    points = facets.join(table.with_columns(time=elapsed_s / seconds)).with_columns(
        gain=100 * (gain - 1),
        low=100 * (gain - unc - 1),
        high=100 * (gain + unc - 1),
        group=pl.format("run {}", "run"),
    )
    runs = points["group"].unique(maintain_order=True).to_list()
    colours = {name: house.PALETTE[place % len(house.PALETTE)] for place, name in enumerate(runs)}
    plot = house.compose(
        p9.ggplot(points, p9.aes("time", "gain", color="group", fill="group")),
        p9.geom_hline(yintercept=0, color=house.QUIET, linetype="dashed", size=0.4),
        geom_band(p9.aes(ymin="low", ymax="high"), alpha=0.25, color="none"),
        p9.geom_line(size=0.6),
        panels("facet", ncol=1, scales="free_y"),
        p9.scale_color_manual(colours),
        p9.scale_fill_manual(colours),
        axes.number_axis(style.letters, expand=(0.01, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=TITLE,
            subtitle="band: ±1σ" + (facets.note("; {} detectors") or ""),
            x=f"Time since the first point of the run ({unit})",
            y="Relative gain change (%)",
            color="",
            fill="",
        ),
        house.house_theme(style, height=house.height_for(facets.number, 1, alone=3.4)),
        p9.theme(legend_position="top" if len(runs) > 1 else "none"),
    )
    return finish(plot, style)


def _over_time(good: pl.DataFrame, curves: pl.DataFrame, height: float, note: str, style: FigureStyle) -> p9.ggplot:
    unit, seconds = axes.time_unit(float(good["end_s"].to_numpy().max()))
    gain = (100 * (pl.col("gain") - 1)).alias("gain")
    lines = good["line_kev"].unique().sort()
    labels = [f"{line:g} keV" for line in lines]
    points = good.with_columns(
        gain,
        pl.col("time_s", "begin_s", "end_s") / seconds,
        low=gain - 100 * pl.col("gain_unc"),
        high=gain + 100 * pl.col("gain_unc"),
        line=pl.col("line_kev").replace_strict(lines, labels, return_dtype=pl.Enum(labels)),
    )
    smooth = curves.with_columns(
        gain,
        pl.col("time_s") / seconds,
        low=gain - 100 * pl.col("gain_unc"),
        high=gain + 100 * pl.col("gain_unc"),
        group=pl.format("{} {}", "facet", "run"),
    )
    middle = points.group_by("facet").agg(
        pl.col("time_s").first(), middle=(pl.col("gain").min() + pl.col("gain").max()) / 2
    )
    span = middle.with_columns(
        gain=pl.concat_list(pl.col("middle") - LEAST_SPAN_PCT / 2, pl.col("middle") + LEAST_SPAN_PCT / 2)
    ).explode("gain")
    starts = curves.group_by("run").agg(pl.col("time_s").min() / seconds).sort("run").tail(-1)
    ends: list[Any] = (
        [p9.geom_vline(p9.aes(xintercept="time_s"), data=starts, color=house.QUIET, size=0.4)] if starts.height else []
    )
    plot = house.compose(
        p9.ggplot(points, p9.aes("time_s", "gain")),
        p9.geom_hline(yintercept=0, color=house.QUIET, linetype="dashed", size=0.4),
        *ends,
        p9.geom_blank(data=span),
        p9.geom_errorbar(p9.aes(ymin="low", ymax="high", color="line"), width=0, size=0.3, alpha=0.6),
        p9.geom_point(p9.aes(color="line"), size=0.7, stroke=0),
        geom_band(p9.aes(ymin="low", ymax="high", group="group"), data=smooth, fill=house.INK, alpha=0.25),
        p9.geom_line(p9.aes(group="group"), data=smooth, color=house.INK, size=0.6),
        panels("facet", ncol=1, scales="free_y"),
        p9.scale_color_manual(values=[house.PALETTE[k % len(house.PALETTE)] for k in range(len(labels))], name="line"),
        axes.number_axis(style.letters // 2, expand=(0.01, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=TITLE,
            subtitle="points: fitted positions with ±1σ; curve: smoothed gain with ±1σ band" + note,
            x=f"Time since the first hit ({unit})",
            y="Gain change from reference (%)",
        ),
        house.house_theme(style, height=height, wide=1.25),
        p9.theme(legend_position="bottom" if len(labels) > 1 else "none"),
    )
    return finish(plot, style)


def _line(good: pl.DataFrame, spectra: pl.DataFrame, height: float, style: FigureStyle) -> p9.ggplot:
    """The line with most counts of each detector, as far as it drifted."""
    main = (
        good.group_by("facet", "line_kev")
        .agg(pl.col("counts").sum(), lowest=pl.col("gain").min(), highest=pl.col("gain").max())
        .sort("counts", descending=True)
        .unique("facet", keep="first", maintain_order=True)
    )
    margin = 0.35 * (pl.col("highest") - pl.col("lowest")) + 0.004
    inside = pl.col("energy_kev").is_between(
        pl.col("line_kev") * (pl.col("lowest") - margin), pl.col("line_kev") * (pl.col("highest") + margin)
    )
    frame = (
        spectra.join(main, on=["facet", "line_kev"], how="inner", maintain_order="left")
        .filter(inside)
        .rename({"counts_before": BEFORE, "counts_after": AFTER})
        .unpivot([BEFORE, AFTER], index=["facet", "energy_kev", "line_kev"], variable_name="kind", value_name="y")
        .with_columns(pl.col("kind").cast(pl.Enum([BEFORE, AFTER])))
    )
    plot = house.compose(
        p9.ggplot(frame, p9.aes("energy_kev", "y", color="kind")),
        p9.geom_vline(p9.aes(xintercept="line_kev"), data=main, color=house.QUIET, linetype="dashed", size=0.4),
        p9.geom_step(direction="mid", size=0.5),
        panels("facet", ncol=1, scales="free"),
        p9.scale_color_manual(values=[house.AMBER, house.BLUE], name=" "),
        axes.number_axis(style.letters // 2, expand=(0.01, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(title=" ", subtitle="line with the most counts", x="Energy (keV)", y="Counts per bin"),
        house.house_theme(style, height=height, wide=1.25),
        house.legend_below(),
    )
    return finish(plot, replace(style, title=None, range_x=None, range_y=None, log_x=None, log_y=None))
