"""Spectra in anti-coincidence: hits that no other detector's hit accompanies.

Lines of a cascade, and the continuum of gamma rays that scatter into another detector, become weaker in `counts` than
in `all_counts`; lines of transitions that go to the ground state alone do not. `share` is the ratio of the two: where
it is lower than at other energies, there are coincidences. It is below 1 everywhere by the random coincidences with
the other detectors. A hit is accompanied by any hit that follows within --window of it or of another that does; hits
with a flag of --reject accompany others, but are not in the spectra.
"""

import polars as pl

import gammapolars as gp


def query(hits: pl.LazyFrame, *, window: str, reject: int, bin_kev: float = 1.0) -> pl.LazyFrame:
    bins, counts, alone = ["board", "channel", "energy_kev"], pl.col("counts"), pl.col("multiplicity") == 1
    share = counts / pl.col("all_counts")
    return (
        hits.filter(~gp.has_any("fake_event"))
        .pipe(gp.events, window, window_ref="last", reject="none")
        .filter(~gp.has_any(reject))
        .with_columns(alone=alone)
        .pipe(gp.spectrum, bin_kev=bin_kev, by=["board", "channel", "alone"])
        .group_by(bins)
        .agg(counts.filter("alone").sum(), pl.col("variance").filter("alone").sum(), all_counts=counts.sum())
        .with_columns(share=share, share_unc=(share * (1 - share) / pl.col("all_counts")).sqrt())
        .sort(bins)
    )
