"""Notes in the `Annotated` of an option besides its help: the name of its value, its flags, its completion."""

from collections.abc import Callable
from typing import Any

import typer

Complete = Callable[..., list[str]] | None


def option(
    metavar: str, text: str, *flags: str, under: str | None = None, complete: Complete = None, show_default: bool = True
) -> Any:
    """An option that has a value.

    Args:
        metavar: the value's name in the help, such as KEV.
        text: the option's help.
        flags: its names, if they do not follow from the field's.
        under: the heading under which it is listed in the help; None: the one of its class.
        complete: gives values for a shell that completes them.
        show_default: whether the help names the default.
    """
    return typer.Option(
        *flags, metavar=metavar, help=text, rich_help_panel=under, autocompletion=complete, show_default=show_default
    )


def switch(flags: str, text: str, *, under: str | None = None) -> Any:
    """An option without a value, that may have an opposite: `--live/--no-live`."""
    return typer.Option(flags, help=text, rich_help_panel=under)


def choice(values: str, text: str, *flags: str, metavar: str | None = None, under: str | None = None) -> Any:
    """An option whose values are words: `keV|adc`, as the help calls its value, too, where there is no metavar."""
    words = values.split("|")

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return option(metavar or values, text, *flags, under=under, complete=complete)


def argument(metavar: str, text: str, *, complete: Complete = None) -> Any:
    """A word that follows the command, without an option's name."""
    return typer.Argument(metavar=metavar, help=text, autocompletion=complete)
