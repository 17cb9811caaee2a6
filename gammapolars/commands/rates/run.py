"""What the command `rates` does: a run in, a table of rates with and without dead time out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.passes import count_hits, named
from gammapolars.analysis.recording import Recording
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Progress
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.provenance import describe
from gammapolars.rates import rates_of

UNLIKELY = 20.0
LEAST_MISSING = 0.01
"""A detector was recorded partly where so many of its mean times between hits are missing, and that part of the run."""


def rates(
    runs: Runs,
    output: Path | None = None,
    *,
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Rates of all detectors, as counted and without dead time, each of the time from its first hit to its last.

    Hits with flags count, since they too made a detector busy; fake events alone are left out.

    Args:
        runs: from `open_runs`.
        output: the table, .csv, .parquet or .arrow; None: none.
        detectors: their names.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars rates --json` prints it.
    """
    if output is not None:
        check_writable(output, overwrite=overwrite, text=True)
    tally, intervals = HitTally(), Intervals()
    count_hits(Recording(runs, progress=progress), [tally, intervals])
    found = named(rates_of(tally, intervals), detectors or Detectors())
    fake = {"fake_event": FLAGS["fake_event"]}
    changing = found.filter(~found["exponential"].fill_null(value=True))["name"].to_list()
    summary = {
        **account(tally, runs.losses, fake),
        **times(tally, runs),
        "detectors": found.to_dicts(),
        "warnings": [
            *reading_warnings(runs),
            *time_warnings(tally, runs),
            *_partly_recorded(tally, intervals, detectors or Detectors()),
            *(
                f"times between hits of {name} are not those of one rate: it changed, or hits come in bunches"
                for name in changing
            ),
        ],
    }
    if output is not None:
        save(found.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
        summary["output"] = str(output)
    return summary


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
