"""Time differences of detector pairs: with the window and chance, and about prompt peaks before and after alignment."""

from collections.abc import Sequence

import plotnine as p9
import polars as pl

from gammapolars.core.units import Window
from gammapolars.figures import bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import facet_column, pair_name

PAIR = ["name_a", "name_b"]
MOST_PAIRS = 12
ALL = "all detector pairs"


def time_difference(
    time_differences: pl.DataFrame,
    window: Window,
    *,
    chance: pl.DataFrame | None = None,
    random: Sequence[Window] = (),
) -> p9.ggplot:
    """Histograms of t_b - t_a, one facet a detector pair: the window shaded, the expected chance level dashed.

    Of more than twelve pairs, the sum and the eleven with the most counts are drawn. The scale is logarithmic where
    the peak stands fifty times above the typical bin.

    Args:
        time_differences: `name_a`, `name_b`, `dt_ns` (bin centre), `width_ns`, `counts`.
        window: the coincidence window, ps.
        chance: `name_a`, `name_b`, `chance_pairs_expected` within the window.
        random: intervals of t_b - t_a that are taken to hold chance pairs alone, ps; shaded in grey.
    """
    title = "Time differences of detector pairs"
    if time_differences.is_empty() or not (time_differences["counts"] > 0).any():
        return house.no_data(title, "no data: no two hits of different detectors came close in time")
    table = time_differences.select(*PAIR, "dt_ns", pl.col("counts").cast(pl.Float64))
    pairs = table.select(PAIR).n_unique()
    table = _strongest(table)
    facets = table.select(PAIR).n_unique()
    columns = {1: 1, 2: 1, 3: 1, 4: 2}.get(facets, 3)
    frame, width = bins.rebin(table, PAIR, "dt_ns", 600 // columns)
    frame = _with_facets(frame, columns)
    floor = bins.log_floor(frame["counts"]) if _is_steep(frame) else 0.0
    points = bins.outline(frame, "dt_ns", width).with_columns(
        pl.col("counts").clip(lower_bound=floor), floor=pl.lit(floor)
    )
    return house.compose(
        p9.ggplot(points, p9.aes("dt_ns", "counts")),
        _random_marks(random, floor),
        _window_marks(window, floor),
        p9.geom_ribbon(p9.aes(ymin="floor", ymax="counts"), fill=house.BLUE, alpha=0.25),
        p9.geom_line(color=house.BLUE, size=0.45),
        _chance_level(frame, chance, window, width, floor),
        p9.facet_wrap("facet", ncol=columns, scales="free_y"),
        p9.scale_x_continuous(expand=(0, 0), labels=house.number_labels),
        _scale_y(floor),
        p9.labs(
            title=title,
            subtitle=_note(window, facets, pairs, with_chance=chance is not None, with_random=bool(random)),
            x=house.DIFFERENCE,
            y=f"counts per {width:.4g} ns",
        ),
        house.house_theme(height=house.height_for(facets, columns)),
    )


def _strongest(table: pl.DataFrame) -> pl.DataFrame:
    """All pairs where there is room for them, else their sum and those with the most counts."""
    totals = table.group_by(PAIR, maintain_order=True).agg(pl.col("counts").sum().alias("total"))
    if totals.height <= MOST_PAIRS:
        return table
    strongest = totals.sort("total", descending=True, maintain_order=True).head(MOST_PAIRS - 1)
    sums = table.group_by("dt_ns", maintain_order=True).agg(pl.col("counts").sum())
    sums = sums.select(name_a=pl.lit(ALL), name_b=pl.lit(""), dt_ns="dt_ns", counts="counts")
    return pl.concat([sums, table.join(strongest, on=PAIR, how="semi", maintain_order="left")])


def _is_steep(frame: pl.DataFrame) -> bool:
    """True where a peak would hide the chance level on a linear scale."""
    heights = frame.group_by(PAIR).agg(highest=pl.col("counts").max(), typical=pl.col("counts").median())
    return bool((heights["highest"] > 50 * heights["typical"].clip(lower_bound=1)).any())


def _with_facets(frame: pl.DataFrame, columns: int) -> pl.DataFrame:
    """`facet`: both names and the counts; the sum of all comes first, then the order is that of the names."""
    pairs = frame.group_by(PAIR, maintain_order=True).agg(pl.col("counts").sum())
    pairs = pairs.sort(pl.col("name_a") != ALL, maintain_order=True)
    room = house.name_room(columns) // 2
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


def _window_marks(window: Window, floor: float) -> list[object]:
    bottom = floor if floor > 0 else -float("inf")
    layers: list[object] = []
    for low, high in window_ranges_ns(window):
        layers += [
            p9.annotate("rect", xmin=low, xmax=high, ymin=bottom, ymax=float("inf"), fill=house.AMBER, alpha=0.13),
            p9.geom_vline(xintercept=[low, high], color=house.AMBER, size=0.5),
        ]
    return layers


def _random_marks(random: Sequence[Window], floor: float) -> list[object]:
    bottom = floor if floor > 0 else -float("inf")
    return [
        p9.annotate(
            "rect", xmin=low / 1000, xmax=high / 1000, ymin=bottom, ymax=float("inf"), fill=house.QUIET, alpha=0.13
        )
        for low, high in random
    ]


def _chance_level(
    frame: pl.DataFrame, chance: pl.DataFrame | None, window: Window, width: float, floor: float
) -> list[object]:
    """The counts per bin that chance alone would give, as a line in each facet; a level below the axis is not drawn."""
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


def _scale_y(floor: float) -> object:
    room = (0, 0, 0.06, 0)
    return house.log_axis(expand=room) if floor > 0 else p9.scale_y_continuous(expand=room, labels=house.number_labels)


def _note(window: Window, facets: int, pairs: int, *, with_chance: bool, with_random: bool) -> str:
    parts = [f"shaded: the coincidence window, {window}"]
    if with_random:
        parts.append("grey: random windows")
    if with_chance:
        parts.append("dashed: expected by chance")
    if pairs > facets:
        parts.append(f"the sum and the {facets - 1} strongest of {pairs} detector pairs")
    return "; ".join(parts)


BEFORE, AFTER = "before, moved to its peak", "after"


def timing(differences: pl.DataFrame, pairs: pl.DataFrame) -> p9.ggplot:
    """Time differences about the prompt peaks before and after, one facet a detector pair.

    What was there before is moved by the peak's position, which the facet's name gives with both widths. Of more than
    twelve pairs, those with the most prompt pairs are drawn.

    Args:
        differences: `name_a`, `name_b`, `dt_ns` (bin centres), `width_ns`, `counts_before`, `counts_after`.
        pairs: `name_a`, `name_b`, `prompt_pairs`, `position_ps`, `fwhm_before_ps`, `fwhm_after_ps`.
    """
    title = "Prompt peaks of detector pairs"
    if differences.is_empty():
        return house.no_data(title, "no data: no two detectors show a prompt peak")
    peaks = pairs.filter(pl.col("status") == "ok")
    shown = peaks.sort("prompt_pairs", descending=True, maintain_order=True).head(MOST_PAIRS)
    shown = peaks.join(shown.select(PAIR), on=PAIR, how="semi", maintain_order="left")
    columns = {1: 1, 2: 2, 3: 3, 4: 2}.get(shown.height, 3)
    names = _labels(shown, columns)
    frame = pl.concat(
        bins.outline(part.select(*PAIR, "dt_ns", counts=f"counts_{when}"), "dt_ns", part["width_ns"][0]).with_columns(
            pl.col("dt_ns").round(6),  # the edges of neighbouring bins must be equal
            state=pl.lit(state, pl.Enum([BEFORE, AFTER])),
        )
        for _, part in differences.join(shown, on=PAIR, how="semi", maintain_order="left").group_by(
            PAIR, maintain_order=True
        )
        for when, state in (("before", BEFORE), ("after", AFTER))
    ).join(names, on=PAIR, how="left", maintain_order="left")
    colours = {BEFORE: house.QUIET, AFTER: house.BLUE}
    note = f"the {shown.height} strongest of {peaks.height} detector pairs" if peaks.height > shown.height else None
    return house.compose(
        p9.ggplot(frame, p9.aes("dt_ns", "counts", color="state", fill="state")),
        p9.geom_ribbon(p9.aes(ymin=0, ymax="counts"), alpha=0.15, color="none"),
        p9.geom_line(size=0.5),
        p9.geom_vline(xintercept=0, color=house.AMBER, size=0.5, linetype="dashed"),
        p9.facet_wrap("facet", ncol=columns, scales="free"),
        p9.scale_color_manual(values=colours, name=" "),
        p9.scale_fill_manual(values=colours, name=" "),
        p9.scale_x_continuous(expand=(0, 0), labels=house.number_labels),
        p9.scale_y_continuous(expand=(0, 0, 0.06, 0), labels=house.number_labels),
        p9.labs(
            title=title, subtitle=note, x="time of the second detector − time of the first (ns)", y="pairs per bin"
        ),
        house.house_theme(height=house.height_for(shown.height, columns) + 0.2 * columns),
        p9.theme(legend_position="bottom"),
    )


def _labels(pairs: pl.DataFrame, columns: int) -> pl.DataFrame:
    """`facet`: both names, where the peak was, and its widths."""
    room = max(8, house.name_room(columns) // 4)
    labels, divider = [], ", " if columns == 1 else "\n"
    for row in pairs.iter_rows(named=True):
        names = pair_name(row["name_a"], row["name_b"], room)
        before, after = (f"{row[f'fwhm_{when}_ps'] / 1000:.4g}" for when in ("before", "after"))
        position = house.number_labels([round(row["position_ps"] / 1000, 3)])[0]
        labels.append(
            f"{names}{': ' if columns < 3 else divider}peak at {position} ns{divider}FWHM {before} → {after} ns"
        )
    unique = [f"{label}{' ' * labels[:place].count(label)}" for place, label in enumerate(labels)]
    return pairs.select(PAIR).with_columns(facet_column(unique))
