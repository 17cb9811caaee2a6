"""The prompt peaks of a run whose detectors are aligned, or not yet: where they lie, whatever the window of pairs is.

They are found and fitted as for the measurement of offsets, so that a report and `align` give the same positions.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from gammapolars.analysis.recording import Recording
from gammapolars.calibration.timing.fit import clear_peak, detector_pair_peaks
from gammapolars.calibration.timing.measure import ENOUGH
from gammapolars.calibration.timing.prompt_fit import Peak
from gammapolars.calibration.timing.reading import PairReader, shifted
from gammapolars.calibration.timing.sample import Sample, Sampler
from gammapolars.calibration.timing.search import HALF_WIDTHS, Search, draw_sample, search_peaks
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats
from gammapolars.detectors import Detectors

COLUMNS: dict[str, DType] = {
    "name_a": pl.String,
    "name_b": pl.String,
    **floats("position_ns", "position_ns_unc", "fwhm_ns", "fwhm_ns_unc", "sampled_pairs"),
}

ALL = "all detector pairs"


def prompt_peaks(recording: Recording, *, reject: str | Mapping[str, int], search_ps: int) -> pl.DataFrame:
    """The prompt peak of each detector pair that shows one, the strongest first; of all together where none does.

    The run is read from its beginning until the peaks are known well enough. Time offsets and walk of its detectors are
    subtracted; a peak lies within ±`search_ps`.

    Returns:
        `name_a`, `name_b`, `position_ns` (t_b - t_a of the peak's Gaussian core, by maximum likelihood), `fwhm_ns`,
        both with `_unc`, and `sampled_pairs`, those that the fitted Gaussian holds.
    """
    detectors = recording.detectors
    reading = PairReader(recording.runs, reject, detectors, selection=recording.selection)
    search = search_peaks(reading, search_ps)
    if search.peaks:
        sample, widths = draw_sample(reading, search, ENOUGH)
        rows = _rows(sample, np.array(list(widths.values())), detectors)
    else:
        rows = _of_all_pairs(reading, search)
    return pl.DataFrame(rows, COLUMNS, orient="row").sort("sampled_pairs", descending=True)


def _rows(sample: Sample, widths: Floats, detectors: Detectors) -> list[dict[str, Any]]:
    rows = []
    for number, peak in detector_pair_peaks(sample, widths, detectors).items():
        a, b = (detectors.at(*sample.keys[place]) for place in sample.ends[number].tolist())
        rows.append(_row((a.name, b.name), peak, b.time_offset_ps - a.time_offset_ps))
    return rows


def _of_all_pairs(reading: PairReader, search: Search) -> list[dict[str, Any]]:
    """The peak of all detector pairs together: each for itself shows too few."""
    if search.in_sum is None:
        return []
    position, width = search.in_sum
    half = math.ceil(HALF_WIDTHS * width + abs(position))
    offsets = {key: reading.detectors.at(*key).time_offset_ps for key in search.keys}
    sampler = Sampler(offsets, dict.fromkeys(combinations(search.keys, 2), half), ENOUGH)
    for near in reading.pairs(half, shifted(offsets), sampler.is_complete):
        sampler.add(near)
    sample = sampler.sample()
    offset = np.array([offsets[key] for key in sample.keys])
    dt_ps = (sample.dt_ps - np.diff(offset[sample.ends], axis=1)[sample.pair, 0]).astype(np.float64)
    step = int(np.gcd.reduce(dt_ps.astype(np.int64)))
    peak = clear_peak(dt_ps, (-half, half), width, max(step, 1), 0.0)
    return [_row((ALL, ""), peak)] if peak else []


def _row(names: Sequence[str], peak: Peak, offset_ps: int = 0) -> dict[str, Any]:
    values = (peak.position_ps - offset_ps, peak.position_ps_unc, peak.fwhm_ps, peak.fwhm_ps_unc)
    return dict(zip(COLUMNS, (*names, *(value / 1000 for value in values), peak.counts), strict=True))
