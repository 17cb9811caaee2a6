"""Jobs carried by Dask: sent to workers, tried again where these are lost, and given up together."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gammapolars.analysis.engine import Job
from gammapolars.cluster.folder import check_folder
from gammapolars.cluster.jobs import Jobs

ALLOWED_FAILURES = 3
"""How often a job may lose its worker and be tried again, as Dask has it: four lost workers are no accident."""


class DaskEngine:
    """The workers of a Dask cluster.

    Args:
        client: connected to the scheduler.
        allowed_failures: how often a job may lose its worker and be tried again.
        own: whether the workers are processes of ours.
        hits_per_task: about how many hits a job is to have; None: as suits the workers.

    Attributes:
        retried: how many attempts at jobs were made beyond the first one of each.
    """

    def __init__(
        self,
        client: Any,
        *,
        allowed_failures: int = ALLOWED_FAILURES,
        own: bool = False,
        hits_per_task: int | None = None,
    ) -> None:
        self._client, self._own = client, own
        self.allowed_failures = allowed_failures
        self.hits_per_task, self.retried = hits_per_task, 0

    @property
    def workers(self) -> int:
        """How many jobs run at once: all threads of the workers that are there now."""
        return sum(self._client.nthreads().values())

    def check_folder(self, folder: str | Path) -> None:
        """Raise where the workers and this process do not share a folder.

        Raises:
            OutputError: a worker does not see it, cannot write there, or writes elsewhere.
        """
        check_folder(self._client, Path(folder))

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Carry out jobs, each once, in any order.

        A job whose worker is lost is done again, and so is one whose file a server does not give at the moment. All
        other errors are final.

        Returns:
            The number of a job and its result, as they finish.

        Raises:
            GammapolarsError: that of the first of the jobs that fail; the others are given up.
            ClusterError: a job ended all its workers, or failed unexpectedly.
        """
        under_way = Jobs(self._client, jobs, self._at_once, allowed_failures=self.allowed_failures, own=self._own)
        try:
            with closing(under_way.results()) as results:
                yield from results
        finally:
            self.retried += under_way.retried

    def _at_once(self) -> int:
        """How many jobs are sent ahead: twice as many on a cluster that may grow where there is work."""
        return self.workers if self._own else 2 * self.workers
