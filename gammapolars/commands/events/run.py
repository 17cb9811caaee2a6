"""What the command `events` does: a run in; its events, one row an event, or its triples out, and a summary."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.preselection import Preselection, by_name
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import EventRule, PairRule, event_summary, triples
from gammapolars.core.errors import OutputError, UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, save
from gammapolars.io.provenance import describe
from gammapolars.streaming.slices import batches_of, lazy_frame

TABLES = ("events", "summary", "triples")


class _Built:
    """What became of the hits on the way to events, of one collecting of them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self.kept, self.triples = HitTally(), 0
        self.by_multiplicity = np.zeros(1, np.int64)
        self.below: Counter[tuple[int, int]] = Counter()

    def tables(self, rule: EventRule, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The events of hits, counted on the way."""
        for table, counts in rule.built(self._seen(frames)):
            summed = np.zeros(max(len(self.by_multiplicity), len(counts.events)), np.int64)
            for part in (self.by_multiplicity, counts.events):
                summed[: len(part)] += part
            self.by_multiplicity = summed
            self.below.update(counts.below)
            yield table

    def _seen(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            self.kept.add_hits(frame)
            yield frame

    def counting(self, triples: pl.LazyFrame) -> pl.LazyFrame:
        """The same triples, counted on the way."""

        def passed(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            del wanted
            for part in batches_of(triples):
                self.triples += part.height
                yield part

        return lazy_frame(triples.collect_schema(), passed)


def events(
    runs: Runs,
    rule: EventRule,
    output: Path,
    *,
    table: str = "events",
    detectors: Detectors | None = None,
    preselection: Preselection | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build a run's events in one pass, stream a table of them to a file, and sum up what was read and built.

    Args:
        runs: from `open_runs`.
        rule: window, what it is measured from, rejected flags and least multiplicity.
        output: ends in .parquet, .arrow, .csv or .root.
        table: `events` (one row a hit), `summary` (one row an event), or `triples` (of hits of one event).
        detectors: time offsets and calibrations.
        preselection: add-back and vetoes.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars events --json` prints it.

    Raises:
        UsageError: there is no such table.
        OutputError: the output exists, cannot be written, or its format has no place for the table.
        TableError: the run has no adc values or flags.
        TimeOrderError: hits lie too far back in time to be repaired.
        InputError: an event grows beyond a million hits.
    """
    started = time.perf_counter()
    check_table(table, output)
    known = detectors or Detectors()
    policy, built = preselection or Preselection(known), _Built()
    recording = Recording(runs, known, progress, policy)
    rule.require(recording.recorded)
    columns = rule.schema(policy.columns(recording.schema))

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        del wanted  # the tallies need all columns
        built.begin()
        yield from built.tables(rule, recording.preselected())

    def summary() -> dict[str, Any]:
        return _summary(runs, rule, known, policy, built) | {
            "table": table,
            **({"triples": built.triples} if table == "triples" else {}),
            "warnings": [
                *reading_warnings(runs),
                *time_warnings(policy.read, runs),
                *passes.warnings(policy.read.by_detector(union(rule.reject)), known, PairRule()),
                *recording.warnings,
            ],
        }

    found = lazy_frame(columns, batches)
    if table == "summary":
        found = event_summary(found)
        if output.suffix.lower() == ".csv":  # which has no lists
            found = found.with_columns(pl.col("detectors").list.join(" "))
    elif table == "triples":
        found = built.counting(triples(found, reject="none"))
    save(found, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    elapsed = time.perf_counter() - started
    summed = summary()
    return summed | {"elapsed_s": elapsed, "hits_per_s": summed["hits_read"] / elapsed, "output": str(output)}


def check_table(table: str, output: Path) -> None:
    """Raise where there is no such table, or where a format has no place for it."""
    if table not in TABLES:
        raise UsageError(f"unknown table '{table}': there is {', '.join(TABLES)}")
    if table == "summary" and output.suffix.lower() == ".root":
        raise OutputError(f"{output}: a ROOT file has no lists of detectors: write .parquet, .arrow or .csv")


def _summary(runs: Runs, rule: EventRule, detectors: Detectors, policy: Preselection, built: _Built) -> dict[str, Any]:
    of_hits = account(built.kept, runs.losses, rule.reject)
    below = sum(built.below.values())
    by_multiplicity = {str(number): int(count) for number, count in enumerate(built.by_multiplicity) if count}
    return {
        **of_hits,
        **policy.account(runs, runs.losses),
        "hits_used": of_hits["hits_used"] - below,
        "hits_below_multiplicity": below,
        "below_multiplicity": by_name(built.below, detectors),
        "events": int(built.by_multiplicity[rule.min_multiplicity :].sum()),
        "events_by_multiplicity": by_multiplicity,
        "window_ps": rule.window_ps,
        "window_ref": rule.window_ref,
        "min_multiplicity": rule.min_multiplicity,
    }
