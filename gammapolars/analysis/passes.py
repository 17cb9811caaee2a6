"""One pass over a run, many products: pairs, what was counted on the way, spectra, rates and matrices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gammapolars.analysis import chance
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import (
    Accumulator,
    HitTally,
    PairTally,
    StopCover,
)
from gammapolars.analysis.gain_correction import Correction, correction_of
from gammapolars.analysis.preselection import Policies, own_columns
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import AUTO, measured
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.schema import HITS, require
from gammapolars.core.types import Progress
from gammapolars.corrections import align, calibrate, spread_ps
from gammapolars.corrections.batches import aligned
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.streaming.slices import Slice, batches_of, by_run, in_parallel, lazy_frame, pieces, slices
from gammapolars.streaming.time_order import time_ordered


@dataclass
class Pass:
    """One reading of a run, from slices to pairs, with products counted on the way.

    Attributes:
        runs: one run or several.
        rule: what makes a pair.
        detectors: time offsets and calibrations; channels that it does not name are detectors all the same.
        progress: told how many hits have been read.
        products: counted in the same pass.
        further: whether further columns of the hits, such as `adc_short`, come out with the pairs. Formats differ in
            them, so that without them a run's pairs are the same whatever it was read from.
        correction: of the gains' drift; by default the one that the detectors name.
        policies: add-back and vetoes, that hits pass before they are paired; they calibrate the hits.
    """

    runs: Runs
    rule: PairRule
    detectors: Detectors = field(default_factory=Detectors)
    progress: Progress | None = None
    products: list[Accumulator] = field(default_factory=list)
    further: bool = False
    correction: Correction | None = None
    policies: Policies | None = None

    def __post_init__(self) -> None:
        self.correction = self.correction or correction_of(self.detectors, self.runs)
        self.cover = StopCover(self.rule) if self.rule.nearest else None
        if self.cover:
            self.products = [*self.products, self.cover]

    def pairs(self) -> pl.LazyFrame:
        """The run's calibrated pairs. Collecting them reads the run and fills the products, once."""
        columns = self.rule.require(self._hits)
        if self.correction:
            columns = self.correction.columns(columns)
        made = self.rule.schema(columns)
        if len(self.detectors):
            made = calibrate(pl.LazyFrame(schema=made), self.detectors).collect_schema()

        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            del wanted  # the products need all columns
            yield from self._read(made)

        return lazy_frame(made, batches)

    @property
    def _hits(self) -> pl.LazyFrame:
        return self.runs.hits if self.further else own_columns(self.runs.hits)

    def _aligned(self) -> pl.LazyFrame | Iterable[pl.DataFrame]:
        if self.policies:
            return self.policies.hits(self._hits, self.runs, self.correction)
        return aligned(self._hits, self.detectors)

    def _read(self, made: pl.Schema) -> Iterator[pl.DataFrame]:
        bare = len(self.detectors) > 0 and not self.policies

        def calibrated(part: Slice) -> Iterator[pl.DataFrame]:
            for pairs in self.rule.pairs_in(part):
                yield (calibrate(pairs.lazy(), self.detectors).collect() if bare else pairs).select(*made)

        with self.runs.naming_errors():
            for pairs in in_parallel(calibrated, self._counted()):
                for product in self.products:
                    product.add_pairs(pairs)
                yield pairs

    def _counted(self) -> Iterator[Slice]:
        """The run's slices; beside the search for pairs, the products see them, in order, and the progress is told."""
        reorder_ps = self.runs.reorder_ps + spread_ps(self.detectors)
        correction = None if self.policies else self.correction  # policies correct hits themselves
        parts = slices(self._aligned(), self.rule.reach, reorder_ps=reorder_ps, on_repair=self.runs.note_repair)
        read = 0
        with ThreadPoolExecutor(1, thread_name_prefix="count") as counter:
            counted: Future[None] | None = None
            for found in parts:
                part = found._replace(hits=correction.corrected(found.hits)) if correction else found
                if counted:
                    counted.result()
                counted = counter.submit(self._count, part)
                read += part.end - part.first
                if self.progress:
                    self.progress(read)
                yield part
            if counted:
                counted.result()

    def _count(self, part: Slice) -> None:
        for hits in pieces(part.own):
            for product in self.products:
                product.add_hits(hits)


def with_random(runs: Runs, rule: PairRule, random: Sequence[str], detectors: Detectors) -> PairRule:
    """A rule with random windows as the command line names them: some, `auto`, or none.

    The first hits are read to find them, and to see how fine the clocks are.

    Raises:
        UsageError: windows that cannot be, `auto` beside others, or one that finds nothing.
    """
    if not random:
        return rule
    auto = AUTO in random
    if auto and len(random) > 1:
        raise UsageError("--random auto finds the windows: name no others beside it")
    given = rule if auto else rule.with_random(random)
    with runs.naming_errors():
        reorder_ps = runs.reorder_ps + spread_ps(detectors)
        return measured(given, align(runs.hits, detectors), auto=auto, reorder_ps=reorder_ps)


def summarise(reading: Pass, hits: HitTally, pairs: PairTally) -> dict[str, Any]:
    rule, detectors = reading.rule, reading.detectors
    by_detector = (reading.policies.read if reading.policies else hits).by_detector(union(rule.reject))
    table = chance.by_detectors(hits, pairs, rule, detectors, reading.cover)
    return {
        **account(hits, reading.runs.losses, rule.reject),
        "pairs": int(table["pairs"].sum()),
        "pairs_by_detectors": table.to_dicts(),
        "window_ps": list(rule.window),
        **chance.net_of_random(table, rule),
        **times(hits, reading.runs),
        "chance_pairs_expected": float(table["chance_pairs_expected"].sum()),
        "warnings": [
            *reading_warnings(reading.runs),
            *time_warnings(hits, reading.runs),
            *warnings(by_detector, detectors, rule),
            *chance.chance_warnings(table),
            *(reading.correction.warnings if reading.correction else ()),
        ],
    } | (reading.policies.account(reading.runs, reading.runs.losses) if reading.policies else {})


def named(table: pl.DataFrame, detectors: Detectors) -> pl.DataFrame:
    """A table with the detector's `name` behind its board and channel."""
    keys = table.select("board", "channel").unique(maintain_order=True)
    names = pl.Series("name", [detectors.at(board, channel).name for board, channel in keys.iter_rows()], pl.String)
    others = [column for column in table.columns if column not in ("board", "channel")]
    named = table.join(keys.with_columns(names), on=["board", "channel"], how="left", maintain_order="left")
    return named.select("board", "channel", "name", *others)


def warnings(by_detector: pl.DataFrame, detectors: Detectors, rule: PairRule) -> list[str]:
    """What a reader must know before trusting the rest, one sentence each."""
    if by_detector.is_empty():
        return ["the run holds no hits"]
    seen = [detectors.at(board, channel) for board, channel in by_detector.select("board", "channel").iter_rows()]
    keys = {detector.key for detector in seen}
    found = [
        f"no hits in {detectors.at(*key).name}, asked for as start or stop"
        for key in rule.detectors or ()
        if key not in keys
    ]
    if len(detectors):
        if bare := [detector.name for detector in seen if detector.energy is None]:
            found.append(f"no energy calibration for {', '.join(bare)}: energies of these hits are null")
        if silent := [detector.name for detector in detectors if detector.key not in keys]:
            found.append(f"no hits in {', '.join(silent)}, though detectors.toml describes it")
    if used := [d.name for d, row in zip(seen, by_detector["hits_used"], strict=True) if row == 0]:
        found.append(f"all hits of {', '.join(used)} carry flags that reject them")
    return found


def count_hits(
    runs: Runs,
    products: Sequence[Accumulator],
    progress: Callable[[int], None] | None,
    correction: Correction | None = None,
    most_hits: int | None = None,
) -> None:
    """Let products see all hits, or so many of the first, in order of time.

    That order is what the real time is told from.
    """
    require(runs.hits, HITS)
    columns = [name for name in runs.hits.collect_schema() if name in HITS.columns or name in ("gain_factor", "run")]
    read = 0
    with runs.naming_errors():
        for of_run in by_run(batches_of(runs.hits.select(columns))):
            for batch in time_ordered(of_run, reorder_ps=runs.reorder_ps, on_repair=runs.note_repair):
                part = batch if most_hits is None else batch.head(most_hits - read)
                hits = correction.corrected(part) if correction else part
                for product in products:
                    product.add_hits(hits)
                read += part.height
                if progress:
                    progress(read)
                if most_hits is not None and read >= most_hits:
                    return
