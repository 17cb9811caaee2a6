"""Time offsets, walk and resolutions of detectors, measured from the prompt peaks of detector pairs.

Runs are read twice: for histograms of far time differences, in which each detector pair's peak is searched, and for
samples of pairs near the peaks, by which all else is fitted. Both readings end when there are enough pairs. Runs of
several boards are read to their end in between, for the rates of the boards' clocks; where these differ, the search is
done once more, with them corrected.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from gammapolars.calibration.timing import tables
from gammapolars.calibration.timing.clocks import Clocks, detectors_apart, measure_clocks
from gammapolars.calibration.timing.fit import fit_timing
from gammapolars.calibration.timing.reading import PairReader
from gammapolars.calibration.timing.search import Search, check_search, draw_sample, search_peaks
from gammapolars.calibration.timing.tables import Timing
from gammapolars.core import defaults
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.types import Key
from gammapolars.core.units import MAX_PS, PS_PER_S, format_ps, parse_ps, parse_range
from gammapolars.core.wording import setting
from gammapolars.corrections.selection import Keep, Selection
from gammapolars.detectors import AnyDetector, AnyDetectors, Detectors, detectors_of, key_of
from gammapolars.io import AnyNames, Runs, runs_of

ENOUGH = 300_000
"""Pairs near the peak of each detector, and of each detector pair at most, with which the sample is complete."""


def measure_timing(
    runs: Runs | AnyNames,
    detectors: AnyDetectors | None = None,
    *,
    search: str = defaults.SEARCH,
    reject: str = defaults.REJECT,
    walk: bool | None = None,
    reference: AnyDetector | None = None,
    energy_kev: str | tuple[float, float] | None = None,
    min_energy_kev: float | None = None,
    keep: Keep | None = None,
    most_hits: int | None = None,
    enough: int = ENOUGH,
    progress: Callable[[int], None] | None = None,
) -> Timing:
    """Time offsets, walk and resolution of all detectors, from the prompt peaks of all detector pairs.

    Where detectors are on several boards, their clocks are compared: the peak of two boards is followed through the
    runs, and where it moves, the rates of clocks are measured first, constant or changing. Memory is bounded, whatever
    the number and length of the runs.

    Args:
        runs: from `open_runs`, or the names of files or folders as the command line takes them.
        detectors: or the path of detectors.toml: names, and initial offsets and clocks; peaks are searched around
            them, and the result is added.
        search: how far from there a peak may be.
        reject: flags that reject a hit.
        walk: True: fit both terms of every detector's walk; False: leave walks as `detectors` has them; None: fit them,
            and use those that are significant if they make the peaks narrower.
        reference: name of the detector whose offset stays as it is; else the first of each group.
        energy_kev: only hits of this energy, lowest and highest (keV), or `1100:1400`; None: all.
        min_energy_kev: a threshold (keV) for all detectors, besides those that they have: as for `select_hits`.
        keep: polygons, or a file of them: only hits in these are used.
        most_hits: read no more hits than these, from the beginning.
        enough: number of pairs near the peak that each detector needs before reading stops.
        progress: called with the number of hits read, in the second reading from the beginning again.

    Raises:
        CalibrationError: no detector pair shows a prompt peak, or the clock stopped.
        UsageError: an impossible argument, or a gate on energies without a calibration.
        TableError: the runs have no adc values.
    """
    if isinstance(runs, pl.LazyFrame | pl.DataFrame):
        raise UsageError("a run is read twice to measure its timing: give file names instead of hits")
    runs = runs_of(runs)
    table = Detectors() if detectors is None else detectors_of(detectors)
    energies = parse_range(energy_kev, "energy_kev") if isinstance(energy_kev, str) else energy_kev
    reach_ps = parse_ps(search)
    if not 0 < reach_ps <= MAX_PS // 4:
        raise UsageError(f"the search range for peaks must be longer than 0 s, not '{search}'")
    if most_hits is not None and most_hits < 1:
        raise UsageError(f"at least one hit must be read, not {most_hits}")
    if energy_kev and not any(one.energy for one in table) and "energy_kev" not in runs.hits.collect_schema():
        raise UsageError("hits cannot be selected by energy: no detector is calibrated in detectors.toml")
    if "adc" not in runs.hits.collect_schema():
        if walk:
            leave_out = setting("--walk", "walk=True")
            raise UsageError(f"time walk needs adc values, which these hits do not have: leave {leave_out} out")
        walk = False
    first = key_of(reference, table) if reference is not None else None
    selection = Selection.of(table, min_energy_kev, keep)
    reading = PairReader(runs, reject, table, energies, most_hits, progress, selection)
    prompt_peaks = search_peaks(reading, reach_ps)
    notes = [_read(reading, f"search within ±{format_ps(reach_ps)}")]
    clocks = _clocks(reading, prompt_peaks, reach_ps, first)
    if clocks and clocks.changed:
        notes += clocks.notes
        table = replace(table, clocks=clocks.clocks)
        reading.detectors = _start(table, prompt_peaks.keys, clocks)
        prompt_peaks = search_peaks(reading, reach_ps)
    check_search(prompt_peaks, reach_ps, reading)
    sample, widths = draw_sample(reading, prompt_peaks, enough)
    notes.append(_read(reading, "fits"))
    outcome, done = fit_timing(sample, widths, prompt_peaks, table, walk=walk, reference=first)
    if clocks:
        outcome = _with_rates(outcome, clocks, reading)
    return _result(outcome, reading, first, [*notes, *done], clocks)


def _clocks(reading: PairReader, search: Search, reach_ps: int, reference: Key | None) -> Clocks | None:
    """The clocks of several boards, where they can be measured.

    Raises:
        CalibrationError: detectors of one board have clocks of their own.
    """
    if len({board for board, _ in search.keys}) > 1:
        return measure_clocks(reading, search, reach_ps, reference[0] if reference else None)
    if not search.peaks and (apart := detectors_apart(reading, search, reach_ps)):
        name = reading.runs.all[0].name
        raise CalibrationError(f"{name}: {apart}: clocks are corrected per board, so give each one its own board")
    return None


def _start(detectors: Detectors, keys: Sequence[Key], clocks: Clocks) -> Detectors:
    """Detectors with the offsets at which their peaks lie when clocks that have changed are right."""
    for key in keys:
        one = detectors.at(*key)
        offset = one.time_offset_ps + round(clocks.offset_ps.get(key[0], 0.0))
        detectors = detectors.replacing(replace(one, time_offset_ps=offset))
    return detectors


def _with_rates(outcome: tables.Outcome, clocks: Clocks, reading: PairReader) -> tables.Outcome:
    """The outcome with the contribution of rates to the uncertainty of offsets, which hold when the clocks show 0."""
    ends = [end for span in reading.hits.spans.values() for end in span]
    boards = [board for board, _ in outcome.sample.keys]
    further = clocks.offset_covariance(boards, sum(ends) / len(ends) / PS_PER_S)
    return outcome._replace(offsets=outcome.offsets._replace(covariance=outcome.offsets.covariance + further))


def _read(reading: PairReader, what: str) -> str:
    read = int(reading.hits.by_detector()["hits"].sum())
    why = ": enough pairs" if reading.has_enough else ", the limit" if read == reading.most_hits else ", all"
    return f"{what}: {read:,} hits read{why}"


def _result(
    outcome: tables.Outcome, reading: PairReader, reference: Key | None, notes: list[str], clocks: Clocks | None
) -> Timing:
    detectors = tables.aligned_detectors(outcome)
    table = tables.detector_table(outcome, detectors)
    return Timing(
        aligned=detectors,
        detectors=table,
        covariance_ps2=tables.covariance(outcome, table),
        pairs=tables.pair_table(outcome),
        differences=tables.difference_table(outcome),
        chi2=outcome.offsets.chi2,
        ndf=outcome.offsets.ndf,
        clock_ps=outcome.clock,
        walk=bool(outcome.walks),
        notes=tuple(notes),
        warnings=(*(clocks.warnings if clocks else ()), *tables.warnings(outcome, reference)),
        complete=not reading.has_enough and reading.most_hits is None,
        hits=reading.hits,
        clocks=clocks.table if clocks else None,
    )
