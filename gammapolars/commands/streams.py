"""What the process is given: standard streams that may be closed or narrow, and interrupts before anything is begun."""

import contextlib
import os
import signal
import sys
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
"""The exit codes after Ctrl-C and after SIGTERM, as shells have them."""

ended_by: set[int] = set()
"""The signals, other than Ctrl-C, that asked the process to end, and were passed on as that."""

STANDARD = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


def open_closed() -> None:
    """Put nothing in the place of standard streams that are closed, so that no output file gets their numbers."""
    for number, name, mode in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the least free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def write_what_fits() -> None:
    """Let characters that a stream's encoding does not have stand there as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def is_unicode(stream: Any) -> bool:
    """Whether a stream takes all characters."""
    return str(getattr(stream, "encoding", None) or "utf").lower().startswith("utf")


def discard(stream: Any) -> None:
    """Let go what a stream cannot take, so that nothing complains of it later."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def leave_on_interrupt() -> None:
    """Leave at once on Ctrl-C or SIGTERM, while modules are imported: a half-imported one raises what comes to hand."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:
            signal.signal(number, _leave)


def raise_on_interrupt() -> None:
    """Raise KeyboardInterrupt on Ctrl-C again: from here on there may be something to take away."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, _: object) -> None:
    is_terminated = number == signal.SIGTERM or signal.SIGTERM in ended_by
    with contextlib.suppress(OSError):
        os.write(2, b"Error: terminated\n" if is_terminated else b"Error: interrupted\n")
    os._exit(TERMINATED if is_terminated else INTERRUPTED)
