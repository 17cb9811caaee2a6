"""Time spectra: pairs by their time difference, and random coincidences and prompt peak expected from rates."""

import math
from collections.abc import Iterator

import polars as pl

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.units import PS_PER_S

DISAGREE_SIGMA = 5.0
DISAGREE_PART = 0.05
"""Randoms as fitted and as expected from the rates disagree where the difference is larger than both."""

WIDTH_PART = 0.1
"""The same part of widths of prompt peaks."""


def time_spectrum(pairs: AnyFrame, *, bin_ps: int, by: tuple[str, ...] = ()) -> pl.LazyFrame:
    """Pairs by their time difference, in equal bins.

    Args:
        pairs: any table with `dt_ps`; filter it first, for gates. Where pairs have a `weight`, weights are summed up.
        bin_ps: width of the bins; bin k reaches from k to k + 1 widths.
        by: columns that get a time spectrum each.

    Returns:
        A lazy table: `by`, `dt_ps` (the bin's first picosecond, Int64), `width_ps`, `counts` and `variance` (Float64);
        filled bins only, in order.

    Raises:
        TableError: there is no `dt_ps`.
        UsageError: bins without a width.
    """
    pairs = lazy(pairs, "pairs")
    if bin_ps < 1:
        raise UsageError(f"a time bin must be at least 1 ps wide, not {bin_ps}")
    columns = pairs.collect_schema()
    if "dt_ps" not in columns:
        raise TableError("this frame has no column 'dt_ps': form pairs of the hits first")
    weight = pl.col("weight") if "weight" in columns else pl.lit(1.0)
    return (
        pairs.select(*by, counts=weight, dt_ps=pl.col("dt_ps") // bin_ps * bin_ps)
        .group_by(*by, "dt_ps")
        .agg(pl.col("counts").sum(), variance=(pl.col("counts") ** 2).sum())
        .sort(*by, "dt_ps")
        .select(*by, "dt_ps", "counts", "variance", width_ps=pl.lit(bin_ps, pl.Int64))
    )


def expected_chance(counts: list[tuple[float, int, int]]) -> tuple[float, float]:
    """Random coincidences per ns, N_start N_stop / T summed over runs, and their uncertainty.

    For each run the time (s) in which both were recorded, the starts and the stops are given.
    """
    per_ns = PS_PER_S / 1000
    runs = [(n * m / (time_s * per_ns), n, m) for time_s, n, m in counts if time_s > 0 and n and m]
    variance = sum(expected**2 * (1 / n + 1 / m) for expected, n, m in runs)
    return sum(expected for expected, _, _ in runs), math.sqrt(variance)


def chance_warning(fit: float, fit_unc: float, expected: float, expected_unc: float) -> Iterator[str]:
    """Where random coincidences are not those expected from the rates, in a sentence."""
    difference = fit - expected
    if abs(difference) <= max(DISAGREE_SIGMA * math.hypot(fit_unc, expected_unc), DISAGREE_PART * expected):
        return
    why = (
        "it may contain a lifetime longer than the window or decays on the other side of the peak, or the rates changed"
        if difference > 0
        else "detectors are dead after true coincidences, or were not recording at the same time"
    )
    yield (
        f"the fit gives {fit:,.4g} random coincidences per ns, but the rates give {expected:,.4g} (r_a r_b T): {why}"
    )


def width_of(fwhm_ps: tuple[float | None, float | None]) -> float | None:
    """Standard deviation of the prompt peak of two detectors, by the resolution of each; None: one is not known."""
    start, stop = fwhm_ps
    return math.hypot(start, stop) / FWHM_PER_SIGMA if start and stop else None


def width_warning(fwhm_ps: float, fwhm_ps_unc: float, expected_ps: float) -> Iterator[str]:
    """Where a fitted prompt peak is not as wide as the detectors are said to make it, in a sentence."""
    if abs(fwhm_ps - expected_ps) > max(DISAGREE_SIGMA * fwhm_ps_unc, WIDTH_PART * expected_ps):
        yield (
            f"the prompt peak is {fwhm_ps:,.4g} ps wide (FWHM), but time_fwhm_ps of the detectors gives "
            f"{expected_ps:,.4g} ps: the resolution at these energies is different, or it contains a short "
            "lifetime"
        )
