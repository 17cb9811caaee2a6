"""Jobs under way on a cluster: sent, tried again where their workers are lost, and given up together."""

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from gammapolars.analysis.engine import Job
from gammapolars.cluster.carried import Order, Outcome, carry_out, same_versions
from gammapolars.cluster.packages import distributed
from gammapolars.core.errors import ClusterError, GammapolarsError, RemoteError, first_line
from gammapolars.core.wording import is_on_command_line

REMOTE_RETRIES = 3
"""How often a job is tried again where a server does not give its file."""


class Jobs:
    """Jobs under way.

    The future of a job is released as soon as its result has come: Dask would compute results that it is asked to keep
    once more when a worker is lost that holds them. No more jobs are sent than workers are ready for: when a worker is
    lost, Dask counts it against all jobs that it had been given.

    Args:
        client: connected to the scheduler.
        jobs: to be done.
        at_once: gives how many jobs may be under way.
        allowed_failures: how often a job may lose its worker and be tried again.
        own: whether the workers are processes of ours.
    """

    def __init__(
        self, client: Any, jobs: Sequence[Job], at_once: Callable[[], int], *, allowed_failures: int, own: bool
    ) -> None:
        self._client, self._jobs, self._at_once = client, jobs, at_once
        self._allowed_failures, self._own = allowed_failures, own
        self._name, self._versions = f"gammapolars-{uuid.uuid4().hex[:12]}", same_versions()
        self._next = 0
        self._under_way: dict[str, tuple[int, Any]] = {}
        self._starts, self._sent, self._lost, self._refused = (Counter[int]() for _ in range(4))
        self._failure: tuple[int, GammapolarsError] | None = None

    @property
    def retried(self) -> int:
        """How many attempts at jobs were begun beyond the first one of each."""
        return self._starts.total() - len(self._starts)

    def results(self) -> Generator[tuple[int, Any]]:
        """The number of a job and its result, as they come.

        Raises:
            GammapolarsError: that of the first of the jobs that fail, when all jobs before it have ended.
        """
        self._client.subscribe_topic(self._name, lambda event: self._starts.update((event[1],)))
        coming = distributed().as_completed(loop=self._client.loop)
        try:
            self._send_more(coming)
            for future in coming:
                if future.key not in self._under_way:  # it was given up
                    continue
                if future.status in ("lost", "pending"):  # with its worker, on the way here: it is done again
                    coming.add(future)
                    continue
                number, _ = self._under_way.pop(future.key)
                outcome = self._outcome(number, future)
                future.release()
                is_final = self._is_final(number, outcome, coming)
                self._send_more(coming)
                if is_final:
                    yield number, outcome.value
        finally:
            self._give_up(after=-1)
            self._client.unsubscribe_topic(self._name)
        if self._failure:
            raise self._failure[1]

    def _send_more(self, coming: Any) -> None:
        if self._failure or self._next == len(self._jobs):
            return
        for _ in range(max(self._at_once(), 1) - len(self._under_way)):
            if self._next < len(self._jobs):
                self._send(self._next, coming)
                self._next += 1

    def _send(self, number: int, coming: Any) -> None:
        import cloudpickle

        self._sent[number] += 1
        key = f"{self._name}-{number}-{self._sent[number]}"  # another one each time: Dask remembers a key's failure
        pickled = cloudpickle.dumps(self._jobs[number])  # jobs of a script come along with their classes
        order = Order(number, pickled, self._name, self._versions, own=self._own, shell=is_on_command_line())
        future = self._client.submit(carry_out, order, key=key, pure=False, priority=-number)
        self._under_way[key] = number, future
        coming.add(future)

    def _outcome(self, number: int, future: Any) -> Outcome:
        """What became of a job at this attempt."""
        try:
            outcome: Outcome = future.result()
        except distributed().KilledWorker as error:
            self._lost[number] += error.allowed_failures + 1
            text = f"ended its worker {self._lost[number]} times: is there memory for it?"
            return Outcome(failure=text, is_lost=True)
        except CancelledError:
            return Outcome(error=ClusterError("the scheduler of the cluster has ended"))
        except Exception as error:  # of the way there or back: those of the job itself are in its outcome
            return Outcome(failure=f"unexpected {type(error).__name__}: {first_line(error)}")
        return outcome

    def _is_final(self, number: int, outcome: Outcome, coming: Any) -> bool:
        """Whether a job has a result that is of use; sends it again where it has none, but may have."""
        if self._failure and number > self._failure[0]:
            return False
        again = outcome.is_lost and self._lost[number] <= self._allowed_failures
        if isinstance(outcome.error, RemoteError):
            self._refused[number] += 1
            again = self._refused[number] <= REMOTE_RETRIES
        if again:
            self._send(number, coming)
            return False
        if outcome.failure:
            self._fail(number, ClusterError(f"{self._jobs[number].name}: {outcome.failure}"))
        elif outcome.error:
            self._fail(number, outcome.error)
        return self._failure is None

    def _fail(self, number: int, error: GammapolarsError) -> None:
        """Remember an error, and give up all later jobs: the first one in order is reported, as by one process."""
        self._failure = number, error
        self._give_up(after=number)

    def _give_up(self, after: int) -> None:
        for key, (number, future) in list(self._under_way.items()):
            if number > after:
                future.release()  # nobody wants it any more: Dask forgets it
                del self._under_way[key]
