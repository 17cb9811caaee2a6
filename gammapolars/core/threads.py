"""How many threads work at once."""

import os


def threads() -> int:
    """As many as POLARS_MAX_THREADS says, so that one number holds for polars and for us; else one for each processor.

    Processors that this process may not use (CPU affinity, as batch systems set it) do not count, nor does a
    POLARS_MAX_THREADS that is no number above 0, which polars passes over as well.
    """
    limit = os.environ.get("POLARS_MAX_THREADS", "")
    if limit.isdecimal() and int(limit):
        return int(limit)
    if hasattr(os, "process_cpu_count"):  # Python 3.13; it also honours PYTHON_CPU_COUNT
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
