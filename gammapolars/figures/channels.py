"""Spectra by channel with the empty channels that were left out."""

import numpy as np
import polars as pl

from gammapolars.figures import bins
from gammapolars.figures.facets import DETECTOR
from gammapolars.figures.tables import OVERLAY

MOST = 2**20
"""Channels of a spectrum: more are of values that lie on no grid."""

SAME_KEV = 1e-6
"""Energies of one channel that differ by no more are the same."""

PLACE = "_place"


def with_empty_channels(table: pl.DataFrame) -> pl.DataFrame:
    """Spectra with both `adc` and `energy_kev`, in which channels that were left out have 0 counts.

    Their energies lie between those of their neighbours. Without them the rows of a spectrum whose calibration is no
    straight line would be taken for neighbours, and bins of one label be of many widths.
    """
    if not {"adc", "energy_kev"} <= set(table.columns):
        return table
    bare = pl.col("adc").is_null() | pl.col("energy_kev").is_null()
    parts = table.filter(~bare).partition_by(DETECTOR, maintain_order=True)
    return pl.concat([table.filter(bare), *map(_filled, parts)], how="diagonal_relaxed") if parts else table


def _filled(part: pl.DataFrame) -> pl.DataFrame:
    """The spectra of one detector on one grid of channels; each on its own where their calibrations differ."""
    adc = part["adc"].cast(pl.Float64).to_numpy()
    step, low = bins.bin_width(part["adc"]), float(adc.min())
    places = np.round((adc - low) / step)
    if np.abs((adc - low) / step - places).max() > 1e-3 or places.max() >= MOST:
        return part
    kev = pl.col("energy_kev").cast(pl.Float64)
    numbers = part.with_columns(pl.Series(PLACE, places.astype(np.int64)))
    known = numbers.group_by(PLACE).agg(low=kev.min(), high=kev.max()).sort(PLACE)
    if (known["high"] - known["low"]).max() > SAME_KEV * max(1.0, float(known["high"].abs().max())):  # type: ignore[arg-type, operator]
        inputs = part.partition_by(OVERLAY, maintain_order=True)
        return pl.concat(map(_filled, inputs)) if len(inputs) > 1 else part
    grid = np.arange(int(places.max()) + 1)
    rows = pl.DataFrame(
        {PLACE: grid, "adc": low + step * grid, "energy_kev": np.interp(grid, *known[:, :2].to_numpy().T)}
    )
    sums = [pl.col(name).cast(pl.Float64).sum() for name in ("counts", "variance") if name in part.columns]
    by = [*DETECTOR, OVERLAY]
    counted = numbers.group_by(*by, PLACE).agg(sums)
    whole = part.select(by).unique(maintain_order=True).join(rows, how="cross")
    filled = whole.join(counted, on=[*by, PLACE], how="left", maintain_order="left").drop(PLACE)
    return filled.with_columns(pl.col("counts", *([] if len(sums) == 1 else ["variance"])).fill_null(0.0))
