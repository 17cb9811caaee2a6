"""The resolution of detectors: FWHM against energy with the fitted curve, one facet a detector."""

from collections.abc import Mapping

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.figures import theme as house
from gammapolars.figures.facets import facets_of

LINE, BROAD = "line", "511 keV (Doppler broadened) or left out"


def resolution(
    residuals: pl.DataFrame,
    curves: Mapping[tuple[int, int], tuple[float, ...]],
    *,
    title: str = "Resolution: FWHM against energy",
) -> p9.ggplot:
    """Widths of the identified lines and FWHM² = a + b E + c E².

    Args:
        residuals: `board`, `channel`, `name`, `energy_kev`, `fwhm_kev`, `fwhm_kev_unc`, `used`.
        curves: a, b, c of each (board, channel) that has them.
        title: what the figure shows.
    """
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
    note = "curve: FWHM² = a + b E + c E²"
    if facets.hidden:
        note += f"; the first {facets.number} detectors, {facets.hidden} more are not drawn"
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
            subtitle=note,
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
