"""Pairs of two 511 keV photons: both energies within `tolerance` keV of 511."""

import polars as pl


def query(hits: pl.LazyFrame, *, pairs: pl.LazyFrame, tolerance: float = 5.0) -> pl.LazyFrame:
    return pairs.filter(
        (pl.col("energy_kev_a") - 511).abs() <= tolerance,
        (pl.col("energy_kev_b") - 511).abs() <= tolerance,
    )
