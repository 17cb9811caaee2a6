"""What carries jobs out: one after another in this process, or beside each other on the workers of a cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Job(Protocol):
    """A piece of work that is plain data, so that it can be sent to another process.

    Attributes:
        name: for messages: "run.root, hits 3,400,001 to 6,900,000".
        hits: how many of the run's hits are its own, for the progress.
    """

    @property
    def name(self) -> str: ...

    @property
    def hits(self) -> int: ...

    def __call__(self) -> Any:
        """Do the work, any number of times and always with the same result, which is plain data as well."""


class Engine(Protocol):
    """What carries jobs out.

    Attributes:
        workers: how many jobs run at once.
        hits_per_task: about how many hits a job is to have; None: as suits the workers.
    """

    @property
    def workers(self) -> int: ...

    @property
    def hits_per_task(self) -> int | None: ...

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Carry out jobs, each once.

        Returns:
            The number of a job and its result, as they finish.

        Raises:
            GammapolarsError: a job's own; other jobs are given up then.
        """

    def check_folder(self, folder: Path) -> None:
        """Raise where a folder for outputs is not the same one to all workers.

        Raises:
            OutputError: it is not.
        """


@dataclass
class Account:
    """How passes were carried out.

    Attributes:
        tasks: how many there were in the end.
        resumed: how many of them a former run had done.
        whole: the names of runs that were begun in several tasks and had to be read as one, and why.
    """

    tasks: int = 0
    resumed: int = 0
    whole: dict[str, str] = field(default_factory=dict)


class InProcess:
    """Jobs one after another in this process.

    Args:
        workers: for how many workers jobs are made.
        hits_per_task: about how many hits a job is to have.
    """

    def __init__(self, workers: int = 1, hits_per_task: int | None = None) -> None:
        self.workers, self.hits_per_task = workers, hits_per_task

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Carry out jobs in their order."""
        for number, job in enumerate(jobs):
            yield number, job()

    def check_folder(self, folder: Path) -> None:
        """It is the same."""
