"""Gain drift: the position of one line in each detector, time slice by time slice.

`shift_kev` is how far the centre of the line lies above `line`; times `gain_factor`, the energies are right again. A
shift that grows steadily is drift, with temperature or rate; a step is a changed setting. The background is subtracted,
as it is on both sides of the line. `width` must hold the whole line wherever it goes: three FWHM, and the drift on both
sides. The shift is null where there is no line. (`gammapolars drift` also corrects the drift.)
"""

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame, *, reject: int, line: float = 1460.8, width: float = 16.0, minutes: float = 10.0
) -> pl.LazyFrame:
    detector = [name for name in ("run", "board", "channel") if name in hits.collect_schema()]
    width_ps, half = round(minutes * 60e12), width / 2
    gate = gp.Gate.on(line, width, [(line - width, line - half), (line + half, line + width)])
    w, kev, shift, unc = pl.col("w"), pl.col("energy_kev") - line, pl.col("shift_kev"), pl.col("shift_kev_unc")
    moments = {f"w{p}x{q}": (w**p * kev**q).sum() for p, q in ((1, 1), (2, 1), (2, 2))}
    variance = pl.col("w2x2") - 2 * shift * pl.col("w2x1") + shift**2 * pl.col("variance")
    seen = pl.col("counts") > 5 * pl.col("variance").sqrt()
    return (
        hits.filter(~gp.has_any(reject))
        .with_columns(w=gate.weight("energy_kev"))
        .filter(w != 0)
        .group_by(*detector, slice=pl.col("timestamp_ps") // width_ps)
        .agg(time_s=pl.col("timestamp_ps").mean() / 1e12, counts=w.sum(), variance=(w**2).sum(), **moments)
        .with_columns(shift_kev=pl.when(seen).then(pl.col("w1x1") / pl.col("counts")))
        .with_columns(shift_kev_unc=variance.sqrt() / pl.col("counts"))
        .with_columns(gain_factor=line / (line + shift), gain_factor_unc=line * unc / (line + shift) ** 2)
        .drop("slice", *moments)
        .sort(*detector, "time_s")
    )
