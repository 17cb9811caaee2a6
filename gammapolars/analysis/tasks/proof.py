"""The proof that no hit was lost or doubled where a run was cut into tasks, before their results are used."""

from collections.abc import Sequence

from gammapolars.analysis.tasks.plan import RunPart
from gammapolars.analysis.tasks.task import Result
from gammapolars.io.stretches import OwnHits


def why_not(parts: Sequence[RunPart], results: Sequence[Result], reorder_ps: int) -> str:
    """Why the results of a run's tasks are not those of the run, as a clause; empty where they are.

    A hit is counted by the task that owns its row, and used by the one that owns its time: both numbers agree only if
    each task has read all hits of its times. In each stream, no task's hits may lie further back than hits are put in
    order, compared with those of the tasks before: within tasks, that is checked as they read.

    Args:
        parts: of the run, in their order.
        results: of the tasks, in the same order.
        reorder_ps: how far back a recorded hit may lie.
    """
    if len(parts) == 1:
        return results[0].irregular
    if irregular := next((one.irregular for one in results if one.irregular), ""):
        return irregular
    if hole := _hole(parts):
        return hole
    by_row = sum(own.hits for one in results for stream in one.own for own in stream.values())
    by_time = sum(one.own_hits or 0 for one in results)
    if by_row != by_time:
        return f"{by_row:,} hits were read, but {by_time:,} have a time that some task looks at"
    return next((back for stream in streams_of(results) if (back := _step_back(stream, reorder_ps))), "")


def streams_of(results: Sequence[Result]) -> list[list[OwnHits]]:
    """What the tasks have seen of their own hits in each stream, in the order in which they were recorded."""
    return [
        [own for files in of_tasks for own in files.values()]
        for of_tasks in zip(*(one.own for one in results), strict=True)
    ]


def _hole(parts: Sequence[RunPart]) -> str:
    """Where the rows that are some task's own do not follow one another."""
    for streams in zip(*(part.streams for part in parts), strict=True):
        ends: dict[str, int] = {}
        for one in (one for stream in streams for one in stream):
            if ends.get(str(one.path), 0) != one.first:
                return f"{one.path}: no task reads what lies before place {one.first}"
            ends[str(one.path)] = one.own_end
    return ""


def _step_back(stream: Sequence[OwnHits], reorder_ps: int) -> str:
    """Where a clock starts again, or a task's hits are earlier than those before may be."""
    latest: int | None = None
    for own in stream:
        if own.started_again:
            return "a clock starts again"
        if own.first_ps is None:
            continue
        if latest is not None and own.least_ps < latest - reorder_ps:
            return "times step back from one task to the next"
        latest = own.latest_ps if latest is None else max(latest, own.latest_ps)
    return ""
