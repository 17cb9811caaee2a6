"""What carries jobs out: one after another in this process, or beside each other on the workers of a cluster."""

from collections.abc import Iterator, Sequence
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
    """

    @property
    def workers(self) -> int: ...

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Carry out jobs, each once.

        Returns:
            The number of a job and its result, as they finish.

        Raises:
            GammapolarsError: a job's own; other jobs are given up then.
        """


class InProcess:
    """Jobs one after another in this process."""

    workers = 1

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Carry out jobs in their order."""
        for number, job in enumerate(jobs):
            yield number, job()
