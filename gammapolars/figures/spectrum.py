"""Energy spectra, one facet per detector; several inputs over each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotnine as p9
import polars as pl
from plotnine.composition import Compose

from gammapolars.core.quantities import ADC, ENERGY, PSD, Quantity
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.channels import with_empty_channels
from gammapolars.figures.facets import DETECTOR, facet_column, facets_of
from gammapolars.figures.finish import finish, is_inside
from gammapolars.figures.histogram import BAND, Inputs, comparison, has_band, histogram_layers, with_panel
from gammapolars.figures.panels import panels
from gammapolars.figures.peak_marks import line_marks, peak_marks, room_for_labels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import OVERLAY, Frame, check_compare, collected, require, with_detectors, with_overlay

MOST_BINS = 2000

QUANTITY: Mapping[str, Quantity] = {"keV": ENERGY, "adc": ADC, "psd": PSD}
"""What the bins of a spectrum are of, by the word for its axis; energies before the others."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """Texts of a figure of spectra.

    Attributes:
        title: of the figure.
        counts: of the axis, without the width of bins.
        nothing: why there is nothing to draw.
        note: in the subtitle: the subtraction, or how inputs were normalised.
    """

    title: str
    counts: str
    nothing: str
    note: str | None = None


def spectrum(
    frame: Frame,
    *,
    lines: Mapping[float, str] | None = None,
    peaks: Frame | None = None,
    overlay: str | None = None,
    compare: str | None = None,
    counts: str = "counts",
    note: str | None = None,
    style: FigureStyle = SCREEN,
) -> p9.ggplot | Compose:
    """Spectra on a logarithmic scale, one facet per detector; bins without counts are drawn on the axis.

    The counts are not transformed: `+ scale_y_continuous()` gives a linear axis.

    Args:
        frame: spectra with `energy_kev` and/or `adc` (bin centres), `counts`, optionally `variance`; `board`, `channel`
            and `name` for several detectors. Spectra without `energy_kev` are drawn versus ADC channel.
        lines: labels of gamma lines by energy in keV, to be marked in the calibrated spectra.
        peaks: table of PEAKS to be marked, optionally with `kind` and `nuclide`.
        overlay: column that distinguishes the inputs, which are drawn over each other, with the first one as the
            reference; `name` overlays detectors.
        compare: `ratio` to or `difference` from the first input of all others, in a panel below.
        counts: quantity on the y-axis, such as `counts per second`.
        note: text for the subtitle, such as how counts were subtracted or normalised.
        style: style of the figure.
    """
    words = Words(title="Energy spectra", counts=counts, nothing="no data: no hit was used", note=note)
    marks = None if peaks is None else collected(peaks)
    return energy_histograms(collected(frame), words, style, lines or {}, marks, overlay, compare, log=True)


def gated(
    frame: Frame,
    *,
    title: str = "Gated spectrum",
    peaks: Frame | None = None,
    overlay: str | None = None,
    compare: str | None = None,
    counts: str = "net counts",
    note: str | None = None,
    style: FigureStyle = SCREEN,
) -> p9.ggplot | Compose:
    """Net counts with a band of ±1σ and a line at 0; one facet per detector.

    Args:
        frame: as for `spectrum`; `variance` is needed for the band.
        title: title of the figure.
        peaks: table of PEAKS to be marked, optionally with `kind` and `nuclide`.
        overlay: as for `spectrum`.
        compare: as for `spectrum`.
        counts: quantity on the y-axis, such as `net counts`.
        note: text for the subtitle, such as which counts were subtracted.
        style: style of the figure.
    """
    words = Words(title=title, counts=counts, nothing="no data: no pair has a hit in the gate", note=note)
    marks = None if peaks is None else collected(peaks)
    return energy_histograms(collected(frame), words, style, {}, marks, overlay, compare, log=False)


def energy_histograms(
    table: pl.DataFrame,
    words: Words,
    style: FigureStyle,
    lines: Mapping[float, str],
    peaks: pl.DataFrame | None,
    overlay: str | None,
    compare: str | None,
    *,
    log: bool,
) -> p9.ggplot | Compose:
    """Histograms over energy or adc, on a logarithmic or a linear axis, with marks at lines and peaks."""
    require(table, "spectra", ("counts",))
    table, names = with_overlay(with_detectors(table), overlay, style)
    check_compare(compare, names)
    inputs = Inputs(names, style)
    every = _with_axis(with_empty_channels(table))
    table = every.filter(is_inside(pl.col("x"), style.range_x))
    if table.is_empty() or not (table["counts"] != 0).any():
        return house.no_data(words.title, words.nothing, style)
    facets = facets_of(table, style, by_counts=True)
    columns = facets.columns
    parts = {axis: part for (axis,), part in facets.join(table).group_by("axis", maintain_order=True)}
    keys = [*DETECTOR, OVERLAY]
    most = MOST_BINS // columns
    histograms = {axis: bins.rebin(part, keys, "x", most, bin=style.bin) for axis, part in parts.items()}
    if style.range_x:
        histograms = {axis: _whole(facets.join(every).filter(axis=axis), *found) for axis, found in histograms.items()}
    frame = _with_facets(
        pl.concat([part.with_columns(axis=pl.lit(axis)) for axis, (part, _) in histograms.items()]), columns, style
    )
    log = log if style.log_y is None else style.log_y
    floor = bins.log_floor(frame["counts"], frame["variance"] if "variance" in frame.columns else None)
    labelled = [] if not style.labels else [*line_marks(frame, lines, style), *peak_marks(frame, peaks, style)]
    highest = float(frame["counts"].max())  # type: ignore[arg-type]
    height = house.height_for(facets.number, columns)
    panel = style.panel(height, facets.number, columns)
    room = room_for_labels(labelled, highest, floor if log else None, panel)
    scale_y = axes.log_axis(floor, expand=(0, 0, room, 0)) if log else axes.count_axis(expand=(0.02, 0, room, 0))
    several = frame["facet"].n_unique() > 1 or frame["facet"][0] != ""
    upper = house.compose(
        p9.ggplot(bins.outline(frame, "x"), p9.aes("x", "counts")),
        [] if log else p9.geom_hline(yintercept=0, color=house.QUIET, size=0.4),
        histogram_layers(frame, "x", inputs, floor=floor if log else None),
        labelled,
        panels("facet", ncol=columns, scales=_scales(len(parts) > 1, log)) if several else [],
        axes.number_axis(style.letters // columns, expand=(0.005, 0)),
        scale_y,
        p9.labs(
            title=words.title if "keV" in parts else words.title.replace("Energy", "Pulse-height"),
            subtitle=_subtitle(words, facets.note("{} detectors with the most hits"), frame),
            x=" or ".join(QUANTITY[axis].axis_title() for axis in parts),
            y=house.capital(
                f"{words.counts} per " + " or ".join(_width(axis, width) for axis, (_, width) in histograms.items())
            ),
        ),
        house.house_theme(style, height=height + inputs.height),
        house.legend_below(),
    )
    upper = finish(upper, style)
    if compare is None:
        return upper
    lower = comparison(facets.join(table), "x", inputs, compare, style, columns)
    return with_panel(upper, lower, style)


def _whole(every: pl.DataFrame, joined: pl.DataFrame, width: float) -> tuple[pl.DataFrame, float]:
    """The joined bins of a part of the axis, of which those at its ends hold the bins beyond it, too."""
    last: float = joined["left"].max()  # type: ignore[assignment]  # of numbers
    inside = every.filter(pl.col("x").is_between(joined["left"].min(), last + width))
    own = width / max(1, round(width / bins.bin_width(inside["x"])))  # to the last bit, however centres were rounded
    return bins.rebin(inside, [*DETECTOR, OVERLAY], "x", MOST_BINS, bin=width, width=own)


def _scales(differing: bool, log: bool) -> Any:
    """Scales of facets: linear ones are each facet's own, and those along x where their quantities differ."""
    return {(True, True): "free_x", (False, True): "fixed", (True, False): "free", (False, False): "free_y"}[
        differing, log
    ]


def _width(axis: str, width: float) -> str:
    """A width of bins in the unit of an axis: `2 keV`, `8 ADC channels`."""
    return f"{width:.4g} {ADC.label}" if axis == "adc" and width == 1 else QUANTITY[axis].drawn(width)


def _subtitle(words: Words, hidden: str | None, frame: pl.DataFrame) -> str | None:
    parts = [words.note, BAND if has_band(frame) else None, hidden]
    return "; ".join(part for part in parts if part) or None


def _with_axis(spectra: pl.DataFrame) -> pl.DataFrame:
    """One column `x` for the abscissa of a spectrum, and `axis` for its unit."""
    centres = {
        axis: pl.col(of.column).cast(pl.Float64) for axis, of in QUANTITY.items() if of.column in spectra.columns
    }
    nothing = pl.lit(None, pl.Float64)
    return (
        spectra.select(
            *DETECTOR,
            OVERLAY,
            pl.col("counts").cast(pl.Float64),
            *(pl.col(name).cast(pl.Float64) for name in ("variance",) if name in spectra.columns),
            x=pl.coalesce(*centres.values(), nothing),
            axis=pl.coalesce(*(pl.when(x.is_not_null()).then(pl.lit(axis)) for axis, x in centres.items()), pl.lit("")),
        )
        .drop_nulls("x")
        .sort("axis", *DETECTOR, OVERLAY, "x", descending=[True, False, False, False, False, False])
    )


def _with_facets(frame: pl.DataFrame, columns: int, style: FigureStyle) -> pl.DataFrame:
    """`facet`: each detector's name, in order of board and channel; where axes differ, with the axis."""
    detectors = frame.select(*DETECTOR, "axis").unique().sort("board", "channel", "axis")
    has_both = detectors["axis"].n_unique() > 1
    names = [
        f"{name} (ADC channels)" if has_both and axis == "adc" else name for *_, name, axis in detectors.iter_rows()
    ]
    names = house.short_names(names, house.name_room(columns, style))
    labels = detectors.with_columns(facet_column(names))
    return frame.join(labels, on=[*DETECTOR, "axis"], how="left", maintain_order="left")
