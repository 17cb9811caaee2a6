"""What the command `rates` does: a run in, a table of rates with and without dead time out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.passes import count_hits, named
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.commands.rates.parse import RatesOptions
from gammapolars.core.flags import FLAGS
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors import Detectors
from gammapolars.io import check_writable, save
from gammapolars.rates import rates_of

UNLIKELY = 20.0
LEAST_MISSING = 0.01
"""A detector was recorded partly where so many of its mean times between hits are missing, and that part of the run."""


@dataclass(frozen=True, kw_only=True)
class RatesSummary(RunSummary):
    """Rates with and without dead time, each of the time from a detector's first hit to its last.

    Attributes:
        detectors: `board`, `channel`, `name`, `hits`, `real_time_s`, `rate_cps`, `rate_cps_unc`, `true_rate_cps`,
            `true_rate_cps_unc`, `live_fraction`, `live_fraction_unc`, `dead_time_ps`, `dead_time_ps_unc`,
            `shortest_interval_ps`, `cut_ps`, `chi2`, `ndf`, and whether times between hits are `exponential`.
    """

    detectors: pl.DataFrame


def rates(options: RatesOptions, recording: Recording) -> RatesSummary:
    """Rates of all detectors, as counted and without dead time.

    Hits with flags count, since they too made a detector busy; fake events alone are left out.
    """
    if options.output is not None:
        check_writable(options.output, overwrite=options.overwrite, text=True)
    detectors, recording = recording.detectors, recording.without_detectors()
    tally, intervals = HitTally(), Intervals()
    count_hits(recording, [tally, intervals])
    table = named(rates_of(tally, intervals), detectors)
    changing = table.filter(~table["exponential"].fill_null(value=True))["name"].to_list()
    warnings = (
        *_partly_recorded(tally, intervals, detectors),
        *(
            f"times between hits of {name} are not those of one rate: it changed, or hits come in bunches"
            for name in changing
        ),
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


def _partly_recorded(tally: HitTally, intervals: Intervals, detectors: Detectors) -> Iterator[str]:
    """Detectors whose hits begin late or end early, one sentence each."""
    for (run, key), (first, last) in sorted(intervals.spans.items()):
        begin, end = tally.spans[run]
        known_ps = (last - first) / max(float(intervals.counts.get(key, np.zeros(1)).sum()), 1.0)
        missing = max(first - begin, end - last)
        if missing > UNLIKELY * max(known_ps, 1.0) and missing > LEAST_MISSING * (end - begin):
            yield (
                f"hits of {detectors.at(*key).name} cover {(last - first) / PS_PER_S:.6g} s of "
                f"{(end - begin) / PS_PER_S:.6g} s{f' of run {run}' if len(tally.spans) > 1 else ''}: its rates are "
                "those of the time from its first hit to its last"
            )
