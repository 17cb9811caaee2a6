"""Sum energies of triple coincidences: levels that decay by a cascade of three gamma rays.

Where all three gamma rays of a cascade are absorbed completely, their energies add up to that of the level in which the
cascade begins: a peak at this sum. Below it lies the continuum of triples of which a part has escaped. `energy_kev` is
the sum of the three energies. Triples with a detector that is not calibrated are left out. With --random-windows,
random triples are subtracted: counts are net, and `variance` is theirs; else they are still in the spectrum.
"""

from typing import Annotated

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame,
    *,
    window: str,
    reject: int,
    least_kev: Annotated[float, "Least energy of each of the three, in keV."] = 0.0,
    bin_kev: Annotated[float, "Width of the bins, in keV."] = 1.0,
    random_windows: Annotated[str, "Such as 1us:3us, or auto: subtract random triples."] = "",
) -> pl.LazyFrame:
    energies = [pl.col(f"energy_kev_{side}") for side in "abc"]
    return (
        gp.triples(hits, window, random=random_windows, reject=reject)
        .filter(energy >= least_kev for energy in energies)
        .with_columns(sum_kev=pl.sum_horizontal(energies, ignore_nulls=False))
        .pipe(gp.spectrum, energy="sum_kev", bin_kev=bin_kev, by=())
    )
