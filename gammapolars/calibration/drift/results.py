"""The lines of whole runs before and after the correction of their drift, and all that was found, in small tables."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.drift import SlicedRun
from gammapolars.calibration.drift.curves import Curves, gain_at
from gammapolars.calibration.drift.lines import TrackedLine, line_position
from gammapolars.calibration.drift.tracks import RunLines, Tracks
from gammapolars.core.overview import Overview
from gammapolars.core.schema import DRIFT, DType, floats
from gammapolars.core.types import Floats
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections.drift_table import Drift, DriftRun
from gammapolars.detectors import Detector
from gammapolars.detectors.hits import is_of
from gammapolars.io import Runs

SIDE_FWHM = 2.5
"""A line's background is taken this many FWHM beyond where it drifted."""


class Spectra(NamedTuple):
    """Counts around a line, of all runs, as recorded and with each slice's adc corrected, at the centres of bins.

    Its FWHM, adc, is fitted; or taken at half maximum where the line drifted by more than half its width; None where it
    cannot be determined.
    """

    adc: Floats
    before: Floats
    after: Floats
    fwhm_before: float | None
    fwhm_after: float | None


def line_spectra(
    lines: Sequence[TrackedLine], tracks: Tracks, curves: Curves, runs: Sequence[RunLines]
) -> list[Spectra]:
    """Sum up each line's surroundings over all runs, as they are and slice by slice corrected."""
    spectra = []
    for place, line in enumerate(lines):
        bins = runs[0].lines[place].counts.shape[1]
        edges = runs[0].lines[place].low_adc + line.part.bin_adc * np.arange(bins + 1)
        before, after = np.zeros(bins), np.zeros(bins)
        for one in runs:
            counts = one.lines[place].counts
            before += counts.sum(axis=0)
            gains = gain_at(curves.curves.get(one.run.run), (one.run.edges_ps[:-1] + one.run.edges_ps[1:]) // 2)
            cumulative = np.zeros(bins + 1)
            for slice_, gain in zip(counts, gains, strict=True):
                np.cumsum(slice_, out=cumulative[1:])
                after += np.diff(np.interp(edges * gain, edges, cumulative))
        width, step = tracks.fwhm_adc[place], line.part.bin_adc
        steady = line.expected_adc * float(np.exp(curves.offsets[place]))
        fwhm_before = fwhm_after = None
        if curves.curves and np.isfinite(steady):
            gains = np.concatenate([curve.gain for curve in curves.curves.values()])
            low, high = steady * float(gains.min()), steady * float(gains.max())
            if high - low < width / 2:
                fwhm_before = _width(before, edges, (low + high) / 2, width, step)
            else:
                near = (edges[1:] > low - SIDE_FWHM * width) & (edges[:-1] < high + SIDE_FWHM * width)
                fwhm_before = _half_maximum(before[near], width, step)
            fwhm_after = _width(after, edges, steady, width, step)
        spectra.append(Spectra((edges[:-1] + edges[1:]) / 2, before, after, fwhm_before, fwhm_after))
    return spectra


def _half_maximum(counts: Floats, fwhm: float, bin_adc: float) -> float | None:
    """Width at half maximum, above a line through both ends, of a peak that drift has made no Gaussian any more.

    It is that of the counts smoothed over half the line's own width.
    """
    over = max(1, round(fwhm / bin_adc / 2))
    level = np.convolve(counts, np.full(over, 1 / over), "valid")
    ends = max(1, over // 2)
    if len(level) < 4 * ends:
        return None
    rest = level - np.linspace(level[:ends].mean(), level[-ends:].mean(), len(level))
    above = np.flatnonzero(rest > rest.max() / 2)
    if rest.max() < 5 * np.sqrt((level.max() + 1) / over) or above[0] == 0 or above[-1] == len(rest) - 1:
        return None
    return float(above[-1] - above[0] + 1) * bin_adc


def _width(counts: Floats, edges: Floats, centre: float, fwhm: float, bin_adc: float) -> float | None:
    """The fitted width; None where the fit fails."""
    fit = line_position(counts, edges[0] + 0.5, centre, fwhm, bin_adc=bin_adc, fit_width=True)
    return fit.fwhm if fit.status == "ok" else None


@dataclass(frozen=True, repr=False)
class DriftTrack(Overview):
    """The measured drift of the gains in some runs.

    Attributes:
        drift: the factors by run, detector and time, and which runs they are of: input for `correct_drift`.
        positions: one row per fit: `run`, `board`, `channel`, `name`, `line_kev`, `timestamp_ps` (mean of the hits),
            `time_s` (since the first run's first hit, runs one after another), `begin_s` and `end_s` of its slices,
            `position_adc`, `position_adc_unc`, `gain`, `gain_unc` (relative to the reference), `residual` (relative,
            from the smooth gain), `counts`, `status`: `ok`, or why the fit was left out.
        curves: `run`, `board`, `channel`, `name`, `timestamp_ps`, `time_s`, `gain`, `gain_unc`: the smooth gain.
        lines: one row per line and detector: `board`, `channel`, `name`, `line_kev`, `positions` (those used), `failed`
            (rejected fits), `scatter_pct` (of the positions about the smooth gain), `chi2_ndf` of this
            scatter, `disagreement_pct` (how much its drift differs from that of the others; null where it does
            not), `fwhm_before_kev`, `fwhm_after_kev` (null where it cannot be determined).
        detectors: one row per detector: `board`, `channel`, `name`, `drift_span_pct` (between the largest and the
            smallest gain), `gain_unc_pct` (median), `steps`, `scatter_pct`, and of its line with most counts
            `fwhm_before_kev`, `fwhm_after_kev`.
        spectra: around each line, before and after: `board`, `channel`, `name`, `line_kev`, `energy_kev` (bin centre),
            `counts_before`, `counts_after`.
        warnings: one sentence each.
        hits: the hits that were read.
    """

    TABLES: ClassVar = ("detectors",)

    drift: Drift
    positions: pl.DataFrame
    curves: pl.DataFrame
    lines: pl.DataFrame
    detectors: pl.DataFrame
    spectra: pl.DataFrame
    warnings: tuple[str, ...]
    hits: HitTally = field(repr=False)


class DetectorTrack(NamedTuple):
    """One detector, tracked."""

    detector: Detector
    lines: list[TrackedLine]
    tracks: Tracks
    curves: Curves
    spectra: list[Spectra]


def drift_track(
    runs: Runs,
    tracks: Sequence[DetectorTrack],
    slices: Sequence[SlicedRun],
    tally: HitTally,
    warnings: list[str],
) -> DriftTrack:
    """All tables of the results."""
    zeros = _zeros(slices)
    lines = _table(_LINES, map(_lines, tracks))
    by_number = dict(enumerate(runs.all, 1))
    drift_runs = tuple(
        DriftRun(
            one.run,
            tuple(file.path.name for file in by_number[one.run if len(by_number) > 1 else 1].files),
            one.first_ps,
            one.last_ps,
        )
        for one in slices
    )
    curves = _table(_CURVES, (_curves(one, zeros) for one in tracks))
    factors = {"gain_factor": 1 / pl.col("gain"), "gain_factor_unc": pl.col("gain_unc") / pl.col("gain") ** 2}
    table = curves.select("run", "board", "channel", "timestamp_ps", **factors)
    return DriftTrack(
        drift=Drift(table.select(*DRIFT.columns), drift_runs),
        positions=_table(_POSITIONS, (_positions(one, zeros) for one in tracks)),
        curves=curves,
        lines=lines,
        detectors=_table(_DETECTORS, [[_detector(one, lines) for one in tracks]]),
        spectra=pl.concat([pl.DataFrame(schema=_SPECTRA), *(_spectra(one) for one in tracks)]),
        warnings=tuple(warnings),
        hits=tally,
    )


def _zeros(slices: Sequence[SlicedRun]) -> dict[int, int]:
    """The time in each run, ps, that is 0 s if the first run begins then, and each other where the one before ended."""
    begins = accumulate((one.last_ps - one.first_ps for one in slices), initial=0)
    return {one.run: one.first_ps - begin for one, begin in zip(slices, begins, strict=False)}


_WHO: dict[str, DType] = {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}
_WIDTHS = ("fwhm_before_kev", "fwhm_after_kev")
_POSITIONS = {"run": pl.UInt16, **_WHO, "line_kev": pl.Float64, "timestamp_ps": pl.Int64}
_POSITIONS |= floats("time_s", "begin_s", "end_s", "position_adc", "position_adc_unc", "gain", "gain_unc", "residual")
_POSITIONS |= {"counts": pl.Float64, "status": pl.String}
_CURVES = {"run": pl.UInt16, **_WHO, "timestamp_ps": pl.Int64, **floats("time_s", "gain", "gain_unc")}
_LINES = {**_WHO, "line_kev": pl.Float64, "positions": pl.UInt32, "failed": pl.UInt32, "counts": pl.Float64}
_LINES |= floats("scatter_pct", "chi2_ndf", "disagreement_pct", *_WIDTHS)
_DETECTORS = {**_WHO, **floats("drift_span_pct", "gain_unc_pct"), "steps": pl.UInt32}
_DETECTORS |= floats("scatter_pct", "line_kev", *_WIDTHS)
_SPECTRA = {**_WHO, **floats("line_kev", "energy_kev", "counts_before", "counts_after")}


def _table(schema: Mapping[str, DType], parts: Iterable[Iterable[tuple[object, ...]]]) -> pl.DataFrame:
    """The rows of all detectors."""
    return pl.DataFrame([row for rows in parts for row in rows], schema, orient="row")


def _who(one: DetectorTrack) -> tuple[int, int, str]:
    return (*one.detector.key, one.detector.name)


def _positions(one: DetectorTrack, zeros: Mapping[int, int]) -> Iterator[tuple[object, ...]]:
    for position, residual in zip(one.tracks.positions, one.curves.residuals.tolist(), strict=True):
        line, fit = one.lines[position.line], position.fit
        steady = line.expected_adc * math.exp(one.curves.offsets[position.line])
        is_good = fit.status == "ok"
        times_ps = (position.time_ps, position.begin_ps, position.end_ps)
        times = ((time_ps - zeros[position.run]) / PS_PER_S for time_ps in times_ps)
        numbers = (fit.position, fit.unc, fit.position / steady, fit.unc / steady, residual, fit.counts)
        values = (*(number if is_good and math.isfinite(number) else None for number in numbers), fit.status)
        yield position.run, *_who(one), line.energy_kev, position.time_ps, *times, *values


def _curves(one: DetectorTrack, zeros: Mapping[int, int]) -> Iterator[tuple[object, ...]]:
    for run, curve in one.curves.curves.items():
        for time, gain, unc in zip(curve.time_ps.tolist(), curve.gain.tolist(), curve.unc.tolist(), strict=True):
            yield run, *_who(one), time, (time - zeros[run]) / PS_PER_S, gain, unc


def _lines(one: DetectorTrack) -> Iterator[tuple[object, ...]]:
    # A straight line goes through two positions of a run whatever they are: only further ones can scatter.
    needed = 2 * len(one.curves.curves) + len(one.lines) - 1
    is_tested = sum(position.fit.status == "ok" for position in one.tracks.positions) > needed
    for place, line in enumerate(one.lines):
        own = [
            (position.fit, residual)
            for position, residual in zip(one.tracks.positions, one.curves.residuals, strict=True)
            if position.line == place
        ]
        good = [(fit, residual) for fit, residual in own if fit.status == "ok"]
        residuals = np.array([residual for _, residual in good])
        pulls = residuals / np.array([fit.unc / fit.position for fit, _ in good])
        disagreement = one.curves.disagreement[place]
        spectra = one.spectra[place]
        several = len(good) > 1 and is_tested
        yield (
            *_who(one),
            line.energy_kev,
            len(good),
            len(own) - len(good),
            float(sum(fit.counts for fit, _ in good)),
            100 * float(np.sqrt(np.mean(residuals**2))) if several else None,
            float((pulls**2).sum() / (len(good) - 1)) if several else None,
            None if disagreement is None else 100 * disagreement,
            *(None if w is None else w * line.kev_per_adc for w in (spectra.fwhm_before, spectra.fwhm_after)),
        )


def _detector(one: DetectorTrack, lines: pl.DataFrame) -> tuple[object, ...]:
    curves = list(one.curves.curves.values())
    own = lines.filter(is_of(one.detector.key))
    main = own.sort("counts", descending=True).row(0, named=True)
    gains = np.concatenate([curve.gain for curve in curves]) if curves else np.empty(0)
    uncs = np.concatenate([curve.unc for curve in curves]) if curves else np.empty(0)
    return (
        *_who(one),
        100 * float(np.ptp(gains)) if curves else None,
        100 * float(np.median(uncs)) if curves else None,
        sum(len(curve.steps_ps) for curve in curves),
        *(main[name] for name in ("scatter_pct", "line_kev", *_WIDTHS)),
    )


def _spectra(one: DetectorTrack) -> pl.DataFrame:
    board, channel, name = _who(one)
    energy = one.detector.energy or ()
    return pl.concat(
        pl.DataFrame(
            {
                "board": board,
                "channel": channel,
                "name": name,
                "line_kev": line.energy_kev,
                "energy_kev": np.polynomial.polynomial.polyval(spectra.adc, energy),
                "counts_before": spectra.before,
                "counts_after": spectra.after,
            },
            _SPECTRA,
        )
        for line, spectra in zip(one.lines, one.spectra, strict=True)
    )
