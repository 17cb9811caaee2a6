"""The page of the guide that is made of the docstrings of all public names."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from typing import Any

HEAD = """# The Python names

Everything here is called `gp.NAME` after `import gammapolars as gp`. Functions that take hits, pairs, spectra or
matrices take a polars `LazyFrame` or `DataFrame`; [tables](tables.md) says which columns these have.
"""

SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:", "Yields:", "Note:", "Notes:", "References:", "Example:")


def api_page() -> str:
    """All public names, by the room that they come from, with their signatures and docstrings."""
    parts = [HEAD]
    for room, things in _rooms().items():
        parts.append(f"## {room}\n")
        parts += [_entry(name, things[name]) for name in sorted(things, key=str.lower)]
    return "\n".join(parts)


def _rooms() -> dict[str, dict[str, Any]]:
    """Public names, and their objects, by the room that `__init__.pyi` imports them from."""
    text = (files("gammapolars") / "__init__.pyi").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            module = import_module(f"gammapolars.{node.module}")
            things = found.setdefault(node.module.partition(".")[0], {})
            things |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    return dict(sorted(found.items()))


def _entry(name: str, thing: Any) -> str:
    """One name, as a heading, its signature and its docstring."""
    lines = [f"### gp.{name}\n"]
    if signature := _signature(name, thing):
        lines.append(f"```text\n{signature}\n```\n")
    text = inspect.getdoc(thing) if callable(thing) or inspect.ismodule(thing) else None
    lines += _markdown(text or f"A {type(thing).__name__}.")
    return "\n".join(lines) + "\n"


def _signature(name: str, thing: Any) -> str:
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return ""
    try:
        return f"gp.{name}{inspect.signature(thing)}".replace("gammapolars.", "").replace("polars.dataframe.frame.", "")
    except (TypeError, ValueError):
        return ""


def _markdown(docstring: str) -> Iterator[str]:
    """A docstring as Markdown: sections as bold words, their entries as points."""
    section = ""
    for line in docstring.splitlines():
        words = line.strip()
        if words in SECTIONS:
            section = words
            yield f"\n**{words[:-1]}**\n"
        elif section and line.startswith("    ") and not line.startswith("     ") and ":" in words:
            name, _, rest = words.partition(":")
            yield f"- `{name}`:{rest}"
        else:
            yield ("  " if section and words else "") + words
