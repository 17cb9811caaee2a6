"""Records and their JSON: a frozen dataclass gives an object, a table a list of its rows."""

from collections.abc import Sequence
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any

Rows = Sequence[dict[str, Any]]
"""The rows of a table that is made of numbers and lists."""


class Part:
    """A record whose entries are listed, in JSON, among those of the record that holds it."""


def optional() -> Any:
    """A field that the JSON leaves out while it is None; another one that is None is written as null."""
    return field(default=None, metadata={"optional": True})


def to_json(value: Any) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return entries(value)
    for method in ("to_dicts", "tolist"):  # of tables and arrays, whose packages may not be loaded at all
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, dict):
        return {name: to_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def entries(record: Any) -> dict[str, Any]:
    """A record's fields by name, without those in its class' `HIDDEN`, and the properties in its `DERIVED`."""
    result: dict[str, Any] = {name: getattr(record, name) for name in getattr(record, "DERIVED", ())}
    for one in fields(record):
        value = getattr(record, one.name)
        if one.name in getattr(record, "HIDDEN", ()):
            continue
        if isinstance(value, Part):
            result |= entries(value)
        elif value is not None or not one.metadata.get("optional"):
            result[one.name] = to_json(value)
    return result
