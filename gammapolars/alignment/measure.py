"""Time offsets, walk and resolutions of detectors, measured from the prompt peaks of detector pairs.

Runs are read twice: for histograms of far time differences, in which each detector pair's peak is searched, and for
samples of pairs near the peaks, by which all else is fitted. Both readings end when there are enough pairs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars import defaults
from gammapolars.alignment import solve, tables
from gammapolars.alignment.peak import FWHM, Peak, fit_peak
from gammapolars.alignment.reading import Histograms, Key, Pair, PairReader, Sample, Sampler, shifted
from gammapolars.alignment.results import Timing
from gammapolars.alignment.search import Found, densest
from gammapolars.alignment.tables import Outcome
from gammapolars.alignment.walk import WalkFit, fit_walk
from gammapolars.detectors import Detectors
from gammapolars.errors import CalibrationError, UsageError
from gammapolars.io import Runs, open_runs
from gammapolars.timing import walk_ps
from gammapolars.units import MAX_PS, format_ps, parse_ps

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEARCH_BINS = 20_000

ENOUGH = 300_000
"""Pairs near the peak of each detector, and of each detector pair at most, with which the sample is complete."""

ENOUGH_TO_FIND = 300
"""Pairs above chance that each detector's clearest peak has when the search ends."""

HALF_WIDTHS = 8
"""The sample reaches so many widths of the peak that was found to both sides."""

IMPROVES = 0.99
"""Walk is used by itself if it makes the peaks narrower than this."""

FINE_BINS = 4000


class _Search(NamedTuple):
    """Peaks that a search found: by detector pair, position and width in ps, and the clearest stretch."""

    seen: list[Key]
    peaks: dict[Pair, tuple[float, float, Found]]
    unclear: dict[Pair, Found]


def measure_timing(
    runs: Runs | str | Path | Sequence[str | Path],
    detectors: Detectors | None = None,
    *,
    search: str = defaults.SEARCH,
    reject: str = defaults.REJECT,
    walk: bool | None = None,
    reference: str | None = None,
    energy_kev: tuple[float, float] | None = None,
    most_hits: int | None = None,
    enough: int = ENOUGH,
    progress: Callable[[int], None] | None = None,
) -> Timing:
    """Time offsets, walk and resolution of all detectors, from the prompt peaks of all detector pairs.

    Memory is bounded, whatever the number and length of the runs.

    Args:
        runs: from `open_runs`, or the names of files or folders as the command line takes them.
        detectors: names, and offsets to begin with: peaks are searched around them, and what is found is added.
        search: how far from there a peak may lie.
        reject: flags that reject a hit.
        walk: True: fit both terms of every detector's walk; False: leave walks as `detectors` has them; None: fit them,
            and use those that are significant if they make the peaks narrower.
        reference: name of the detector whose offset stays as it is; else the first of each group.
        energy_kev: only hits of this energy, lowest and highest (keV); None: all.
        most_hits: read no more hits than these, from the beginning.
        enough: pairs near the peak with which a detector is known well enough to stop reading.
        progress: told how many hits have been read, in the second reading from the beginning again.

    Raises:
        CalibrationError: no detector pair shows a prompt peak.
        UsageError: an argument that cannot be, or a gate on energies without a calibration.
        TableError: the runs have no adc values.
    """
    if not isinstance(runs, Runs):
        runs = open_runs(*([runs] if isinstance(runs, str | Path) else runs))
    known = detectors or Detectors()
    reach_ps = parse_ps(search)
    if not 0 < reach_ps <= MAX_PS // 4:
        raise UsageError(f"the search for peaks must reach further than 0 s, not '{search}'")
    if most_hits is not None and most_hits < 1:
        raise UsageError(f"at least one hit must be read, not {most_hits}")
    if energy_kev and not any(one.energy for one in known):
        raise UsageError("hits cannot be chosen by energy: no detector is calibrated in detectors.toml")
    first = known.named(reference).key if reference is not None else None
    reading = PairReader(runs, reject, known, energy_kev, most_hits, progress)
    found = _search(reading, reach_ps)
    notes = [_read(reading, f"search within ±{format_ps(reach_ps)}")]
    _check_found(found, reach_ps, reading)
    sample, widths = _sampled(reading, found, enough)
    notes.append(_read(reading, "fits"))
    return _fitted(sample, widths, found, reading, walk=walk, reference=first, notes=notes)


def _read(reading: PairReader, what: str) -> str:
    read = int(reading.hits.by_detector()["hits"].sum())
    why = ": enough pairs" if reading.stopped else ", the limit" if read == reading.most_hits else ", all"
    return f"{what}: {read:,} hits read{why}"


def _search(reading: PairReader, reach_ps: int) -> _Search:
    """The prompt peaks of detector pairs, around the offsets that are known."""
    histograms = Histograms(reach_ps, bins=SEARCH_BINS)
    start = shifted({one.key: one.time_offset_ps for one in reading.known})
    offsets = {one.key: one.time_offset_ps for one in start}
    parts = 0

    def searched() -> _Search:
        all_found = {pair: densest(counts) for pair, counts in histograms.all()}
        peaks = {}
        for pair, found in all_found.items():
            if found.is_clear(len(all_found)):
                recorded = offsets.get(pair[1], 0) - offsets.get(pair[0], 0)
                width = found.width * histograms.width_ps
                peaks[pair] = (histograms.low_ps(found.centre) + recorded, float(width), found)
        seen = sorted(reading.hits.by_detector().select("board", "channel").rows())
        return _Search(seen, peaks, {pair: one for pair, one in all_found.items() if pair not in peaks})

    def done() -> bool:
        nonlocal parts
        parts += 1
        if parts & (parts - 1):  # after 1, 2, 4, … parts
            return False
        now = searched()
        strong = [pair for pair, (_, _, found) in now.peaks.items() if found.excess >= ENOUGH_TO_FIND]
        group = solve.groups(_ends(strong, now.seen), len(now.seen))
        return bool(len(group)) and bool((group == 0).all())

    for pairs in reading.pairs(reach_ps, start, done):
        histograms.add(pairs)
    return searched()


def _ends(pairs: Sequence[Pair], keys: Sequence[Key]) -> npt.NDArray[np.intp]:
    places = {key: place for place, key in enumerate(keys)}
    return np.array([[places[a], places[b]] for a, b in pairs], np.intp).reshape(-1, 2)


def _check_found(found: _Search, reach_ps: int, reading: PairReader) -> None:
    """Refuse to take offsets from noise.

    Raises:
        CalibrationError: no detector pair shows a prompt peak.
    """
    if found.peaks:
        return
    name = reading.runs.all[0].name
    if len(found.seen) < 2:
        raise CalibrationError(f"{name}: fewer than two detectors have hits: there are no pairs to align by")
    pairs = f"no two of its {len(found.seen)} detectors show a prompt peak within ±{format_ps(reach_ps)}"
    if found.unclear:
        best = max(found.unclear.values(), key=lambda one: one.sigmas)
        pairs += f" (the clearest excess has {max(best.excess, 0.0):.0f} pairs, {best.sigmas:.1f} standard deviations)"
    raise CalibrationError(f"{name}: {pairs}: is there a coincident source, and does --search reach far enough?")


def _sampled(reading: PairReader, found: _Search, enough: int) -> tuple[Sample, dict[Pair, float]]:
    """Pairs near the peaks of all detector pairs in groups; and about how wide each peak is, ps."""
    pairs = list(found.peaks)
    keys = sorted({key for pair in pairs for key in pair})
    ends = _ends(pairs, keys)
    positions = np.array([found.peaks[pair][0] for pair in pairs])
    seeds = solve.tree_offsets(ends, positions, [found.peaks[pair][2].sigmas for pair in pairs], len(keys))
    offsets = dict(zip(keys, seeds.tolist(), strict=True))
    group = dict(zip(keys, solve.groups(ends, len(keys)).tolist(), strict=True))
    widest = {key: max(found.peaks[pair][1] for pair in pairs if key in pair) for key in keys}
    widths = {
        (a, b): found.peaks[a, b][1] if (a, b) in found.peaks else max(widest[a], widest[b])
        for place, a in enumerate(keys)
        for b in keys[place + 1 :]
        if group[a] == group[b]
    }
    sampler = Sampler(offsets, {pair: math.ceil(HALF_WIDTHS * width) for pair, width in widths.items()}, enough)
    for near in reading.pairs(sampler.reach_ps, shifted(offsets), sampler.is_complete):
        sampler.add(near)
    return sampler.sample(), widths


def _fitted(
    sample: Sample,
    widths: dict[Pair, float],
    found: _Search,
    reading: PairReader,
    *,
    walk: bool | None,
    reference: Key | None,
    notes: list[str],
) -> Timing:
    clock, phase = _clock(sample)
    wide = np.array(list(widths.values()))
    before = _peaks(sample, sample.dt_ps.astype(np.float64), wide, clock, phase)
    used = [number for number, peak in enumerate(before) if peak]
    if not used:
        raise CalibrationError(f"{reading.runs.all[0].name}: no prompt peak can be fitted: too few pairs")
    place = sample.keys.index(reference) if reference in sample.keys else None
    solved = _offsets(sample, before, used, place)
    kept, fit = _walking(sample, reading.known, used, before, solved, clock, walk=walk)
    corrected, after = sample.dt_ps.astype(np.float64), before
    if any(one.time_walk_ps for one in kept):
        corrected = _without_walk(sample, kept, clock)
        after = _peaks(sample, corrected, wide, clock, None)
        if fit and walk is None and not _improves(before, after, used):
            kept, fit = _bare(sample, reading.known), None
            notes = [*notes, "time walk is significant, but no peak is narrower without it: not used (--walk uses it)"]
            corrected, after = sample.dt_ps.astype(np.float64), before
    final = [number for number in used if after[number]]
    solved = _offsets(sample, after, final, place)
    if fit:
        # Their fit knows what walk takes from the offsets; the peaks' positions remain as a test of both.
        solved = solved._replace(offset_ps=np.where(solved.group < 0, np.nan, fit.offset_ps), covariance=fit.covariance)
    ends, widths_after = sample.ends[final], [peak for number in final if (peak := after[number])]
    resolutions = solve.solve_resolutions(
        ends,
        np.array([peak.fwhm_ps for peak in widths_after]),
        np.array([peak.fwhm_ps_unc for peak in widths_after]),
        len(sample.keys),
    )
    walks = fit.walks if fit else {}
    searched = {pair: position for pair, (position, _, _) in found.peaks.items()}
    outcome = Outcome(
        sample, reading.known, found.seen, searched, solved, resolutions, kept, walks, before, after, corrected, clock
    )
    return _told(outcome, reading, reference, notes)


def _told(outcome: Outcome, reading: PairReader, reference: Key | None, notes: list[str]) -> Timing:
    made = tables.aligned(outcome)
    table = tables.detector_table(outcome, made)
    return Timing(
        aligned=made,
        detectors=table,
        covariance_ps2=tables.covariance(outcome, table),
        pairs=tables.pair_table(outcome, made),
        differences=tables.difference_table(outcome, made),
        chi2=outcome.solved.chi2,
        ndf=outcome.solved.ndf,
        clock_ps=outcome.clock,
        walk=bool(outcome.walks),
        notes=tuple(notes),
        warnings=tuple(tables.warnings(outcome, made, reference)),
        complete=not reading.stopped and reading.most_hits is None,
        hits=reading.hits,
    )


def _bare(sample: Sample, known: Detectors) -> Detectors:
    """The sample's detectors without walk."""
    return Detectors(tuple(replace(known.at(*key), time_walk_ps=None, time_walk_range=None) for key in sample.keys))


def _walking(
    sample: Sample,
    known: Detectors,
    used: Sequence[int],
    peaks: Sequence[Peak | None],
    offsets: solve.Offsets,
    clock: int,
    *,
    walk: bool | None,
) -> tuple[Detectors, WalkFit | None]:
    """The sample's detectors with their walk: fitted, or as it was where none is to be fitted."""
    if walk is False:
        return Detectors(tuple(known.at(*key) for key in sample.keys)), None
    fit = _walk(sample, used, peaks, offsets, clock, forced=bool(walk))
    bare = _bare(sample, known)
    if not fit.walks:
        return bare, None
    walking = tuple(
        replace(one, time_walk_ps=found.coefficients, time_walk_range=found.adc_range)
        if (found := fit.walks.get(number))
        else one
        for number, one in enumerate(bare)
    )
    return Detectors(walking), fit


def _clock(sample: Sample) -> tuple[int, npt.NDArray[np.int64]]:
    """The clock's step, and by how much each detector pair's time differences lie beside its multiples."""
    first = np.zeros(len(sample.ends), np.int64)
    rows = np.arange(len(sample.pair))[::-1]
    first[sample.pair[rows]] = sample.dt_ps[rows]  # the first of each remains
    step = int(np.gcd.reduce(sample.dt_ps - first[sample.pair], initial=0))
    return (step, first % step) if step > 1 else (1, np.zeros_like(first))


def _rows(sample: Sample) -> list[npt.NDArray[np.intp]]:
    """The rows of each detector pair."""
    order = np.argsort(sample.pair, kind="stable")
    return np.split(order, np.cumsum(np.bincount(sample.pair, minlength=len(sample.ends)))[:-1])


def _peaks(
    sample: Sample, dt_ps: Floats, widths: Floats, clock: int, phase: npt.NDArray[np.int64] | None
) -> list[Peak | None]:
    """The prompt peak of each detector pair: searched once more in fine bins, then fitted.

    Args:
        sample: tells which rows belong to which detector pair.
        dt_ps: time differences, as recorded or corrected for walk.
        widths: of the peaks, about.
        clock: step of the clock.
        phase: by how much time differences lie beside multiples of the step; None: they do not keep to it.
    """
    found: list[Peak | None] = []
    for number, rows in enumerate(_rows(sample)):
        dt, shift = dt_ps[rows], float(phase[number]) if phase is not None else 0.0
        low, high = (float(end) for end in sample.reach_ps[number])
        width = max(1.0, widths[number] / FINE_BINS * 2 * HALF_WIDTHS)
        width = math.ceil(width / clock) * clock
        edges = np.arange(math.floor(low / width), math.ceil(high / width) + 1) * width + shift - width / 2
        histogram = np.histogram(dt, edges)[0]
        clearest = densest(histogram)
        if len(rows) == 0 or not clearest.is_clear():
            found.append(None)
            continue
        start = edges[0] + clearest.centre * width - shift, float(clearest.width * width)
        peak = fit_peak(dt - shift, (low - shift, high - shift), start, clock_ps=clock, on_clock=phase is not None)
        found.append(peak and peak._replace(position_ps=peak.position_ps + shift))
    return found


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


def _offsets(sample: Sample, peaks: Sequence[Peak | None], used: Sequence[int], reference: int | None) -> solve.Offsets:
    chosen = [peak for number in used if (peak := peaks[number])]
    position = np.array([peak.position_ps for peak in chosen])
    unc = np.array([peak.position_ps_unc for peak in chosen])
    return solve.solve_offsets(sample.ends[list(used)], position, unc, len(sample.keys), reference=reference)


def _walk(
    sample: Sample,
    used: Sequence[int],
    peaks: Sequence[Peak | None],
    offsets: solve.Offsets,
    clock: int,
    *,
    forced: bool,
) -> WalkFit:
    numbers = np.zeros((3, len(peaks)))
    total = np.bincount(sample.pair, minlength=len(peaks))
    for number in used:
        peak = peaks[number]
        assert peak
        numbers[:, number] = peak.position_ps, peak.fwhm_ps / FWHM, peak.counts / total[number]
    fixed = [place for place in range(len(sample.keys)) if offsets.offset_ps[place] == 0.0]
    start = np.nan_to_num(offsets.offset_ps)
    return fit_walk(sample, used, (numbers[0], numbers[1], numbers[2]), start, fixed, clock_ps=clock, forced=forced)


def _improves(before: Sequence[Peak | None], after: Sequence[Peak | None], used: Sequence[int]) -> bool:
    """Whether the peaks have become narrower, in the mean over all prompt pairs."""
    both = [(one, other) for number in used if (one := before[number]) and (other := after[number])]
    if len(both) < len(used):
        return False
    counts = np.array([one.counts for one, _ in both])
    ratio = np.array([other.fwhm_ps / one.fwhm_ps for one, other in both])
    return float(counts @ ratio / counts.sum()) < IMPROVES
