"""Time differences of detector pairs: with window and random level, and prompt peaks before and after alignment."""

from collections.abc import Sequence

import plotnine as p9
import polars as pl
from plotnine.composition import Compose

from gammapolars.core.units import Window, parse_window
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.difference_tables import PAIR, difference_table, one_width
from gammapolars.figures.facets import facet_column, pair_name
from gammapolars.figures.finish import finish, is_inside
from gammapolars.figures.geoms import geom_band
from gammapolars.figures.histogram import BAND, Inputs, comparison, has_band, histogram_layers, with_panel
from gammapolars.figures.panels import panels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import OVERLAY, Frame, check_compare, collected, with_overlay

MOST_PAIRS = 12
ALL = "all detector pairs"


def time_differences(
    frame: Frame,
    *,
    window: Window | str | None = None,
    chance: pl.DataFrame | None = None,
    random: Sequence[Window] = (),
    overlay: str | None = None,
    compare: str | None = None,
    counts: str = "counts",
    note: str | None = None,
    style: FigureStyle = SCREEN,
) -> p9.ggplot | Compose:
    """Histograms of t_b - t_a with the window shaded and the expected random level dashed, one facet per detector pair.

    If there are more than twelve pairs, their sum and the eleven with the most counts are drawn. The scale is
    logarithmic if the peak is fifty times as high as a typical bin.

    Args:
        frame: `dt_ns` (bin centre), `counts`, optionally `variance`; or `dt_ps` and `width_ps`, as `gp.time_spectrum`
            gives them; or pairs, which are histogrammed. `name_a` and `name_b`, or boards and channels, for several
            detector pairs.
        window: the coincidence window, ps or as text.
        chance: `name_a`, `name_b`, `chance_pairs_expected` within the window.
        random: intervals of t_b - t_a in which all pairs are random coincidences, ps; shaded in grey.
        overlay: column that distinguishes the inputs, which are drawn over each other.
        compare: `ratio` to or `difference` from the first input of all others, in a panel below.
        counts: quantity on the y-axis, such as `net counts`.
        note: text for the subtitle, such as how counts were subtracted or normalised.
        style: style of the figure.
    """
    title = "Time differences of detector pairs"
    table, names = with_overlay(difference_table(collected(frame), style), overlay, style)
    check_compare(compare, names)
    inputs = Inputs(names, style)
    table = table.filter(is_inside(pl.col("dt_ns"), style.range_x))
    if table.is_empty() or not (table["counts"] != 0).any():
        return house.no_data(title, "no data: no two hits of different detectors are close in time", style)
    window = None if window is None else window if isinstance(window, Window) else parse_window(window)
    pairs = table.select(PAIR).n_unique()
    table = _strongest(table)
    number = table.select(PAIR).n_unique()
    columns = min({1: 1, 2: 1, 3: 1, 4: 2}.get(number, 3), max(1, style.letters // house.LEAST_LETTERS))
    frame, width = bins.rebin(table, [*PAIR, OVERLAY], "dt_ns", 600 // columns, bin=style.bin, width=one_width(table))
    frame = _with_facets(frame, columns, style)
    log = _is_steep(frame) if style.log_y is None else style.log_y
    floor = bins.log_floor(frame["counts"], frame["variance"] if "variance" in frame.columns else None) if log else None
    upper = house.compose(
        p9.ggplot(bins.outline(frame, "dt_ns"), p9.aes("dt_ns", "counts")),
        _random_marks(random),
        _window_marks(window) if window else [],
        histogram_layers(frame, "dt_ns", inputs, floor=floor),
        _chance_level(frame, chance, window, width, floor or 0.0) if window else [],
        panels("facet", ncol=columns, scales="free_y") if number > 1 or frame["facet"][0] else [],
        axes.number_axis(style.letters // columns, expand=(0, 0)),
        axes.log_axis(floor, expand=(0, 0, 0.06, 0)) if floor else axes.count_axis(expand=(0, 0, 0.06, 0)),
        p9.labs(
            title=title,
            subtitle=_note(window, number, pairs, note, with_chance=chance is not None, with_random=bool(random))
            + ("; " + BAND if has_band(frame) else ""),
            x=house.DIFFERENCE,
            y=house.capital(f"{counts} per {width:.4g} ns"),
        ),
        house.house_theme(style, height=house.height_for(number, columns) + inputs.height),
        house.legend_below(),
    )
    upper = finish(upper, style)
    if compare is None:
        return upper
    named = table.with_columns(board=pl.lit(0), channel=pl.lit(0), name=pl.concat_str(PAIR, separator=" – "))
    lower = comparison(named.with_columns(facet="name"), "dt_ns", inputs, compare, style, columns)
    return with_panel(upper, lower, style)


def _strongest(table: pl.DataFrame) -> pl.DataFrame:
    """All pairs where there is room for them, else their sum and those with the most counts."""
    names = [name for name in ("counts", "variance") if name in table.columns]
    table = table.select(*PAIR, OVERLAY, "dt_ns", "width_ns", *names)
    totals = table.group_by(PAIR, maintain_order=True).agg(pl.col("counts").sum().alias("total"))
    if totals.height <= MOST_PAIRS:
        return table
    strongest = totals.sort("total", descending=True, maintain_order=True).head(MOST_PAIRS - 1)
    sums = table.group_by(OVERLAY, "dt_ns", maintain_order=True).agg(pl.col("width_ns").first(), pl.col(names).sum())
    sums = sums.select(OVERLAY, "dt_ns", "width_ns", *names, name_a=pl.lit(ALL), name_b=pl.lit("")).select(
        table.columns
    )
    return pl.concat([sums, table.join(strongest, on=PAIR, how="semi", maintain_order="left")])


def _is_steep(frame: pl.DataFrame) -> bool:
    """True where a peak would hide the level of random coincidences on a linear scale."""
    heights = frame.group_by(PAIR).agg(highest=pl.col("counts").max(), typical=pl.col("counts").median())
    return bool((heights["highest"] > 50 * heights["typical"].clip(lower_bound=1)).any())


def _with_facets(frame: pl.DataFrame, columns: int, style: FigureStyle) -> pl.DataFrame:
    """`facet`: both names and the counts; the sum of all comes first, then the order is that of the names."""
    pairs = frame.group_by(PAIR, maintain_order=True).agg(pl.col("counts").sum())
    pairs = pairs.sort(pl.col("name_a") != ALL, maintain_order=True)
    room = house.name_room(columns, style) // 2
    names = [pair_name(a, b, room) if b else a for a, b in pairs.select(PAIR).iter_rows()]
    unique = house.short_names((name.replace(r"\$", "$") for name in names), 200)
    return frame.join(
        pairs.with_columns(facet_column(unique)).drop("counts"),
        on=PAIR,
        how="left",
        maintain_order="left",
    )


def window_ranges_ns(window: Window) -> list[tuple[float, float]]:
    """Where a pair may lie on the axis of t_b - t_a, ns.

    A pair without start and stop detectors counts from its earlier hit, whichever detector that is: a window of 10 to
    100 ns takes pairs from -100 to -10 ns as well.
    """
    low, high = max(window.low, 0) / 1000, window.high / 1000
    if high < 0:
        return []
    return [(-high, -low), (low, high)] if low > 0 else [(-high, high)]


def _window_marks(window: Window) -> list[object]:
    layers: list[object] = []
    for low, high in window_ranges_ns(window):
        layers += [
            _shaded(low, high, house.AMBER),
            p9.geom_vline(xintercept=[low, high], color=house.AMBER, size=0.5),
        ]
    return layers


def _random_marks(random: Sequence[Window]) -> list[object]:
    return [_shaded(low / 1000, high / 1000, house.QUIET) for low, high in random]


def _shaded(low: float, high: float, colour: str) -> object:
    ends = {"xmin": low, "xmax": high, "ymin": -float("inf"), "ymax": float("inf")}
    return p9.annotate("rect", **ends, fill=colour, alpha=0.13)


def _chance_level(
    frame: pl.DataFrame, chance: pl.DataFrame | None, window: Window, width: float, floor: float
) -> list[object]:
    """The expected random coincidences per bin, as a line in each facet; a level below the axis is not drawn."""
    width_accepted = sum(high - low for low, high in window_ranges_ns(window))
    if chance is None or not width_accepted:
        return []
    per_bin = pl.col("chance_pairs_expected") * (width / width_accepted)
    levels = chance.select(*PAIR, level=per_bin)
    total = pl.DataFrame({"name_a": [ALL], "name_b": [""], "level": [float(levels["level"].sum())]})
    lines = (
        frame.select(*PAIR, "facet").unique().join(pl.concat([levels, total]), on=PAIR).filter(pl.col("level") > floor)
    )
    if lines.is_empty():
        return []
    return [p9.geom_hline(p9.aes(yintercept="level"), data=lines, color=house.ORANGE, linetype="dashed", size=0.6)]


def _note(
    window: Window | None, facets: int, pairs: int, note: str | None, *, with_chance: bool, with_random: bool
) -> str:
    parts = [note] if note else []
    if window:
        parts.append(f"shaded: the coincidence window, {window}")
    if with_random:
        parts.append("grey: random windows")
    if with_chance:
        parts.append("dashed: random coincidences expected")
    if pairs > facets:
        parts.append(f"sum and the {facets - 1} strongest of {pairs} detector pairs")
    return "; ".join(parts)


BEFORE, AFTER = "before (shifted to 0)", "after"


def timing(differences: pl.DataFrame, pairs: pl.DataFrame, *, style: FigureStyle = SCREEN) -> p9.ggplot:
    """Time differences around the prompt peaks before and after alignment, one facet per detector pair.

    The histogram before alignment is shifted by the position of the peak, which the facet's title gives with both
    widths. If there are more than twelve pairs, those with the most prompt pairs are drawn.

    Args:
        differences: `name_a`, `name_b`, `dt_ns` (bin centres), `width_ns`, `counts_before`, `counts_after`.
        pairs: `name_a`, `name_b`, `prompt_pairs`, `position_ps`, `fwhm_before_ps`, `fwhm_after_ps`.
        style: style of the figure.
    """
    title = "Prompt peaks of detector pairs"
    if differences.is_empty():
        return house.no_data(title, "no data: no two detectors show a prompt peak", style)
    peaks = pairs.filter(pl.col("status") == "ok")
    shown = peaks.sort("prompt_pairs", descending=True, maintain_order=True).head(MOST_PAIRS)
    shown = peaks.join(shown.select(PAIR), on=PAIR, how="semi", maintain_order="left")
    columns = min({1: 1, 2: 2, 3: 3, 4: 2}.get(shown.height, 3), max(1, style.letters // 40))
    names = _labels(shown, columns, style)
    frame = pl.concat(
        bins.outline(
            bins.with_edges(part.select(*PAIR, "dt_ns", "width_ns", counts=f"counts_{when}"), "dt_ns", "width_ns"),
            "dt_ns",
        ).with_columns(state=pl.lit(state, pl.Enum([BEFORE, AFTER])))
        for _, part in differences.join(shown, on=PAIR, how="semi", maintain_order="left").group_by(
            PAIR, maintain_order=True
        )
        for when, state in (("before", BEFORE), ("after", AFTER))
    ).join(names, on=PAIR, how="left", maintain_order="left")
    colours = {BEFORE: house.QUIET, AFTER: house.BLUE}
    note = f"the {shown.height} strongest of {peaks.height} detector pairs" if peaks.height > shown.height else None
    plot = house.compose(
        p9.ggplot(frame, p9.aes("dt_ns", "counts", color="state", fill="state")),
        geom_band(p9.aes(ymin=0, ymax="counts"), alpha=0.15, color="none"),
        p9.geom_path(p9.aes(linetype="state"), size=0.5),
        p9.scale_linetype_manual(values={BEFORE: "dashed", AFTER: "solid"}, name=" "),
        p9.geom_vline(xintercept=0, color=house.AMBER, size=0.5, linetype="dashed"),
        panels("facet", ncol=columns, scales="free"),
        p9.scale_color_manual(values=colours, name=" "),
        p9.scale_fill_manual(values=colours, name=" "),
        axes.number_axis(style.letters // columns, expand=(0, 0)),
        p9.scale_y_continuous(expand=(0, 0, 0.06, 0), labels=axes.number_labels),
        p9.labs(title=title, subtitle=note, x=house.DIFFERENCE, y="Pairs per bin"),
        house.house_theme(style, height=house.height_for(shown.height, columns) + 0.2 * columns),
        house.legend_below(),
    )
    return finish(plot, style)


def _labels(pairs: pl.DataFrame, columns: int, style: FigureStyle) -> pl.DataFrame:
    """`facet`: both names, where the peak was, and its widths."""
    room = max(8, house.name_room(columns, style) // 4)
    labels, divider = [], ", " if columns == 1 else "\n"
    for row in pairs.iter_rows(named=True):
        names = pair_name(row["name_a"], row["name_b"], room)
        before, after = (f"{row[f'fwhm_{when}_ps'] / 1000:.4g}" for when in ("before", "after"))
        position = axes.number_labels([round(row["position_ps"] / 1000, 3)])[0]
        labels.append(
            f"{names}{': ' if columns < 3 else divider}peak at {position} ns{divider}FWHM {before} → {after} ns"
        )
    unique = [f"{label}{' ' * labels[:place].count(label)}" for place, label in enumerate(labels)]
    return pairs.select(PAIR).with_columns(facet_column(unique))
