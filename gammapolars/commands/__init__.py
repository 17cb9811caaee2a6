"""The command line: a folder for each command, with its options, its work and its text."""

from typing import NoReturn

from gammapolars.commands.streams import open_closed, write_what_fits
from gammapolars.core.interrupts import leave_on_interrupt


def run() -> NoReturn:
    """The command `gammapolars`, in a process of its own."""
    leave_on_interrupt()
    open_closed()
    write_what_fits()
    from gammapolars.commands import process

    process.run()


def main(command: str | None = None) -> None:
    """The same in any process: see `process.main`."""
    from gammapolars.commands import process

    process.main(command)
