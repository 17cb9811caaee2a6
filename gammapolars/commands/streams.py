"""Streams given to the process: standard streams that may be closed or narrow."""

import contextlib
import os
import sys
from typing import Any

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
    """Write characters that a stream's encoding does not have as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def is_unicode(stream: Any) -> bool:
    """Whether a stream takes all characters."""
    return str(getattr(stream, "encoding", None) or "utf").lower().startswith("utf")


def discard(stream: Any) -> None:
    """Let go the text that a stream cannot take, so that nothing complains of it later."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
