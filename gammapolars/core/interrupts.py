"""Ctrl-C and SIGTERM while modules are imported, from the first one on: nothing is begun then that has to be cleared.

This module imports only modules that Python has loaded anyway, so that it takes no time before it is in charge.
"""

import os
import signal
import sys

INTERRUPTED, TERMINATED = 130, 143
"""The exit codes after Ctrl-C and after SIGTERM, as shells have them."""

ended_by: set[int] = set()
"""The signals, other than Ctrl-C, that asked the process to end, and were passed on as that."""


def is_program() -> bool:
    """Whether this process is the command `gammapolars`, and not a program that uses the package."""
    if is_started_by_python():
        return False
    started_as = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  # pathlib would have to be loaded
    return started_as in {"gammapolars", "gammapolars.exe"} or (started_as == "-m" and "gammapolars" in sys.orig_argv)


def is_started_by_python() -> bool:
    """Whether this is a process that another one has started for its own work: it runs the same program again."""
    return any("spawn_main(" in word for word in sys.orig_argv)


def leave_on_interrupt() -> None:
    """Leave at once on Ctrl-C or SIGTERM, while modules are imported: a half-imported one raises any error."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:
            signal.signal(number, _leave)


def raise_on_interrupt() -> None:
    """Raise KeyboardInterrupt on Ctrl-C again: from here on there may be something to take away."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, _: object) -> None:
    is_terminated = number == signal.SIGTERM or signal.SIGTERM in ended_by
    try:  # noqa: SIM105  # contextlib would have to be loaded
        os.write(2, b"Error: terminated\n" if is_terminated else b"Error: interrupted\n")
    except OSError:
        pass
    os._exit(TERMINATED if is_terminated else INTERRUPTED)
