"""The command `events`: a run in; its events, one row per event, or its triples out, and a summary."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import ClockSteps, HitTally
from gammapolars.analysis.preselection import Preselection, PreselectionAccount, by_name
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.coincidences import EventRule, PairRule, event_summary, triples
from gammapolars.commands.events.parse import EventsOptions
from gammapolars.core.errors import OutputError, UsageError
from gammapolars.core.flags import union
from gammapolars.core.records import optional
from gammapolars.core.units import Window
from gammapolars.io import check_writable, save
from gammapolars.streaming.slices import batches_of, lazy_frame

TABLES = ("events", "summary", "triples")


@dataclass(frozen=True, kw_only=True)
class EventSummary(RunSummary):
    """The events built.

    Attributes:
        preselection: hits that add-back and vetoes took away.
        hits_below_multiplicity: hits of events in which too few detectors fired.
        below_multiplicity: the same by the detectors' names.
        events: of the multiplicity that is asked for.
        events_by_multiplicity: all events, by how many detectors fired.
        window_ps: [0, high]: how long after another hit one belongs to its event (ps).
        window_ref: which hit that is, first or last.
        min_multiplicity: least number of detectors.
        table: which was written, events, summary or triples.
        triples: in the table of triples.
    """

    preselection: PreselectionAccount
    hits_below_multiplicity: int
    below_multiplicity: dict[str, int]
    events: int
    events_by_multiplicity: dict[str, int]
    window_ps: Window
    window_ref: str
    min_multiplicity: int
    table: str
    triples: int | None = optional()


class _Built:
    """The fate of the hits on the way to events, in one collecting of them.

    Args:
        preselection: hits come from: they are counted there already, where it takes none away.
    """

    def __init__(self, preselection: Preselection) -> None:
        self._preselection = preselection
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self._kept, self.steps, self.triples = HitTally(), ClockSteps(), 0
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
            if self._preselection.takes_away:
                self._kept.add_hits(frame)
            self.steps.add_hits(frame)
            yield frame

    @property
    def kept(self) -> HitTally:
        """The hits of which events are built."""
        return self._kept if self._preselection.takes_away else self._preselection.read

    def counting(self, triples: pl.LazyFrame) -> pl.LazyFrame:
        """The same triples, counted on the way."""

        def passed(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            del wanted
            for part in batches_of(triples):
                self.triples += part.height
                yield part

        return lazy_frame(triples.collect_schema(), passed)


def check(options: EventsOptions) -> None:
    """Raise where there is no such table, or the output cannot be written.

    Raises:
        UsageError: there is no such table.
        OutputError: the output exists, cannot be written, or its format has no place for the table.
    """
    check_writable(options.output, overwrite=options.overwrite)
    _check_table(options.table, options.output)


def events(options: EventsOptions, recording: Recording) -> EventSummary:
    """Build a run's events in one pass, stream a table of them to a file, and sum up hits and events.

    Raises:
        TableError: the run has no adc values or flags.
        TimeOrderError: hits lie too far back in time to be repaired.
        InputError: an event grows beyond a million hits.
    """
    rule = EventRule(
        options.window,
        window_ref=options.window_ref,
        reject=recording.masks(options.reject),
        min_multiplicity=options.min_multiplicity,
    )
    detectors = recording.detectors
    preselection = Preselection(detectors, add_back=options.add_back, vetoes=options.veto or ())
    built = _Built(preselection)
    recording = replace(recording, preselection=preselection)
    rule.require(recording.recorded)
    schema = rule.schema(preselection.columns(recording.schema))

    def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        del columns  # the tallies need all
        built.begin()
        yield from built.tables(rule, recording.preselected())

    def summary() -> EventSummary:
        seen = preselection.read
        warnings = passes.warnings(seen.by_detector(union(rule.reject)), recording, PairRule())
        warnings += built.steps.warnings(Window(0, rule.window_ps), detectors)
        shared = of_hits(recording, built.kept, rule.reject, warnings, seen=seen)
        below = sum(built.below.values())
        used = shared["account"].hits_used - below
        return EventSummary(
            **shared | {"account": replace(shared["account"], hits_used=used)},
            preselection=preselection.account(),
            hits_below_multiplicity=below,
            below_multiplicity=by_name(built.below, detectors),
            events=int(built.by_multiplicity[rule.min_multiplicity :].sum()),
            events_by_multiplicity={str(n): int(count) for n, count in enumerate(built.by_multiplicity) if count},
            window_ps=Window(0, rule.window_ps),
            window_ref=rule.window_ref,
            min_multiplicity=rule.min_multiplicity,
            table=options.table,
            triples=built.triples if options.table == "triples" else None,
        )

    frame = lazy_frame(schema, batches)
    if options.table == "summary":
        frame = event_summary(frame)
        if options.output.suffix.lower() == ".csv":  # which has no lists
            frame = frame.with_columns(pl.col("detectors").list.join(" "))
    elif options.table == "triples":
        frame = built.counting(triples(frame, reject="none"))
    save(
        frame,
        options.output,
        overwrite=options.overwrite,
        metadata=lambda: summary().provenance(recording),
    )
    return summary().saved(options.output)


def _check_table(table: str, output: Path) -> None:
    """Raise where there is no such table, or where a format has no place for it."""
    if table not in TABLES:
        raise UsageError(f"unknown table '{table}': choose from {', '.join(TABLES)}")
    if table == "summary" and output.suffix.lower() == ".root":
        raise OutputError(
            f"{output}: lists of detectors cannot be stored in a ROOT file: write .parquet, .arrow or .csv"
        )
