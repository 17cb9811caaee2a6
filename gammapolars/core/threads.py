"""How many threads work at once."""

import os

from gammapolars.core.errors import UsageError

LIMIT = "POLARS_MAX_THREADS"
"""The variable by which polars, and we, are told how many threads to use."""

_processes: set[int] = set()
"""The process that polars was first used in."""


def check_process() -> None:
    """Raise in a process that was forked from one in which polars has worked: its threads are not there any more.

    Raises:
        UsageError: it is such a process; a query would wait for the threads for ever.
    """
    _processes.add(os.getpid())
    if len(_processes) > 1:
        _processes.discard(os.getpid())
        raise UsageError(
            "this process was forked after polars had been used and lacks its threads: start processes "
            "with multiprocessing.get_context('spawn')"
        )


def without_zero() -> None:
    """Take back POLARS_MAX_THREADS=0, of which polars would panic: it means as many threads as there are processors."""
    if not os.environ.get(LIMIT, "1").strip("0"):
        os.environ.pop(LIMIT)


def threads() -> int:
    """As many as POLARS_MAX_THREADS says, so that one number holds for polars and for us; else one for each processor.

    Processors that this process may not use (CPU affinity, as batch systems set it) do not count, nor does a
    POLARS_MAX_THREADS that is not a number above 0, which polars passes over as well.
    """
    limit = os.environ.get(LIMIT, "")
    if limit.isdecimal() and int(limit):
        return int(limit)
    if hasattr(os, "process_cpu_count"):  # Python 3.13; it also honours PYTHON_CPU_COUNT
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
