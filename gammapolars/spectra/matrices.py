"""Matrices: counts per bin of the two energies of pairs."""

import polars as pl

from gammapolars.spectra.bins import check_width


def matrix(pairs: pl.LazyFrame, *, bin_kev: float = 2.0, symmetric: bool = True) -> pl.LazyFrame:
    """Counts per bin of the two energies of pairs: long and sparse.

    Where pairs have a `weight`, as with random windows, counts are sums of weights, and variances of squared ones.

    Args:
        pairs: a calibrated table of pairs. Rows without an energy are left out.
        bin_kev: the bins' width on both axes.
        symmetric: whether each pair stands at (x, y) and at (y, x); on the diagonal it counts once.

    Returns:
        A lazy matrix: `energy_kev_x`, `energy_kev_y` (bin centres), `counts`, `variance`.
    """
    check_width(bin_kev)
    x, y = _centre(pl.col("energy_kev_a"), bin_kev), _centre(pl.col("energy_kev_b"), bin_kev)
    weighted = "weight" in pairs.collect_schema()
    weight = pl.col("weight") if weighted else pl.lit(1.0)
    counted = (
        pairs.select(energy_kev_x=x, energy_kev_y=y, counts=weight)
        .drop_nulls()
        .group_by("energy_kev_x", "energy_kev_y")
        .agg(pl.col("counts").sum(), variance=(pl.col("counts") ** 2).sum())
    )
    return (mirrored(counted) if symmetric else counted).sort("energy_kev_x", "energy_kev_y")


def mirrored(counted: pl.LazyFrame, x: str = "energy_kev_x", y: str = "energy_kev_y") -> pl.LazyFrame:
    """A matrix made symmetric: each count at (x, y) and at (y, x), once on the diagonal."""
    mirror = pl.col(x) != pl.col(y)
    both = (
        pl.concat_list(x, pl.when(mirror).then(y)).alias(x),
        pl.concat_list(y, pl.when(mirror).then(x)).alias(y),
    )
    sums = pl.col("counts", "variance").sum()
    return counted.select(*both, "counts", "variance").explode(x, y).drop_nulls(x).group_by(x, y).agg(sums)


def _centre(energy: pl.Expr, bin_kev: float) -> pl.Expr:
    return ((energy / bin_kev).floor() + 0.5) * bin_kev
