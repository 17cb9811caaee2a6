"""Words that a shell completes: names of detectors, flags, nuclides, queries and commands.

Each function gets the beginning of a word, and the command line so far where it needs it, as typer gives them. From
files that cannot be read there are no words.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

VARIABLE = "_GAMMAPOLARS_COMPLETE"
"""The environment variable by which a shell asks for completions."""

DETECTORS = Path("detectors.toml")
"""Where names of detectors come from if no other file is on the command line."""

UNQUOTED = re.compile(r"[\w.+@%/-]+")
"""Names that mean the same in every shell without quotation marks."""


def completing() -> bool:
    """Whether a shell asks for completions, so that nothing else is to be said."""
    return bool(os.environ.get(VARIABLE))


def prepare() -> None:
    """Teach typer the shells that it can complete for: it leaves that out where it adds no options of its own."""
    from typer.completion import get_completion_inspect_parameters

    os.environ["COLUMNS"] = "1000"  # typer breaks texts at the width of the terminal, shells take lines
    get_completion_inspect_parameters()


def detectors(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of detectors, from --detectors or the detectors.toml of the present folder; the last after commas."""
    tables = _document(ctx.params.get("detectors") or DETECTORS).get("detector", [])
    described = [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    names = [str(table.get("name") or f"{table.get('board', 0)}/{table.get('channel', 0)}") for table in described]
    return _last_of_list(incomplete, filter(UNQUOTED.fullmatch, names))


def flags(incomplete: str) -> list[str]:
    """Names of flags, the last after commas."""
    from gammapolars.core.flags import FLAGS

    return _last_of_list(incomplete, ("none", *FLAGS) if "," not in incomplete else FLAGS)


def nuclides(incomplete: str) -> list[str]:
    """Nuclides of the table of gamma lines, and the heads of chains, the last after commas."""
    from gammapolars.gamma_lines import heads, nuclides

    return _last_of_list(incomplete, sorted({*nuclides(), *heads()}))


def simulated(incomplete: str) -> list[str]:
    """Nuclides that can be simulated."""
    from gammapolars.simulate.sources import NUCLIDES

    return _last_of_list(incomplete, NUCLIDES)


def queries(incomplete: str) -> list[str]:
    """Queries of the present folder and of the package, by name."""
    from gammapolars.commands.query_files import query_files

    return sorted(one.name for one in query_files() if one.name.startswith(incomplete))


def steps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the steps of the experiment.toml on the command line."""
    tables = [name for name, value in _document(ctx.params.get("file") or "").items() if isinstance(value, dict | list)]
    return [name for name in tables if name not in ("common", "runs") and name.startswith(incomplete)]


def commands(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of commands, or of those of the group that is named before."""
    group: Any = ctx.find_root().command
    for word in ctx.params.get("words") or ():
        group = getattr(group, "commands", {}).get(word)
    return [name for name in getattr(group, "commands", ()) if name.startswith(incomplete)]


def _document(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file, read without what takes time to import; nothing where it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def _last_of_list(incomplete: str, words: Iterable[str]) -> list[str]:
    """Completions of the last word after commas, together with the words before it."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in words if word.startswith(last)]
