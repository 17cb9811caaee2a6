"""All that a report shows, in one pass over a run, after a look at its beginning for the prompt peaks."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from gammapolars.analysis.accumulators import (
    Accumulator,
    AdcSpectra,
    HitTally,
    InRegions,
    Matrix,
    PairTally,
    Rates,
    TimeDifferences,
)
from gammapolars.analysis.passes import PairPass, named, summarise
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import PairSummary
from gammapolars.calibration.timing.prompt_peaks import prompt_peaks
from gammapolars.coincidences import PairRule
from gammapolars.core import defaults, schema
from gammapolars.core.flags import union
from gammapolars.core.units import parse_ps
from gammapolars.detectors import Detectors
from gammapolars.io import save
from gammapolars.report.results import Analysis
from gammapolars.spectra import fitting_bin_kev
from gammapolars.streaming.slices import batches_of

TIME_DIFFERENCE_WINDOWS = 4
"""Time differences are shown out to this many times the window."""


def analyse(recording: Recording, rule: PairRule, *, pairs_output: Path | None = None) -> Analysis:
    """Everything that a report shows, in one pass over a run; prompt peaks by the first of its pairs.

    Pairs are looked for out to several times the window, so that the time differences show the chance level; only
    those within the window are counted, written and drawn into the matrix.

    Args:
        recording: the run, its detectors and how far it has been read.
        rule: window and rejected flags; with random windows, the matrix is net of chance, and the pairs carry weights.
        pairs_output: where the pairs within the window are written to, if anywhere.

    Raises:
        TableError: the run has no adc values.
        TimeOrderError: hits lie too far back in time to be repaired.
    """
    runs, detectors = recording.runs, recording.detectors
    schema.require(runs.hits, schema.HITS)
    reach_ps = max(TIME_DIFFERENCE_WINDOWS * max(rule.window.reach, 1000), rule.reach)
    wide = PairRule(reach_ps, reject=rule.reject)
    search_ps = max(parse_ps(defaults.SEARCH), reach_ps)
    peaks = prompt_peaks(replace(recording, progress=None), reject=rule.reject, search_ps=search_ps)
    mask = union(rule.reject)
    bin_kev = fitting_bin_kev(detectors)
    hits, pairs, adc, rates = HitTally(), PairTally(rule.window), AdcSpectra(mask), Rates()
    differences = TimeDifferences(reach_ps)
    matrix = Matrix.of_energies(rule.window, detectors, calibrated=recording.is_calibrated)
    accumulators: list[Accumulator] = [adc, rates, differences, hits]
    accumulators += [InRegions(product, rule.regions) if rule.regions else product for product in (pairs, matrix)]
    reading = PairPass(recording, wide, accumulators)
    every = reading.pairs()
    within = rule.regions.weighted(every) if rule.regions else every.filter(pl.col("dt_ps").is_between(*rule.window))

    def summary() -> PairSummary:
        return summarise(replace(reading, rule=rule), hits, pairs)

    if pairs_output:
        save(within, pairs_output, metadata=lambda: summary().provenance(recording))
    else:
        for _ in batches_of(within.select(pl.len())):
            pass
    totals = summary()
    same = ("hits_read", "hits_used", "hits_damaged", "hits_out_of_range")
    return Analysis(
        **{name: getattr(totals.account, name) for name in same},
        pairs=totals.of_pairs.pairs,
        chance_pairs_expected=totals.of_pairs.chance_pairs_expected,
        inputs=tuple(file.path.name for file in runs.files),
        rejected=hits.with_flags(rule.reject),
        window=rule.window,
        random_windows=rule.regions.random if rule.regions else (),
        real_time_s=hits.real_time_s,
        first_timestamp_ps=hits.first_ps or 0,
        last_timestamp_ps=hits.last_ps or 0,
        warnings=totals.warnings,
        detectors=_detector_rows(hits.by_detector(mask), detectors, hits.real_time_s),
        pairs_by_detectors=totals.of_pairs.pairs_by_detectors,
        spectra=named(adc.spectra(detectors, bin_kev), detectors),
        rates=named(rates.table(), detectors),
        time_differences=differences.table(detectors),
        matrix=matrix.table(),
        prompt_peaks=peaks,
        search_ps=search_ps,
        parameters={
            "window": str(rule.window),
            **({"random windows": ", ".join(map(str, rule.regions.random))} if rule.regions else {}),
            "rejected flags": ", ".join(rule.reject) or "none",
        },
        summary=totals,
    )


def _detector_rows(by_detector: pl.DataFrame, detectors: Detectors, real_time_s: float) -> pl.DataFrame:
    """The table of detectors: names, hits, rates of the used hits, and whether they are calibrated."""
    calibrated = [
        detectors.at(board, channel).energy is not None
        for board, channel in by_detector.select("board", "channel").iter_rows()
    ]
    rate = pl.col("hits_used") / real_time_s if real_time_s > 0 else pl.lit(None, pl.Float64)
    return named(by_detector, detectors).with_columns(rate_cps=rate, calibrated=pl.Series(calibrated, dtype=pl.Boolean))
