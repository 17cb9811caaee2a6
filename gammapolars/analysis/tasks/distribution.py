"""A pass carried out as tasks, whose results become those of the pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

from gammapolars.analysis.accumulators import Accumulator, HitTally, Rates
from gammapolars.analysis.engine import Account, Engine
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.tasks.plan import Reach, parts_of, whole, why_whole
from gammapolars.analysis.tasks.proof import streams_of, why_not
from gammapolars.analysis.tasks.task import Pass, Result, Settings, Task
from gammapolars.core.errors import GammapolarsError
from gammapolars.io import Run, Runs
from gammapolars.io.parts import Part
from gammapolars.io.reading import Losses, LossesState
from gammapolars.io.stretches import OwnHits


def tasks_of(
    recording: Recording,
    work: Pass,
    accumulators: Sequence[Accumulator],
    reach: Reach,
    *,
    engine: Engine,
    folder: Path | None = None,
) -> list[list[Task]]:
    """The tasks of a pass, run by run.

    Args:
        recording: to be read.
        work: the pass.
        accumulators: count in it.
        reach: how far hits may lie from their places.
        engine: for which they are made.
        folder: where parts of an output are written.
    """
    settings, several = Settings.of(recording), len(recording.runs.all) > 1
    made: list[list[Task]] = []
    for number, run in enumerate(recording.runs.all, 1):
        of_run = number if several else None
        if reason := why_whole(run):
            recording.account.whole[run.name] = reason
        if recording.detectors.clocks or recording.most_hits is not None:
            parts = [whole(run, of_run)]
        else:
            parts = parts_of(run, of_run, reach, workers=engine.workers, hits_per_task=engine.hits_per_task)
        begin = sum(map(len, made))
        made.append(
            [Task(begin + place, part, settings, work, tuple(accumulators), folder) for place, part in enumerate(parts)]
        )
    return made


def carried_out(
    recording: Recording,
    engine: Engine,
    tasks: list[list[Task]],
    accumulators: Sequence[Accumulator],
    *,
    on_pairs: Callable[[pl.DataFrame], object] | None = None,
) -> list[Part]:
    """Carry out tasks, and let accumulators, and the recording, know of all that they have found.

    A run whose tasks do not prove that each hit was in one of them is read again as a whole. `on_pairs` is called with
    the pairs that each task gives back, in their order.

    Returns:
        The parts of the output, in their order, if there is one.

    Raises:
        GammapolarsError: the same as from the recording in one process.
    """
    with _own_names(recording.runs):
        return _carried_out(recording, engine, tasks, accumulators, on_pairs)


@contextmanager
def _own_names(runs: Runs) -> Iterator[None]:
    """Lets errors of tasks name files as the command line does: tasks know them by names that hold in any folder."""
    try:
        yield
    except GammapolarsError as error:
        for file in runs.files:
            absolute, own = str(file.path.absolute()), str(file.path)
            error.args = tuple(str(text).replace(absolute, own) for text in error.args)
        raise


def _carried_out(
    recording: Recording,
    engine: Engine,
    tasks: list[list[Task]],
    accumulators: Sequence[Accumulator],
    on_pairs: Callable[[pl.DataFrame], object] | None,
) -> list[Part]:
    """The same, with the names of files that tasks have."""
    losses = Losses()
    plain, tasks = tasks, _with_origins(recording, engine, tasks, accumulators)
    parts: list[Part] = []
    every = [task for of_run in tasks for task in of_run]
    results: dict[int, Result] = {}
    done = 0
    for number, result in engine.results(every):
        results[number] = result
        done += every[number].hits
        if recording.progress:
            recording.progress(done)
    for run, of_run, of_whole in zip(recording.runs.all, tasks, tasks if len(tasks) > 1 else plain, strict=True):
        again = of_whole[0].whole(whole(run, of_run[0].part.number))
        proven = list(
            _proven(run, of_run, again, [results.pop(task.number) for task in of_run], engine, recording.account)
        )
        recording.account.tasks += len(proven)
        for result in proven:
            _take(recording, result, accumulators, losses)
            if isinstance(result.part, pl.DataFrame) and on_pairs:
                on_pairs(result.part)
            elif isinstance(result.part, Part):
                parts.append(result.part)
        _take_order(run, proven)
    recording.runs.losses.take(losses.state())
    return parts


def _with_origins(
    recording: Recording, engine: Engine, tasks: list[list[Task]], accumulators: Sequence[Accumulator]
) -> list[list[Task]]:
    """The same tasks, with the times at which bins of time begin, where there are such: only the first task sees that.

    Of one run that is the first hit's time. Each of several runs begins where the one before ended, so that their first
    and last times are looked up in a pass of their own.
    """
    bins = [one for one in accumulators if isinstance(one, Rates)]
    if not bins or sum(map(len, tasks)) == 1:
        return tasks
    origins = Rates.origins(_spans(recording, engine, tasks) if len(tasks) > 1 else _first_span(tasks[0]))
    if len(tasks) > 1:
        for one in bins:
            one.begin_at(origins)
    return [[task.begun(origins) for task in of_run] for of_run in tasks]


def _first_span(tasks: Sequence[Task]) -> dict[int, tuple[int, int]]:
    """The time of a run's first hit, as the first of its tasks that has any finds it."""
    first = next((time for task in tasks if (time := task.first_ps()) is not None), None)
    return {} if first is None else {tasks[0].part.number or 1: (first, first)}


def _spans(recording: Recording, engine: Engine, tasks: list[list[Task]]) -> dict[int, tuple[int, int]]:
    """The times of each run's first and last hit."""
    tally, runs = HitTally(), recording.runs
    bare = replace(
        recording, progress=None, account=Account(), runs=replace(runs, reading=replace(runs.reading, losses=Losses()))
    )
    work = [[task.to_times(tally) for task in of_run] for of_run in tasks]
    carried_out(bare, engine, work, [tally])
    return tally.spans


def _proven(
    run: Run, tasks: list[Task], again: Task, results: list[Result], engine: Engine, account: Account
) -> Iterator[Result]:
    """The results of a run's tasks; where they do not prove themselves, that of the whole run."""
    reason = why_not([task.part for task in tasks], results, run.reorder_ps)
    if not reason:
        yield from results
        return
    account.whole[run.name] = reason
    yield from (result for _, result in engine.results([again]))


def _take(recording: Recording, result: Result, accumulators: Sequence[Accumulator], losses: Losses) -> None:
    """Add the result of the task that follows."""
    for accumulator, state in zip(accumulators, result.states, strict=True):
        accumulator.merge(state)
    names = {file.path.absolute(): file.path for file in recording.runs.files}
    losses.merge(_renamed(result.losses, names))
    if recording.gain_correction:
        recording.gain_correction.untracked |= result.untracked
    if recording.preselection:
        recording.preselection.merge(result.preselection)


def _renamed(losses: LossesState, names: Mapping[Path, Path]) -> LossesState:
    """Losses of files by their names on the command line."""
    every = tuple(replace(one, path=names.get(one.path, one.path)) for one in losses.losses)
    notes = tuple((names.get(path, path), what, place) for path, what, place in losses.notes)
    return losses._replace(losses=every, notes=notes)


def _take_order(run: Run, results: Sequence[Result]) -> None:
    """Let a run's files know how far their hits are out of order, and when they were recorded."""
    if not results[0].own:
        for file, (order, span) in zip(run.files, results[0].orders, strict=True):
            file.order.__dict__.update(order.__dict__)
            file.span.merge(span)
        return
    for stream, of_tasks in zip(run.streams, streams_of(results), strict=True):
        total = OwnHits()
        for own in of_tasks:
            total.follow(own)
        order = stream[0].order
        order.hits, order.inversions = total.hits, total.inversions
        order.largest_step_back_ps = total.largest_step_back_ps
    by_path = {str(file.path.absolute()): file for file in run.files}
    for result in results:
        for path, own in (item for files in result.own for item in files.items()):
            by_path[path].span.merge(own.span)
