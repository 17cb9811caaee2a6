"""Every error that gammapolars raises on purpose: one line of text that names the file and says what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gammapolars.core.visible import visible


class GammapolarsError(Exception):
    """The base of all errors; the command line prints it as one line and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        # The names of branches in a damaged file may hold anything.
        super().__init__(visible(re.sub(r"[\x00-\x1f\x7f]+", " ", message)))


class InputError(GammapolarsError):
    """A file cannot be read: it is missing, damaged, without a tree of hits, or has wrong types."""


class RemoteError(InputError):
    """A server does not give its file, or a part of it: another attempt may succeed."""


class WidthWarning(UserWarning):
    """The peaks of a spectrum do not have a common width; fits continue with the width that most of them support."""


class TimeOrderError(GammapolarsError):
    """Hits are further out of time order than the reorder buffer can repair.

    Args:
        what: is wrong with their times.
        advice: how to proceed, where that depends on how they were recorded.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}: {advice}" if advice else what)
        self.what, self.advice = what, advice


class DetectorsError(GammapolarsError):
    """A detectors.toml or a calibration file is not as it should be."""


class CalibrationError(GammapolarsError):
    """Peaks cannot be assigned to lines, or a fit to them is not reliable."""


class TableError(GammapolarsError):
    """A frame lacks columns of the table that a function needs, or has other dtypes."""


class OutputError(GammapolarsError):
    """An output already exists or cannot be written."""


class QueryError(GammapolarsError):
    """A user's query module cannot be found, loaded or called."""


class ClusterError(GammapolarsError):
    """A cluster cannot be reached, or its workers cannot do what they are asked."""


class UsageError(GammapolarsError):
    """A wrong argument: an unknown flag name, unit, suffix, detector or parameter."""

    exit_code = 2


class UnknownDetectorError(UsageError, KeyError):
    """No detector has this name or channel: the KeyError of `detectors["HPGe-1"]`, which reads as others do."""

    __str__ = Exception.__str__  # a KeyError shows its message as Python would write it


def first_line(error: BaseException) -> str:
    """The first line of what an error says; what it is, where it says nothing."""
    return str(error).strip().partition("\n")[0].strip() or type(error).__name__


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Where the system does not let a file be read, an InputError says so in one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


@contextmanager
def writable(path: str | Path) -> Iterator[None]:
    """Where the system does not let a file or folder be written, an OutputError says so in one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
