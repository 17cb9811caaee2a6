"""What was found of the timing of detectors, in small tables."""

from dataclasses import dataclass, field

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.core.schema import DType, floats
from gammapolars.detectors import Detectors

_WHO: dict[str, DType] = {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}

DETECTOR_COLUMNS: dict[str, DType] = {
    **_WHO,
    "group": pl.Int64,
    "reference": pl.Boolean,
    "pairs": pl.Int64,
    "time_offset_ps": pl.Int64,
    "time_offset_ps_unc": pl.Float64,
    **dict.fromkeys(("time_walk_ps", "time_walk_ps_unc", "time_walk_range"), pl.List(pl.Float64)),
    **floats("time_fwhm_ps", "time_fwhm_ps_unc"),
}

PAIR_COLUMNS: dict[str, DType] = {
    **{f"{name}_{side}": dtype for side in "ab" for name, dtype in _WHO.items()},
    "pairs": pl.Int64,
    **floats("prompt_pairs", "position_ps", "position_ps_unc", "position_after_ps"),
    **floats("fwhm_before_ps", "fwhm_before_ps_unc", "fwhm_after_ps", "fwhm_after_ps_unc"),
    "status": pl.String,
}

DIFFERENCE_COLUMNS: dict[str, DType] = {
    "name_a": pl.String,
    "name_b": pl.String,
    **floats("dt_ns", "width_ns", "counts_before", "counts_after"),
}


@dataclass(frozen=True)
class Timing:
    """What was found of the timing of some runs' detectors.

    Attributes:
        aligned: the detectors that were given, or seen, with offsets, walks and resolutions; all else as it was.
        detectors: a row a detector: `board`, `channel`, `name`, `group` (detectors tied by prompt peaks; null: none),
            `reference` (its offset stays as it was), `pairs` (prompt ones), `time_offset_ps`, `time_offset_ps_unc`
            (against the reference), `time_walk_ps` with `time_walk_ps_unc` and `time_walk_range`, `time_fwhm_ps` of
            the detector alone, `time_fwhm_ps_unc` (null where only equal shares can be given).
        covariance_ps2: of the offsets, in the order of `detectors`.
        pairs: a row a detector pair: `pairs` near the peak, `prompt_pairs` in it, `position_ps` of the peak in
            t_b - t_a as recorded, `position_after_ps` behind all corrections, `fwhm_before_ps` as recorded and
            `fwhm_after_ps`, clock included; `status`: `ok`, or why the pair was not used.
        differences: histograms of t_b - t_a about each peak, before and after: `name_a`, `name_b`, `dt_ns` (bin
            centre), `width_ns`, `counts_before` (around where the peak was), `counts_after`.
        chi2: of the peaks' positions against the offsets.
        ndf: its degrees of freedom.
        clock_ps: the step of the digitizer's clock, as the time differences show it.
        walk: whether walks were fitted, and are used.
        notes: what was done, one sentence each.
        warnings: what must be known before trusting it, one sentence each.
        complete: whether runs were read to their end.
        hits: what the last reading read.
    """

    aligned: Detectors
    detectors: pl.DataFrame
    covariance_ps2: tuple[tuple[float, ...], ...]
    pairs: pl.DataFrame
    differences: pl.DataFrame
    chi2: float
    ndf: int
    clock_ps: int
    walk: bool
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    complete: bool
    hits: HitTally = field(repr=False)
