"""The spectrum in coincidence with one line: energies of the partners of hits within `width` / 2 of `gate` keV."""

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame, *, pairs: pl.LazyFrame, gate: float = 1332.5, width: float = 6.0, bin_kev: float = 1.0
) -> pl.LazyFrame:
    return pairs.pipe(gp.gate, gate, width_kev=width).pipe(gp.spectrum, bin_kev=bin_kev, by=())
