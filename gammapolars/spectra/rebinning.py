"""Spectra in other bins."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Floats
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.spectra.bins import (
    NUMBER,
    WIDTH_OF,
    Axis,
    check_count,
    check_width,
    computed,
    edges,
    keys_of,
    quotient,
    spectra_of,
)

SNAP = 1e-7
"""Ends of bins that are closer than this part of a new bin are the same: in floats 0.1 · 3 differs from 0.3."""

MAX_SHARES = 2**26
"""More is a mistake in the bins."""


class Target(NamedTuple):
    """The new bins: all of one width, or between given edges.

    Attributes:
        axis: of energy or of adc.
        width: of each; None: they lie between edges.
        start: where bin 0 begins.
        edges: ascending; empty where there is a width.
    """

    axis: Axis
    width: float | None
    start: float
    edges: Floats

    def places(self, x: Floats) -> Floats:
        """Where values lie: 2.5 is the middle of bin 2. Values beyond all edges lie at the nearest."""
        if self.width is not None:
            places = (x - self.start) / self.width
        else:
            places = np.interp(x, self.edges, np.arange(len(self.edges), dtype=np.float64))
        whole = np.rint(places)
        return np.asarray(np.where(np.abs(places - whole) < SNAP, whole, places), np.float64)

    def ends(self, number: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Where bins begin and end."""
        if self.width is not None:
            begin = np.asarray(self.start + number * self.width, np.float64)
            return begin, np.asarray(self.start + (number + 1) * self.width, np.float64)
        return self.edges[number], self.edges[number + 1]


def rebin(
    spectrum: AnyFrame,
    *,
    bin_kev: float | None = None,
    bin_adc: float | None = None,
    edges_kev: Sequence[float] | None = None,
    edges_adc: Sequence[float] | None = None,
    width: float | None = None,
) -> pl.LazyFrame:
    """Spectra in new bins: counts and variance of each bin are shared among the new bins in proportion to the overlap.

    A fraction f of a bin takes f of its counts and f of its variance, not f². The new counts are those of random places
    within each old bin on average, and the variances are theirs. So the sum over any range of new bins has
    the variance of its counts: a peak's area keeps its uncertainty. With f² it would be too small, because neighbours
    that share an old bin are correlated. Where new edges are old edges nothing is shared, and all is exact. Elsewhere
    a single new bin fluctuates less than its variance says: a χ² over such bins comes out below one per bin. For a
    test of a fit, choose whole multiples of the old width, or dither.

    Args:
        spectrum: a table of spectra, by whatever keys.
        bin_kev: the new width; bin k reaches from k to k + 1 widths.
        bin_adc: the new width in adc values; bin k begins at k widths - ½.
        edges_kev: the new edges, ascending; counts beyond them are left out.
        edges_adc: the same in adc, where value n reaches from n - ½ to n + ½.
        width: of the bins as they are, where too few are filled to show it.

    Returns:
        A lazy table: the keys, `energy_kev` or `adc` (bin centre), `counts`, `variance`, and for given edges
        `width_kev` or `width_adc`. Bins that no old bin reaches are left out.

    Raises:
        TableError: no table of spectra; when it is collected: bins without a place on the axis, or of unknown width.
        UsageError: not one kind of new bins, or ones without a width.
    """
    spectrum = lazy(spectrum, "spectrum")
    target = _target(bin_kev, bin_adc, edges_kev, edges_adc)
    frame, columns = spectra_of(spectrum)
    if target.axis not in columns:
        raise TableError(f"this table of spectra has no column '{target.axis}': its bins cannot be expressed in it")
    keys = keys_of(columns)
    schema: dict[str, Any] = {name: columns[name] for name in keys}
    schema |= dict.fromkeys((target.axis, "counts", "variance"), pl.Float64())
    if target.width != 1.0 and (target.width is None or target.axis == "adc"):
        schema[WIDTH_OF[target.axis]] = pl.Float64()
    return computed(schema, lambda: _shared_out(frame.collect(), target, keys, width))


def _target(
    bin_kev: float | None, bin_adc: float | None, edges_kev: Sequence[float] | None, edges_adc: Sequence[float] | None
) -> Target:
    given = [value for value in (bin_kev, bin_adc, edges_kev, edges_adc) if value is not None]
    if len(given) != 1:
        raise UsageError("give the new bins with one of bin_kev, bin_adc, edges_kev and edges_adc")
    axis: Axis = "energy_kev" if bin_kev is not None or edges_kev is not None else "adc"
    if (width := bin_kev if bin_kev is not None else bin_adc) is not None:
        if not 0 < width < np.inf:
            raise UsageError(f"a bin must be wider than 0, not {width}")
        return Target(axis, float(width), 0.0 if axis == "energy_kev" else -0.5, np.empty(0))
    ends = np.asarray(edges_kev if edges_kev is not None else edges_adc, np.float64)
    if ends.ndim != 1 or len(ends) < 2 or not np.isfinite(ends).all() or not (np.diff(ends) > 0).all():
        raise UsageError("bin edges must be 2 or more finite numbers in ascending order")
    return Target(axis, None, 0.0, ends)


def _shared_out(table: pl.DataFrame, target: Target, keys: list[str], width: float | None) -> pl.DataFrame:
    if missing := table[target.axis].null_count():
        raise TableError(f"{missing} bins have no {target.axis}: filter them out, or calibrate them first")
    if table.is_empty():
        low = high = np.empty(0)
    else:
        low, high = edges(table, target.axis, width)
    rows, numbers, share = shares(low, high, target)
    begin, end = target.ends(numbers)
    parts = table[rows].select(
        *keys,
        pl.Series(NUMBER, numbers),
        pl.Series(target.axis, (begin + end) / 2),
        pl.Series(WIDTH_OF[target.axis], end - begin if target.width is None else np.full(len(rows), target.width)),
        counts=pl.col("counts") * pl.Series(share),
        variance=pl.col("variance") * pl.Series(share),
    )
    first, total = pl.col(target.axis, WIDTH_OF[target.axis]).first(), pl.col("counts", "variance").sum()
    return parts.group_by(*keys, NUMBER).agg(first, total).sort(*keys, NUMBER)


def shares(low: Floats, high: Floats, target: Target) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Which part of each bin goes where.

    Args:
        low: where bins begin.
        high: where they end.
        target: the new bins.

    Returns:
        The old bins' places in `low`, the new bins' numbers, and the parts.
    """
    from_, to = target.places(low), target.places(high)
    first = np.floor(from_).astype(np.int64)
    last = np.ceil(to).astype(np.int64) - 1
    if target.width is not None:
        last = np.maximum(last, first)  # bins that are very narrow compared to the new ones
    spans = np.maximum(last - first + 1, 0)
    if (total := int(spans.sum())) > MAX_SHARES:
        raise UsageError(f"the new bins are too narrow: there would be {total:,} of them")
    rows = np.repeat(np.arange(len(low)), spans)
    numbers = first[rows] + np.arange(total) - np.repeat(np.cumsum(spans) - spans, spans)
    begin, end = target.ends(numbers)
    part = (np.minimum(high[rows], end) - np.maximum(low[rows], begin)) / (high - low)[rows]
    return rows, numbers, np.where(part > 1 - SNAP, 1.0, np.maximum(part, 0.0))


def rebinned(adc_counts: pl.DataFrame, detectors: Detectors, *, bin_kev: float) -> pl.DataFrame:
    """Energy spectra from counts per adc value, each value's counts shared out over the energies that it spans.

    An adc value represents the pulse heights from adc - ½ to adc + ½. Sharing its counts out by overlap avoids the
    comb that integer values make in bins of energy; the sum of counts is kept.

    Args:
        adc_counts: `board`, `channel`, any further keys, `adc`, `counts`; detectors without calibration are left out.
        detectors: their energy polynomials.
        bin_kev: the bins' width.

    Returns:
        A table of spectra: the keys, `energy_kev`, `counts`, and as `variance` the same as the counts.

    Raises:
        UsageError: bins without a width, or so narrow that there would be too many.
    """
    check_width(bin_kev)
    keys = [name for name in adc_counts.columns if name not in ("adc", "counts")]
    adc = pl.col("adc").cast(pl.Float64)
    spans = (
        adc_counts.lazy()
        .with_columns(
            _low=quotient(energy_kev(detectors, adc=adc - 0.5), bin_kev),
            _high=quotient(energy_kev(detectors, adc=adc + 0.5), bin_kev),
        )
        .drop_nulls("_low")
        .with_columns(_low=pl.min_horizontal("_low", "_high"), _high=pl.max_horizontal("_low", "_high"))
        .collect()
    )
    numbers = spans.select(low=pl.col("_low").floor(), high=pl.col("_high").floor())
    check_count(numbers.select((pl.col("high") - pl.col("low") + 1).sum()).item(), bin_kev)
    check_count(numbers.select(pl.max_horizontal(pl.all().abs()).max() / 2**40).item() or 0.0, bin_kev)
    ranges = pl.int_ranges(pl.col("_low").floor().cast(pl.Int64), pl.col("_high").floor().cast(pl.Int64) + 1)
    edges = spans.lazy().with_columns(_bin=ranges).explode("_bin")
    overlap = pl.min_horizontal("_high", pl.col("_bin") + 1) - pl.max_horizontal("_low", "_bin")
    width = pl.col("_high") - pl.col("_low")
    share = pl.when(width > 0).then(overlap / width).otherwise(1.0)
    return (
        edges.with_columns(counts=pl.col("counts") * share, energy_kev=(pl.col("_bin") + 0.5) * bin_kev)
        .group_by(*keys, "energy_kev")
        .agg(pl.col("counts").sum())
        .filter(pl.col("counts") > 0)
        .with_columns(variance=pl.col("counts"))
        .sort(*keys, "energy_kev")
        .collect()
    )
