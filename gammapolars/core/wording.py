"""How messages name a setting: as an option on the command line, as an argument in Python."""

from collections.abc import Iterator
from contextlib import contextmanager

_speaker = {"is_shell": False}
"""Of the process, and not of one thread: hits are read, and errors raised, in threads of polars too."""


def setting(shell: str, python: str) -> str:
    """The name of a setting in a message, for whoever reads it.

    Args:
        shell: as the command line has it, such as `--overwrite`.
        python: as the public functions have it, such as `overwrite=True`.
    """
    return shell if is_on_command_line() else python


def is_on_command_line() -> bool:
    """Whether a command is at work, and not a program that uses the package."""
    return _speaker["is_shell"]


@contextmanager
def on_command_line() -> Iterator[None]:
    """Lets messages name the options of the command line meanwhile."""
    before, _speaker["is_shell"] = _speaker["is_shell"], True
    try:
        yield
    finally:
        _speaker["is_shell"] = before
