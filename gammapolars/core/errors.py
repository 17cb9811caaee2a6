"""Every error that gammapolars raises on purpose: one line of text that names the file and says what to do."""

import re


class GammapolarsError(Exception):
    """The base of all of them; the command line prints it as one line and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        # What a damaged file calls its branches may hold anything.
        super().__init__(re.sub(r"[\x00-\x1f\x7f]+", " ", message))


class InputError(GammapolarsError):
    """A file cannot be read as what it should be: missing, damaged, without a hit tree, wrongly typed."""


class TimeOrderError(GammapolarsError):
    """Hits go further back in time than the reorder buffer can repair."""


class DetectorsError(GammapolarsError):
    """A detectors.toml or a calibration file is not what it should be."""


class CalibrationError(GammapolarsError):
    """Peaks cannot be told which line they are, or a fit to them is not to be trusted."""


class TableError(GammapolarsError):
    """A frame lacks the columns, or has other dtypes, than the table that a function asks for."""


class OutputError(GammapolarsError):
    """An output exists already, or cannot be written."""


class QueryError(GammapolarsError):
    """A user's query module cannot be found, loaded or called."""


class UsageError(GammapolarsError):
    """A wrong argument: an unknown flag name, unit, suffix, detector or parameter."""

    exit_code = 2
