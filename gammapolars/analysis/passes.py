"""Two passes over a recording: over its hits, and over its pairs; accumulators count on the way."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from gammapolars.analysis import chance
from gammapolars.analysis.accumulators import (
    Accumulator,
    ClockSteps,
    CloseHits,
    HitTally,
    PairTally,
    RecordedTime,
    StopCover,
)
from gammapolars.analysis.engine import Engine
from gammapolars.analysis.expected_pairs import check_beginning, checked
from gammapolars.analysis.gaps import gap_warnings
from gammapolars.analysis.random_pairs import Expectation
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import PairCounts, PairSummary, of_hits
from gammapolars.analysis.tasks.distribution import carried_out, tasks_of
from gammapolars.analysis.tasks.plan import Reach
from gammapolars.analysis.tasks.task import Task
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import AUTO, measured
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.wording import setting
from gammapolars.corrections import align, calibrate
from gammapolars.corrections.timing import shift_extremes_ps
from gammapolars.io.parts import Part, write_part
from gammapolars.streaming.slices import Slice, batches_of, in_parallel, lazy_frame, pieces


@dataclass
class PairPass:
    """One reading of a recording, from slices to pairs, with accumulators counting on the way.

    Attributes:
        recording: whose hits are paired.
        rule: the definition of a pair.
        accumulators: count in the same pass.
        shown: how many times wider than the window that the user named that of the rule is.
        begins: whether the recording is read from its beginning.
        kept: the rule of the pairs that are given out, where the accumulators see more; None: all are.
        gives_pairs: whether tasks give their pairs back.
    """

    recording: Recording
    rule: PairRule
    accumulators: list[Accumulator] = field(default_factory=list)
    shown: int = 1
    begins: bool = True
    kept: PairRule | None = None
    gives_pairs: bool = False

    def __post_init__(self) -> None:
        self.rule = self.recording.masked(self.rule)
        self.cover = StopCover(self.rule) if self.rule.nearest else None
        self.recorded, self.close = RecordedTime(self.rule.mask), CloseHits(self.rule.mask)
        self.steps = ClockSteps()
        self._given = tuple(self.accumulators)
        further = [self.recorded, self.close, self.steps, *([self.cover] if self.cover else [])]
        self._groups = self.accumulators, further  # each counts on a thread of its own
        self.accumulators = [*self.accumulators, *further]

    def pairs(self) -> pl.LazyFrame:
        """The calibrated pairs. Collecting them reads the runs and fills the accumulators, once."""
        self.rule.require(self.recording.recorded)
        schema = self.rule.schema(self.recording.schema)
        if len(self.recording.detectors):
            schema = calibrate(pl.LazyFrame(schema=schema), self.recording.detectors).collect_schema()

        def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
            del columns  # the accumulators need all
            yield from self._read(schema)

        pairs = lazy_frame(schema, batches)
        if self.kept is None:
            return pairs
        regions = self.kept.regions
        return regions.weighted(pairs) if regions else pairs.filter(pl.col("dt_ps").is_between(*self.kept.window))

    def expectation(self, rule: PairRule | None = None) -> Expectation:
        """The expected random coincidences, of this rule or of a narrower one, when the pass is over."""
        return Expectation(rule or self.rule, self.recorded, self.close, self.steps.clocks())

    def run(self) -> None:
        """Fill the accumulators, where the pairs themselves go nowhere."""
        if self.recording.engine:
            self.carry_out(self.recording.engine)
            return
        for _ in batches_of(self.pairs().select(pl.len())):
            pass

    def tasks(self, engine: Engine, folder: Path | None = None) -> list[list[Task]]:
        """The tasks of this pass, run by run.

        Args:
            engine: for which they are made.
            folder: where each writes its pairs; None: they go nowhere.
        """
        recording = self.recording
        self.rule.require(recording.recorded)
        before = recording.preselection
        gap_ps = before.reach_ps + self.rule.reach if before else None
        reach = Reach(recording.runs.reorder_ps, self.rule.reach, shift_extremes_ps(recording.detectors), gap_ps)
        work = PairWork(self.rule, self.shown, self.kept, self.gives_pairs)
        return tasks_of(recording, work, self._given, reach, engine=engine, folder=folder)

    def carry_out(self, engine: Engine, folder: Path | None = None) -> list[Part]:
        """Fill the accumulators by tasks, and write the pairs in parts, where there is a folder for them.

        Returns:
            The parts, in their order.
        """
        return carried_out(self.recording, engine, self.tasks(engine, folder), self.accumulators)

    def _read(self, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        detectors = self.recording.detectors
        to_calibrate = len(detectors) > 0 and not self.recording.preselection  # which calibrates the hits

        def calibrated(part: Slice) -> Iterator[pl.DataFrame]:
            for pairs in self.rule.pairs_in(part):
                yield (calibrate(pairs.lazy(), detectors).collect() if to_calibrate else pairs).select(*schema)

        for pairs in in_parallel(calibrated, self._counted()):
            for accumulator in self.accumulators:
                accumulator.add_pairs(pairs)
            yield pairs

    def _counted(self) -> Iterator[Slice]:
        """The slices; during the search for pairs, the accumulators see them, in order."""
        with ThreadPoolExecutor(len(self._groups), thread_name_prefix="count") as counter:
            counting: list[Future[None]] = []
            for part in self._parts():
                for each in counting:
                    each.result()
                counting = [counter.submit(_count, part, group, self.recording) for group in self._groups]
                yield part
            for each in counting:
                each.result()

    def _parts(self) -> Iterator[Slice]:
        parts = self.recording.slices(self.rule.reach)
        if self.recording.many_pairs or self.rule.nearest:
            return parts
        return checked(parts, self.recording, self.rule, self.shown, begins=self.begins)


def _count(part: Slice, accumulators: list[Accumulator], recording: Recording) -> None:
    for hits in pieces(part.own):
        _add_hits(hits, accumulators, recording)


def _add_hits(marked: pl.DataFrame, accumulators: Sequence[Accumulator], recording: Recording) -> None:
    """Let accumulators see hits: those that the selection leaves, unless they have to see all."""
    used = recording.used(marked)
    for accumulator in accumulators:
        hits = marked if accumulator.sees_removed else used
        if hits.height or used is marked:
            accumulator.add_hits(hits)


@dataclass(frozen=True)
class PairWork:
    """A pass over pairs as the work of a task."""

    rule: PairRule
    shown: int
    kept: PairRule | None = None
    gives_pairs: bool = False

    def __call__(
        self, recording: Recording, accumulators: Sequence[Accumulator], folder: Path | None, number: int
    ) -> tuple[list[Accumulator], Part | pl.DataFrame | None]:
        """Read a recording, and write its pairs into a folder, if there is one."""
        reading = PairPass(recording, self.rule, list(accumulators), self.shown, begins=not number, kept=self.kept)
        made: Part | pl.DataFrame | None = None
        if folder is not None:
            made = write_part(reading.pairs(), folder, number)
        elif self.gives_pairs:
            made = reading.pairs().collect()
        else:
            reading.run()
        return reading.accumulators, made

    def frames(self, recording: Recording) -> Iterator[pl.DataFrame]:
        """The same hits, in the same order."""
        return (part.own for part in recording.slices(0))


class HitWork:
    """A pass over hits as the work of a task."""

    def __call__(
        self, recording: Recording, accumulators: Sequence[Accumulator], folder: Path | None, number: int
    ) -> tuple[list[Accumulator], Part | pl.DataFrame | None]:
        """Read a recording."""
        del folder, number
        count_hits(recording, accumulators)
        return list(accumulators), None

    def frames(self, recording: Recording) -> Iterator[pl.DataFrame]:
        """The same hits, in the same order."""
        return recording.frames_by_clock()


def count_hits(recording: Recording, accumulators: Sequence[Accumulator]) -> None:
    """Let accumulators see all hits in order of time, by the digitizer's clock: which gives the real time."""
    if recording.engine:
        # No detector's offset moves these times, and no clock is corrected.
        bare = replace(recording, preselection=None)
        reach = Reach(recording.runs.reorder_ps)
        tasks = tasks_of(bare, HitWork(), accumulators, reach, engine=recording.engine)
        carried_out(bare, recording.engine, tasks, accumulators)
        return
    for hits in recording.frames_by_clock():
        _add_hits(hits, accumulators, recording)


def with_random(recording: Recording, rule: PairRule, random: Sequence[str]) -> PairRule:
    """A rule with random windows as the command line names them: some, `auto`, or none.

    The first hits are read to find them, and to see how fine the clocks are.

    Raises:
        UsageError: impossible windows, `auto` together with others, or one that finds nothing.
    """
    if not random:
        return rule
    rule = recording.masked(rule)
    auto = AUTO in random
    if auto and len(random) > 1:
        automatic = setting("--random auto", 'random="auto"')
        raise UsageError(f"{automatic} finds the windows: do not give others as well")
    given = rule if auto else rule.with_random(random)
    if auto:
        check_beginning(recording, rule)
    with recording.runs.naming_errors():
        if recording.selection:
            hits = recording.marked_hits
        else:
            hits = align(recording.runs.hits, recording.detectors, reorder_ps=recording.runs.reorder_ps)
        return measured(given, hits, auto=auto, reorder_ps=recording.reorder_ps)


def summarise(reading: PairPass, hits: HitTally, pairs: PairTally, rule: PairRule | None = None) -> PairSummary:
    """The results of a pass, when it is over; by its own rule, or by a narrower one by which the pairs were tallied."""
    rule = reading.recording.masked(rule or reading.rule)
    recording, detectors = reading.recording, reading.recording.detectors
    preselection = recording.preselection
    seen = preselection.read if preselection else hits
    expectation = reading.expectation(rule)
    table = chance.by_detectors(pairs, rule, detectors, expectation, reading.cover)
    expected = chance.total_expected(table)
    of_hits_seen = warnings(seen.by_detector(union(rule.reject)), recording, rule)
    of_clocks = reading.steps.warnings(rule.window, detectors)
    of_gaps = gap_warnings(reading.recorded, detectors)
    further = (*of_hits_seen, *of_clocks, *of_gaps, *chance.chance_warnings(table, rule, expectation))
    return PairSummary(
        **of_hits(recording, hits, rule.reject, further, seen=seen),
        of_pairs=PairCounts(
            pairs=int(table["pairs"].sum()),
            pairs_by_detectors=table,
            window_ps=rule.window,
            chance_pairs_expected=expected.pairs,
            chance_pairs_expected_unc=expected.unc,
            random=chance.net_of_random(table, rule),
        ),
        preselection=preselection.account() if preselection else None,
    )


def summed_runs(recording: Recording) -> list[str]:
    """Where one result is the sum over several runs, in a sentence."""
    names = [run.name for run in recording.runs.all]
    if len(names) < 2:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"summed over {len(names)} runs: {', '.join(names[:3])}{more}"]


def warnings(by_detector: pl.DataFrame, recording: Recording, rule: PairRule) -> list[str]:
    """Warnings about the result, one sentence each."""
    if by_detector.is_empty():
        return []
    detectors = recording.detectors
    seen = [detectors.at(board, channel) for board, channel in by_detector.select("board", "channel").iter_rows()]
    keys = {detector.key for detector in seen}
    found = [
        f"no hits in {detectors.at(*key).name}, the start or stop detector"
        for key in rule.detectors or ()
        if key not in keys
    ]
    if len(detectors):
        if not recording.has_energies and (bare := [detector.name for detector in seen if detector.energy is None]):
            found.append(f"no energy calibration for {', '.join(bare)}: energies of these hits are null")
        if silent := [detector.name for detector in detectors if detector.key not in keys]:
            found.append(f"no hits in {', '.join(silent)}, although described in detectors.toml")
    has_both = recording.has_energies and "adc" in recording.schema
    if has_both and (bare := [detector.name for detector in seen if detector.energy is None]):
        found.append(
            f"energies of {', '.join(bare)} are used as stored in the files, because no energy polynomial is given"
        )
    if used := [d.name for d, row in zip(seen, by_detector["hits_used"], strict=True) if row == 0]:
        why = "rejected by thresholds or by their flags" if recording.selection else "rejected by their flags"
        found.append(f"all hits of {', '.join(used)} are {why}")
    return found
