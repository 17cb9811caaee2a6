"""Differences of systems: Windows has no reading at a place, other locks, and does not rename files that are open."""

import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

EMULATES_WINDOWS = os.environ.get("GAMMAPOLARS_EMULATE") == "windows"
"""Do without what Windows lacks, so that this can be tested elsewhere."""

IS_WINDOWS = sys.platform == "win32" or EMULATES_WINDOWS

PATIENCE_S, PAUSE_S = 2.0, 0.02
"""Threads that end, and virus scanners, have a file open a little longer."""

R = TypeVar("R")


def patiently(action: Callable[[], R]) -> R:
    """Rename or remove a file, where Windows refuses it for a moment because something has the file open still.

    Raises:
        OSError: the action's own; on Windows a PermissionError after two seconds.
    """
    end = time.monotonic() + PATIENCE_S if IS_WINDOWS else 0.0
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(PAUSE_S)
