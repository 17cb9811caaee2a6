"""From where to where spectra reach."""

import polars as pl


def span_of(spectra: pl.DataFrame) -> tuple[float, float] | None:
    """The range of energies (keV) that all spectra reach: from their first counts to their last bin.

    Args:
        spectra: `energy_kev` and `counts`, of several with `run`, `board` or `channel`.

    Returns:
        The lowest and the highest energy; None without energies or counts, or where they have no range in common.
    """
    if "energy_kev" not in spectra.columns:
        return None
    keys = [name for name in ("run", "board", "channel") if name in spectra.columns]
    known = spectra.filter(pl.col("energy_kev").is_finite()).with_columns(all=pl.lit(0))
    energy = pl.col("energy_kev")
    spans = known.group_by("all", *keys).agg(low=energy.filter(pl.col("counts") > 0).min(), high=energy.max())
    low, high = spans["low"].max(), spans["high"].min()
    if not (isinstance(low, float) and isinstance(high, float)) or spans["low"].null_count() or low >= high:
        return None
    return low, high
