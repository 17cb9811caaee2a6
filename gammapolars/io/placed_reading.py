"""Reading open files at a place, by several threads at once, on any system."""

import os
import sys
from threading import Lock

from gammapolars.core.system import EMULATES_WINDOWS

if sys.platform == "win32" or EMULATES_WINDOWS:
    _LOCKS = [Lock() for _ in range(64)]
    """One for each few files: there a file has one place at which all threads read."""

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes of an open file from `offset` on; fewer at its end."""
        with _LOCKS[descriptor % len(_LOCKS)]:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)

    def read_into(descriptor: int, buffer: memoryview, offset: int) -> int:
        """Read into a buffer; how many bytes were read: 0 at the file's end."""
        data = read_at(descriptor, len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

else:

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes of an open file from `offset` on; fewer at its end."""
        return os.pread(descriptor, size, offset)

    def read_into(descriptor: int, buffer: memoryview, offset: int) -> int:
        """Read into a buffer; how many bytes were read: 0 at the file's end."""
        return os.preadv(descriptor, [buffer], offset)
