"""Locks by which processes know that a file is in use; they go with the process that holds them."""

import os
import sys

if sys.platform == "win32":
    import msvcrt

    FAR = 2**40
    """The byte that is locked: nobody can read or write a locked one, so that it lies beyond all content of files."""

    def try_lock(opened: int) -> bool | None:
        """Lock an open file until it is closed; False if another process has it locked, None if there are no locks."""
        try:
            os.lseek(opened, FAR, os.SEEK_SET)
            msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            return None
        return True

else:
    import fcntl

    def try_lock(opened: int) -> bool | None:
        """Lock an open file until it is closed; False if another process has it locked, None if there are no locks."""
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
