"""A run: the files of the data recorded between one start and stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError, TimeOrderError, first_line
from gammapolars.core.types import Key
from gammapolars.core.wording import setting
from gammapolars.io.compass.folders import RunFiles
from gammapolars.io.compass.run_info import LiveTimes, RunInfo, live_times, read_run_info
from gammapolars.io.input_file import InputFile
from gammapolars.io.order import ORDER_COLUMNS, Source, merged, share_of_rows
from gammapolars.io.reading import skipping
from gammapolars.io.rollover import LATE, gap_advice
from gammapolars.io.sort import sorted_sources
from gammapolars.streaming.repeats import without_repeats
from gammapolars.streaming.slices import batches_of, by_run, lazy_frame
from gammapolars.streaming.steps_back import StepBack
from gammapolars.streaming.time_order import REORDER_PS, Repair, time_ordered
from gammapolars.streaming.wild_times import OnWild, WildTime

FIRST_HITS = 100
"""This many hits of a file show when it begins."""


@dataclass(frozen=True)
class Run:
    """The data recorded between one start and stop, in one or more files.

    Attributes:
        source: where its files lie and how they were chosen.
        streams: its files; those of one stream follow each other in time, streams are merged.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        scratch: a folder for temporary files, if hits are to be sorted however far back they lie.
        drop_duplicates: whether hits with the board, channel and time of another one are left out.
        detectors: of each stream's first hit, where only a stretch of the run is read; none: that is looked up.
    """

    source: RunFiles
    streams: tuple[tuple[InputFile, ...], ...]
    reorder_ps: int = REORDER_PS
    scratch: Path | None = None
    drop_duplicates: bool = False
    detectors: tuple[Key, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages."""
        first, *more = self.files
        return f"{first.path} and {len(more)} more" if more else str(first.path)

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files of all streams."""
        return tuple(file for stream in self.streams for file in stream)

    @cached_property
    def recorded(self) -> RunInfo | None:
        """Metadata of the run from the digitizer's software, besides its hits."""
        return read_run_info(self.source.folder)

    @cached_property
    def live_times(self) -> LiveTimes | None:
        """The times counted by the digitizer's software, as it recorded them with the run's hits."""
        return live_times(self.source.folder)

    def advice(self, otherwise: str) -> str:
        """Advice on times that step back: where they were made to go on, their counter is known already."""
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
            raise InputError(f"{self.name}: cannot be read; is it damaged? ({first_line(error)})") from None

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
                    f"{first.path} ({', '.join(columns)}): read them as separate runs"
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
        found = [_source(self, stream, columns) for stream in self.streams]
        if self.detectors:
            found = [one and replace(one, detector=of) for one, of in zip(found, self.detectors, strict=True)]
        return [source for source in found if source]

    def watched(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The batches of its hits; their recorded order is noticed, that of several files when they are merged."""
        return batches if self.drop_duplicates else self._watched(batches)

    def _watched(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        is_recorded = len(self.files) == 1 and not self.scratch
        return self.files[0].watched(batches, self.reorder_ps) if is_recorded else batches

    def note_repair(self, repair: Repair | StepBack) -> None:
        """Record that timestamps were reset or rolled over, for the summaries."""
        first, said = self.files[0], str(repair)
        if isinstance(repair, StepBack) and (period := first.reading.period_ps):
            if repair.back_ps > period // LATE:  # no counter that was made to go on steps back so far
                return
            said = f"{repair.place}: {self.advice(repair.advice)}"
        first.reading.losses.note(first.path, said)
        first.reading.losses.lost_time |= isinstance(repair, Repair) and repair.period_ps is None

    @property
    def on_wild(self) -> OnWild | None:
        """Called, as hits are read, with those of impossible times; None: they were noted where they were recorded."""
        return None if self.drop_duplicates else self._on_wild

    @property
    def _on_wild(self) -> OnWild | None:
        is_recorded = len(self.files) == 1 and not self.scratch
        return partial(self.note_wild, self.files[0].path) if is_recorded else None

    def note_wild(self, path: Path, wild: WildTime) -> bool:
        """Leave out a hit with an impossible time, or remember it where it is not out of order, or is to be sorted.

        Raises:
            InputError: it is out of order, and nothing may be left out.
        """
        losses = self.files[0].reading.losses
        if self._keeps(wild):
            losses.note(path, f"{wild.verdict} {skipping()}")
            return False
        losses.leave_out(path, wild.verdict, 1, "out_of_range")
        return True

    def look_at_wild(self, path: Path, wild: WildTime) -> bool:
        """The same where only a look at the run is asked for: a hit that would be an error is left out, with a note."""
        losses = self.files[0].reading.losses
        if losses.keep_going or self._keeps(wild):
            return self.note_wild(path, wild)
        without = setting("--keep-going", "losses=gp.Losses()")
        losses.set_aside(path, f"{wild.verdict}; other commands stop here without {without}", 1, "out_of_range")
        return True

    def _keeps(self, wild: WildTime) -> bool:
        """Whether a hit with an impossible time is a hit as others are."""
        return (wild.at_end or self.scratch is not None) and not self.files[0].reading.losses.keep_going

    def note_repeats(self, hits: int, others: int) -> None:
        """Remember how many hits were left out that repeat others, and how many of them had another adc value."""
        first, place = self.files[0], "hits with the board, channel and time of another hit"
        first.reading.losses.drop(first.path, place, hits - others)
        first.reading.losses.drop(first.path, f"{place}, but a different ADC value: only the first was kept", others)


def first_hits(stream: tuple[InputFile, ...]) -> pl.DataFrame:
    """The times, boards and channels of the first hits of files that follow each other."""
    first = pl.DataFrame()
    for file in stream:
        first = file.hits.select("timestamp_ps", "board", "channel").head(FIRST_HITS).collect()
        if first.height:
            break
    return first


def _source(run: Run, stream: tuple[InputFile, ...], columns: list[str]) -> Source | None:
    """The hits of files that follow each other; None if there are none."""
    first = first_hits(stream)
    if first.is_empty():
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
