"""The drift of the gains over runs, from spectral lines: one pass over the hits, and small tables of what was found."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars import defaults
from gammapolars.detectors import Detector, Detectors
from gammapolars.drift.curves import Curves, Reference, courses, gain_curves
from gammapolars.drift.follow import Followed, RunLines, follow, follow_again
from gammapolars.drift.lines import TrackedLine, tracked_lines
from gammapolars.drift.path import LineCounts
from gammapolars.drift.table import Drift, DriftRun
from gammapolars.drift.widths import Spectra, summed_spectra
from gammapolars.errors import UsageError
from gammapolars.flags import parse_reject, union
from gammapolars.io import Runs, open_runs
from gammapolars.products import HitTally, Product
from gammapolars.products.drift import FIRST_WIDTH_PS, DriftSpectra, SlicedRun
from gammapolars.schema import DRIFT, HITS, require
from gammapolars.streaming import batches_of, by_run
from gammapolars.time_order import time_ordered
from gammapolars.units import PS_PER_S, parse_ps

REACH = 0.03
MOST_REACH = 0.2

MOST_FITS = 4
"""Fits are repeated along the course that was found, until the lines' widths stay as they are."""

FAR_AWAY = 0.01
"""Relative distance of lines from where they are expected at which a warning says so."""

EDGE_SHARE = 0.01
"""If the gain lies at the edge of what is searched in a larger part of the time, a warning says so."""

FAILED_SHARE = 0.1
"""If more fits fail, a warning says so; how many did stands in the table of lines in any case."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class DriftTrack:
    """What was found of the drift of some runs' gains.

    Attributes:
        drift: the factors by run, detector and time, and which runs they are of: what `correct_drift` takes.
        positions: a row a fit: `run`, `board`, `channel`, `name`, `line_kev`, `timestamp_ps` (mean of the hits),
            `time_s` (since the first run's first hit, runs one after another), `begin_s` and `end_s` of its slices,
            `position_adc`, `position_adc_unc`, `gain`, `gain_unc` (relative to the reference), `residual` (relative,
            from the smooth gain), `counts`, `status`: `ok`, or why the fit was left out.
        curves: `run`, `board`, `channel`, `name`, `timestamp_ps`, `time_s`, `gain`, `gain_unc`: the smooth gain.
        lines: a row a line and detector: `board`, `channel`, `name`, `line_kev`, `positions` (those used), `failed`
            (fits that were left out), `scatter_pct` (of the positions about the smooth gain), `chi2_ndf` of this
            scatter, `disagreement_pct` (by how much the line drifts otherwise than the others; null where it does
            not), `fwhm_before_kev`, `fwhm_after_kev` (null where it cannot be told).
        detectors: a row a detector: `board`, `channel`, `name`, `drift_span_pct` (between the largest and the smallest
            gain), `gain_unc_pct` (median), `steps`, `scatter_pct`, and of its line with most counts `fwhm_before_kev`,
            `fwhm_after_kev`.
        spectra: around each line, before and after: `board`, `channel`, `name`, `line_kev`, `energy_kev` (bin centre),
            `counts_before`, `counts_after`.
        warnings: one sentence each.
        hits: what was read.
    """

    drift: Drift
    positions: pl.DataFrame
    curves: pl.DataFrame
    lines: pl.DataFrame
    detectors: pl.DataFrame
    spectra: pl.DataFrame
    warnings: tuple[str, ...]
    hits: HitTally = field(repr=False)


class _Tracked(NamedTuple):
    """One detector, tracked."""

    detector: Detector
    lines: list[TrackedLine]
    followed: Followed
    curves: Curves
    spectra: list[Spectra]


def track_drift(
    runs: Runs | str | Path | Sequence[str | Path],
    detectors: Detectors,
    lines_kev: Iterable[float],
    *,
    reject: str = defaults.REJECT,
    slice: str | None = None,
    reach: float = REACH,
    reference: Reference = "calibration",
    progress: Progress | None = None,
) -> DriftTrack:
    """Follow spectral lines through runs, slice of time by slice of time, and find how each gain drifts.

    Each detector's lines are first found roughly in all slices at once, then fitted in slices that are joined until a
    position is known to a twelfth of the line's width. The positions of all lines, in each run by itself, give a
    smooth gain. Memory is bounded, whatever the number and length of the runs.

    Args:
        runs: from `open_runs`, or the names of files or folders as the command line takes them.
        detectors: their calibrations tell where lines are expected; detectors without one are left out.
        lines_kev: energies of the lines, each the strongest within the reach of the drift.
        reject: names of the flags that reject a hit.
        slice: the shortest slice of time, such as `10s`; by default a 512th of a run or less than twice that.
        reach: largest relative change of the gain against the calibration that is looked for.
        reference: `calibration`: the factors bring lines to where the calibration expects them; `mean`: to their mean
            over all runs.
        progress: told how many hits have been read.

    Raises:
        UsageError: no line, one that no detector can see, no calibrated detector, or a number out of its range.
        TableError: the runs have no adc values.
    """
    if not isinstance(runs, Runs):
        runs = open_runs(*([runs] if isinstance(runs, str | Path) else runs))
    energies = _checked_lines(lines_kev)
    if not 0 < reach <= MOST_REACH:
        raise UsageError(f"the reach of a drift must lie from 0 to {MOST_REACH}, not {reach}")
    if reference not in ("calibration", "mean"):
        raise UsageError(f"the reference must be 'calibration' or 'mean', not '{reference}'")
    width_ps = FIRST_WIDTH_PS if slice is None else parse_ps(slice)
    if width_ps <= 0:
        raise UsageError(f"a slice must be longer than 0 s, not '{slice}'")
    wanted = {one.key: tracked_lines(one, energies, reach) for one in detectors if one.energy}
    if not wanted:
        raise UsageError(
            "no detector is calibrated, and a line is looked for by its energy: give energy in detectors.toml"
        )
    if not any(wanted.values()):
        raise UsageError(f"{', '.join(f'{line:g}' for line in energies)} keV lie in no detector's range")
    tally = HitTally()
    ranges = {key: [line.part for line in lines] for key, lines in wanted.items()}
    sliced = DriftSpectra(union(parse_reject(reject)), ranges, first_width_ps=width_ps)
    _read(runs, [tally, sliced], progress)
    seen = set(tally.by_detector().select("board", "channel").rows())
    tracked = [
        _tracked(detectors.at(*key), lines, sliced, reach, reference)
        for key, lines in sorted(wanted.items())
        if lines and key in seen
    ]
    return _told(runs, tracked, sliced.runs, tally, _unseen(detectors, wanted, seen, energies))


def _checked_lines(lines_kev: Iterable[float]) -> list[float]:
    energies = sorted(set(lines_kev))
    if not energies:
        raise UsageError("no line to track: name the energy of one, such as 1460.8")
    for energy in energies:
        if not 0 < energy < math.inf:
            raise UsageError(f"a line's energy must be a positive number of keV, not {energy}")
    return energies


def _read(runs: Runs, products: Sequence[Product], progress: Progress | None) -> None:
    """Let products see all hits, run by run in order of time."""
    require(runs.hits, HITS)
    columns = [name for name in runs.hits.collect_schema() if name in HITS.columns or name == "run"]
    read = 0
    with runs.naming_errors():
        for of_run in by_run(batches_of(runs.hits.select(columns))):
            for batch in time_ordered(of_run, reorder_ps=runs.reorder_ps, on_repair=runs.note_repair):
                for product in products:
                    product.add_hits(batch)
                read += batch.height
                if progress:
                    progress(read)


def _tracked(
    detector: Detector, lines: list[TrackedLine], sliced: DriftSpectra, reach: float, reference: Reference
) -> _Tracked:
    runs = [
        RunLines(
            run,
            tuple(
                LineCounts(
                    line.expected_adc,
                    line.part.first_adc - 0.5,
                    line.part.bin_adc,
                    sliced.counts(run, detector.key, line.part),
                )
                for line in lines
            ),
        )
        for run in sliced.runs
    ]
    followed = follow(lines, runs, reach)
    curves = gain_curves(lines, followed, sliced.runs, reference)
    for _ in range(MOST_FITS):
        if not curves.curves:
            break
        before = followed.fwhm_adc
        followed = follow_again(runs, followed, courses(lines, followed, curves, sliced.runs))
        curves = gain_curves(lines, followed, sliced.runs, reference)
        if np.allclose(before, followed.fwhm_adc, rtol=0.05):
            break
    return _Tracked(detector, lines, followed, curves, summed_spectra(lines, followed, curves, runs))


def _unseen(
    detectors: Detectors,
    wanted: dict[tuple[int, int], list[TrackedLine]],
    seen: set[tuple[int, int]],
    energies: Sequence[float],
) -> list[str]:
    """Warnings about detectors that cannot be tracked, in whole or in part."""
    found = []
    for key in sorted(seen):
        name, lines = detectors.at(*key).name, wanted.get(key)
        if lines is None:
            found.append(f"{name} has no energy calibration: its drift is not tracked")
        elif missing := sorted(set(energies) - {line.energy_kev for line in lines}):
            found.append(f"{', '.join(f'{line:g}' for line in missing)} keV lie beyond the range of {name}")
    return found


def _told(
    runs: Runs, tracked: Sequence[_Tracked], sliced: Sequence[SlicedRun], tally: HitTally, warnings: list[str]
) -> DriftTrack:
    """All tables of what was found."""
    clock = _Clock(sliced)
    lines = pl.concat([pl.DataFrame(schema=_LINES), *(_lines(one) for one in tracked)])
    numbered = dict(enumerate(runs.all, 1))
    drift_runs = tuple(
        DriftRun(
            one.run,
            tuple(file.path.name for file in numbered[one.run if len(numbered) > 1 else 1].files),
            one.first_ps,
            one.last_ps,
        )
        for one in sliced
    )
    curves = pl.concat([pl.DataFrame(schema=_CURVES), *(_curves(one, clock) for one in tracked)])
    table = curves.select(
        "run",
        "board",
        "channel",
        "timestamp_ps",
        gain_factor=1 / pl.col("gain"),
        gain_factor_unc=pl.col("gain_unc") / pl.col("gain") ** 2,
    )
    return DriftTrack(
        drift=Drift(table.select(*DRIFT.columns), drift_runs),
        positions=pl.concat([pl.DataFrame(schema=_POSITIONS), *(_positions(one, clock) for one in tracked)]),
        curves=curves,
        lines=lines,
        detectors=pl.concat([pl.DataFrame(schema=_DETECTORS), *(_detector(one, lines) for one in tracked)]),
        spectra=pl.concat([pl.DataFrame(schema=_SPECTRA), *(_spectra(one) for one in tracked)]),
        warnings=(*warnings, *(text for one in tracked for text in _warnings(one, sliced))),
        hits=tally,
    )


class _Clock:
    """Seconds since the first hit of the first run, each run beginning where the one before ended."""

    def __init__(self, runs: Sequence[SlicedRun]) -> None:
        self._zero_ps: dict[int, int] = {}
        elapsed = 0
        for one in runs:
            self._zero_ps[one.run] = one.first_ps - elapsed
            elapsed += one.last_ps - one.first_ps

    def seconds(self, run: int, time_ps: int) -> float:
        return (time_ps - self._zero_ps[run]) / PS_PER_S


_WHO: dict[str, Any] = {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}
_POSITIONS: dict[str, Any] = {
    "run": pl.UInt16,
    **_WHO,
    "line_kev": pl.Float64,
    "timestamp_ps": pl.Int64,
    **dict.fromkeys(
        (
            "time_s",
            "begin_s",
            "end_s",
            "position_adc",
            "position_adc_unc",
            "gain",
            "gain_unc",
            "residual",
            "counts",
        ),
        pl.Float64,
    ),
    "status": pl.String,
}
_CURVES: dict[str, Any] = {
    "run": pl.UInt16,
    **_WHO,
    "timestamp_ps": pl.Int64,
    "time_s": pl.Float64,
    "gain": pl.Float64,
    "gain_unc": pl.Float64,
}
_LINES: dict[str, Any] = {
    **_WHO,
    "line_kev": pl.Float64,
    "positions": pl.UInt32,
    "failed": pl.UInt32,
    "counts": pl.Float64,
    **dict.fromkeys(("scatter_pct", "chi2_ndf", "disagreement_pct", "fwhm_before_kev", "fwhm_after_kev"), pl.Float64),
}
_DETECTORS: dict[str, Any] = {
    **_WHO,
    "drift_span_pct": pl.Float64,
    "gain_unc_pct": pl.Float64,
    "steps": pl.UInt32,
    "scatter_pct": pl.Float64,
    "line_kev": pl.Float64,
    "fwhm_before_kev": pl.Float64,
    "fwhm_after_kev": pl.Float64,
}
_SPECTRA: dict[str, Any] = {
    **_WHO,
    **dict.fromkeys(("line_kev", "energy_kev", "counts_before", "counts_after"), pl.Float64),
}


def _who(one: _Tracked) -> tuple[int, int, str]:
    return (*one.detector.key, one.detector.name)


def _positions(one: _Tracked, clock: _Clock) -> pl.DataFrame:
    rows = []
    for found, residual in zip(one.followed.positions, one.curves.residuals.tolist(), strict=True):
        line, fit = one.lines[found.line], found.fit
        steady = line.expected_adc * math.exp(one.curves.offsets[found.line])
        used = fit.status == "ok"
        times = (clock.seconds(found.run, time) for time in (found.time_ps, found.begin_ps, found.end_ps))
        numbers = (fit.position, fit.unc, fit.position / steady, fit.unc / steady, residual, fit.counts)
        told = (*(number if used and math.isfinite(number) else None for number in numbers), fit.status)
        rows.append((found.run, *_who(one), line.energy_kev, found.time_ps, *times, *told))
    return pl.DataFrame(rows, _POSITIONS, orient="row")


def _curves(one: _Tracked, clock: _Clock) -> pl.DataFrame:
    rows = [
        (curve.run, *_who(one), int(time), clock.seconds(curve.run, int(time)), float(gain), float(unc))
        for curve in one.curves.curves
        for time, gain, unc in zip(curve.time_ps, curve.gain, curve.unc, strict=True)
    ]
    return pl.DataFrame(rows, _CURVES, orient="row")


def _lines(one: _Tracked) -> pl.DataFrame:
    rows = []
    for place, line in enumerate(one.lines):
        own = [
            (found.fit, residual)
            for found, residual in zip(one.followed.positions, one.curves.residuals, strict=True)
            if found.line == place
        ]
        good = [(fit, residual) for fit, residual in own if fit.status == "ok"]
        residuals = np.array([residual for _, residual in good])
        pulls = residuals / np.array([fit.unc / fit.position for fit, _ in good])
        disagreement = one.curves.disagreement[place]
        spectra = one.spectra[place]
        several = len(good) > 1
        rows.append(
            (
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
        )
    return pl.DataFrame(rows, _LINES, orient="row")


def _detector(one: _Tracked, lines: pl.DataFrame) -> pl.DataFrame:
    curves = one.curves.curves
    own = lines.filter((pl.col("board") == one.detector.board) & (pl.col("channel") == one.detector.channel))
    main = own.sort("counts", descending=True).row(0, named=True)
    gains = np.concatenate([curve.gain for curve in curves]) if curves else np.empty(0)
    uncs = np.concatenate([curve.unc for curve in curves]) if curves else np.empty(0)
    row = (
        *_who(one),
        100 * float(np.ptp(gains)) if curves else None,
        100 * float(np.median(uncs)) if curves else None,
        sum(len(curve.steps_ps) for curve in curves),
        *(main[name] for name in ("scatter_pct", "line_kev", "fwhm_before_kev", "fwhm_after_kev")),
    )
    return pl.DataFrame([row], _DETECTORS, orient="row")


def _spectra(one: _Tracked) -> pl.DataFrame:
    board, channel, name = _who(one)
    energy = one.detector.energy or ()
    return pl.concat(
        pl.DataFrame(
            {
                "board": board,
                "channel": channel,
                "name": name,
                "line_kev": one.lines[spectra.line].energy_kev,
                "energy_kev": np.polynomial.polynomial.polyval(spectra.adc, energy),
                "counts_before": spectra.before,
                "counts_after": spectra.after,
            },
            _SPECTRA,
        )
        for spectra in one.spectra
    )


def _warnings(one: _Tracked, sliced: Sequence[SlicedRun]) -> list[str]:
    name, found = one.detector.name, []
    with_curve = {curve.run for curve in one.curves.curves}
    if missing := [run.run for run in sliced if run.run not in with_curve]:
        where = "" if len(sliced) == 1 else f" in run {', '.join(map(str, missing))}"
        found.append(f"{name}: no line was found{where}: not corrected there")
    for line, size in zip(one.lines, one.curves.disagreement, strict=True):
        if size is not None:
            found.append(
                f"{name}: the line at {line.energy_kev:g} keV drifts otherwise than the others, by up to "
                f"{100 * size:.2g} %: is there a drift of the offset, or another line beside it?"
            )
    if good := [p for p in one.followed.positions if p.fit.status == "ok"]:
        away = float(np.median([p.fit.position / one.lines[p.line].expected_adc for p in good])) - 1
        if abs(away) > FAR_AWAY:
            found.append(
                f"{name}: lines lie {100 * away:+.2g} % from where the calibration expects them: "
                "is it an old one, or are these other lines?"
            )
    if one.followed.at_edge > EDGE_SHARE:
        found.append(f"{name}: the gain reaches the end of what was searched: raise the reach, or calibrate anew")
    failed = sum(one_.fit.status != "ok" for one_ in one.followed.positions)
    if failed > FAILED_SHARE * len(one.followed.positions):
        found.append(f"{name}: {failed} of {len(one.followed.positions)} fits failed and were left out")
    return found
