"""Values of an experiment.toml, as the options of commands take them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import OptionInfo

from gammapolars.core.errors import InputError

WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
"""What a value must be, by the type of the option."""


def unknown(key: str, known: list[str], where: str) -> InputError:
    """The error that a key is not known, with the nearest one that is."""
    near = get_close_matches(key, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
    return InputError(f"{where}: unknown key '{key}': {hint}")


def keys_of(record: type) -> dict[str, str]:
    """The fields of a class of options, by the names that they may have in TOML: their own, and that of the option."""
    hints = get_type_hints(record, include_extras=True)
    flags = {word: field.name for field in fields(record) for word in _flags(hints[field.name])}
    return flags | {field.name: field.name for field in fields(record)}


def _flags(hint: Any) -> Iterator[str]:
    """The names of an option that are not that of its field: `and` of --and."""
    for note in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(note, OptionInfo):
            words = (note.default, *(note.param_decls or ()))
            for word in (word for word in words if isinstance(word, str) and word.startswith("--")):
                yield word.removeprefix("--").partition("/")[0].replace("-", "_")


def value_of(value: object, hint: Any, where: str) -> Any:
    """A value as the field with a type hint takes it; paths as text, and a single value where a list is meant as one.

    Raises:
        InputError: it is of another type.
    """
    kinds = tuple(_kinds(hint))
    if list in kinds:
        values = value if isinstance(value, list) else [value]
        return [_single(one, kinds, where) for one in values]
    return _single(value, kinds, where)


def _kinds(hint: Any) -> Iterator[Any]:
    """The plain types in a type hint."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is list:
        yield list
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for one in get_args(hint):
        yield from _kinds(one)


def _single(value: object, kinds: tuple[Any, ...], where: str) -> Any:
    kind = next(one for one in WORDS if one in kinds)
    if kind is bool or isinstance(value, bool):
        fits = kind is bool and isinstance(value, bool)
    elif kind is float:
        fits = isinstance(value, int | float) and math.isfinite(value)
    elif kind is str:
        fits = isinstance(value, str | int | float)
    else:
        fits = isinstance(value, str if kind is Path else kind)
    if isinstance(value, str) and any(ord(letter) < 32 for letter in value):  # no path has such, and no option
        fits = False
    if not fits:
        raise InputError(f"{where} must be {WORDS[kind]}, not {value!r}")
    return kind(value) if kind in (float, str) else value


def table_of(document: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """A table of TOML; empty where there is none.

    Raises:
        InputError: the key has another value.
    """
    value = document.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{where}: {key} must be a table: write [{key}] in a line of its own")
    return value
