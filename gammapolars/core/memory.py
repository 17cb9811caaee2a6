"""How a process that streams keeps its memory."""

import contextlib
import ctypes
import sys

from gammapolars.core.errors import GammapolarsError

LEAST_BYTES = 5 * 2**28
"""Address space without which the libraries cannot even begin: they then hang, or end the process by a signal."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def reuse_freed_memory() -> None:
    """Make glibc keep freed blocks of some megabytes for the next ones, where this is glibc.

    It would give each back to the system and fetch it again for the next slice, a page fault every 4 kB: a tenth to a
    fifth of the time that 10^8 hits take. For processes of our own only; a library leaves such settings to
    the program that uses it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 128 * 2**20)
        mallopt(M_ARENA_MAX, 4)


def check_limit() -> None:
    """Raise where the process may have too little memory (`ulimit -v`) even for the libraries.

    Raises:
        GammapolarsError: it may.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_BYTES:
        raise GammapolarsError(
            f"this process may use {limit / 2**20:,.0f} MB of memory but needs {LEAST_BYTES / 2**20:,.0f} "
            "MB to start: raise the limit (ulimit -v)"
        )
