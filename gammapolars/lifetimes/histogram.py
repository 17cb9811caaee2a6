"""Time spectra: pairs by their time difference."""

import polars as pl

from gammapolars.core.errors import TableError, UsageError


def time_spectrum(pairs: pl.LazyFrame, *, bin_ps: int, by: tuple[str, ...] = ()) -> pl.LazyFrame:
    """Pairs by their time difference, in equal bins.

    Args:
        pairs: any table with `dt_ps`; filter it first, for gates. Where pairs have a `weight`, weights are summed up.
        bin_ps: width of the bins; bin k reaches from k to k + 1 widths.
        by: columns that get a time spectrum each.

    Returns:
        A lazy table: `by`, `dt_ps` (the bin's first picosecond, Int64), `width_ps`, `counts` and `variance` (Float64);
        filled bins only, in order.

    Raises:
        TableError: there is no `dt_ps`.
        UsageError: bins without a width.
    """
    if bin_ps < 1:
        raise UsageError(f"a bin of time must be 1 ps wide or more, not {bin_ps}")
    columns = pairs.collect_schema()
    if "dt_ps" not in columns:
        raise TableError("this frame has no column 'dt_ps': make pairs of the hits first")
    weight = pl.col("weight") if "weight" in columns else pl.lit(1.0)
    return (
        pairs.select(*by, counts=weight, dt_ps=pl.col("dt_ps") // bin_ps * bin_ps)
        .group_by(*by, "dt_ps")
        .agg(pl.col("counts").sum(), variance=(pl.col("counts") ** 2).sum())
        .sort(*by, "dt_ps")
        .select(*by, "dt_ps", "counts", "variance", width_ps=pl.lit(bin_ps, pl.Int64))
    )
