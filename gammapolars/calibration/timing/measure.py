"""Time offsets, walk and resolutions of detectors, measured from the prompt peaks of detector pairs.

Runs are read twice: for histograms of far time differences, in which each detector pair's peak is searched, and for
samples of pairs near the peaks, by which all else is fitted. Both readings end when there are enough pairs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from gammapolars.calibration.timing import tables
from gammapolars.calibration.timing.fit import fit_timing
from gammapolars.calibration.timing.reading import PairReader
from gammapolars.calibration.timing.search import check_search, draw_sample, search_peaks
from gammapolars.calibration.timing.tables import Timing
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.core.units import MAX_PS, format_ps, parse_ps
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, open_runs

ENOUGH = 300_000
"""Pairs near the peak of each detector, and of each detector pair at most, with which the sample is complete."""


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
        progress: called with the number of hits read, in the second reading from the beginning again.

    Raises:
        CalibrationError: no detector pair shows a prompt peak.
        UsageError: an argument that cannot be, or a gate on energies without a calibration.
        TableError: the runs have no adc values.
    """
    if isinstance(runs, pl.LazyFrame | pl.DataFrame):
        raise UsageError("a run is read twice to measure its timing: give the names of its files instead of its hits")
    if not isinstance(runs, Runs):
        runs = open_runs(*([runs] if isinstance(runs, str | Path) else runs))
    table = detectors or Detectors()
    reach_ps = parse_ps(search)
    if not 0 < reach_ps <= MAX_PS // 4:
        raise UsageError(f"the search for peaks must reach further than 0 s, not '{search}'")
    if most_hits is not None and most_hits < 1:
        raise UsageError(f"at least one hit must be read, not {most_hits}")
    if energy_kev and not any(one.energy for one in table) and "energy_kev" not in runs.hits.collect_schema():
        raise UsageError("hits cannot be chosen by energy: no detector is calibrated in detectors.toml")
    if "adc" not in runs.hits.collect_schema():
        if walk:
            raise UsageError("time walk follows from adc values, and these hits have none: leave --walk out")
        walk = False
    first = table.named(reference).key if reference is not None else None
    reading = PairReader(runs, reject, table, energy_kev, most_hits, progress)
    prompt_peaks = search_peaks(reading, reach_ps)
    notes = [_read(reading, f"search within ±{format_ps(reach_ps)}")]
    check_search(prompt_peaks, reach_ps, reading)
    sample, widths = draw_sample(reading, prompt_peaks, enough)
    notes.append(_read(reading, "fits"))
    outcome, done = fit_timing(sample, widths, prompt_peaks, table, walk=walk, reference=first)
    return _result(outcome, reading, first, [*notes, *done])


def _read(reading: PairReader, what: str) -> str:
    read = int(reading.hits.by_detector()["hits"].sum())
    why = ": enough pairs" if reading.has_enough else ", the limit" if read == reading.most_hits else ", all"
    return f"{what}: {read:,} hits read{why}"


def _result(outcome: tables.Outcome, reading: PairReader, reference: Key | None, notes: list[str]) -> Timing:
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
        warnings=tuple(tables.warnings(outcome, reference)),
        complete=not reading.has_enough and reading.most_hits is None,
        hits=reading.hits,
    )
