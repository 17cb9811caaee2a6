"""What the command `rates` does: a run in, a table of rates with and without dead time out."""

from pathlib import Path
from typing import Any

from gammapolars.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis import Progress, named
from gammapolars.detectors import Detectors
from gammapolars.exports import count_hits
from gammapolars.io import Runs, check_writable, save
from gammapolars.printing import plus_minus, share, table
from gammapolars.products import HitTally
from gammapolars.products.intervals import Intervals
from gammapolars.provenance import describe
from gammapolars.rates.hits import rates_of
from gammapolars.units import format_ps


def rates(
    runs: Runs,
    output: Path | None = None,
    *,
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Rates of all detectors, as counted and without dead time.

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
        check_writable(output, overwrite=overwrite)
    tally, intervals = HitTally(), Intervals()
    count_hits(runs, [tally, intervals], progress)
    found = named(rates_of(tally, intervals), detectors or Detectors())
    changing = found.filter(~found["exponential"].fill_null(value=True))["name"].to_list()
    summary = {
        **account(tally, runs.losses, {}),
        **times(tally, runs),
        "detectors": found.to_dicts(),
        "warnings": [
            *reading_warnings(runs),
            *time_warnings(tally, runs),
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


def rates_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    rows = [
        [
            row["name"],
            f"{row['hits']:,}",
            "–" if row["rate_cps"] is None else f"{row['rate_cps']:,.6g}",
            "–" if row["true_rate_cps"] is None else plus_minus(row["true_rate_cps"], row["true_rate_cps_unc"]),
            "–" if row["live_fraction"] is None else share(row["live_fraction"], 1),
            "–" if row["shortest_interval_ps"] is None else format_ps(row["shortest_interval_ps"]),
        ]
        for row in summary["detectors"]
    ]
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s",
        *table(["detector", "hits", "counts/s", "without dead time", "live", "shortest interval"], rows),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
    ]
    return "\n".join([*lines, *([f"{summary['output']}: written"] if "output" in summary else [])])
