"""A spectrum as arrays: every bin from the first to the last, with the adc and the energy at any place between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.types import Floats

KEYS = ("run", "board", "channel")
"""Columns that distinguish the spectra of a table, where they are there."""

MOST_BINS = 2**22


@dataclass(frozen=True)
class Bins:
    """One spectrum. Places are in bins: i is the middle of bin i.

    Attributes:
        counts: per bin.
        variance: of the counts.
        adc: at the middle of each bin; None where the spectrum is only in keV.
        energy_kev: the same; None where it is not calibrated.
    """

    counts: Floats
    variance: Floats
    adc: Floats | None
    energy_kev: Floats | None

    def axes(self) -> Iterator[tuple[str, Floats]]:
        """The quantities along the spectrum, by their unit."""
        if self.energy_kev is not None:
            yield "kev", self.energy_kev
        if self.adc is not None:
            yield "adc", self.adc

    @property
    def places(self) -> Floats:
        """0, 1, 2, …: the middle of each bin."""
        return np.arange(len(self.counts), dtype=np.float64)

    def rebinned(self, factor: int) -> "Bins":
        """The spectrum with this many neighbouring bins in one; the last one holds the rest."""
        if factor == 1:
            return self
        missing = -len(self.counts) % factor

        def sums(values: Floats) -> Floats:
            return np.asarray(np.pad(values, (0, missing)).reshape(-1, factor).sum(1), np.float64)

        groups = len(self.counts) // factor + bool(missing)
        middles = np.arange(groups, dtype=np.float64) * factor + 0.5 * (factor - 1)
        adc, energy = (None if axis is None else self.at(axis, middles) for axis in (self.adc, self.energy_kev))
        return Bins(sums(self.counts), sums(self.variance), adc, energy)

    def at(self, axis: Floats, place: Floats | float) -> Floats:
        """Value of a quantity at places between bins, and beyond the ends by the last bins' slope."""
        low = np.clip(np.floor(place).astype(np.int64), 0, len(axis) - 2)
        return np.asarray(axis[low] + (place - low) * (axis[low + 1] - axis[low]), np.float64)

    def slope(self, axis: Floats, place: Floats | float) -> Floats:
        """How much a quantity changes from bin to bin at places."""
        low = np.clip(np.floor(place).astype(np.int64), 0, len(axis) - 2)
        return np.asarray(axis[low + 1] - axis[low], np.float64)

    def place(self, axis: Floats, value: Floats) -> Floats:
        """Where a quantity has given values, in bins."""
        return np.interp(value, axis, self.places)


def spectra_of(spectrum: pl.DataFrame | pl.LazyFrame) -> Iterator[tuple[dict[str, int], Bins]]:
    """Each spectrum of a table, with the columns that distinguish it from the others.

    Args:
        spectrum: a table of spectra: `counts`, `variance` (the counts, if it is missing), `adc` or `energy_kev` or both
            (bin centres), and `board`, `channel`, `run` where it holds several. Bins may be left out and in any order.

    Raises:
        TableError: it has no counts, or neither adc nor energies, or negative counts without variances.
    """
    table = spectrum.lazy().collect()
    if "counts" not in table.columns or not {"adc", "energy_kev"} & set(table.columns):
        raise TableError(
            "this frame is not a table of spectra: it needs 'counts', and 'adc' or 'energy_kev' (bin centres)"
        )
    if "variance" not in table.columns:
        table = table.with_columns(variance=pl.when(pl.col("counts") >= 0).then(pl.col("counts")))
    _check_variance(table)
    keys = [name for name in KEYS if name in table.columns]
    if not keys:
        if table.height:
            yield {}, _bins(table)
        return
    for values, part in table.sort(keys, maintain_order=True).group_by(keys, maintain_order=True):
        yield dict(zip(keys, (int(str(value)) for value in values), strict=True)), _bins(part)


def _check_variance(table: pl.DataFrame) -> None:
    variance = table["variance"].cast(pl.Float64)
    if not variance.is_finite().fill_null(value=False).all():
        raise TableError(
            "this spectrum has negative counts or no variances, so the uncertainty of its counts is not "
            "known: give it a column 'variance', as gp.subtract does"
        )
    if (variance < 0).any():
        raise TableError(
            f"this spectrum has a variance of {variance.filter(variance < 0)[0]:g}: variances must not be negative"
        )


def _bins(table: pl.DataFrame) -> Bins:
    """All bins of one spectrum, those with no counts filled in."""
    axes = {name: _values(table, name) for name in ("adc", "energy_kev")}
    axis = axes["energy_kev"] if axes["adc"] is None else axes["adc"]
    if axis is None:
        raise TableError("this spectrum has bins without adc or energy_kev")
    order = np.argsort(axis, kind="stable")
    axis = axis[order]
    counts, variance = (table[name].cast(pl.Float64).to_numpy()[order] for name in ("counts", "variance"))
    energies = axes["energy_kev"][order] if axes["energy_kev"] is not None else None
    steps = np.diff(axis)
    steps = steps[steps > 0]
    width = float(steps.min()) if steps.size else 1.0
    place = np.round((axis - axis[0]) / width).astype(np.int64)
    if steps.size and steps.size == len(axis) - 1 and steps.max() < 1.5 * width:
        place = np.arange(len(axis))  # none is left out; their widths follow a calibration that is not straight
    bins = int(place[-1]) + 1
    if bins > MOST_BINS:
        raise TableError(f"this spectrum would have {bins:,} bins of {width:g}: are its bins of different widths?")
    full = [np.bincount(place, values, minlength=2).astype(np.float64) for values in (counts, variance)]
    grid = _between(place, axis, max(bins, 2)) if bins > 1 else axis[0] + np.arange(2.0)
    if axes["adc"] is None:
        return Bins(full[0], full[1], None, grid)
    return Bins(full[0], full[1], grid, None if energies is None else _between(place, energies, len(grid)))


def _values(table: pl.DataFrame, name: str) -> Floats | None:
    """A column of bin centres, where every bin has one."""
    if name not in table.columns or table[name].null_count() or not table[name].is_finite().all():
        return None
    return table[name].cast(pl.Float64).to_numpy()


def _between(place: Sequence[int] | np.ndarray, energies: Floats, bins: int) -> Floats:
    """Energies at all bins, those left out between their neighbours and in line with the last two at the end."""
    places, first = np.unique(np.asarray(place), return_index=True)
    grid = np.interp(np.arange(bins), places, energies[first])
    if len(places) >= 2 and places[-1] < bins - 1:
        slope = (energies[first[-1]] - energies[first[-2]]) / (places[-1] - places[-2])
        grid[places[-1] + 1 :] = energies[first[-1]] + slope * np.arange(1, bins - places[-1])
    return np.asarray(grid, np.float64)
