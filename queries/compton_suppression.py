"""Compton suppression: the spectrum of each detector without the hits that its shield saw as well.

A gamma ray that scatters out of a detector deposits the rest of its energy in the shield around it: without such hits,
the Compton continuum is lower. `counts` is the suppressed spectrum, `all_counts` that of all hits, and `suppression`
their ratio. In full-energy peaks it should be 1: more shows random vetoes, or a cascade of which the shield sees
another gamma ray. Detectors of `kind` in detectors.toml are the shields, those of a `group` shield their group only;
--window is the time between both. Rejected hits of a shield veto too, those of a detector are left out.
"""

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame, *, detectors: gp.Detectors, window: str, reject: int, kind: str = "BGO", bin_kev: float = 5.0
) -> pl.LazyFrame:
    bins, counts, every = ["board", "channel", "energy_kev"], pl.col("counts"), pl.col("all_counts")
    shields = pl.LazyFrame(
        [one.key for one in detectors if one.kind == kind], {"board": pl.UInt16, "channel": pl.UInt16}, orient="row"
    )

    def spectrum(hits: pl.LazyFrame) -> pl.LazyFrame:
        return hits.filter(~gp.has_any(reject)).pipe(gp.spectrum, bin_kev=bin_kev)

    vetoed = hits.pipe(gp.veto, detectors, kind, window).pipe(spectrum)
    return (
        spectrum(hits)
        .join(shields, on=["board", "channel"], how="anti")
        .select(*bins, all_counts="counts")
        .join(vetoed, on=bins, how="left")
        .with_columns(pl.col("counts", "variance").fill_null(0.0))
        .with_columns(suppression=pl.when(counts > 0).then(every / counts))
        .with_columns(suppression_unc=((every - counts) * every / counts**3).sqrt())  # of counts that are shared
        .sort(bins)
    )
