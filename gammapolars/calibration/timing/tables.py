"""Results for the timing of detectors: small tables and warnings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.calibration.timing import solve
from gammapolars.calibration.timing.prompt_fit import Peak
from gammapolars.calibration.timing.reading import Pair
from gammapolars.calibration.timing.sample import Sample
from gammapolars.calibration.timing.walk import Walk
from gammapolars.core.overview import Overview
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats, Key
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


@dataclass(frozen=True, repr=False)
class Timing(Overview):
    """The measured timing of the detectors in some runs.

    Attributes:
        aligned: the given or observed detectors with offsets, walks and resolutions, and the clocks of boards;
            everything else unchanged.
        detectors: one row per detector: `board`, `channel`, `name`, `group` (detectors tied by prompt peaks; null:
            none), `reference` (its offset stays as it was), `pairs` (prompt ones), `time_offset_ps`,
            `time_offset_ps_unc` (against the reference), `time_walk_ps` with `time_walk_ps_unc` and `time_walk_range`,
            `time_fwhm_ps` of the detector by itself, `time_fwhm_ps_unc` (null where the resolution was shared equally).
        covariance_ps2: of the offsets, in the order of `detectors`.
        pairs: one row per detector pair: `pairs` near the peak, `prompt_pairs` in it, `position_ps` of the peak in
            t_b - t_a as recorded, `position_after_ps` after all corrections, `fwhm_before_ps` as recorded and
            `fwhm_after_ps`, clock included; `status`: `ok`, or why the pair was not used.
        differences: histograms of t_b - t_a about each peak, before and after: `name_a`, `name_b`, `dt_ns` (bin
            centre), `width_ns`, `counts_before` (around where the peak was), `counts_after`.
        chi2: of the peaks' positions against the offsets.
        ndf: its degrees of freedom.
        clock_ps: the step of the digitizer's clock, as the time differences show it.
        walk: whether walks were fitted, and are used.
        notes: the steps taken, one sentence each.
        warnings: doubts to consider, one sentence each.
        complete: whether runs were read to their end.
        hits: the hits of the last reading.
        clocks: where the peak of two boards could be followed, one row per board: `board`, `reference` (the clock that
            others are compared with), `rate_ppm` (its mean rate offset, as `aligned` has it; 0 where it
            has none), `rate_ppm_unc`, `change_ppm` (measured relative to the clocks given), `rates` (how
            many were fitted) and `moves_ps` (how far that moves the peak).
    """

    TABLES: ClassVar = ("detectors", "clocks")

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
    clocks: pl.DataFrame | None = None


SHOWN_FWHM = 4.0
"""Histograms reach this many FWHM to both sides of the peak."""

SHOWN_BINS = 120

DISAGREES = 5.0
"""A warning says so if positions of pairs disagree by more χ²/n than this."""


class Outcome(NamedTuple):
    """All that fits have found, by place in the sample, or by number of the detector pair for the peaks.

    `keys` are the detectors that have hits, `search_ps` where the search found peaks, in t_b - t_a as recorded.
    `walking` are the sample's detectors with the walk that is used, `walks` those that were fitted, and `corrected_ps`
    the time differences without walk. Peaks are as recorded, and corrected. `clock` is its step, ps.
    """

    sample: Sample
    detectors: Detectors
    keys: list[Key]
    search_ps: Mapping[Pair, float]
    offsets: solve.Offsets
    resolutions: solve.Resolutions
    walking: Detectors
    walks: Mapping[int, Walk]
    before: Mapping[int, Peak]
    after: Mapping[int, Peak]
    corrected_ps: Floats
    clock: int

    def name(self, place: int) -> str:
        """The name of a detector of the sample."""
        return self.detectors.at(*self.sample.keys[place]).name

    def with_offset(self) -> dict[Key, int]:
        """The detectors whose offset was found, with their places in the sample."""
        known = ~np.isnan(self.offsets.offset_ps)
        return {key: place for place, key in enumerate(self.sample.keys) if known[place]}


def aligned_detectors(outcome: Outcome) -> Detectors:
    """The detectors with the results; everything else unchanged. Offsets of references stay, the others follow."""
    table = outcome.detectors
    for key, place in outcome.with_offset().items():
        reference = outcome.offsets.references[int(outcome.offsets.group[place])]
        start = outcome.detectors.at(*outcome.sample.keys[reference]).time_offset_ps
        fwhm = float(outcome.resolutions.fwhm_ps[place])
        detector = replace(
            outcome.walking.at(*key),
            time_offset_ps=start + round(float(outcome.offsets.offset_ps[place])),
            time_fwhm_ps=None if math.isnan(fwhm) else round(fwhm, 1),
        )
        table = table.replacing(detector)
    return table


def detector_table(outcome: Outcome, detectors: Detectors) -> pl.DataFrame:
    """One row per detector that has hits, those without a prompt peak too."""
    with_offset = outcome.with_offset()
    rows = []
    for key in sorted({*outcome.keys, *outcome.sample.keys}):
        detector = detectors.at(*key)
        row: dict[str, Any] = {"board": key[0], "channel": key[1], "name": detector.name, "pairs": 0}
        row |= {"reference": False, "time_offset_ps": detector.time_offset_ps}
        if key in with_offset:
            row |= _measurement(outcome, with_offset[key])
            row |= {name: getattr(detector, name) for name in ("time_walk_ps", "time_walk_range", "time_fwhm_ps")}
        rows.append(row)
    return pl.DataFrame(rows, DETECTOR_COLUMNS)


def _measurement(outcome: Outcome, place: int) -> dict[str, Any]:
    fwhm_unc = float(outcome.resolutions.unc_ps[place])
    own = (outcome.sample.ends == place).any(axis=1)
    walk = outcome.walks.get(place)
    return {
        "group": int(outcome.offsets.group[place]) + 1,
        "reference": place in outcome.offsets.references,
        "pairs": round(sum(peak.counts for number, peak in outcome.after.items() if own[number])),
        "time_offset_ps_unc": float(np.sqrt(outcome.offsets.covariance[place, place])),
        "time_walk_ps_unc": [math.sqrt(walk.covariance[k][k]) for k in range(len(walk.coefficients))] if walk else None,
        "time_fwhm_ps_unc": None if math.isnan(fwhm_unc) else fwhm_unc,
    }


def covariance(outcome: Outcome, table: pl.DataFrame) -> tuple[tuple[float, ...], ...]:
    """The covariance of the offsets in the order of the table of detectors; NaN where there is none."""
    with_offset = outcome.with_offset()
    places = [with_offset.get(key, -1) for key in table.select("board", "channel").iter_rows()]
    with_nan = np.pad(outcome.offsets.covariance, (0, 1), constant_values=np.nan)  # at -1, the last place
    return tuple(map(tuple, with_nan[np.ix_(places, places)].tolist()))


def pair_table(outcome: Outcome) -> pl.DataFrame:
    """One row per detector pair: its peak before and after."""
    counts = np.bincount(outcome.sample.pair, minlength=len(outcome.sample.ends))
    rows = []
    for number, (a, b) in enumerate(outcome.sample.ends.tolist()):
        row: dict[str, Any] = {"pairs": int(counts[number]), "status": "no clear peak"}
        for side, place in (("a", a), ("b", b)):
            board, channel = outcome.sample.keys[place]
            row |= {f"board_{side}": board, f"channel_{side}": channel, f"name_{side}": outcome.name(place)}
        before, after = outcome.before.get(number), outcome.after.get(number)
        if before and after:
            offset = float(outcome.offsets.offset_ps[b] - outcome.offsets.offset_ps[a])
            row |= {
                "prompt_pairs": after.counts,
                "position_ps": before.position_ps,
                "position_ps_unc": before.position_ps_unc,
                "position_after_ps": after.position_ps - offset,
                "fwhm_before_ps": before.fwhm_ps,
                "fwhm_before_ps_unc": before.fwhm_ps_unc,
                "fwhm_after_ps": after.fwhm_ps,
                "fwhm_after_ps_unc": after.fwhm_ps_unc,
                "status": "ok",
            }
        rows.append(row)
    return pl.DataFrame(rows, PAIR_COLUMNS)


def difference_table(outcome: Outcome) -> pl.DataFrame:
    """Histograms about each peak: as recorded, moved by where the peak was; and with all that was found."""
    parts = [pl.DataFrame(schema=DIFFERENCE_COLUMNS)]
    for number, (a, b) in enumerate(outcome.sample.ends.tolist()):
        before, after = outcome.before.get(number), outcome.after.get(number)
        if not (before and after):
            continue
        width = max(before.fwhm_ps, after.fwhm_ps)
        bin_ps = max(1, round(2 * SHOWN_FWHM * width / SHOWN_BINS / outcome.clock)) * outcome.clock
        half = math.ceil(SHOWN_FWHM * width / bin_ps)
        edges = (np.arange(-half, half + 2) - 0.5) * bin_ps
        rows = np.flatnonzero(outcome.sample.pair == number)
        offset = float(outcome.offsets.offset_ps[b] - outcome.offsets.offset_ps[a])
        shifted_ps = outcome.sample.dt_ps[rows] - round(before.position_ps / outcome.clock) * outcome.clock
        columns = {
            "name_a": outcome.name(a),
            "name_b": outcome.name(b),
            "dt_ns": edges[:-1] / 1000 + bin_ps / 2000,
            "width_ns": bin_ps / 1000,
            "counts_before": np.histogram(shifted_ps, edges)[0].astype(np.float64),
            "counts_after": np.histogram(outcome.corrected_ps[rows] - offset, edges)[0].astype(np.float64),
        }
        parts.append(pl.DataFrame(columns, DIFFERENCE_COLUMNS))
    return pl.concat(parts)


def warnings(outcome: Outcome, reference: Key | None) -> Iterator[str]:
    """Warnings about the result, one sentence each."""
    with_offset = outcome.with_offset()
    if unmeasured := [outcome.detectors.at(*key).name for key in outcome.keys if key not in with_offset]:
        yield f"no prompt peak with {', '.join(unmeasured)}: values not changed"
    if len(outcome.offsets.references) > 1:
        parts = [
            ", ".join(outcome.name(place) for place in np.flatnonzero(outcome.offsets.group == number).tolist())
            for number in range(len(outcome.offsets.references))
        ]
        yield (
            "these groups of detectors are not connected by a prompt peak, and each has its own reference: "
            f"{'; '.join(parts)}"
        )
    if reference is not None and reference not in with_offset:
        yield (
            f"no prompt peak with the reference {outcome.detectors.at(*reference).name}: the first detector of "
            "each group is used instead"
        )
    for (a, b), (low, high) in zip(outcome.sample.ends.tolist(), outcome.sample.reach_ps, strict=True):
        position = outcome.search_ps.get((outcome.sample.keys[a], outcome.sample.keys[b]))
        if position is not None and not low <= position <= high:
            names = f"{outcome.name(a)} – {outcome.name(b)}"
            yield f"{names}: the clearest peak lies at {position / 1000:,.6g} ns, not where the other pairs place it"
    if outcome.offsets.ndf and outcome.offsets.chi2 > DISAGREES * outcome.offsets.ndf:
        yield (
            f"the peaks' positions disagree (chi2/n = {outcome.offsets.chi2 / outcome.offsets.ndf:.1f}): "
            "are peaks asymmetric or delayed? Uncertainties were scaled up"
        )
    yield from _of_shared_widths(outcome)
    if impossible := [outcome.name(at) for at in with_offset.values() if math.isnan(outcome.resolutions.fwhm_ps[at])]:
        yield f"no time_fwhm_ps for {', '.join(impossible)}: the widths of the pairs leave nothing for it"


def _of_shared_widths(outcome: Outcome) -> Iterator[str]:
    """Groups of detectors whose pairs give combined time resolutions only."""
    common = outcome.resolutions.common
    for number in dict.fromkeys(outcome.offsets.group[common].tolist()):
        members = [place for place in common if outcome.offsets.group[place] == number]
        names = ", ".join(map(outcome.name, members))
        if len(members) == 2:
            yield (
                f"time_fwhm_ps of {names}: with two detectors only their combined time resolution can be measured; "
                "it was shared equally (each FWHM/√2)"
            )
        else:
            yield (
                f"time_fwhm_ps of {names}: their pairs give combined time resolutions only, which were shared as "
                "equally as possible"
            )
