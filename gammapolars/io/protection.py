"""Files that outputs must not replace: none, as long as nobody says which are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path


class Protection:
    """Lets every output pass; others refuse some."""

    def check(self, path: Path) -> None:
        """Raise where a file must not be written.

        Raises:
            OutputError: it must not; the message names it.
        """

    def check_folder(self, folder: Path) -> None:
        """Raise where no files must be written into a folder.

        Raises:
            OutputError: the same.
        """


_CURRENT: ContextVar[Protection | None] = ContextVar("what is protected", default=None)


def protection() -> Protection:
    """The protection now in force."""
    return _CURRENT.get() or Protection()


@contextmanager
def protecting(what: Protection) -> Iterator[None]:
    """Protect in the block, for everything that writes files."""
    token = _CURRENT.set(what)
    try:
        yield
    finally:
        _CURRENT.reset(token)
