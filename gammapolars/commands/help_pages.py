"""Help pages: usage with the required arguments, a command's own options before those it shares, and examples.

They are plain text in ASCII, the same on every terminal and in a pipe.
"""

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from gammapolars.core.errors import UsageError

OWN, PAIRS, OUTPUT, READING, CLUSTER = "Options", "Pairs", "Output", "Reading runs", "Sharing the work"

LAST = (PAIRS, OUTPUT, READING, CLUSTER)
"""The headings of options that many commands share, in the order in which they end a page."""

NAME_COLUMN = 26
"""The widest column of option names: longer names have a line of their own."""

JOINED = "\u00a0"
"""A space at which no line is broken."""

EXAMPLES = "Examples:\n"
"""Where the examples begin in a command's docstring: one command line each."""


class CommandWithHelp(TyperCommand):
    """A command whose options are listed under headings, with its examples last."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The required arguments, and that there are more."""
        return usage_pieces(self, ctx)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The usage, where an option and its value stay in one line."""
        super().format_usage(ctx, formatter)
        formatter.buffer[:] = [text.replace(JOINED, " ") for text in formatter.buffer]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, the command's own options, those that it shares."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Examples as they are typed: no line is wrapped."""
        if self.epilog:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.epilog.splitlines()))


class GroupWithHelp(TyperGroup):
    """A group of commands, which are listed under headings.

    Attributes:
        headings: the names of commands, by heading; those without one are listed under "Commands".
    """

    headings: dict[str, tuple[str, ...]] = {}  # noqa: RUF012

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The command comes first, then its arguments."""
        return ["COMMAND", "..."]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Commands, and then the few options."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Each command with its summary."""
        headings = {
            heading: [name for name in names if name in self.commands] for heading, names in self.headings.items()
        }
        known = {name for names in headings.values() for name in names}
        headings["Commands"] = [name for name in self.commands if name not in known]
        width = max(map(len, self.commands), default=0)
        for heading, names in headings.items():
            if names:
                rows = [(name.ljust(width), summary_of(self.commands[name])) for name in names]
                with formatter.section(heading):
                    formatter.write_dl(rows)


def summary_of(command: Any) -> str:
    """A command in a few words: its summary, else the first sentence of its help, without the full stop."""
    text = command.short_help or inspect.cleandoc(command.help or "").partition("\n\n")[0]
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def page_of(root: Any, words: Iterable[str]) -> str:
    """The help of the command that words name, of all commands where there are none.

    Raises:
        UsageError: there is no such command.
    """
    context = root
    for word in words:
        commands = getattr(context.command, "commands", {})
        if word not in commands:
            near = " or ".join(get_close_matches(word, commands))
            hint = f"did you mean {near}?" if near else f"leave it out to see the help of {context.command_path}"
            raise UsageError(f"{context.command_path} has no command '{word}': {hint}")
        context = typer.Context(commands[word], info_name=word, parent=context)
    page: str = context.command.get_help(context)
    return page


def usage_pieces(command: Any, ctx: Any) -> list[str]:
    """Arguments, required options, and that there are others."""
    parameters = command.get_params(ctx)
    arguments = [one for one in parameters if isinstance(one, TyperArgument)]
    required = [one for one in parameters if one.required and one not in arguments]
    return [
        *(_argument(one) if one.required else f"[{_argument(one)}]" for one in arguments),
        *(f"{min(one.opts, key=len)}{JOINED}{one.metavar}" for one in required),
        "[OPTIONS]",
    ]


def _argument(one: Any) -> str:
    """An argument's name, with dots where there may be several."""
    return f"{one.metavar or one.name.upper()}{'...' if one.nargs != 1 else ''}"


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """The parameters of a command under their headings, all in the same columns."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], OWN: []}
    shared: dict[str, list[tuple[str, str]]] = {heading: [] for heading in LAST}
    for one in command.get_params(ctx):
        if (record := one.get_help_record(ctx)) is None:
            continue
        if isinstance(one, TyperArgument):
            panels["Arguments"].append((_argument(one), record[1]))
        else:
            heading = one.rich_help_panel or (OUTPUT if one.name == "help" and _has(command, ctx, OUTPUT) else OWN)
            (shared if heading in shared else panels).setdefault(heading, []).append(record)
    panels |= shared
    width = min(NAME_COLUMN, max((len(name) for rows in panels.values() for name, _ in rows), default=0))
    for heading, rows in panels.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl(_padded(rows, width), col_max=width)


def _has(command: Any, ctx: Any, heading: str) -> bool:
    """Whether a command has options under a heading."""
    return any(getattr(one, "rich_help_panel", None) == heading for one in command.get_params(ctx))


def _padded(rows: Iterable[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """Rows whose names fill their column, so that all tables have the same."""
    return [(name.ljust(width), text) for name, text in rows]
