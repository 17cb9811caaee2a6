"""The drift of the gains over runs, from spectral lines: one pass over the hits, and small tables of results."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.drift import FIRST_WIDTH_PS, DriftSpectra, SlicedRun
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.calibration.drift.curves import Reference, courses, gain_curves
from gammapolars.calibration.drift.lines import TOP_ADC, WIDE_TOP_ADC, TrackedLine, tracked_lines
from gammapolars.calibration.drift.path import LineCounts
from gammapolars.calibration.drift.results import DetectorTrack, DriftTrack, drift_track, line_spectra
from gammapolars.calibration.drift.tracks import RunLines, follow, follow_again
from gammapolars.core import defaults
from gammapolars.core.digits import rounded
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Key, Progress
from gammapolars.core.units import parse_ps
from gammapolars.corrections.selection import Keep, Selection
from gammapolars.detectors import AnyDetectors, Detector, Detectors, detectors_of
from gammapolars.io import AnyNames, Runs, runs_of

REACH = 0.03
MOST_REACH = 0.2

MOST_FITS = 4
"""Fits are repeated along the course that was found, until the lines' widths stay as they are."""


def track_drift(
    runs: Runs | AnyNames,
    detectors: AnyDetectors,
    lines_kev: Iterable[float],
    *,
    reject: str = defaults.REJECT,
    slice: str | None = None,
    reach: float = REACH,
    reference: Reference = "calibration",
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> DriftTrack:
    """Follow spectral lines through runs, slice of time by slice of time, and find how each gain drifts.

    Each detector's lines are first found roughly in all slices at once, then fitted in slices that are joined until a
    position is known to a twelfth of the line's width. The positions of all lines, in each run by itself, give a
    smooth gain. Memory is bounded, whatever the number and length of the runs.

    Args:
        runs: from `open_runs`, or the names of files or folders as the command line takes them.
        detectors: lines are expected by their calibrations; detectors without one are left out.
        lines_kev: energies of the lines, each the strongest within the reach of the drift.
        reject: names of the flags that reject a hit.
        slice: the shortest slice of time, such as `10s`; by default a 512th of a run or less than twice that.
        reach: largest relative change of the gain against the calibration that is looked for.
        reference: `calibration`: the factors bring lines to where the calibration expects them; `mean`: to their mean
            over all runs.
        keep: polygons, or a file of them: only hits in these are used, as by `select_hits`, and in any case only those
            that the detectors' limits in ADC channels admit.
        progress: called with the number of hits read.

    Raises:
        UsageError: no line, one that no detector can see, no calibrated detector, or a number out of its range.
        TableError: the runs have no adc values.
    """
    detectors = detectors_of(detectors)
    runs = runs_of(runs)
    energies = _check_lines(lines_kev)
    if not 0 < reach <= MOST_REACH:
        raise UsageError(f"the reach of a drift must be between 0 and {MOST_REACH}, not {reach}")
    if reference not in ("calibration", "mean"):
        raise UsageError(f"the reference must be 'calibration' or 'mean', not '{reference}'")
    width_ps = FIRST_WIDTH_PS if slice is None else parse_ps(slice)
    if width_ps <= 0:
        raise UsageError(f"a slice must be longer than 0 s, not '{slice}'")
    recording = Recording(runs, progress=progress, selection=Selection.of(detectors, keep=keep)).in_adc()
    usual = recording.schema.get("adc", pl.UInt16()) == pl.UInt16
    lines_by_detector = _lines(detectors, energies, reach, TOP_ADC if usual else WIDE_TOP_ADC)
    tally = HitTally()
    ranges = {key: [line.part for line in lines] for key, lines in lines_by_detector.items()}
    slices = DriftSpectra(union(recording.masks(reject)), ranges, first_width_ps=width_ps)
    recording.require_adc("tracked in time")
    count_hits(recording, [tally, slices])
    keys = set(tally.by_detector().select("board", "channel").rows())
    tracks = [
        _track(detectors.at(*key), lines, slices, reach, reference)
        for key, lines in sorted(lines_by_detector.items())
        if lines and key in keys
    ]
    texts = untracked(detectors, lines_by_detector, keys, energies)
    texts += [text for one in tracks for text in warnings(one, slices.runs, reach)]
    return drift_track(runs, tracks, slices.runs, tally, texts)


def _lines(detectors: Detectors, energies: Sequence[float], reach: float, top_adc: int) -> dict[Key, list[TrackedLine]]:
    """The lines that each calibrated detector can see."""
    lines_by_detector = {
        one.key: tracked_lines(one, energies, reach, top_adc=top_adc) for one in detectors if one.energy
    }
    if not lines_by_detector:
        raise UsageError(
            "no detector is calibrated, but lines are searched for by their energy: give energy in detectors.toml"
        )
    if not any(lines_by_detector.values()):
        raise UsageError(f"{', '.join(f'{line:g}' for line in energies)} keV are outside the range of every detector")
    return lines_by_detector


def _check_lines(lines_kev: Iterable[float]) -> list[float]:
    energies = sorted(set(lines_kev))
    if not energies:
        raise UsageError("no line to track: give the energy of one, such as 1460.8")
    for energy in energies:
        if not 0 < energy < math.inf:
            raise UsageError(f"a line's energy must be a positive number of keV, not {energy}")
    return energies


def _track(
    detector: Detector, lines: list[TrackedLine], slices: DriftSpectra, reach: float, reference: Reference
) -> DetectorTrack:
    runs = [
        RunLines(
            run,
            tuple(
                LineCounts(
                    line.expected_adc,
                    line.part.first_adc - 0.5,
                    line.part.bin_adc,
                    slices.counts(run, detector.key, line.part),
                )
                for line in lines
            ),
        )
        for run in slices.runs
    ]
    tracks = follow(lines, runs, reach)
    curves = gain_curves(lines, tracks, slices.runs, reference)
    for _ in range(MOST_FITS):
        if not curves.curves:
            break
        before = tracks.fwhm_adc
        tracks = follow_again(runs, tracks, courses(tracks, curves, slices.runs))
        curves = gain_curves(lines, tracks, slices.runs, reference)
        if np.allclose(before, tracks.fwhm_adc, rtol=0.05):
            break
    return DetectorTrack(detector, lines, tracks, curves, line_spectra(lines, tracks, curves, runs))


FAR_AWAY = 0.5
"""Lines are not where they are expected if they lie by this part of the reach away."""

EDGE_SHARE = 0.01
"""If the gain lies at the edge of the search range in a larger part of the positions, a warning says so."""

FAILED_SHARE = 0.1
"""If more fits fail, a warning says so; their number is in the table of lines in any case."""


def untracked(
    detectors: Detectors,
    lines_by_detector: Mapping[tuple[int, int], list[TrackedLine]],
    keys: set[tuple[int, int]],
    energies: Sequence[float],
) -> list[str]:
    """Warnings about detectors that cannot be tracked, in whole or in part."""
    texts = []
    for key in sorted(keys):
        name, lines = detectors.at(*key).name, lines_by_detector.get(key)
        if lines is None:
            texts.append(f"{name} has no energy calibration: its drift is not tracked")
        elif missing := sorted(set(energies) - {line.energy_kev for line in lines}):
            texts.append(f"{', '.join(f'{line:g}' for line in missing)} keV are outside the range of {name}")
    return texts


def warnings(one: DetectorTrack, slices: Sequence[SlicedRun], reach: float) -> list[str]:
    name, texts = one.detector.name, []
    if missing := [run.run for run in slices if run.run not in one.curves.curves]:
        where = "" if len(slices) == 1 else f" in run {', '.join(map(str, missing))}"
        texts.append(f"{name}: no line was found{where}: no drift correction there")
    for line, size in zip(one.lines, one.curves.disagreement, strict=True):
        if size is not None:
            texts.append(
                f"{name}: the line at {line.energy_kev:g} keV drifts differently from the others, by up to "
                f"{rounded(100 * size, 2)} %: does the offset drift, or is another line close to it?"
            )
    at = np.array(
        [p.fit.position / one.lines[p.line].expected_adc for p in one.tracks.positions if p.fit.status == "ok"]
    )
    if len(at) and abs(away := float(np.median(at)) - 1) > FAR_AWAY * reach:
        texts.append(
            f"{name}: lines lie {'+' if away > 0 else ''}{rounded(100 * away, 2)} % from the positions "
            "expected from the calibration: is the calibration old, or are these other lines?"
        )
    if len(at) and np.mean(np.abs(at - 1) > 0.95 * reach) > EDGE_SHARE:
        texts.append(f"{name}: the gain reaches the end of the search range: increase the reach, or calibrate again")
    failures = sum(one_.fit.status != "ok" for one_ in one.tracks.positions)
    if failures > FAILED_SHARE * len(one.tracks.positions):
        texts.append(f"{name}: {failures} of {len(one.tracks.positions)} fits failed and were left out")
    return texts
