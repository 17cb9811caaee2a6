"""Who watches the reading of files: nobody, unless progress is to be shown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Rows = Callable[[int], None]
"""Called with the number of rows of each batch of one reading."""

_watchers: list[Callable[[Path], Rows]] = []
"""Of the process, as files are read in threads of polars; the last one watches."""


def watched(path: Path) -> Rows | None:
    """What is to be called as the rows of a file are read from its beginning; None: nobody watches."""
    return _watchers[-1](path) if _watchers else None


@contextmanager
def watching(begin: Callable[[Path], Rows]) -> Iterator[None]:
    """Lets all readings in the block be watched.

    Args:
        begin: called with the file when a reading begins.
    """
    _watchers.append(begin)
    try:
        yield
    finally:
        _watchers.remove(begin)
