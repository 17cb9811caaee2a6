"""Several spectra made comparable: on common bins, net of a background, and normalised, with their variances."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame
from gammapolars.core.types import Key
from gammapolars.spectra.arithmetic import subtract
from gammapolars.spectra.bins import AXES, WIDTH_OF, Axis, edges, numbered, width_of
from gammapolars.spectra.rebinning import rebin

DETECTOR = ("board", "channel")

LEAST_KEV = 0.5
"""No narrower bins than these are made of channels, unless they are asked for."""

SAME_KEV = 1e-6
"""Energies of one channel that differ by no more than this, or by this part of them, are the same."""


class CommonBins(NamedTuple):
    """Spectra whose bins are the same.

    Attributes:
        tables: in the order in which they were given.
        axis: the binned quantity.
        width: of the bins; None: they stayed as they were.
        rebinned: which tables have other bins than before.
    """

    tables: tuple[pl.DataFrame, ...]
    axis: Axis
    width: float | None
    rebinned: tuple[int, ...]


def in_common_bins(
    tables: Sequence[AnyFrame], *, width: float | None = None, axis: Axis | None = None, apart: bool = True
) -> CommonBins:
    """Spectra in the same bins: as they are where they share them, else in the widest of their bins.

    Counts and variances are shared out by overlap, as `rebin` does: all is exact where old edges are new ones.

    Args:
        tables: of spectra, each with the detectors that it has.
        width: of the common bins, keV or adc; None: the widest that one of them needs.
        axis: the binned quantity; None: energies, where all spectra have them, else adc values.
        apart: whether only the spectra of one detector are compared; else those of all.

    Raises:
        TableError: some have energies and others only adc values, or bins of unknown width.
        UsageError: bins without a width.
    """
    frames = [table.lazy().collect() for table in tables]
    axis = axis or _common_axis(frames)
    frames = [_along(frame, axis) for frame in frames]
    if width is None and _share_bins(frames, axis, apart=apart):
        return CommonBins(tuple(frames), axis, None, ())
    widths = [_widest(frame, axis) for frame in frames]
    width = width or _round_up(max(filter(None, widths), default=1.0))
    new = [
        (rebin(frame, bin_kev=width) if axis == "energy_kev" else rebin(frame, bin_adc=width)).collect()
        if frame.height
        else frame
        for frame in frames
    ]
    changed = [place for place, (old, own) in enumerate(zip(frames, new, strict=True)) if not _same(old, own, axis)]
    return CommonBins(tuple(new), axis, width, tuple(changed))


def even_width(tables: Sequence[pl.DataFrame]) -> float | None:
    """The width of even bins of energy for spectra by channel whose empty channels are left out; None: there are none.

    Such bins lie at growing distances, and neighbours in the table are none on the axis.
    """
    sparse = [table for table in tables if _is_sparse(table)]
    return (
        max(LEAST_KEV, *(_round_up(_widest(table, "energy_kev") or LEAST_KEV) for table in sparse)) if sparse else None
    )


def _is_sparse(spectrum: pl.DataFrame) -> bool:
    """Whether channels with energies are left out of one spectrum."""
    columns = {"adc", "energy_kev"} & set(spectrum.columns)
    if len(columns) < 2 or spectrum.height < 2 or spectrum.select(pl.col(columns).null_count().max()).row(0) != (0, 0):
        return False
    step = width_of(spectrum["adc"].cast(pl.Float64).to_numpy(), "adc") or 1.0
    reach = spectrum.select(pl.col("adc").cast(pl.Float64).max() - pl.col("adc").cast(pl.Float64).min()).item()
    return bool(round(reach / step) + 1 > spectrum.height)


def with_widths(spectra: pl.DataFrame) -> pl.DataFrame:
    """Spectra with all of their bins, only in energy, with `width_kev` where these are not of one width.

    Each bin reaches half-way to its neighbours, as those of a histogram with a calibration that is no straight line.
    """
    keys = [name for name in DETECTOR if name in spectra.columns]
    if not spectra.height or "energy_kev" not in spectra.columns or spectra["energy_kev"].null_count():
        return spectra
    if "adc" in spectra.columns and not spectra["adc"].null_count():
        return spectra
    parts = spectra.partition_by(keys, maintain_order=True) if keys else [spectra]
    if all(map(_is_even, parts)) or any(part.height < 2 for part in parts):
        return spectra
    return pl.concat(
        part.with_columns(width_kev=pl.Series(np.gradient(part["energy_kev"].to_numpy()))) for part in parts
    )


def _is_even(spectrum: pl.DataFrame) -> bool:
    """Whether bins are of one width."""
    try:
        width_of(spectrum["energy_kev"].to_numpy(), "energy_kev")
    except TableError:
        return False
    return True


def net_of(
    spectrum: AnyFrame,
    background: AnyFrame,
    seconds: Mapping[Key, float],
    background_seconds: Mapping[Key, float],
) -> pl.DataFrame:
    """Spectra less a background scaled to their time, detector by detector; a detector without background is an error.

    Args:
        spectrum: by detector, in bins that both share.
        background: the same; of further detectors it is left out.
        seconds: how long each detector was recorded (s), in the spectrum.
        background_seconds: the same in the background.

    Raises:
        TableError: the background lacks a detector, or has another bins.
    """
    table, other = spectrum.lazy().collect(), background.lazy().collect()
    keys = sorted(table.select(DETECTOR).unique().rows())
    if missing := [key for key in keys if key not in background_seconds]:
        raise TableError(f"the background has no spectrum of board {missing[0][0]} channel {missing[0][1]}")
    scales = {(int(b), int(c)): seconds[b, c] / background_seconds[b, c] for b, c in keys}
    own = other.join(table.select(DETECTOR).unique(), on=DETECTOR, how="semi")
    return subtract(table, own, scale=scales).collect() if own.height else table


def per_area(spectrum: AnyFrame, by: Sequence[str] = DETECTOR) -> pl.DataFrame:
    """Spectra divided by their own sums: n_i / A with A = Σ n, so that each sums up to 1.

    Each count is part of the sum, too: var f_i = [(1 - 2 f_i) var_i + f_i² Σ var] / A².

    Args:
        spectrum: a table of spectra.
        by: the columns that distinguish them, as far as it has them.

    Raises:
        TableError: a spectrum whose sum is not above 0.
    """
    table = spectrum.lazy().collect()
    keys = [name for name in by if name in table.columns]

    def total(name: str) -> pl.Expr:
        return pl.col(name).sum().over(keys) if keys else pl.col(name).sum()

    sums = table.with_columns(_area=total("counts"), _of_area=total("variance"))
    if sums.height and not (sums["_area"] > 0).all():
        raise TableError("a spectrum has no counts or a negative sum: it cannot be normalised by its area")
    part, area = pl.col("counts") / pl.col("_area"), pl.col("_area")
    variance = ((1 - 2 * part) * pl.col("variance") + part**2 * pl.col("_of_area")) / area**2
    return sums.with_columns(counts=part, variance=variance).drop("_area", "_of_area")


def _common_axis(frames: Sequence[pl.DataFrame]) -> Axis:
    """Energies where all bins have them, else adc values."""
    filled = [frame for frame in frames if frame.height]
    for axis in reversed(AXES):
        if all(axis in frame.columns and frame[axis].null_count() == 0 for frame in filled):
            return axis
    raise TableError("some spectra have energies and others only ADC channels: calibrate all of them, or none")


def _along(frame: pl.DataFrame, axis: Axis) -> pl.DataFrame:
    """A table with the columns that bins along an axis need: if in energies, its channels where all rows have them."""
    if axis == "adc":
        return frame.drop([name for name in ("energy_kev", WIDTH_OF["energy_kev"]) if name in frame.columns])
    incomplete = "adc" in frame.columns and frame["adc"].null_count()
    return frame.drop([name for name in ("adc", WIDTH_OF["adc"]) if incomplete and name in frame.columns])


def _share_bins(frames: Sequence[pl.DataFrame], axis: Axis, *, apart: bool) -> bool:
    """Whether spectra that are compared have the same bins."""
    filled = [frame for frame in frames if frame.height]
    if axis == "energy_kev" and any("adc" in frame.columns for frame in filled):
        return all("adc" in frame.columns for frame in filled) and _share_channels(filled, apart=apart)
    try:
        numbered(filled, axis)
    except TableError:
        return False
    return True


def _share_channels(frames: Sequence[pl.DataFrame], *, apart: bool) -> bool:
    """Whether each channel has the same energy in all spectra that are compared, and they are equally wide."""
    if any("width_adc" in frame.columns for frame in frames):
        return False
    keys = [name for name in DETECTOR if apart and all(name in frame.columns for frame in frames)]
    places = pl.concat(frame.select(*keys, pl.col("adc", "energy_kev").cast(pl.Float64)) for frame in frames)
    if not (places["adc"] == places["adc"].round()).all():
        return False
    energy = pl.col("energy_kev")
    spread = places.group_by(*keys, "adc").agg(spread=energy.max() - energy.min(), size=energy.abs().max())
    return bool((spread["spread"] <= SAME_KEV * spread["size"].clip(lower_bound=1.0)).all())


def _widest(frame: pl.DataFrame, axis: Axis) -> float | None:
    """The width of the bins of most of a table's range; None where a single bin does not give it."""
    if not frame.height:
        return None
    if WIDTH_OF[axis] not in frame.columns and not (axis == "energy_kev" and "adc" in frame.columns):
        return width_of(frame[axis].cast(pl.Float64).to_numpy(), axis)
    low, high = edges(frame, axis)
    return float(np.quantile(high - low, 0.9))


def _round_up(width: float) -> float:
    """A width, or where it is no plain number the next of 1, 2 or 5 times a power of ten."""
    if width == float(f"{width:.4g}"):
        return width
    decade = 10.0 ** np.floor(np.log10(width))
    return float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= width * (1 - 1e-9)))


def _same(old: pl.DataFrame, new: pl.DataFrame, axis: Axis) -> bool:
    """Whether bins are the ones that they were."""
    places = old[axis].cast(pl.Float64).sort().to_numpy()
    own = new[axis].sort().to_numpy()
    return len(places) == len(own) and bool(np.allclose(places, own, rtol=0, atol=1e-6 * max(1.0, *np.abs(own[-1:]))))
