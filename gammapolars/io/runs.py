"""Several runs one after another, and how they are opened."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.schema import ADC_COLUMNS, ADC_TYPES, HITS
from gammapolars.core.threads import check_process
from gammapolars.core.units import format_ps
from gammapolars.io.compass.folders import RunFiles
from gammapolars.io.counter_chains import counter_chains, open_chain
from gammapolars.io.input_file import InputFile, completed
from gammapolars.io.order import MOST_ROWS, ORDER_COLUMNS, share_of_rows
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.run import Run
from gammapolars.io.selection import select
from gammapolars.streaming.slices import batches_of, lazy_frame
from gammapolars.streaming.steps_back import StepBack
from gammapolars.streaming.time_order import REORDER_PS, Repair, time_ordered
from gammapolars.streaming.wild_times import OnWild

AnyNames = str | Path | Sequence[str | Path]
"""One file, pattern or folder, or several."""


@dataclass(frozen=True)
class Runs:
    """One run or several, one after another; no pair has its hits in two runs.

    Attributes:
        all: the runs; `run` numbers them from 1 where they are several.
        reading: how their files are read, and the data left out of them.
        number: of the only run that is here, where it is one of several.
    """

    all: tuple[Run, ...]
    reading: Reading = field(default_factory=Reading)
    number: int | None = None

    @property
    def losses(self) -> Losses:
        """The data that could not be read."""
        return self.reading.losses

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all runs."""
        return tuple(file for run in self.all for file in run.files)

    @property
    def reorder_ps(self) -> int:
        """How far back in time a hit may lie and still be put in its place."""
        return max(run.reorder_ps for run in self.all)

    @property
    def _is_one(self) -> bool:
        """Whether it is a single run, and not one of several."""
        return len(self.all) == 1 and self.number is None

    def count(self) -> int | None:
        """How many hits they hold, if the metadata of all files says so."""
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
        return self.all[0].watched(batches) if self._is_one else batches

    @property
    def on_wild(self) -> OnWild | None:
        """Told, in the hits of one run, of those with an impossible time; several runs notice it themselves."""
        return self.all[0].on_wild if self._is_one else None

    def note_repair(self, repair: Repair | StepBack) -> None:
        """Remember that the timestamps of one run were reset or rolled over; several runs notice it themselves."""
        self.all[0].note_repair(repair)

    @cached_property
    def hits(self) -> pl.LazyFrame:
        """The hits of one run; of several, one after another and each in time order, with a column `run`.

        Raises:
            InputError: the runs' files do not agree on their columns.
        """
        if self._is_one:
            return self.all[0].hits
        columns = self.all[0].columns
        for run in self.all[1:]:
            if run.columns != columns:
                raise InputError(
                    f"{run.name}: its hits have other columns ({', '.join(run.columns)}) than those of "
                    f"{self.all[0].name} ({', '.join(columns)}): read them separately"
                )

        def batches(names: list[str]) -> Iterator[pl.DataFrame]:
            read = [name for name in columns if name in {*names, *ORDER_COLUMNS, "run"}]
            for number, run in enumerate(self.all, self.number or 1):
                with run.naming_errors():
                    batches = run.watched(_of_one_run(run, batches_of(run.hits.select(read))))
                    for batch in time_ordered(
                        batches, reorder_ps=run.reorder_ps, on_repair=run.note_repair, on_wild=run.on_wild
                    ):
                        yield batch.with_columns(run=pl.lit(number, pl.UInt16))

        return lazy_frame(pl.Schema({**columns, "run": pl.UInt16()}), batches)


def _of_one_run(run: Run, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The hits of a run that has no further ones in it: its own numbers would be lost, and their hits paired.

    Raises:
        InputError: a column `run` has several.
    """
    first: int | None = None
    for batch in batches:
        if "run" in batch.columns and batch.height:
            first = batch["run"][0] if first is None else first
            if (others := batch["run"].filter(batch["run"] != first)).len():
                raise InputError(
                    f"{run.name}: contains several runs, {first} and {others[0]}: read it on its own, or "
                    "write each run to a separate file"
                )
        yield batch


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
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: a file has an unknown suffix, or its hits would count twice.
    """
    check_process()
    reading = reading or Reading()
    if reorder_ps < 0:
        raise UsageError(f"the reorder time cannot be {format_ps(reorder_ps)}: give 0ps or more")
    runs = [
        replace(_run(source, reading, reorder_ps), drop_duplicates=drop_duplicates)
        for source in select(names, stage=stage, apart=apart)
    ]
    return Runs(tuple(_with_the_same_columns(runs)), reading)


def names_of(runs: AnyNames) -> list[str | Path]:
    """The files, patterns and folders that are named, one or several.

    Raises:
        UsageError: something else than a name is among them.
    """
    names: list[Any] = [runs] if isinstance(runs, str | Path) else list(runs) if isinstance(runs, list | tuple) else []
    if wrong := [runs] if not names else [name for name in names if not isinstance(name, str | Path)]:
        raise UsageError(f"runs are named by files, patterns or folders, not by a {type(wrong[0]).__name__}")
    return names


def runs_of(runs: Runs | AnyNames) -> Runs:
    """Runs as they are, or those that are named.

    Raises:
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: hits instead of names, which cannot be read twice.
    """
    return runs if isinstance(runs, Runs) else open_runs(*names_of(runs))


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

    return [_completed(run, pl.Schema({name: every[name] for name in order})) for run in runs]


def _completed(run: Run, columns: pl.Schema) -> Run:
    streams = tuple(
        tuple(replace(file, hits=completed(file.hits, columns)) for file in stream) for stream in run.streams
    )
    return replace(run, streams=streams)


def reopened(source: RunFiles, reading: Reading, reorder_ps: int, columns: pl.Schema) -> Run:
    """A run whose files are known already, with the columns of other runs' hits.

    Raises:
        InputError: a file is missing, or has become another one.
    """
    return _completed(_run(source, reading, reorder_ps), columns)


def _widest(dtypes: Iterable[pl.DataType | None]) -> pl.DataType:
    """The widest of several types of adc values, which holds all."""
    there = [dtype for dtype in dtypes if dtype is not None]
    return max(there, key=lambda dtype: ADC_TYPES.index(dtype) if dtype in ADC_TYPES else -1)


def _run(source: RunFiles, reading: Reading, reorder_ps: int) -> Run:
    if (share := share_of_rows(len(source.streams))) < MOST_ROWS:
        reading = replace(reading, chunk_hits=share)
    streams = tuple(open_chain(stream, reading) for stream in source.streams)
    return Run(source, counter_chains(streams, reading) if reading.period_ps else streams, reorder_ps)
