"""The search for pairs as tasks that any process can carry out, and the pairs put together from their results."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from gammapolars.analysis.engine import InProcess, Job
from gammapolars.analysis.passes import PairPass, with_random
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.tasks.distribution import carried_out
from gammapolars.analysis.tasks.task import Result, Task
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.rule import AnyWindow
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.detectors import AnyDetector, AnyDetectors, Detectors, detectors_of, key_of
from gammapolars.io import AnyNames, Losses, Reading, names_of, open_runs
from gammapolars.streaming.time_order import REORDER_PS


class PairTasks(Sequence[Task]):
    """The tasks in which the pairs of runs are found, in their order, and what becomes of their results.

    Each is plain data: it can be pickled, sent to another process that sees the same files, and carried out there by
    its method `run`, as often as one likes. `pairs` puts the results together.
    """

    def __init__(self, reading: PairPass, tasks: list[list[Task]]) -> None:
        self._reading, self._tasks = reading, tasks
        self._every = [task for of_run in tasks for task in of_run]

    def __len__(self) -> int:
        return len(self._every)

    def __getitem__(self, number: Any) -> Any:
        return self._every[number]

    def pairs(self, results: Sequence[Result]) -> pl.LazyFrame:
        """The pairs, row for row those of the runs in one process.

        It is proven first that each hit was in one task. Where that does not hold, because a clock starts again or
        hits lie far out of order, the run is read here as a whole.

        Args:
            results: of all tasks, in their order.

        Raises:
            UsageError: there are fewer results, or more.
            GammapolarsError: the same as from the runs in one process.
        """
        if len(results) != len(self):
            raise UsageError(f"there are {len(self)} tasks, but {len(results)} results")
        frames: list[pl.DataFrame] = []
        recording, accumulators = self._reading.recording, self._reading.accumulators
        carried_out(recording, _Done(self._every, results), self._tasks, accumulators, on_pairs=frames.append)
        return pl.concat(frames).lazy()


class _Done(InProcess):
    """An engine for tasks whose results are there already."""

    def __init__(self, tasks: Sequence[Task], results: Sequence[Result]) -> None:
        super().__init__()
        self._results = {id(task): result for task, result in zip(tasks, results, strict=True)}

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Their results; others are carried out here."""
        for number, job in enumerate(jobs):
            yield number, self._results[id(job)] if id(job) in self._results else job()


def tasks(
    runs: AnyNames,
    window: AnyWindow = defaults.WINDOW,
    *,
    random: str | Sequence[AnyWindow] = (),
    reject: str | int = defaults.REJECT,
    start: AnyDetector | None = None,
    stop: AnyDetector | None = None,
    nearest: bool = False,
    detectors: AnyDetectors | None = None,
    reorder_ps: int = REORDER_PS,
    apart: bool = False,
    losses: Losses | None = None,
    hits_per_task: int | None = None,
) -> PairTasks:
    """The search for the pairs of runs, cut into tasks that any processes can carry out.

        work = gp.tasks("run/", "250ns", hits_per_task=10_000_000)
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            pairs = work.pairs(list(pool.map(gp.Task.run, work)))

    Plans follow from the metadata of the files and a few of their times, and are the same each time. On a Dask
    cluster, `pairs_on` does all of this, and the pairs need not fit into memory.

    Args:
        runs: files, patterns or folders, as for `scan`.
        window: the coincidence window, as for `pairs`, and so are the four that follow.
        random: windows of random coincidences; `auto` finds them here, once.
        reject: flags that reject a hit.
        start: the detector of a.
        stop: the detector of b.
        nearest: whether only the nearest stop of each start is kept.
        detectors: by which hits are aligned and calibrated, or the path of detectors.toml; None: hits stay as they are.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        apart: whether files are runs of their own.
        losses: collects damage, when results are put together; without it, damage is an error.
        hits_per_task: about how many hits a task has; None: 25 million.

    Raises:
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: an impossible argument.
    """
    known = Detectors() if detectors is None else detectors_of(detectors)
    reading = Reading(columns=known.columns, losses=losses or Losses(keep_going=False))
    opened = open_runs(*names_of(runs), reading=reading, reorder_ps=reorder_ps, apart=apart)
    recording = Recording(opened, known, many_pairs=True)
    a, b = (None if one is None else key_of(one, known) for one in (start, stop))
    rule = PairRule(window, reject=recording.masks(reject), start=a, stop=b, nearest=nearest)
    named: Any = [random] if isinstance(random, str) else list(random)
    made = PairPass(recording, with_random(recording, rule, named), gives_pairs=True)
    return PairTasks(made, made.tasks(InProcess(hits_per_task=hits_per_task)))
