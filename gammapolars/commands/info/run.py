"""Content of a run, as recorded: hits, detectors, flags, times and their order."""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accumulators import HitTally, RecordedTime
from gammapolars.analysis.gaps import gap_warnings
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.commands.checks import refuse
from gammapolars.commands.info.parse import InfoOptions
from gammapolars.commands.info.tables import PairsInfoSummary, TablesInfoSummary, inspect_pairs, inspect_tables
from gammapolars.commands.options import OF_SELECTION
from gammapolars.core.errors import InputError
from gammapolars.core.flags import FLAGS, names_in
from gammapolars.core.records import Rows
from gammapolars.core.schema import HITS
from gammapolars.io import InputFile, Run, provenance
from gammapolars.io.contents import HITS as HITS_KIND
from gammapolars.io.contents import kind_of
from gammapolars.io.root.tables import open_hit_tree
from gammapolars.streaming.epochs import Border
from gammapolars.streaming.order_tally import OrderTally
from gammapolars.streaming.repeats import without_repeats
from gammapolars.streaming.slices import batches_of, parts_by_run
from gammapolars.streaming.time_order import repairs
from gammapolars.streaming.wild_times import without_wild_times


@dataclass(frozen=True, kw_only=True)
class InfoSummary(RunSummary):
    """The content of runs.

    Attributes:
        files: of each `name`, `bytes`, `hits`, `first_timestamp_ps`, `last_timestamp_ps`; of ROOT files `tree`,
            `compression`, `branches` and `baskets`, of others `columns`; and the `provenance` that it carries, if any.
        hits: that could be read.
        detectors: of each `board`, `channel`, `hits` and `rate_cps`.
        flags: hits by the flags that they carry.
        inversions: hits that lie before their predecessor.
        largest_step_back_ps: by how much at most (ps).
        restarts: where timestamps start again: `file`, `hit`, `kind`, `time_ps`.
        sources: of each run `folder`, `stage`, what was `passed_over`, what was `recorded` of it, `live_times`, and the
            files of `spectra` in a run's folder: of each `name`, `counts`, `real_time_s` and `live_time_s`, which are
            null where it cannot be read.
    """

    files: Rows
    hits: int
    detectors: Rows
    flags: dict[str, int]
    inversions: int
    largest_step_back_ps: int
    restarts: Rows
    sources: Rows


def info(options: InfoOptions) -> InfoSummary | PairsInfoSummary | TablesInfoSummary:
    """The content of runs, of files of pairs, or of whatever else the package writes or reads."""
    with options.saved_pairs(options.names) as saved:
        if saved:
            return inspect_pairs(saved.files)
    kinds = [kind_of(name) for name in options.names]
    if set(kinds) != {HITS_KIND} and not options.known.columns:
        return inspect_tables(options.names, kinds)
    refuse(options, OF_SELECTION, "info describes runs as they were recorded, with all hits")
    with options.recording(options.names) as recording:
        return inspect(replace(recording.without_detectors(), selection=None))


def inspect(recording: Recording) -> InfoSummary:
    """Read runs once, file by file as recorded, and sum them up."""
    runs, inspection = recording.runs, _Inspection(recording)
    for number, run in enumerate(runs.all, 1):
        with run.naming_errors():
            inspection.read(run, number)
    hits = inspection.hits
    rows = hits.by_detector().select("board", "channel", "hits").to_dicts()
    seconds, orders = inspection.recorded.seconds(), [file.order for file in runs.files]
    for row in rows:
        time_s = seconds.get((row["board"], row["channel"]))
        row["rate_cps"] = row["hits"] / time_s if time_s else None
    return InfoSummary(
        **of_hits(recording, hits, {}, gap_warnings(inspection.recorded, recording.detectors)),
        files=[_file(file, inspection.of_files[file.path]) for file in runs.files],
        hits=sum(row["hits"] for row in rows),
        detectors=rows,
        flags=hits.with_flags(FLAGS | _unnamed(hits)),
        inversions=sum(order.inversions for order in orders),
        largest_step_back_ps=max(order.largest_step_back_ps for order in orders),
        restarts=inspection.restarts,
        sources=[_source(run) for run in runs.all],
    )


class _Inspection:
    """The content of runs, as it was recorded.

    Attributes:
        hits: of all files.
        of_files: of each file, by its path.
        restarts: where timestamps start again, by flags.
        recorded: when each detector was.
    """

    def __init__(self, recording: Recording) -> None:
        self.hits, self.restarts, self.recorded = HitTally(), list[dict[str, Any]](), RecordedTime()
        self.of_files: dict[Path, HitTally] = {}
        self._recording, self._read = recording, 0

    def read(self, run: Run, number: int) -> None:
        """Read all files of a run: no step back is counted where flags show that timestamps start again."""
        recordings = []
        for stream in run.streams:
            order = OrderTally()
            batches = self._recorded(run, stream, number)
            recordings.append(order.epochs(batches, run.reorder_ps, by_flag=len(run.streams) > 1))
            stream[0].order.take(order)
            borders = [epoch.border for epoch in recordings[-1] if epoch.border]
            self.restarts += [self._restart(stream, border) for border in borders]
        repairs(recordings, run.note_repair)

    def _recorded(self, run: Run, stream: tuple[InputFile, ...], number: int) -> Iterator[pl.DataFrame]:
        """The hits of a stream, counted: with all columns, so that no damage goes unnoticed."""
        runs, recorded = len(self._recording.runs.all), RecordedTime()
        for file in stream:
            of_file = self.of_files[file.path] = HitTally()
            waiting = deque[pl.DataFrame]()
            ordered = self._ordered(file, run, waiting)
            for part in without_repeats(ordered, run.note_repeats) if run.drop_duplicates else ordered:
                for of_run in _numbered(part, number, runs):
                    of_file.add_hits(of_run)
                    self.hits.add_hits(of_run)
                    recorded.add_hits(of_run)
                while waiting:
                    yield waiting.popleft()
        self.recorded.merge(recorded.state())

    def _ordered(self, file: InputFile, run: Run, waiting: deque[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The hits of a file, each batch in time order; as they were recorded, they are put where they wait."""
        recorded = (batch for batch in batches_of(_flat(file.hits)) if batch.height)
        for batch in without_wild_times(recorded, run.reorder_ps, partial(run.look_at_wild, file.path)):
            if batch.height:
                file.span.add(batch)
                waiting.append(batch)
                yield batch if batch["timestamp_ps"].is_sorted() else batch.sort("timestamp_ps")
                self._read += batch.height
                if self._recording.progress:
                    self._recording.progress(self._read)

    def _restart(self, stream: tuple[InputFile, ...], border: Border) -> dict[str, Any]:
        """The file of a stream in which a clock starts again, and at which of its hits."""
        hit = border.hit
        for file in stream:
            hits = int(self.of_files[file.path].by_flags()["counts"].sum())
            if hit <= hits:
                break
            hit -= hits
        return {"file": str(file.path), **asdict(replace(border, hit=hit))}


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
    """Where a run's files were found, which were passed over, and the metadata recorded with them."""
    source, live = run.source, run.live_times
    return {
        "folder": str(source.folder),
        "stage": source.stage,
        "passed_over": list(source.passed_over),
        "recorded": run.recorded.as_json() if run.recorded else None,
        "live_times": live.as_json() if live else None,
        "spectra": [row for path in source.spectra for row in _spectra(path)],
    }


def _spectra(path: Path) -> list[dict[str, Any]]:
    """The content of a file of spectra next to the hits; one that cannot be read is no reason to refuse the run."""
    from gammapolars.io.spectrum_files import read_spectra  # most runs have none

    try:
        spectra = read_spectra(path).values()
    except InputError:
        return [{"name": str(path), "counts": None, "real_time_s": None, "live_time_s": None}]
    return [
        {
            "name": str(path),
            "counts": float(one.table["counts"].sum()),
            "real_time_s": one.measurement.real_time_s,
            "live_time_s": one.measurement.live_time_s,
        }
        for one in spectra
    ]


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
