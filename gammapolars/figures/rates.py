"""Count rates over the time of a run, one facet per detector."""

from typing import Any

import plotnine as p9
import polars as pl

from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import DETECTOR, facets_of
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band, geom_filled_line
from gammapolars.figures.histogram import Inputs
from gammapolars.figures.panels import panels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import OVERLAY, Frame, collected, require, with_detectors, with_overlay

MOST_BINS = 300

OF_INPUT = ("color", "fill", "linetype")
"""What distinguishes inputs."""


def rates(
    frame: Frame, *, overlay: str | None = None, note: str | None = None, style: FigureStyle = SCREEN
) -> p9.ggplot:
    """Rates with the 68 % band of Poisson statistics and the mean of the run (dashed), one facet per detector.

    The scale of each facet spans at least ±10 % of its mean, so that statistical scatter does not look like a drift.

    Args:
        frame: `time_s` (bin centre), `width_s`, `counts`, and `board`, `channel` and `name` for several detectors; or
            hits, which are counted.
        overlay: column that distinguishes the inputs, which are drawn over each other.
        note: text for the subtitle.
        style: style of the figure; `bin` in seconds.
    """
    rates, names = with_overlay(rate_table(frame, style), overlay, style)
    inputs = Inputs(names, style)
    title = "Count rates versus time, rejected hits included"
    if rates.is_empty() or not (rates["counts"] > 0).any():
        return house.no_data(title, "no data: there are no hits", style)
    facets = facets_of(rates, style, by_counts=True)
    frame = _with_band(_coarse_bins(facets.join(rates), MOST_BINS // facets.columns, style.bin))
    unit, seconds = axes.time_unit(float((frame["time_s"] + frame["width_s"] / 2).max()))  # type: ignore[arg-type]
    frame = frame.with_columns(pl.col("time_s", "width_s") / seconds)
    points = bins.outline(bins.with_edges(frame, "time_s", "width_s"), "time_s")
    means = frame.select("facet", OVERLAY, "mean").unique()
    note = f"{note}; " if note else ""
    note += "band: ±1σ (Poisson); dashed: mean of the run"
    note += facets.note("; {} detectors with the most hits") or ""
    plot = house.compose(
        p9.ggplot(points, p9.aes("time_s", "rate", **(dict.fromkeys(OF_INPUT, OVERLAY) if inputs else {}))),
        p9.geom_blank(p9.aes("time_s", "y"), data=_least_span(frame), inherit_aes=False),
        _curves(is_overlaid=bool(inputs)),
        _mean_lines(means, is_overlaid=bool(inputs)),
        inputs.scales(*OF_INPUT) if inputs else [],
        panels("facet", ncol=facets.columns, scales="free_y"),
        axes.number_axis(style.letters // facets.columns, expand=(0, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle=note,
            x=f"Time since the first hit ({unit})",
            y="Count rate (counts/s)",
        ),
        house.house_theme(style, height=house.height_for(facets.number, facets.columns, alone=3.4) + inputs.height),
        p9.theme(legend_position="top" if inputs else "none"),
    )
    return finish(plot, style)


def _curves(*, is_overlaid: bool) -> list[Any]:
    """Rates with their bands."""
    band = p9.aes(ymin="low", ymax="high")
    if not is_overlaid:
        return [geom_filled_line(band, color=house.BLUE, size=0.5, fill=house.SKY, alpha=0.45)]
    return [geom_band(band, alpha=0.25, color="none"), p9.geom_path(size=0.5)]


def _mean_lines(means: pl.DataFrame, *, is_overlaid: bool) -> p9.geom_hline:
    """The mean of each curve."""
    if not is_overlaid:
        return p9.geom_hline(p9.aes(yintercept="mean"), data=means, color=house.ORANGE, linetype="dashed", size=0.5)
    return p9.geom_hline(p9.aes(yintercept="mean", color=OVERLAY), data=means, linetype="dashed", size=0.4)


def rate_table(frame: Frame, style: FigureStyle = SCREEN) -> pl.DataFrame:
    """Hits in bins of time, since the first one: from such a table, or from hits."""
    if "time_s" in frame.lazy().collect_schema():
        table = with_detectors(collected(frame))
        require(table, "rates over time", ("time_s", "width_s", "counts"))
        return table
    require_columns = ("board", "channel", "timestamp_ps")
    hits = collected(frame.lazy().select(*require_columns))
    first, last = hits["timestamp_ps"].min(), hits["timestamp_ps"].max()
    if first is None:
        return with_detectors(pl.DataFrame(schema={"board": pl.UInt16, "channel": pl.UInt16, "counts": pl.Float64}))
    span_s = max(1, int(last) - int(first)) / 1e12  # type: ignore[arg-type]
    width = style.bin or (1 + 1e-9) * span_s / (MOST_BINS // 3)
    number = ((pl.col("timestamp_ps") - first) / (width * 1e12)).floor().cast(pl.Int64)
    counted = hits.group_by("board", "channel", number.alias("number")).agg(counts=pl.len().cast(pl.Float64))
    every = pl.DataFrame({"number": range(int(span_s / width) + 1)}, {"number": pl.Int64})
    full = hits.select("board", "channel").unique().join(every, how="cross")
    full = full.join(counted, on=["board", "channel", "number"], how="left").with_columns(
        pl.col("counts").fill_null(0.0), time_s=(pl.col("number") + 0.5) * width, width_s=pl.lit(width)
    )
    return with_detectors(full.sort("board", "channel", "number"))


def _coarse_bins(table: pl.DataFrame, most: int, bin: float | None) -> pl.DataFrame:
    """No more bins of time than the eye resolves, each the sum of neighbours; or those that are `bin` wide (s)."""
    times = table["time_s"].unique().sort()
    factor = bins.nice_factor(len(times), most) if bin is None else bins.whole_factor(bin, table["width_s"][0])
    position = pl.DataFrame({"time_s": times}).with_row_index("bin").with_columns(pl.col("bin") // factor)
    sums = (
        table.join(position, on="time_s")
        .group_by(*DETECTOR, "facet", OVERLAY, "bin")
        .agg(
            pl.col("time_s").mean(),
            pl.col("width_s").sum(),
            pl.col("counts").sum().cast(pl.Float64),
        )
    )
    return sums.sort(*DETECTOR, OVERLAY, "bin")


def _with_band(frame: pl.DataFrame) -> pl.DataFrame:
    """`rate`, and `low` to `high`: one sigma of Poisson counts (Gehrels 1986, ApJ 303, 336, eqs. 7 and 11)."""
    n = pl.col("counts")
    low = pl.when(n > 0).then(n - (n - 0.25).clip(lower_bound=0).sqrt()).otherwise(0.0).clip(lower_bound=0)
    high = n + 1 + (n + 0.75).sqrt()
    mean = (pl.col("counts").sum() / pl.col("width_s").sum()).over(*DETECTOR, OVERLAY)
    width = pl.col("width_s")
    return frame.with_columns(rate=n / width, low=low / width, high=high / width, mean=mean)


def _least_span(frame: pl.DataFrame) -> pl.DataFrame:
    """Invisible points that keep each facet's scale from shrinking to the scatter of its bins."""
    ends = frame.group_by("facet", OVERLAY).agg(pl.col("time_s").first(), mean=pl.col("mean").first())
    return ends.with_columns(y=pl.concat_list(pl.col("mean") * 0.9, pl.col("mean") * 1.1)).explode("y")
