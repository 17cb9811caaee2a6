"""The spectrum in coincidence with one line: energies of the partners of hits within `width` / 2 of `gate` keV."""

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame, *, pairs: pl.LazyFrame, gate: float = 1332.5, width: float = 6.0, bin_kev: float = 1.0
) -> pl.LazyFrame:
    def in_gate(side: str) -> pl.Expr:
        return (pl.col(f"energy_kev_{side}") - gate).abs() <= width / 2

    seen = pl.concat_list(pl.when(in_gate("a")).then("energy_kev_b"), pl.when(in_gate("b")).then("energy_kev_a"))
    return pairs.select(energy_kev=seen).explode("energy_kev").pipe(gp.spectrum, bin_kev=bin_kev, by=())
