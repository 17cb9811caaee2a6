"""Options given on the command line."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any

GIVEN = "_given"
"""Where a record of options keeps the names of those that are on the command line."""


def note_given(options: Any, names: Iterable[str]) -> Any:
    """The same options, which know the names of those that are on the command line."""
    object.__setattr__(options, GIVEN, frozenset(names))  # not one of the fields: it is no option
    return options


def is_given(options: Any, name: str) -> bool:
    """Whether an option is given: with its usual value, too, where it is on the command line."""
    names = getattr(options, GIVEN, None)
    if names is not None:
        return name in names
    usual = {one.name: None if one.default is MISSING else one.default for one in fields(options)}
    return getattr(options, name) not in (usual[name], [])
