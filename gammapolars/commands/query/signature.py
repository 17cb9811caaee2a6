"""The parameters of a query: the tables and settings that it asks for, and those that become options."""

import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from gammapolars.core.errors import QueryError, first_line

TABLES = ("hits", "pairs")
"""Parameters that get tables."""

SETTINGS = ("detectors", "window", "reject")
"""Parameters that get what the options of the command of these names say."""

PLAIN = (str, int, float, bool, Path)
"""Types of options; besides these, words to choose from."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query that is an option.

    Attributes:
        name: as in Python.
        kind: its type, as the command line reads it, without the None that may stand for it.
        default: where it is not given.
        meaning: its description, or nothing.
    """

    name: str
    kind: Any
    default: Any
    meaning: str = ""

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is inspect.Parameter.empty

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def words(self) -> tuple[str, ...]:
        """The words to choose from, if it is one of some."""
        return typing.get_args(self.kind)

    @property
    def type_name(self) -> str:
        """Its type in a word."""
        return "str" if self.words else self.kind.__name__


@dataclass(frozen=True)
class Signature:
    """The parameters of a query.

    Attributes:
        first: the table that it gets by position.
        tables: further ones, by name.
        settings: of the command, by name.
        options: its own.
    """

    first: str
    tables: tuple[str, ...]
    settings: tuple[str, ...]
    options: tuple[Parameter, ...]

    @property
    def takes_pairs(self) -> bool:
        """Whether it asks for pairs."""
        return "pairs" in (self.first, *self.tables)

    @property
    def takes_hits(self) -> bool:
        """Whether it asks for hits, or has to take them as every query once did."""
        return self.first != "pairs" or "hits" in self.tables


def signature_of(path: Path, function: types.FunctionType) -> Signature:
    """The parameters of a query's function.

    Raises:
        QueryError: some cannot be options.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise QueryError(f"{path}: its type annotations cannot be read: {first_line(error)}") from None
    declared = list(inspect.signature(function).parameters.values())
    if not declared or declared[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise QueryError(f"{path}: the first parameter of query must be the hits or the pairs")
    first = "pairs" if declared[0].name == "pairs" else "hits"
    for one in declared[1:]:
        if one.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise QueryError(f"{path}: parameter '{one.name}' must be keyword-only: put it after a *")
    names = [one.name for one in declared[1:]]
    meanings = meanings_in(function.__doc__)
    return Signature(
        first,
        tuple(name for name in names if name in TABLES and name != first),
        tuple(name for name in names if name in SETTINGS),
        tuple(
            _option(path, one, hints.get(one.name, str), meanings)
            for one in declared[1:]
            if one.name not in (*TABLES, *SETTINGS)
        ),
    )


def _option(path: Path, one: inspect.Parameter, hint: Any, meanings: Mapping[str, str]) -> Parameter:
    """A parameter that is an option."""
    kind, *notes = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    kinds = [part for part in _alternatives(kind) if part is not types.NoneType]
    if len(kinds) != 1 or not (kinds[0] in PLAIN or _is_choice(kinds[0])):
        raise QueryError(
            f"{path}: parameter '{one.name}' must be a str, int, float or bool, a Path, or a Literal of some words"
        )
    meaning = next((note for note in notes if isinstance(note, str)), meanings.get(one.name, ""))
    return Parameter(one.name, kinds[0], one.default, meaning)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)


def _is_choice(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal and all(isinstance(word, str) for word in typing.get_args(kind))


ARGUMENTS = "Args:\n"
"""Where a docstring begins to describe parameters."""


def meanings_in(docstring: str | None) -> dict[str, str]:
    """The descriptions of parameters in a docstring of Google's style."""
    text = inspect.cleandoc(docstring or "").partition(ARGUMENTS)[2]
    entries = re.findall(r"^ +(\w+)(?: \(.*?\))?: ((?:.|\n(?= {5,}\S))*)", text, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}
