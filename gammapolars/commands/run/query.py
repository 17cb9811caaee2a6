"""The parameters of a query that is a step: they are options of the command line, and are taken as there."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from gammapolars.commands.app import app
from gammapolars.commands.given import GIVEN, note_given


def with_parameters(options: Any, parameters: Mapping[str, Any], folder: Path) -> Any:
    """The options of a query that knows its parameters.

    Args:
        options: of the command `query`.
        parameters: of the query, by name.
        folder: from which paths among them start.

    Raises:
        GammapolarsError: the query has no such parameter, or it is of another type.
    """
    command: Any = typer.main.get_command(app)
    context = command.commands["query"].make_context("query", [options.name, *_words(parameters)])
    asked = context.obj
    if asked is not None:
        values = {name: folder / one if isinstance(one, Path) else one for name, one in asked.values.items()}
        asked = replace(asked, values=values)
    return note_given(replace(options, asked=asked), getattr(options, GIVEN))


def _words(parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            yield f"--{flag}={value}"
