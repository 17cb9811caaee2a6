"""The command `query` on the command line: the parameters of the query that is named are options of it, too."""

import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammapolars.commands.command import option_of
from gammapolars.commands.completion import completing
from gammapolars.commands.help_pages import OWN, CommandWithHelp
from gammapolars.commands.notes import choice, option, switch
from gammapolars.core.errors import GammapolarsError, QueryError, UsageError

if TYPE_CHECKING:
    from gammapolars.commands.query.queries import Query
    from gammapolars.commands.query.signature import Parameter

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

WRONG_USAGE: Any = typer.BadParameter.__mro__[2]
"""Errors of typer, of click's kinds."""


@dataclass(frozen=True)
class Asked:
    """A query as it is asked for.

    Attributes:
        query: the query.
        values: of its options, by their names in Python; without those that are needed and not given.
    """

    query: "Query"
    values: dict[str, Any]

    @classmethod
    def of(cls, query: "Query", given: Mapping[str, Any]) -> "Asked":
        """A query with the values that are given, and the defaults of its other options."""
        defaults = {one.name: one.default for one in query.parameters if not one.required}
        return cls(query, defaults | {name: value for name, value in given.items() if value is not None})


class QueryCommand(CommandWithHelp):
    """The command `query`: it has the options of the query that is named, whose docstring is its help."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the command line; the object of the context is what is asked for, where there is such a query."""
        lenient = {**extra, "ignore_unknown_options": True, "allow_extra_args": True}
        first = super().make_context(info_name, [*args], parent, **lenient | {"resilient_parsing": True})
        if (name := first.params.get("name")) is None:
            return super().make_context(info_name, args, parent, **extra)
        from gammapolars.commands.query import queries

        try:
            with redirect_stdout(sys.stderr) if completing() else nullcontext():  # the shell takes words from stdout
                query = queries.load(queries.find(name))
        except GammapolarsError:  # reported when it is to be run: no output may replace it, even if it is wrong
            return super().make_context(info_name, args, parent, **lenient)
        return self._for(query)._parsed(query, info_name, args, parent, extra)

    def _for(self, query: "Query") -> "QueryCommand":
        """The same command with the options of a query."""
        own = _options_of(query)
        taken = {word for one in self.params for word in (one.name, *one.opts, *one.secondary_opts)} | {"--help"}
        for one in own:
            if taken & {one.name, *one.opts, *one.secondary_opts}:
                raise QueryError(
                    f"{query.path}: parameter '{one.name}' has the name of an option of this command: rename it"
                )
        command = copy(self)
        command.params = [*self.params[:2], *own, *self.params[2:]]
        command.help = query.description
        command.epilog = f"gammapolars query {query.name} run.root -o result.parquet"
        return command

    def _parsed(self, query: "Query", info_name: str | None, args: list[str], parent: Any, extra: Any) -> Any:
        """The context of a command with the options of a query."""
        by_flag = {one.flag: one for one in query.parameters}
        words = [_as_flag(word, by_flag, query.name) for word in args]
        try:
            context = super().make_context(info_name, words, parent, **extra)
        except WRONG_USAGE as error:
            if (unknown := getattr(error, "option_name", None)) is None or "No such option" not in str(error):
                raise
            options = ", ".join(by_flag) or "none"
            raise UsageError(f"query '{query.name}' has no parameter '{unknown}' (it has {options})") from None
        context.obj = Asked.of(query, {one.name: context.params.pop(one.name, None) for one in query.parameters})
        return context


def _options_of(query: "Query") -> list[Any]:
    """The parameters of a query as typer has them."""
    import inspect

    def call() -> None:
        """Nothing: only its parameters matter."""

    parameters = [_parameter(one) for one in query.parameters]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    application = typer.Typer(add_completion=False)
    application.command()(call)
    known = {one.name for one in parameters}
    return [one for one in typer.main.get_command(application).params if one.name in known]


def _parameter(one: "Parameter") -> Any:
    """A parameter of a query as a parameter of a command; one that is needed may be missing where no run is named."""
    text = f"{one.meaning}  [required]".strip() if one.required else one.meaning
    default = None if one.required else one.default
    if one.kind is bool:
        note = switch(f"{one.flag}/--no-{one.flag[2:]}", text)
    elif one.words:
        note = choice("|".join(one.words), text, one.flag)
    else:
        note = option(METAVARS[one.kind.__name__], text, one.flag)
    kind = one.kind if default is not None else one.kind | None
    return option_of(one.name, Annotated[kind, note], default, OWN)


METAVARS = {"int": "N", "float": "NUMBER", "str": "TEXT", "Path": "FILE"}
"""The names of values in the help."""


def _as_flag(word: str, by_flag: dict[str, "Parameter"], query: str) -> str:
    """A word of the command line; the name of an option as typer knows it, and `--name=yes` as its flag."""
    name, equals, value = word.partition("=")
    parameter = by_flag.get(name.replace("_", "-"))
    if parameter is None:
        return word
    if parameter.kind is not bool or not equals:
        return f"{parameter.flag}{equals}{value}"
    if value.lower() not in TRUTH:
        raise UsageError(f"parameter {parameter.flag} of query '{query}' takes yes or no (bool), not '{value}'")
    return parameter.flag if TRUTH[value.lower()] else f"--no-{parameter.flag[2:]}"
