"""Errors of writing a file, in one line that names the output."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from gammapolars.core.errors import OutputError


@contextmanager
def naming_output(hidden: Path, path: Path) -> Iterator[None]:
    """Lets errors of writing a hidden file name the output that it is for.

    Raises:
        OutputError: where the system does not let it be written.
    """
    try:
        yield
    except OutputError as error:
        raise OutputError(str(error).replace(str(hidden), str(path))) from None
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = str(error).partition("\n")[0]
        if not isinstance(error, OSError) and "os error" not in reason:
            raise  # the frame's own
        # polars names the writer that met the error first.
        reason = reason.rpartition("underlying IO error: ")[2]
        raise OutputError(f"{path}: cannot be written: {reason}") from None
