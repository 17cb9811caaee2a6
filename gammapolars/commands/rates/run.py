"""The command `rates`: a run in, a table of rates with and without dead time out."""

from dataclasses import dataclass

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.accumulators.recorded_time import RecordedTime
from gammapolars.analysis.gaps import gap_warnings
from gammapolars.analysis.live_times import noted_warnings, with_noted
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.commands.rates.parse import RatesOptions
from gammapolars.core.flags import FLAGS, union
from gammapolars.core.summaries import SharedSummary
from gammapolars.detectors import named
from gammapolars.io import check_writable, save
from gammapolars.rates import rate_doubts, rates_of, rates_of_used


@dataclass(frozen=True, kw_only=True)
class RatesSummary(SharedSummary, RunSummary):
    """Rates with and without dead time, each of the time from a detector's first hit to its last.

    Attributes:
        detectors: `board`, `channel`, `name`, `hits`, `real_time_s` without the `missing_s` of gaps, `rate_cps`,
            `rate_cps_unc`, `true_rate_cps`, `true_rate_cps_unc`, `live_fraction`, `live_fraction_unc`, `dead_time_ps`,
            `dead_time_ps_unc`, `shortest_interval_ps`, `cut_ps`, `chi2`, `ndf`, whether times between hits are
            `exponential`, and what the digitizer's program noted of the run: `noted_icr_cps` and `noted_ocr_cps`, hits
            that came and that it counted, and `noted_live_fraction`.
    """

    detectors: pl.DataFrame


def rates(options: RatesOptions, recording: Recording) -> RatesSummary:
    """Rates of all detectors, as counted and without dead time.

    Hits with flags count, since they too made a detector busy; only fake events are left out. With thresholds, rates
    are those of the hits above them, and dead times those after all hits.
    """
    if options.output is not None:
        check_writable(options.output, overwrite=options.overwrite, text=True)
    detectors, recording = recording.detectors, recording.without_detectors()
    removed = union(recording.masks("none"))
    tally, intervals, recorded = HitTally(), Intervals(), RecordedTime()
    count_hits(recording, [tally, intervals, recorded])
    every = with_noted(named(rates_of(tally, intervals, recorded), detectors), recording.runs)
    table = rates_of_used(every, tally, removed)
    warnings = (
        *gap_warnings(recorded, detectors),
        *rate_doubts(every),
        *noted_warnings(every),
    )
    summary = RatesSummary(
        **of_hits(recording, tally, {"fake_event": FLAGS["fake_event"]}, warnings),
        detectors=table,
    )
    if options.output is not None:
        save(
            table.lazy(),
            options.output,
            overwrite=options.overwrite,
            metadata=summary.provenance(recording),
        )
    return summary.saved(options.output)
