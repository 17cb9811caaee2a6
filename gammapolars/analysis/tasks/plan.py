"""A run cut into tasks: which stretches of its files each reads, and the hits of which times are its own.

Two things are divided among tasks. By time: each hit, and each pair by its earlier hit, is one task's own. By place:
each row of each file is one task's own to count, so that a hit that lies far out of order cannot be lost unnoticed
(see `proof`). Plans follow from metadata and a few times alone, and are the same each time.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from gammapolars.analysis.own_times import ALWAYS, OwnTimes
from gammapolars.analysis.tasks.stream_index import StreamIndex
from gammapolars.core.types import Key
from gammapolars.io.compass.folders import RunFiles
from gammapolars.io.input_file import InputFile
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.remote import is_remote
from gammapolars.io.run import Run, first_hits
from gammapolars.io.stretches import Stretch, stretch_of

HITS_PER_TASK = 25_000_000
"""No more hits than this are in a task, where files can be cut so fine: it takes a second or two."""

LEAST_HITS = 1_000_000
"""Fewer are not worth a task of their own."""

SEARCH_PS = 10**9
"""How far behind a time a gap is looked for: at 10^6 hits/s a gap of 1 us is found within a few."""

BYTES_PER_HIT = 24
"""About, in files whose hits are only counted by reading them: for sizes of tasks, and the progress."""


class Reach(NamedTuple):
    """How far from their place hits may lie.

    Attributes:
        reorder_ps: how far recorded times may lie back.
        window_ps: the largest |dt| of interest.
        shift_ps: the least and the largest time that is subtracted from recorded ones.
        gap_ps: no hits belong together across a gap that is wider, so that tasks are cut there; None: they are cut
            anywhere.
    """

    reorder_ps: int
    window_ps: int = 0
    shift_ps: tuple[int, int] = (0, 0)
    gap_ps: int | None = None

    @property
    def read_ps(self) -> int:
        """How far before and behind its own times a task has to read."""
        return self.window_ps if self.gap_ps is None else self.window_ps + self.gap_ps + SEARCH_PS

    @property
    def disorder_ps(self) -> int:
        """How far recorded times may lie back where corrected ones are in order."""
        return self.reorder_ps + 2 * (self.shift_ps[1] - self.shift_ps[0])


@dataclass(frozen=True)
class RunPart:
    """What a task reads of a run, as plain data.

    Attributes:
        number: of the run, where it is one of several.
        source: where its files lie.
        streams: stretches of the files of each of its streams; of a whole run, all bytes of its files.
        detectors: of each stream's first hit, which decide the order of hits at equal times.
        columns: of its hits.
        reading: how its files are read.
        reorder_ps: how far back a hit may lie.
        drop_duplicates: whether hits that repeat others are left out.
        own_ps: the first of the times whose hits are its own, and the time after the last.
        gap_ps: the gap at which it is cut, as in `Reach`.
        read_until_ps: all hits before this time are read.
        own_places: how many places are its own.
        per_hit: about how many places a hit has: 1, or bytes.
    """

    number: int | None
    source: RunFiles
    streams: tuple[tuple[Stretch, ...], ...]
    detectors: tuple[Key, ...]
    columns: pl.Schema
    reading: Reading
    reorder_ps: int
    drop_duplicates: bool
    own_ps: tuple[int, int] = ALWAYS
    gap_ps: int | None = None
    read_until_ps: int = ALWAYS[1]
    own_places: int = 0
    per_hit: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole run."""
        return self.own_ps == ALWAYS

    def own_times(self) -> OwnTimes | None:
        """The times of its own hits; None: all times."""
        return None if self.is_whole else OwnTimes(*self.own_ps, self.gap_ps, self.read_until_ps)

    @property
    def hits(self) -> int:
        """About how many hits are its own."""
        return self.own_places // self.per_hit

    @property
    def name(self) -> str:
        """For messages: the stream of which it has most, and which part of that."""
        most = max((one for stream in self.streams for one in stream), key=lambda one: one.own_end - one.first)
        unit = "hits" if self.per_hit == 1 else "bytes"
        where = "" if self.is_whole else f", {unit} {most.first + 1:,} to {most.own_end:,}"
        return f"{most.path.name}{where}"


def whole(run: Run, number: int | None) -> RunPart:
    """A run as one task."""
    streams = tuple(tuple(stretch_of(file, 0, 0, file.size_bytes) for file in stream) for stream in run.streams)
    first = run.files[0]
    return RunPart(
        number,
        absolute(run.source),
        streams,
        (),
        run.columns,
        replace(first.reading, losses=Losses(keep_going=first.reading.losses.keep_going)),
        run.reorder_ps,
        run.drop_duplicates,
        own_places=sum(file.size_bytes for file in run.files),
        per_hit=BYTES_PER_HIT,
    )


def absolute(source: RunFiles) -> RunFiles:
    """The same files by names that hold in any folder."""
    streams = tuple(tuple(path if is_remote(path) else path.absolute() for path in stream) for stream in source.streams)
    return replace(source, folder=source.folder.absolute(), streams=streams)


def why_whole(run: Run) -> str:
    """Why a run cannot be cut, as a clause; empty where it can."""
    if run.drop_duplicates:
        return "duplicates are left out"
    if run.scratch:
        return "its hits are sorted"
    if run.files[0].reading.period_ps:
        return "its counter of time rolls over"
    if "run" in run.columns:
        return "one file holds several runs"
    return ""


def parts_of(
    run: Run, number: int | None, reach: Reach, *, workers: int, hits_per_task: int | None = None
) -> list[RunPart]:
    """A run's tasks, in order of time; one where it cannot be cut, or is not worth it.

    Args:
        run: its files.
        number: of the run, where it is one of several.
        reach: how far hits may lie from their places.
        workers: how many tasks are carried out at once: their number is a multiple of it.
        hits_per_task: about how many hits a task has; None: as suits the workers.
    """
    alone = [whole(run, number)]
    if why_whole(run):
        return alone
    streams = [StreamIndex(stream) for stream in run.streams]
    if not all(stream.can_be_cut for stream in streams):
        return alone
    rows = [stream.rows for stream in streams]
    per_hit = BYTES_PER_HIT if None in rows else 1
    places = sum(stream.total for stream in streams)
    cuts = _cuts(streams, reach, _tasks(places // per_hit, workers, hits_per_task))
    if not cuts:
        return alone
    detectors = tuple(_first_detector(stream) for stream in run.streams)
    times = [ALWAYS[0], *(time for time, _ in cuts), ALWAYS[1]]
    begins = [[0] * len(streams), *(places for _, places in cuts), [stream.total for stream in streams]]
    found = []
    for (low, high), (first, own_end) in zip(pairwise(times), pairwise(begins), strict=True):
        ends = [_read_until(stream, place, high, reach) for stream, place in zip(streams, own_end, strict=True)]
        parts = tuple(stream.stretches(*where) for stream, *where in zip(streams, first, own_end, ends, strict=True))
        own = sum(own_end) - sum(first)
        part = replace(
            alone[0], streams=parts, detectors=detectors, own_ps=(low, high), own_places=own, per_hit=per_hit
        )
        until_ps = high if high == ALWAYS[1] else high + reach.read_ps
        found.append(replace(part, gap_ps=reach.gap_ps, read_until_ps=until_ps))
    return found


def _tasks(hits: int, workers: int, hits_per_task: int | None) -> int:
    """How many tasks a number of hits is worth."""
    if hits_per_task:
        return max(-(-hits // hits_per_task), 1)
    rounds = math.ceil(hits / (workers * HITS_PER_TASK))
    return min(workers * max(rounds, 1), max(hits // LEAST_HITS, 1))


def _cuts(streams: list[StreamIndex], reach: Reach, tasks: int) -> list[tuple[int, list[int]]]:
    """The times at which a run is cut, and the places in all streams from which on hits of these times are read.

    They are behind borders of the stream that is longest, as late as the hits before the border can be.
    """
    longest = max(range(len(streams)), key=lambda number: streams[number].total)
    stream = streams[longest]
    low, _ = reach.shift_ps
    found: list[tuple[int, list[int]]] = []
    latest, begins = ALWAYS[0], [0] * len(streams)
    for part in range(1, tasks):
        place = _nearest(stream, part * stream.total // tasks)
        if not begins[longest] < place < stream.total:
            continue
        time = stream.time_ps(place) + reach.disorder_ps - low + reach.read_ps + 1
        if time <= latest:
            continue
        earliest = time - reach.read_ps - reach.disorder_ps + low
        places = [
            place if number == longest else max(one.last_before(earliest), begins[number])
            for number, one in enumerate(streams)
        ]
        found.append((time, places))
        latest, begins = time, places
    return found


def _nearest(stream: StreamIndex, place: int) -> int:
    """The border next to a place."""
    borders = stream.borders
    upper = min(int(borders.searchsorted(place)), len(borders) - 1)
    near = borders[max(upper - 1, 0) : upper + 1]
    return int(min(near, key=lambda border: abs(int(border) - place)))


def _read_until(stream: StreamIndex, own_end: int, before_ps: int, reach: Reach) -> int:
    """The place in a stream up to which hits before a time, and those within reach of them, can lie."""
    if before_ps == ALWAYS[1]:
        return stream.total
    limit = before_ps + reach.read_ps + reach.disorder_ps + reach.shift_ps[1]
    return max(stream.first_after(limit, own_end), own_end)


def _first_detector(stream: tuple[InputFile, ...]) -> Key:
    first = first_hits(stream)
    return (0, 0) if first.is_empty() else (int(first["board"][0]), int(first["channel"][0]))
