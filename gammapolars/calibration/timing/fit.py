"""Fits to a sample of pairs: prompt peaks, offsets, walk and resolutions."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from gammapolars.calibration.timing import solve
from gammapolars.calibration.timing.prompt_fit import Peak, fit_peak
from gammapolars.calibration.timing.reading import Pair
from gammapolars.calibration.timing.sample import Sample
from gammapolars.calibration.timing.search import HALF_WIDTHS, Search, densest
from gammapolars.calibration.timing.tables import Outcome
from gammapolars.calibration.timing.walk import WalkFit, fit_walk
from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import CalibrationError
from gammapolars.core.types import Floats, Key
from gammapolars.core.wording import setting
from gammapolars.corrections import walk_ps
from gammapolars.detectors import Detectors

IMPROVES = 0.99
"""Walk is used by itself if it makes the peaks narrower than this."""

FINE_BINS = 4000
"""Bins of the histogram in which a peak is searched for once more before it is fitted."""


def fit_timing(
    sample: Sample,
    widths: Mapping[Pair, float],
    search: Search,
    detectors: Detectors,
    *,
    walk: bool | None,
    reference: Key | None,
) -> tuple[Outcome, list[str]]:
    """Everything that is fitted to a sample of pairs, and the steps taken, one sentence each.

    `widths` are about those of the peaks, ps. Walk is fitted or not, or (None) used where it helps; the offset of the
    detector `reference` stays.

    Raises:
        CalibrationError: no peak can be fitted.
    """
    clock, phase = _clock(sample)
    wide, recorded = np.array(list(widths.values())), sample.dt_ps.astype(np.float64)
    before = _peaks(sample, recorded, wide, clock, phase)
    if not before:
        raise CalibrationError("no prompt peak can be fitted because there are too few pairs: read more hits")
    place = sample.keys.index(reference) if reference in sample.keys else None
    walking, fit = _walking(sample, detectors, before, _offsets(sample, before, place), clock, walk=walk)
    corrected, after, notes = recorded, before, []
    if any(one.time_walk_ps for one in walking):
        corrected = _without_walk(sample, walking, clock)
        after = _peaks(sample, corrected, wide, clock, None)
        if fit and walk is None and not _improves(before, after):
            walking, fit, corrected, after = _no_walk(sample, detectors), None, recorded, before
            notes.append(
                "time walk is significant, but correcting it does not narrow the peaks: not used (force it with "
                f"{setting('--walk', 'walk=True')})"
            )
    if not fit and walk is None and any(detectors.at(*key).time_walk_ps for key in sample.keys):
        there, keep = setting("--detectors", "detectors"), setting("--no-walk", "walk=False")
        notes.append(f"the time walk in {there} is dropped (keep it with {keep})")
    offsets = _offsets(sample, after, place)
    if fit:
        # Their fit includes the effect of walk on the offsets; the peaks' positions remain as a test of both.
        offsets = offsets._replace(
            offset_ps=np.where(offsets.group < 0, np.nan, fit.offset_ps), covariance=fit.covariance
        )
    outcome = Outcome(
        sample=sample,
        detectors=detectors,
        keys=search.keys,
        search_ps={pair: position for pair, (position, _, _) in search.peaks.items()},
        offsets=offsets,
        resolutions=_resolutions(sample, after),
        walking=walking,
        walks=fit.walks if fit else {},
        before=before,
        after=after,
        corrected_ps=corrected,
        clock=clock,
    )
    return outcome, notes


def _resolutions(sample: Sample, peaks: Mapping[int, Peak]) -> solve.Resolutions:
    fwhm, unc = np.array([(peak.fwhm_ps, peak.fwhm_ps_unc) for peak in peaks.values()]).T
    return solve.solve_resolutions(sample.ends[list(peaks)], fwhm, unc, len(sample.keys))


def _no_walk(sample: Sample, detectors: Detectors) -> Detectors:
    """The sample's detectors without walk."""
    return Detectors(tuple(replace(detectors.at(*key), time_walk_ps=None, time_walk_range=None) for key in sample.keys))


def _walking(
    sample: Sample,
    detectors: Detectors,
    peaks: Mapping[int, Peak],
    offsets: solve.Offsets,
    clock: int,
    *,
    walk: bool | None,
) -> tuple[Detectors, WalkFit | None]:
    """The sample's detectors with their walk: fitted, or as it was where none is to be fitted."""
    if walk is False:
        return Detectors(tuple(detectors.at(*key) for key in sample.keys)), None
    fit = _walk(sample, peaks, offsets, clock, forced=bool(walk))
    no_walk = _no_walk(sample, detectors)
    if not fit.walks:
        return no_walk, None
    walking = tuple(
        replace(one, time_walk_ps=one_walk.coefficients, time_walk_range=one_walk.adc_range)
        if (one_walk := fit.walks.get(number))
        else one
        for number, one in enumerate(no_walk)
    )
    return Detectors(walking), fit


def _clock(sample: Sample) -> tuple[int, npt.NDArray[np.int64]]:
    """The clock's step, and how far each detector pair's time differences lie from its multiples."""
    first = np.zeros(len(sample.ends), np.int64)
    rows = np.arange(len(sample.pair))[::-1]
    first[sample.pair[rows]] = sample.dt_ps[rows]  # the first of each remains
    step = int(np.gcd.reduce(sample.dt_ps - first[sample.pair], initial=0))
    return (step, first % step) if step > 1 else (1, np.zeros_like(first))


def _peaks(
    sample: Sample, dt_ps: Floats, widths: Floats, clock: int, phase: npt.NDArray[np.int64] | None
) -> dict[int, Peak]:
    """The prompt peaks of detector pairs, by their number: searched once more in fine bins, then fitted.

    `phase` is how far time differences lie from multiples of the clock's step; None: they do not keep to it.
    """
    peaks = {}
    order = np.argsort(sample.pair, kind="stable")
    ends = np.cumsum(np.bincount(sample.pair, minlength=len(sample.ends)))
    for number, rows in enumerate(np.split(order, ends[:-1])):
        reach = float(sample.reach_ps[number][0]), float(sample.reach_ps[number][1])
        shift = float(phase[number]) if phase is not None else None
        if peak := clear_peak(dt_ps[rows], reach, float(widths[number]), clock, shift):
            peaks[number] = peak
    return peaks


def clear_peak(
    dt_ps: Floats, reach: tuple[float, float], width_ps: float, clock: int, phase: float | None
) -> Peak | None:
    """The peak of some time differences that lie within `reach`, about so wide (ps); None where none is clear.

    `phase` is how far they lie from multiples of the clock's step; None: they do not keep to it.
    """
    shift = phase or 0.0
    bin_ps = max(1.0, width_ps / FINE_BINS * 2 * HALF_WIDTHS)
    bin_ps = math.ceil(bin_ps / clock) * clock
    edges = np.arange(math.floor(reach[0] / bin_ps), math.ceil(reach[1] / bin_ps) + 1) * bin_ps + shift - bin_ps / 2
    clearest = densest(np.histogram(dt_ps, edges)[0])
    if len(dt_ps) == 0 or not clearest.is_clear():
        return None
    start = edges[0] + clearest.centre * bin_ps - shift, float(clearest.bins * bin_ps)
    within = reach[0] - shift, reach[1] - shift
    peak = fit_peak(dt_ps - shift, within, start, clock_ps=clock, on_clock=phase is not None)
    return peak and peak._replace(position_ps=peak.position_ps + shift)


def detector_pair_peaks(sample: Sample, widths: Floats, detectors: Detectors) -> dict[int, Peak]:
    """The prompt peaks of a sample's detector pairs, by their number, with the walk of the detectors subtracted.

    Their offsets are not.
    """
    clock, phase = _clock(sample)
    own = Detectors(tuple(detectors.at(*key) for key in sample.keys))
    if any(one.time_walk_ps for one in own):
        return _peaks(sample, _without_walk(sample, own, clock), widths, clock, None)
    return _peaks(sample, sample.dt_ps.astype(np.float64), widths, clock, phase)


def _without_walk(sample: Sample, walking: Detectors, clock: int) -> Floats:
    """Time differences as recorded, less the walk of both detectors, and spread over a step of the clock."""
    dt = sample.dt_ps.astype(np.float64)
    ends = sample.ends[sample.pair]
    for number, detector in enumerate(walking):
        if detector.time_walk_ps:
            for side, sign in ((0, 1.0), (1, -1.0)):
                own = np.flatnonzero(ends[:, side] == number)
                dt[own] += sign * walk_ps(detector, sample.adc[side, own])
    if clock > 1:
        dt += (np.random.default_rng(1).random(len(dt)) - 0.5) * clock
    return dt


def _offsets(sample: Sample, peaks: Mapping[int, Peak], reference: int | None) -> solve.Offsets:
    position, unc = np.array([(peak.position_ps, peak.position_ps_unc) for peak in peaks.values()]).T
    return solve.solve_offsets(sample.ends[list(peaks)], position, unc, len(sample.keys), reference=reference)


def _walk(sample: Sample, peaks: Mapping[int, Peak], offsets: solve.Offsets, clock: int, *, forced: bool) -> WalkFit:
    sigma_ps, prompt = np.zeros((2, len(sample.ends)))
    total = np.bincount(sample.pair, minlength=len(sample.ends))
    for number, peak in peaks.items():
        sigma_ps[number], prompt[number] = peak.fwhm_ps / FWHM_PER_SIGMA, peak.counts / total[number]
    start = np.nan_to_num(offsets.offset_ps)
    return fit_walk(sample, list(peaks), (sigma_ps, prompt), start, offsets.references, clock_ps=clock, forced=forced)


def _improves(before: Mapping[int, Peak], after: Mapping[int, Peak]) -> bool:
    """Whether the peaks have become narrower, in the mean over all prompt pairs, and none was lost."""
    if before.keys() - after.keys():
        return False
    counts = np.array([peak.counts for peak in before.values()])
    ratio = np.array([after[number].fwhm_ps / peak.fwhm_ps for number, peak in before.items()])
    return float(counts @ ratio / counts.sum()) < IMPROVES
