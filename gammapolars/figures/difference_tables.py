"""Time differences as figures need them: of tables as they are saved, or counted from pairs."""

import polars as pl

from gammapolars.figures import bins
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import require

PAIR = ["name_a", "name_b"]


def difference_table(table: pl.DataFrame, style: FigureStyle = SCREEN) -> pl.DataFrame:
    """Time differences as this figure needs them: `name_a`, `name_b`, `dt_ns` (bin centres), `counts`."""
    for side in "ab":
        if f"name_{side}" not in table.columns:
            keys = [f"board_{side}", f"channel_{side}"]
            known = all(key in table.columns for key in keys)
            name = pl.concat_str(keys, separator="/") if known else pl.lit("")
            table = table.with_columns(name.alias(f"name_{side}"))
    if "dt_ns" not in table.columns and "counts" not in table.columns:
        table = _counted(table, style)
    elif "dt_ns" not in table.columns:
        require(table, "time differences", ("dt_ps", "width_ps", "counts"))
        middle = (pl.col("dt_ps") + pl.col("width_ps") / 2) / 1000
        table = table.with_columns(dt_ns=middle, width_ns=pl.col("width_ps") / 1000)
    require(table, "time differences", ("dt_ns", "counts"))
    if "width_ns" not in table.columns:
        table = table.with_columns(width_ns=pl.lit(None, pl.Float64))
    numbers = [name for name in ("dt_ns", "width_ns", "counts", "variance") if name in table.columns]
    return table.with_columns(pl.col(numbers).cast(pl.Float64))


def one_width(table: pl.DataFrame) -> float | None:
    """The width of all bins, where a table says it."""
    widths = table["width_ns"].unique()
    return None if len(widths) != 1 or widths[0] is None else float(widths[0])


BINS_OF_PAIRS = 200
"""Bins of the histograms of pairs, unless a width is given."""


def _counted(pairs: pl.DataFrame, style: FigureStyle) -> pl.DataFrame:
    """Pairs by their time difference, in bins of which one is centred on 0; of random windows none, as by command."""
    require(pairs, "pairs", ("dt_ps",))
    if "region" in pairs.columns:  # those of random windows weigh less than 0, and none of them lies among the others
        pairs = pairs.filter(pl.col("region").cast(pl.String) == "prompt")
    pairs = _in_one_order(pairs)
    ends = pairs["dt_ps"].min(), pairs["dt_ps"].max()
    if ends[0] is None:
        return pairs.select(*PAIR, dt_ns=pl.lit(0.0), counts=pl.lit(0.0)).head(0)
    span = max(1, int(ends[1]) - int(ends[0]))  # type: ignore[arg-type]
    width = round(1000 * style.bin) if style.bin else _suited_width(pairs["dt_ps"], span)
    weight = pl.col("weight") if "weight" in pairs.columns else pl.lit(1.0)
    others = [name for name in pairs.columns if pairs.schema[name] in (pl.String, pl.Categorical, pl.Enum)]
    number = (pl.col("dt_ps") + width // 2) // width
    return (
        pairs.with_columns(weight.alias("weight"))
        .group_by(*others, dt_ns=number * (width / 1000))
        .agg(counts=pl.col("weight").sum(), variance=(pl.col("weight") ** 2).sum())
        .with_columns(width_ns=pl.lit(width / 1000))
        .sort(*PAIR, "dt_ns")
    )


def _suited_width(dt_ps: pl.Series, span: int) -> int:
    """A width of bins, ps, each of which holds as many steps of the clock as any other, the same on both sides of 0."""
    width, step = max(1, bins.nice_factor(span, BINS_OF_PAIRS)), round(bins.bin_width(dt_ps))
    if step <= 1:
        return width
    steps = -(-width // step)
    return step * (steps + (steps % 2 == 0))


def _in_one_order(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs whose first hit is always the same detector's, where it was now one and now the other that came first."""
    keys = [name for name in ("board", "channel", "name") if f"{name}_a" in pairs.columns]
    sides = [[f"{key}_{side}" for key in keys] for side in "ab"]
    orders = set(pairs.select(*sides[0], *sides[1]).unique().rows())
    both = [(a, b) for row in orders if (a := row[: len(keys)]) > (b := row[len(keys) :]) and (*b, *a) in orders]
    if not both:
        return pairs
    turned = pl.any_horizontal(
        pl.all_horizontal(
            pl.col(f"{key}_{side}") == value
            for side, of in zip("ab", ends, strict=True)
            for key, value in zip(keys, of, strict=True)
        )
        for ends in both
    )
    dt = pl.when(turned).then(-pl.col("dt_ps")).otherwise("dt_ps").alias("dt_ps")
    swapped = [
        pl.when(turned).then(f"{key}_{other}").otherwise(f"{key}_{side}").alias(f"{key}_{side}")
        for key in keys
        for side, other in ("ab", "ba")
    ]
    return pairs.with_columns(dt, *swapped)
