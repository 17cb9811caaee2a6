"""Find and run a user's query: a module with `def query(hits: pl.LazyFrame, *, …) -> pl.LazyFrame`."""

import importlib.util
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.commands.declared import QUERIES, query_path
from gammapolars.core.errors import QueryError, UsageError


@dataclass(frozen=True)
class Parameter:
    """One keyword parameter of a query."""

    name: str
    type: type
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Query:
    """A loaded query.

    Attributes:
        name: the module's name.
        path: the file that it came from.
        description: the module's docstring.
        parameters: settings for the command line.
        takes_pairs: whether it asks for the run's pairs, by a parameter named `pairs`.
        function: the query itself.
    """

    name: str
    path: Path
    description: str
    parameters: tuple[Parameter, ...]
    takes_pairs: bool
    function: Callable[..., pl.LazyFrame]

    def run(self, hits: pl.LazyFrame, pairs: pl.LazyFrame | None, arguments: dict[str, Any]) -> pl.LazyFrame:
        """Call the query.

        Raises:
            QueryError: it fails, or gives something else than a LazyFrame.
        """
        extra = {"pairs": pairs} if self.takes_pairs else {}
        try:
            result = self.function(hits, **extra, **arguments)
        except Exception as error:
            raise QueryError(f"{self.path}: query failed: {type(error).__name__}: {_first_line(error)}") from error
        if not isinstance(result, pl.LazyFrame):
            raise QueryError(
                f"{self.path}: the query must return a LazyFrame, not {type(result).__name__}: leave out .collect()"
            )
        return result


def find(name: str, folder: Path = QUERIES) -> Path:
    """The file of a query given by name or path.

    Raises:
        QueryError: there is no such file; the message lists those that the folder has.
    """
    path = query_path(name, folder)
    if path.is_file():
        return path
    if name.endswith(".py"):
        raise QueryError(f"{path}: no such file")
    have = ", ".join(available(folder)) or "none"
    raise QueryError(
        f"no query '{name}' in {folder}{'/' if have != 'none' else ''} (available: {have}): name one of "
        "them or a .py file"
    )


def available(folder: Path = QUERIES) -> list[str]:
    """The names of a folder's queries."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.name.startswith("_"))


def load(path: Path) -> Query:
    """Import a query's module and read its signature.

    Raises:
        QueryError: the module fails, has no function `query`, or one with parameters that cannot be options.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise QueryError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise QueryError(f"{path}: cannot be imported: {type(error).__name__}: {_first_line(error)}") from error
    function = getattr(module, "query", None)
    if not isinstance(function, types.FunctionType):
        raise QueryError(f"{path}: has no function 'query': define def query(hits: pl.LazyFrame, *, …) -> pl.LazyFrame")
    parameters = _parameters(path, function)
    return Query(
        path.stem,
        path,
        inspect.cleandoc(module.__doc__ or function.__doc__ or ""),
        tuple(parameter for parameter in parameters if parameter.name != "pairs"),
        any(parameter.name == "pairs" for parameter in parameters),
        function,
    )


def _parameters(path: Path, function: types.FunctionType) -> list[Parameter]:
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise QueryError(f"{path}: its type annotations cannot be read: {_first_line(error)}") from None
    declared = list(inspect.signature(function).parameters.values())
    if not declared or declared[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise QueryError(f"{path}: the first parameter of query must be the hits")
    parameters = []
    for parameter in declared[1:]:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise QueryError(f"{path}: parameter '{parameter.name}' must be keyword-only: put it after a *")
        kind = hints.get(parameter.name, str)
        if parameter.name != "pairs" and kind not in (str, int, float, bool):
            raise QueryError(f"{path}: parameter '{parameter.name}' must be a str, int, float or bool")
        parameters.append(Parameter(parameter.name, kind, parameter.default))
    return parameters


def split_arguments(runs: list[str], words: list[str]) -> tuple[list[str], list[str]]:
    """Separate a run's files from the query's own options, as the command line parser hands them over mixed.

    Args:
        runs: words that it took for runs.
        words: those that it did not know.

    Returns:
        The runs, and the words of the query's parameters.
    """
    everything = [*runs, *words]
    first = next((place for place, word in enumerate(everything) if word.startswith("--")), len(everything))
    return everything[:first], everything[first:]


def parse_arguments(query: Query, words: list[str]) -> dict[str, Any]:
    """A query's arguments from `--name value`, `--name=value`, and `--flag` or `--no-flag` for a bool.

    Raises:
        UsageError: an unknown name, a value of the wrong type, or one that is missing.
    """
    by_name = {parameter.name: parameter for parameter in query.parameters}
    arguments: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UsageError(f"'{word}' comes after the query's parameters: put the runs before them")
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        negated = name.startswith("no_") and name not in by_name
        parameter = by_name.get(name[3:] if negated else name)
        if parameter is None or (negated and parameter.type is not bool):
            options = ", ".join(f"--{key.replace('_', '-')}" for key in by_name) or "none"
            raise UsageError(f"query '{query.name}' has no parameter '{word}' (it has {options})")
        if parameter.type is bool and not equals:
            arguments[parameter.name] = not negated
            continue
        if not equals:
            if not rest:
                raise UsageError(f"parameter '{word}' of query '{query.name}' needs a value")
            value = rest.pop(0)
        arguments[parameter.name] = _value(query, parameter, value)
    if missing := [p.name for p in query.parameters if p.required and p.name not in arguments]:
        raise UsageError(f"query '{query.name}' needs --{missing[0].replace('_', '-')}")
    return arguments


def _value(query: Query, parameter: Parameter, text: str) -> Any:
    truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return truth[text.lower()] if parameter.type is bool else parameter.type(text)
    except (ValueError, KeyError):
        raise UsageError(
            f"parameter --{parameter.name.replace('_', '-')} of query '{query.name}' takes "
            f"{'a number' if parameter.type in (int, float) else 'yes or no'} ({parameter.type.__name__}), not '{text}'"
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
