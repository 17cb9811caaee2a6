"""The form of every command's JSON summary, as the records of the summaries have it: keys, types, and what they are."""

import inspect
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import polars as pl

from gammapolars.commands.app import COMMANDS
from gammapolars.core.records import Part, Rows

PLAIN = {int: "integer", float: "number", str: "text", bool: "true or false", object: "anything", Any: "anything"}


@dataclass(frozen=True)
class Key:
    """A key of an object.

    Attributes:
        name: of the key; within a nested object behind its own name and a point.
        kind: its type in Python.
        meaning: what it is.
        optional: whether it may be missing.
    """

    name: str
    kind: Any
    meaning: str
    optional: bool


def records_of(command: str) -> tuple[Any, ...]:
    """The records that a command may sum up its work in, of runs and of saved pairs."""
    run = import_module(f"gammapolars.commands.{command}.run")
    functions = [getattr(run, name) for name in (command, "of_pairs") if hasattr(run, name)]
    return tuple(record for one in functions for record in _alternatives(get_type_hints(one)["return"]))


def keys_of(record: Any, *, optional: bool = False) -> Iterator[Key]:
    """The keys of a record, those of its parts among them."""
    hints, meanings = get_type_hints(record), meanings_of(record)
    for name in getattr(record, "DERIVED", ()):
        got = getattr(record, name).fget
        meaning = meanings.get(name) or inspect.getdoc(got) or ""
        yield Key(name, get_type_hints(got)["return"], meaning, optional)
    for field in fields(record):
        if field.name in getattr(record, "HIDDEN", ()):
            continue
        kinds = [kind for kind in _alternatives(hints[field.name]) if kind is not types.NoneType]
        may_miss = optional or bool(field.metadata.get("optional"))
        if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Part):
            yield from keys_of(kinds[0], optional=may_miss)
        else:
            kind = reduce(or_, kinds) if field.metadata.get("optional") else hints[field.name]  # None is left out
            yield Key(field.name, kind, meanings[field.name], may_miss)


def meanings_of(record: Any) -> dict[str, str]:
    """What the docstrings of a record and of those that it inherits from say of its fields.

    Raises:
        KeyError: later, for a field of which nothing is said; an uncertainty needs no words.
    """
    found: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        text = inspect.cleandoc(kind.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        for name, meaning in re.findall(r"^    (\w+): ((?:.|\n(?=      ))*)", text, re.MULTILINE):
            found[name] = " ".join(meaning.split())
    for name in (*(field.name for field in fields(record)), *getattr(record, "DERIVED", ())):
        if (stem := name.removesuffix("_unc")) != name:
            found.setdefault(name, f"the standard deviation of {stem}.")
    return found


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def is_array(kind: Any) -> bool:
    """Whether a type is one of numpy's arrays, whose name is an alias with a value in some versions."""
    origin = get_origin(kind)
    return origin is np.ndarray or get_origin(getattr(origin, "__value__", None)) is np.ndarray


def described(kind: Any) -> str:
    """A type as JSON has it."""
    if kind is types.NoneType:
        return "null"
    if len(_alternatives(kind)) > 1 and kind != Rows:
        return " or ".join(described(one) for one in _alternatives(kind))
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = get_origin(kind), [one for one in get_args(kind) if one is not Ellipsis]
    if kind is pl.DataFrame or kind == Rows:
        return "list of objects"
    if is_array(kind):
        return "list of lists of numbers"
    if origin is dict:
        return f"object of {described(inner[1])}"
    if origin in (list, tuple, Sequence):
        return f"list of {described(inner[0])}"
    if isinstance(kind, type) and issubclass(kind, tuple):
        return f"[{', '.join(kind._fields)}]"  # type: ignore[attr-defined]  # a named tuple
    if is_dataclass(kind):
        return f"{{{', '.join(key.name for key in keys_of(kind))}}}"
    return "text" if get_origin(kind) is Literal else str(kind)


def table() -> str:
    """All forms, a line for each key."""
    lines = []
    for command in COMMANDS:
        records = records_of(command)
        for record in records:
            lines.append(command if len(records) == 1 else f"{command}: {record.__name__}")
            for key in keys_of(record):
                missing = ", or missing" if key.optional else ""
                lines.append(f"  {key.name}: {described(key.kind)}{missing}: {key.meaning.rstrip('.')}")
    return "\n".join(lines) + "\n"


def misfits(value: Any, kind: Any, place: str) -> Iterator[str]:
    """Where a value of JSON is not what a type says."""
    if len(_alternatives(kind)) > 1 and kind != Rows:
        if all(any(True for _ in misfits(value, one, place)) for one in _alternatives(kind)):
            yield f"{place}: {value!r} is not {described(kind)}"
    elif kind is types.NoneType:
        if value is not None:
            yield f"{place}: {value!r} is not null"
    elif kind is pl.DataFrame or kind == Rows or get_origin(kind) in (list, tuple, Sequence):
        inner = next((one for one in get_args(kind) if one is not Ellipsis), dict)
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list"
            return
        for one in value:
            yield from misfits(one, dict if kind == Rows else inner, f"{place}[]")
    elif is_array(kind):
        yield from misfits(value, list[list[float]], place)
    elif get_origin(kind) is Literal:
        yield from () if value in get_args(kind) else (f"{place}: {value!r} is none of {get_args(kind)}",)
    elif is_dataclass(kind):
        yield from object_misfits(value, kind, place)
    elif kind is dict or get_origin(kind) is dict:
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no object"
            return
        inner = get_args(kind)[1] if get_args(kind) else Any
        for name, one in value.items():
            yield from misfits(one, inner, f"{place}.{name}")
    elif isinstance(kind, type) and issubclass(kind, tuple):
        if not (isinstance(value, list) and len(value) == len(kind._fields)):  # type: ignore[attr-defined]
            yield f"{place}: {value!r} is not {described(kind)}"
    elif kind in PLAIN and kind not in (object, Any):
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            yield f"{place}: {value!r} is no {PLAIN[kind]}"


def object_misfits(value: Any, record: Any, place: str) -> Iterator[str]:
    """Keys of an object that are missing or too many, and values of other types; of lists of objects the keys, too."""
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is no object"
        return
    keys = {key.name: key for key in keys_of(record)}
    yield from (f"{place}.{name}: is not in the form" for name in value.keys() - keys.keys())
    yield from (f"{place}.{name}: is missing" for name, key in keys.items() if name not in value and not key.optional)
    for name, one in value.items():
        if name in keys:
            yield from misfits(one, keys[name].kind, f"{place}.{name}")
            named = set(re.findall(r"`(\w+)`", keys[name].meaning))
            if named and described(keys[name].kind).startswith("list of objects") and one:
                unnamed = {key for row in one for key in row} - named
                yield from (f"{place}.{name}[].{key}: is not named in the form" for key in sorted(unnamed))
