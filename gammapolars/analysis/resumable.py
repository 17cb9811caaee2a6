"""Tasks that need not be done again: what each has found is kept next to the part that it wrote."""

import hashlib
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gammapolars.analysis.engine import Engine, Job
from gammapolars.analysis.tasks.task import Result, Task
from gammapolars.io.parts import is_complete, read_note, write_note

DAMAGE = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, ValueError)
"""Errors of a result that cannot be read back."""


@dataclass(frozen=True)
class Kept:
    """A task whose result is kept in the folder of its part.

    Attributes:
        task: to be done.
        note: the name of the file.
    """

    task: Task
    note: str

    @property
    def name(self) -> str:
        """For messages."""
        return self.task.name

    @property
    def hits(self) -> int:
        """About how many hits are its own."""
        return self.task.hits

    def __call__(self) -> Result:
        """Do the task, and write its result when its part is there."""
        result = self.task()
        assert self.task.folder
        write_note(pickle.dumps(result), self.task.folder, self.note)
        return result


class Resumable:
    """An engine that does not do again what a former run of the same tasks had done.

    Args:
        engine: does the rest.
        folder: of the parts, which nobody else writes into.

    Attributes:
        resumed: how many tasks were not done again.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._folder, self.resumed = engine, folder, 0

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self._engine.workers

    @property
    def hits_per_task(self) -> int | None:
        """About how many hits a job is to have."""
        return self._engine.hits_per_task

    def check_folder(self, folder: Path) -> None:
        """Raise where a folder for outputs is not the same one to all workers."""
        self._engine.check_folder(folder)

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """The results of jobs as they finish; first those that are there already."""
        left = list[tuple[int, Job]]()
        for number, job in enumerate(jobs):
            note = _note_of(job) if isinstance(job, Task) and job.folder == self._folder else ""
            if note and (result := self._kept(note)):
                self.resumed += 1
                yield number, result
            else:
                left.append((number, Kept(job, note) if note and isinstance(job, Task) else job))
        for place, result in self._engine.results([job for _, job in left]) if left else ():
            yield left[place][0], result

    def _kept(self, note: str) -> Result | None:
        """A former result, if its part is there with all its pairs."""
        if (content := read_note(self._folder, note)) is None:
            return None
        try:
            result = pickle.loads(content)
        except DAMAGE:
            return None
        return result if isinstance(result, Result) and result.part and is_complete(result.part, self._folder) else None


def _note_of(task: Task) -> str:
    """A name that only the same work on the same files has."""
    paths = [one.path for stream in task.part.streams for one in stream]
    times = [path.stat().st_mtime_ns if path.is_file() else None for path in paths]
    return f"result-{hashlib.blake2b(pickle.dumps((task, times)), digest_size=16).hexdigest()}.pickle"
