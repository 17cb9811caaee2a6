"""What is in a run, as recorded: hits, detectors, flags, times and their order."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import LISTED, time_warnings
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, Summary, of_hits
from gammapolars.commands.info.parse import InfoOptions
from gammapolars.commands.layout import share
from gammapolars.core.flags import FLAGS, names_in
from gammapolars.core.records import Rows, optional
from gammapolars.core.schema import HITS
from gammapolars.core.units import PS_PER_S, format_ps
from gammapolars.io import InputFile, Run, Runs, is_table_of_pairs, provenance, scan_pairs
from gammapolars.io.compass.run_info import live_times
from gammapolars.io.root.tables import open_hit_tree
from gammapolars.streaming.epochs import Border, epochs
from gammapolars.streaming.slices import batches_of, parts_by_run
from gammapolars.streaming.steps_back import StepBack

TROUBLE = {
    "memory_full": "the digitizer's memory ran full",
    "trigger_lost": "triggers were lost",
    "n_triggers_lost": "triggers were lost",
    "event_lost": "hits were lost in the digitizer's memory",
    "external_reset": "timestamps were reset from outside",
    "pll_lock_lost": "the clock lost its lock",
    "over_temperature": "the digitizer was too hot",
    "adc_shutdown": "the digitizer switched its converter off",
}
"""Flags that a reader should know of even when they reject nothing."""


@dataclass(frozen=True, kw_only=True)
class InfoSummary(RunSummary):
    """What is in runs.

    Attributes:
        files: of each `name`, `bytes`, `hits`, `first_timestamp_ps`, `last_timestamp_ps`; of ROOT files `tree`,
            `compression`, `branches` and `baskets`, of others `columns`; and the `provenance` that it carries, if any.
        hits: that could be read.
        detectors: of each `board`, `channel`, `hits` and `rate_cps`.
        flags: hits by the flags that they carry.
        inversions: hits that lie before their predecessor.
        largest_step_back_ps: by how much at most (ps).
        restarts: where timestamps start again: `file`, `hit`, `kind`, `time_ps`.
        sources: of each run `folder`, `stage`, what was `passed_over`, what was `recorded` of it, and `live_times`.
    """

    files: Rows
    hits: int
    detectors: Rows
    flags: dict[str, int]
    inversions: int
    largest_step_back_ps: int
    restarts: Rows
    sources: Rows


@dataclass(frozen=True, kw_only=True)
class PairsInfoSummary(Summary):
    """What is in a file of pairs.

    Attributes:
        files: the file's `name`, `bytes` and `columns`, and the `provenance` that it carries, if any.
        pairs: within the window.
        random_pairs: in random windows, if there are any.
        pairs_by_detectors: of each two detectors `board_a`, `channel_a`, `board_b`, `channel_b`, the `region` if there
            are several, `pairs`, `least_dt_ps` and `largest_dt_ps`.
    """

    files: Rows
    pairs: int
    random_pairs: int | None = optional()
    pairs_by_detectors: pl.DataFrame


class OrderTally:
    """How far a stream of hits is out of time order."""

    def __init__(self) -> None:
        self.inversions = 0
        self.largest_step_back_ps = 0
        self._latest: int | None = None
        self._previous: int | None = None
        self._run = 1
        self.restarts: list[Border] = []
        self.step_back: StepBack | None = None
        self.blocks: list[int] = []

    @property
    def again(self) -> list[int]:
        """The runs that go on after another one, each once."""
        return sorted({run for place, run in enumerate(self.blocks) if run in self.blocks[:place]})

    def in_epochs(self, batches: Iterator[pl.DataFrame], reorder_ps: int) -> Iterator[pl.DataFrame]:
        """Pass batches on; where flags tell that timestamps start again, no step back is counted."""
        for epoch in epochs(lambda: batches, reorder_ps=reorder_ps, disorder=True):
            if epoch.border:
                self.restarts.append(epoch.border)
                self._latest = self._previous = None
            yield from epoch.batches
            self.step_back = self.step_back or epoch.step_back

    def add(self, times: pl.Series, run: int = 1) -> None:
        if times.is_empty():
            return
        if not self.blocks or self.blocks[-1] != run:
            self.blocks.append(run)
        if run != self._run:
            self._run, self._latest, self._previous = run, None, None
        if self._previous is not None and times[0] < self._previous:
            self.inversions += 1
        if times.is_sorted():
            back = 0 if self._latest is None else max(self._latest - times[0], 0)
        else:
            self.inversions += int((times.diff() < 0).sum())
            so_far = times.cum_max()
            if self._latest is not None:
                so_far = so_far.clip(lower_bound=self._latest)
            back = int((so_far - times).max() or 0)  # type: ignore[arg-type]
        self.largest_step_back_ps = max(self.largest_step_back_ps, back)
        last = int(times.max())  # type: ignore[arg-type]
        self._latest = last if self._latest is None else max(self._latest, last)
        self._previous = times[-1]


def info(options: InfoOptions) -> InfoSummary | PairsInfoSummary:
    """What is in runs, or in a file of pairs."""
    if len(options.names) == 1 and is_table_of_pairs(options.names[0]):
        return _inspect_pairs(Path(options.names[0]))
    with options.recording(options.names) as recording:
        return inspect(recording.without_detectors())


def inspect(recording: Recording) -> InfoSummary:
    """Read a run once, file by file as recorded, and sum it up."""
    runs, progress = recording.runs, recording.progress
    hits, files, read = HitTally(), [], 0
    ranges, restarts, again, inversions, step_back = [], [], [], 0, 0
    started_again: StepBack | None = None
    for number, run in enumerate(runs.all, 1):
        for file in run.files:
            order, of_file = OrderTally(), HitTally()
            with run.naming_errors():
                recorded = batches_of(_flat(file.hits))
                for batch in order.in_epochs(recorded, run.reorder_ps):
                    for of_run in _numbered(batch, number, len(runs.all)):
                        order.add(of_run["timestamp_ps"], of_run["run"][0])
                        of_file.add_hits(of_run)
                        hits.add_hits(of_run)
                    read += batch.height
                    if progress:
                        progress(read)
            inversions += order.inversions
            if order.again:
                again.append(
                    f"{file.path}: run {order.again[0]} occurs again after another one, and would be paired apart: "
                    "'gammapolars convert RUN... --sort -o sorted.parquet' sorts by run"
                )
            if len(order.blocks) <= 1:  # several runs in one file begin again each
                started_again = started_again or order.step_back
            restarts += [{"file": str(file.path), **asdict(border)} for border in order.restarts]
            step_back = max(step_back, order.largest_step_back_ps)
            if of_file.first_ps is not None:
                ranges.append((number, of_file.first_ps, of_file.last_ps, file.path.name))
            files.append(_file(file, of_file))
    rows = hits.by_detector().select("board", "channel", "hits").to_dicts()
    seconds = hits.real_time_s
    summary = InfoSummary(
        **of_hits(recording, hits, {}, complete=False),
        files=files,
        hits=sum(row["hits"] for row in rows),
        detectors=[row | {"rate_cps": row["hits"] / seconds if seconds else None} for row in rows],
        flags=hits.with_flags(FLAGS | _unnamed(hits)),
        inversions=inversions,
        largest_step_back_ps=step_back,
        restarts=restarts,
        sources=[_source(run) for run in runs.all],
    )
    found = (*again, *_warnings(summary, runs, ranges, started_again), *time_warnings(hits, runs))
    return replace(summary, warnings=(*summary.warnings, *found))


def _flat(hits: pl.LazyFrame) -> pl.LazyFrame:
    """All columns of numbers, so that no damage goes unnoticed: texts and lists, which hits have none of, are stored
    once and may unpack to any size.
    """
    return hits.select(
        name for name, dtype in hits.collect_schema().items() if dtype.is_numeric() or name in HITS.columns
    )


def _numbered(batch: pl.DataFrame, number: int, runs: int) -> list[pl.DataFrame]:
    """A batch with the number of its run; by run, where one file holds several."""
    if runs == 1 and "run" in batch.columns:
        return parts_by_run(batch)
    return [] if batch.is_empty() else [batch.with_columns(run=pl.lit(number, pl.UInt16))]


def _source(run: Run) -> dict[str, Any]:
    """Where a run's files were found, what was passed over, and what was written down beside them."""
    source, live = run.source, live_times(run.source.folder)
    return {
        "folder": str(source.folder),
        "stage": source.stage,
        "passed_over": list(source.passed_over),
        "recorded": run.recorded.as_json() if run.recorded else None,
        "live_times": live.as_json() if live else None,
    }


def _file(file: InputFile, hits: HitTally) -> dict[str, Any]:
    """One file's own facts."""
    facts: dict[str, Any] = {
        "name": str(file.path),
        "bytes": file.size_bytes,
        "hits": int(hits.by_flags()["counts"].sum()),
        "first_timestamp_ps": hits.first_ps,
        "last_timestamp_ps": hits.last_ps,
    }
    if file.path.suffix.lower() == ".root":
        tree = open_hit_tree(file.path, file.reading)
        facts |= {"tree": tree.name, "compression": tree.compression}
        facts["branches"] = {name: branch.dtype.newbyteorder("=").name for name, branch in tree.branches.items()}
        read = {name for column in file.reading.columns.values() for name in column.sources}
        facts["branches"] |= {name: "lists" if name in read else "not read" for name in tree.other_branches}
        facts["baskets"] = {name: len(branch.entries) - 1 for name, branch in tree.branches.items()}
    else:
        facts["columns"] = {name: str(dtype) for name, dtype in file.hits.collect_schema().items()}
    if origin := provenance.of_file(file.path):
        facts["provenance"] = origin
    return facts


def _unnamed(hits: HitTally) -> dict[str, int]:
    """Bits that hits carry and the table of flags does not name."""
    seen = 0
    for flags in hits.by_flags()["flags"]:
        seen |= flags
    return {name: int(name, 16) for name in names_in(seen) if name.startswith("0x")}


def _warnings(
    summary: InfoSummary, runs: Runs, ranges: list[tuple[int, int, Any, str]], started_again: StepBack | None
) -> Iterator[str]:
    yield from (warning for source in summary.sources for warning in (source["live_times"] or {}).get("warnings", []))
    if not summary.hits:
        yield "the run holds no hits"
    if step := summary.largest_step_back_ps:
        repaired = "this is repaired while reading"
        if started_again:
            repaired = started_again.advice
        elif step > runs.reorder_ps:
            repaired = "this needs a larger --reorder, or 'gammapolars convert RUN... --sort -o sorted.parquet' first"
        yield f"{summary.inversions:,} hits lie before their predecessor, by up to {format_ps(step)}: {repaired}"
    for restart in summary.restarts[:LISTED]:
        yield (
            f"{restart['file']}: timestamps start again at hit {restart['hit']} by a flagged {restart['kind']} "
            f"({format_ps(restart['time_ps'])}): while reading, times are made to go on"
        )
    if (more := len(summary.restarts) - LISTED) > 0:
        yield f"timestamps start again, by flags, at {more} more places"
    for name, meaning in TROUBLE.items():
        if count := summary.flags.get(name):
            yield f"{meaning} ({count:,} hits with flag {name})"
    for name in ("saturation", "pile_up"):
        if (count := summary.flags.get(name, 0)) > 0.1 * summary.hits:
            yield f"{share(count, summary.hits)} of the hits carry the flag {name}"
    for before, after in pairwise(sorted(ranges)):
        if before[0] == after[0] and (gap := after[1] - before[2]) > 60 * PS_PER_S:
            yield f"{format_ps(gap)} without a hit between {before[3]} and {after[3]}"


def _inspect_pairs(path: Path) -> PairsInfoSummary:
    """What a file of pairs holds: how many of which detectors, their time differences, and where they come from."""
    pairs = scan_pairs(path)
    columns, dt = pairs.collect_schema(), pl.col("dt_ps")
    ends = [f"{name}_{side}" for side in "ab" for name in ("board", "channel")]
    ends += ["region"] if "region" in columns else []
    counts = pairs.group_by(ends).agg(pairs=pl.len(), least_dt_ps=dt.min(), largest_dt_ps=dt.max()).sort(ends).collect()
    facts: dict[str, Any] = {"name": str(path), "bytes": path.stat().st_size}
    facts["columns"] = {name: str(dtype) for name, dtype in columns.items()}
    if origin := provenance.of_file(path):
        facts["provenance"] = origin
    random = int(counts.filter(region="random")["pairs"].sum()) if "region" in columns else None
    return PairsInfoSummary(
        inputs=(str(path),),
        files=[facts],
        pairs=int(counts["pairs"].sum()) - (random or 0),
        random_pairs=random,
        pairs_by_detectors=counts,
    )
