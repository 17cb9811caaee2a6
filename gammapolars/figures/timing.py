"""Time differences of detector pairs about their prompt peaks, before and after an alignment."""

import plotnine as p9
import polars as pl

from gammapolars.figures import bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import facet_column, pair_name

PAIR = ["name_a", "name_b"]
MOST_PAIRS = 12
BEFORE, AFTER = "before, moved to its peak", "after"


def timing(
    differences: pl.DataFrame, pairs: pl.DataFrame, *, title: str = "Prompt peaks of detector pairs"
) -> p9.ggplot:
    """Time differences about the prompt peaks before and after, one facet a detector pair.

    What was there before is moved by the peak's position, which the facet's name gives with both widths. Of more than
    twelve pairs, those with the most prompt pairs are drawn.

    Args:
        differences: `name_a`, `name_b`, `dt_ns` (bin centres), `width_ns`, `counts_before`, `counts_after`.
        pairs: `name_a`, `name_b`, `prompt_pairs`, `position_ps`, `fwhm_before_ps`, `fwhm_after_ps`.
        title: what the figure shows.
    """
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
