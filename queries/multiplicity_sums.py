"""Multiplicity against sum energy: how many detectors fire in an event, and the energy that they see together.

Events of a cascade with more gamma rays have a higher multiplicity and a larger sum. A gate on both, say multiplicity 3
or more above some sum, selects one decay or reaction channel from others: this table shows where to set it. Each row is
a bin of the sum energy for one multiplicity, with `counts` events and their `variance`. Events with a hit that has no
energy are left out, since their sum is not known. Random coincidences are included.
"""

import polars as pl

import gammapolars as gp


def query(hits: pl.LazyFrame, *, window: str, reject: int, bin_kev: float = 10.0) -> pl.LazyFrame:
    known = pl.when(pl.col("energy_kev").is_not_null()).then("energy_kev").otherwise(float("nan"))  # spoils its sum
    return (
        gp.events(hits.with_columns(energy_kev=known), window, reject=reject)
        .pipe(gp.event_summary)
        .pipe(gp.spectrum, energy="sum_energy_kev", bin_kev=bin_kev, by=["multiplicity"])
        .sort("multiplicity", "energy_kev")
    )
