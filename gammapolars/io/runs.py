"""Runs: the files of what was recorded between one start and stop, and several runs one after another."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError, TimeOrderError, UsageError, first_line
from gammapolars.core.schema import ADC_COLUMNS, ADC_TYPES, HITS
from gammapolars.core.threads import check_process
from gammapolars.core.units import format_ps
from gammapolars.io.compass.folders import RunFiles
from gammapolars.io.compass.run_info import LiveTimes, RunInfo, live_times, read_run_info
from gammapolars.io.counter_chains import counter_chains, open_chain
from gammapolars.io.input_file import InputFile
from gammapolars.io.order import MOST_ROWS, ORDER_COLUMNS, Source, merged, share_of_rows
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.rollover import LATE, gap_advice
from gammapolars.io.selection import select
from gammapolars.io.sort import sorted_sources
from gammapolars.streaming.repeats import without_repeats
from gammapolars.streaming.slices import batches_of, by_run, lazy_frame
from gammapolars.streaming.steps_back import StepBack
from gammapolars.streaming.time_order import REORDER_PS, Repair, time_ordered
from gammapolars.streaming.wild_times import OnWild, WildTime

FIRST_HITS = 100
"""So many hits of a file tell when it begins."""


@dataclass(frozen=True)
class Run:
    """What was recorded between one start and stop, in one or more files.

    Attributes:
        source: where its files lie and how they were chosen.
        streams: its files; those of one stream follow each other in time, streams are merged.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        scratch: a folder for temporary files, if hits are to be sorted however far back they lie.
        drop_duplicates: whether hits with the board, channel and time of another one are left out.
    """

    source: RunFiles
    streams: tuple[tuple[InputFile, ...], ...]
    reorder_ps: int = REORDER_PS
    scratch: Path | None = None
    drop_duplicates: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        first, *more = self.files
        return f"{first.path} and {len(more)} more" if more else str(first.path)

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all streams."""
        return tuple(file for stream in self.streams for file in stream)

    @cached_property
    def recorded(self) -> RunInfo | None:
        """What the digitizer's software wrote down about the run, beside its hits."""
        return read_run_info(self.source.folder)

    @cached_property
    def live_times(self) -> LiveTimes | None:
        """The times that the digitizer's software counted, as it wrote them beside the run's hits."""
        return live_times(self.source.folder)

    def advice(self, otherwise: str) -> str:
        """What to do about times that step back: where they were made to go on, their counter is known already."""
        period = self.files[0].reading.period_ps
        return gap_advice(period) if period else otherwise

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Lets errors that come out of the run's hits say which run it is."""
        try:
            yield
        except TimeOrderError as error:
            advice = self.advice(error.advice) if error.advice else ""
            raise TimeOrderError(f"{self.name}: {error.what}", advice) from None
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{self.name}: cannot be read, is it damaged? ({first_line(error)})") from None

    @cached_property
    def columns(self) -> pl.Schema:
        """The columns of its hits.

        Raises:
            InputError: its files do not agree on them.
        """
        first, *others = self.files
        columns = first.hits.collect_schema()
        for file in others:
            if file.hits.collect_schema() != columns:
                raise InputError(
                    f"{file.path}: has other columns ({', '.join(file.hits.collect_schema())}) than "
                    f"{first.path} ({', '.join(columns)}): give them as runs of their own"
                )
        return columns

    @property
    def hits(self) -> pl.LazyFrame:
        """The hits of all files: of one as recorded, of several merged in time; or sorted, or without duplicates."""
        if not self.drop_duplicates:
            return self._all_hits
        columns = self.columns
        needed = {*ORDER_COLUMNS, "adc", "run"}

        def batches(names: list[str]) -> Iterator[pl.DataFrame]:
            read = [name for name in columns if name in needed or name in names]
            recorded = self._watched(batches_of(self._all_hits.select(read)))
            ordered = (
                time_ordered(of_run, reorder_ps=self.reorder_ps, on_repair=self.note_repair, on_wild=self._on_wild)
                for of_run in by_run(recorded)
            )
            for batch in without_repeats(chain.from_iterable(ordered), self.note_repeats):
                yield batch.select(names)

        return lazy_frame(columns, batches)

    @property
    def _all_hits(self) -> pl.LazyFrame:
        """The hits of all files: of one file as recorded, of several merged in time; or sorted."""
        if len(self.files) == 1 and not self.scratch:
            return self.files[0].hits
        columns = self.columns

        def batches(names: list[str]) -> Iterator[pl.DataFrame]:
            ordered = partial(sorted_sources, scratch=self.scratch) if self.scratch else merged
            yield from ordered(self.sources(names), reorder_ps=self.reorder_ps, on_repair=self.note_repair)

        return lazy_frame(columns, batches)

    def sources(self, names: list[str] | None = None) -> list[Source]:
        """The hits of each stream as recorded: the columns that are wanted, and those that the time order needs."""
        needed = {*ORDER_COLUMNS, "run", *(self.columns if names is None else names)}
        columns = [name for name in self.columns if name in needed]
        return [source for stream in self.streams if (source := _source(self, stream, columns))]

    def watched(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The batches of its hits; their recorded order is noticed, that of several files when they are merged."""
        return batches if self.drop_duplicates else self._watched(batches)

    def _watched(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        is_recorded = len(self.files) == 1 and not self.scratch
        return self.files[0].watched(batches, self.reorder_ps) if is_recorded else batches

    def note_repair(self, repair: Repair | StepBack) -> None:
        """Remember that timestamps were reset or rolled over, for the summaries to tell."""
        first, said = self.files[0], str(repair)
        if isinstance(repair, StepBack) and (period := first.reading.period_ps):
            if repair.back_ps > period // LATE:  # no counter that was made to go on steps back so far
                return
            said = f"{repair.place}, {self.advice(repair.advice)}"
        first.reading.losses.note(first.path, said)
        first.reading.losses.lost_time |= isinstance(repair, Repair) and repair.period_ps is None

    @property
    def on_wild(self) -> OnWild | None:
        """Told, in its hits, of those whose time cannot be; None: it has been told where they were recorded."""
        return None if self.drop_duplicates else self._on_wild

    @property
    def _on_wild(self) -> OnWild | None:
        is_recorded = len(self.files) == 1 and not self.scratch
        return partial(self.note_wild, self.files[0].path) if is_recorded else None

    def note_wild(self, path: Path, wild: WildTime) -> bool:
        """Leave out a hit whose time cannot be, or remember it where it is not out of order, or is to be sorted.

        Raises:
            InputError: it is out of order, and nothing may be left out.
        """
        losses = self.files[0].reading.losses
        if self._keeps(wild):
            losses.note(path, f"{wild.verdict} (--keep-going leaves it out and counts it)")
            return False
        losses.leave_out(path, wild.verdict, 1, "out_of_range")
        return True

    def look_at_wild(self, path: Path, wild: WildTime) -> bool:
        """The same where nothing but a look at the run is asked: what would be an error is left out, and says so."""
        losses = self.files[0].reading.losses
        if losses.keep_going or self._keeps(wild):
            return self.note_wild(path, wild)
        losses.set_aside(path, f"{wild.verdict}; other commands end here without --keep-going", 1, "out_of_range")
        return True

    def _keeps(self, wild: WildTime) -> bool:
        """Whether a hit whose time cannot be is a hit as others are."""
        return (wild.at_end or self.scratch is not None) and not self.files[0].reading.losses.keep_going

    def note_repeats(self, hits: int, others: int) -> None:
        """Remember how many hits were left out that repeat others, and how many of them had another adc value."""
        first, place = self.files[0], "hits with the board, channel and time of another hit"
        first.reading.losses.drop(first.path, place, hits - others)
        first.reading.losses.drop(first.path, f"{place}, but another ADC value: the first of them is kept", others)


@dataclass(frozen=True)
class Runs:
    """One run or several, one after another; no pair has its hits in two runs.

    Attributes:
        all: the runs; `run` numbers them from 1 where they are several.
        reading: how their files are read, and what was left out of them.
    """

    all: tuple[Run, ...]
    reading: Reading = field(default_factory=Reading)

    @property
    def losses(self) -> Losses:
        """What could not be read."""
        return self.reading.losses

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all runs."""
        return tuple(file for run in self.all for file in run.files)

    @property
    def reorder_ps(self) -> int:
        """How far back in time a hit may lie and still be put in its place."""
        return max(run.reorder_ps for run in self.all)

    def count(self) -> int | None:
        """How many hits they hold, if the metadata of all files tell."""
        counts = [file.count() for file in self.files]
        return None if None in counts else sum(count or 0 for count in counts)

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Lets errors that come out of the hits say which run it is."""
        with self.all[0].naming_errors() if len(self.all) == 1 else nullcontext():
            yield

    def sorted(self, scratch: Path) -> "Runs":
        """The same runs, with the hits of each sorted by time, however far they are out of order.

        Args:
            scratch: a folder for temporary files.
        """
        return replace(self, all=tuple(replace(run, scratch=scratch) for run in self.all))

    def watched(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The batches of their hits; the recorded order of one run is noticed, several notice theirs by themselves."""
        return self.all[0].watched(batches) if len(self.all) == 1 else batches

    @property
    def on_wild(self) -> OnWild | None:
        """Told, in the hits of one run, of those whose time cannot be; several runs notice it themselves."""
        return self.all[0].on_wild if len(self.all) == 1 else None

    def note_repair(self, repair: Repair | StepBack) -> None:
        """Remember that the timestamps of one run were reset or rolled over; several runs notice it themselves."""
        self.all[0].note_repair(repair)

    @cached_property
    def hits(self) -> pl.LazyFrame:
        """The hits of one run; of several, one after another and each in time order, with a column `run`.

        Raises:
            InputError: the runs' files do not agree on their columns.
        """
        if len(self.all) == 1:
            return self.all[0].hits
        columns = self.all[0].columns
        for run in self.all[1:]:
            if run.columns != columns:
                raise InputError(
                    f"{run.name}: its hits have other columns ({', '.join(run.columns)}) than those of "
                    f"{self.all[0].name} ({', '.join(columns)}): read them apart"
                )

        def batches(names: list[str]) -> Iterator[pl.DataFrame]:
            read = [name for name in columns if name in {*names, *ORDER_COLUMNS}]
            for number, run in enumerate(self.all, 1):
                with run.naming_errors():
                    batches = run.watched(batches_of(run.hits.select(read)))
                    for batch in time_ordered(
                        batches, reorder_ps=run.reorder_ps, on_repair=run.note_repair, on_wild=run.on_wild
                    ):
                        yield batch.with_columns(run=pl.lit(number, pl.UInt16))

        return lazy_frame(pl.Schema({**columns, "run": pl.UInt16()}), batches)


def open_runs(
    *names: str | Path,
    reading: Reading | None = None,
    reorder_ps: int = REORDER_PS,
    stage: str | None = None,
    apart: bool = False,
    drop_duplicates: bool = False,
) -> Runs:
    """Find the files that are meant, and read their metadata.

    Args:
        names: files, glob patterns or folders.
        reading: how files are read.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        stage: the stage to take from folders: `raw`, `unfiltered` or `filtered`.
        apart: whether each file is a run of its own, as each folder is.
        drop_duplicates: whether hits with the board, channel and time of another one are left out.

    Raises:
        InputError: nothing is found, or a file is no table of hits.
        UsageError: a file has a suffix that no reader is for, or its hits would count twice.
    """
    check_process()
    reading = reading or Reading()
    if reorder_ps < 0:
        raise UsageError(f"the reorder buffer cannot reach {format_ps(reorder_ps)} back: give 0ps or more")
    runs = [
        replace(_run(source, reading, reorder_ps), drop_duplicates=drop_duplicates)
        for source in select(names, stage=stage, apart=apart)
    ]
    return Runs(tuple(_with_the_same_columns(runs)), reading)


def _with_the_same_columns(runs: list[Run]) -> list[Run]:
    """Runs whose files all have the optional columns that one of them has, with nulls where they were not recorded.

    Boards with other firmware, and so other columns, record in one run. Files that differ in more stay as they are.
    """
    schemas = [file.hits.collect_schema() for run in runs for file in run.files]
    every = {name: dtype for schema in schemas for name, dtype in schema.items()}
    every |= {name: _widest(schema.get(name) for schema in schemas) for name in ADC_COLUMNS if name in every}
    missing = {name for schema in schemas for name in every if schema.get(name) != every[name]}
    wider = {name for name in missing & {"adc"} if all(schema.get(name) in ADC_TYPES for schema in schemas)}
    if all(schema == schemas[0] for schema in schemas) or not missing - wider <= set(HITS.optional):
        return runs
    order = [name for name in (*HITS.columns, *HITS.optional) if name in every]
    order += [name for name in every if name not in order]

    def completed(file: InputFile) -> InputFile:
        there = file.hits.collect_schema()
        columns = [
            pl.lit(None, every[name]).alias(name)
            if name not in there
            else pl.col(name)
            if there[name] == every[name]
            else pl.col(name).cast(every[name])
            for name in order
        ]
        return replace(file, hits=file.hits.select(columns))

    return [
        replace(run, streams=tuple(tuple(completed(file) for file in stream) for stream in run.streams)) for run in runs
    ]


def _widest(dtypes: Iterable[pl.DataType | None]) -> pl.DataType:
    """Of several types of adc values that which holds all."""
    there = [dtype for dtype in dtypes if dtype is not None]
    return max(there, key=lambda dtype: ADC_TYPES.index(dtype) if dtype in ADC_TYPES else -1)


def _source(run: Run, stream: tuple[InputFile, ...], columns: list[str]) -> Source | None:
    """The hits of files that follow each other; None if there are none."""
    for file in stream:
        first = file.hits.select("timestamp_ps", "board", "channel").head(FIRST_HITS).collect()
        if first.height:
            break
    else:
        return None

    def recorded() -> Iterator[pl.DataFrame]:
        for file in stream:
            for batch in batches_of(file.hits.select(columns), batch_rows=share_of_rows(len(run.streams))):
                file.span.add(batch)
                yield batch

    def batches() -> Iterator[pl.DataFrame]:
        yield from stream[0].watched(recorded(), run.reorder_ps)

    _, board, channel = first.row(0)
    time = int(first["timestamp_ps"].min())  # type: ignore[arg-type]  # the first one may be off
    more = f" and {len(stream) - 1} more" if len(stream) > 1 else ""
    on_wild = partial(run.note_wild, stream[0].path)
    return Source(time, batches, (board, channel), f"{stream[0].path}{more}", on_wild)


def _run(source: RunFiles, reading: Reading, reorder_ps: int) -> Run:
    if (share := share_of_rows(len(source.streams))) < MOST_ROWS:
        reading = replace(reading, chunk_hits=share)
    streams = tuple(open_chain(stream, reading) for stream in source.streams)
    return Run(source, counter_chains(streams, reading) if reading.period_ps else streams, reorder_ps)
