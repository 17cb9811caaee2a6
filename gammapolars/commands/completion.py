"""Words that a shell completes: names of detectors, flags, nuclides, pages and queries. What cannot be read has none.

Each function gets the context of the command line so far, as typer gives it, and the beginning of a word.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

VARIABLE = "_GAMMAPOLARS_COMPLETE"
"""The environment variable by which a shell asks for completions."""

DETECTORS = Path("detectors.toml")
"""Where names of detectors come from if no other file is on the command line."""


def completing() -> bool:
    """Whether a shell asks for completions, so that nothing else is to be said."""
    return bool(os.environ.get(VARIABLE))


def know_shells() -> None:
    """Teach typer the shells that it can complete for: it leaves that out where it adds no options of its own."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()


def detectors(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of detectors, from --detectors or the detectors.toml of the present folder; the last behind commas."""
    from gammapolars.core.errors import GammapolarsError
    from gammapolars.detectors import load_detectors

    try:
        known = load_detectors(ctx.params.get("detectors") or DETECTORS)
    except (GammapolarsError, OSError):
        return []
    return _last_of_list(incomplete, (one.name for one in known))


def flags(incomplete: str) -> list[str]:
    """Names of flags, the last behind commas."""
    from gammapolars.core.flags import FLAGS

    return _last_of_list(incomplete, ("none", *FLAGS) if "," not in incomplete else FLAGS)


def nuclides(incomplete: str) -> list[str]:
    """Nuclides of the table of gamma lines, and the heads of chains, the last behind commas."""
    from gammapolars.gamma_lines import heads, nuclides

    return _last_of_list(incomplete, sorted({*nuclides(), *heads()}), fold=True)


def topics(incomplete: str) -> list[str]:
    """Pages of the guide."""
    from gammapolars.commands.guide.pages import topics

    return [topic for topic in topics() if topic.startswith(incomplete)]


def queries(incomplete: str) -> list[str]:
    """Queries below the present folder, by name."""
    from gammapolars.commands.declared import QUERIES

    return sorted(path.stem for path in QUERIES.glob("[!_]*.py") if path.stem.startswith(incomplete))


def commands(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of commands."""
    group: Any = ctx.find_root().command
    return [name for name in group.commands if name.startswith(incomplete)]


def _last_of_list(incomplete: str, words: Iterable[str], *, fold: bool = False) -> list[str]:
    """Completions of the last word behind commas, together with the words before it.

    Args:
        incomplete: what has been typed.
        words: all there are.
        fold: whether `eu` may stand for Eu.
    """
    before, comma, last = incomplete.rpartition(",")
    beginning = last.lower() if fold else last
    fit = [word for word in words if (word.lower() if fold else word).startswith(beginning)]
    return [f"{before}{comma}{word}" for word in fit]
