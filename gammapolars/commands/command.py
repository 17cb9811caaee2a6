"""A command, once: a record's fields are its options, `run.py` does the work, and its result is printed."""

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import copy
from dataclasses import MISSING, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

from gammapolars.commands.app import app
from gammapolars.commands.cluster import cluster_of
from gammapolars.commands.declared import Reads, Writes, check_declared, guarded_outputs
from gammapolars.commands.given import note_given
from gammapolars.commands.help_pages import EXAMPLES, OUTPUT, CommandWithHelp
from gammapolars.commands.options import Recording
from gammapolars.commands.streams import is_unicode
from gammapolars.core.collection import paused_collection
from gammapolars.core.interrupts import raise_on_interrupt
from gammapolars.core.memory import check_limit
from gammapolars.core.visible import visible, visible_json
from gammapolars.core.wording import on_command_line

if TYPE_CHECKING:
    from gammapolars.core.summaries import CommandSummary

Options = TypeVar("Options")

OPTIONS: dict[tuple[str, ...], type] = {}
"""The options of the commands that are known so far, by the words that call them."""

CONTEXT = "context"
"""The parameter by which typer shows which options are on the command line."""

AS_JSON = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.", rich_help_panel=OUTPUT)]

METAVARS: dict[Any, str] = {Path: "FILE", int: "N", float: "NUMBER", str: "TEXT"}
"""Names of an option's value in the help, where the option does not name it."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def command(
    name: str | None = None, *, group: typer.Typer = app, **settings: Any
) -> Callable[[type[Options]], type[Options]]:
    """Make a command of a class in `parse.py`, and a frozen dataclass of the class.

    A field is an option of its name, and the text in its `Annotated` is the option's help; `output` is -o, too. The
    class' own fields come first, then those of the classes that it inherits from, then --json. In the help they are
    under the `HEADING` of the class that has them, or under the one that their `Annotated` names. The class' docstring
    is the help of the command, with one command line as an example in each line below "Examples:". `typer.Context` in
    an `Annotated` takes the object that a class of commands of its own, `cls`, puts into the context. `Reads` and
    `Writes` in it say that the field names input of the command, which is never replaced, or output: a field that holds
    a path has one of them.

    In `run.py` of its folder, the function `check`, if there is one, judges the options before any run is opened; the
    function that has the folder's name gets the record, and where that is a `Recording`, the
    runs that it names; where saved pairs are named instead, the function `of_pairs`, if there is one, gets these. What
    it returns is printed as JSON, or as the lines that `text` in `text.py`, or in `run.py`, gives.

    Args:
        name: of the command; None: that of the folder.
        group: the application that it belongs to.
        settings: for typer; `short_help` is the summary in the list of commands, where that is not the first sentence
            of the docstring.
    """

    def register(options: type[Options]) -> type[Options]:
        record: Any = dataclass(frozen=True, kw_only=True, repr=False)(options)
        check_declared(record)
        folder = options.__module__.rpartition(".")[0]

        parameters = list(_parameters(record))
        from_context = next((one.name for one in parameters if one.annotation is typer.Context), None)
        if from_context is None:  # typer gives one context
            parameters.append(inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))

        def called(*, as_json: bool, **given: Any) -> None:
            context = given.pop(from_context or CONTEXT)
            on_line = [name for name in given if _is_on_line(context, name)]
            given |= {from_context: context.obj} if from_context else {}
            _perform(folder, note_given(record(**given), on_line), as_json=as_json)

        text, _, examples = inspect.cleandoc(options.__doc__ or "").partition(EXAMPLES)
        called.__doc__ = text
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        word = name or folder.rpartition(".")[2]
        group.command(word, epilog=inspect.cleandoc(examples), **{"cls": CommandWithHelp} | settings)(called)
        OPTIONS[(word,) if group is app else (folder.rpartition(".")[2], word)] = options
        return options

    return register


def _parameters(record: Any) -> Iterator[inspect.Parameter]:
    """The parameters that typer sees."""
    hints = get_type_hints(record, include_extras=True)
    by_name = {field.name: field for field in fields(record)}
    for kind in record.__mro__:
        for name in inspect.get_annotations(kind):
            default = by_name[name].default
            default = inspect.Parameter.empty if default is MISSING else default
            yield option_of(name, hints[name], default, kind.__dict__.get("HEADING"))
    yield option_of("as_json", AS_JSON, default=False)


def _is_on_line(context: typer.Context, name: str) -> bool:
    """Whether an option is on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def option_of(name: str, hint: Any, default: Any, heading: str | None = None) -> inspect.Parameter:
    """A parameter with its flags, its place in the help and a name for its value, where these are not given."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        note = next(one for one in notes if not isinstance(one, Reads | Writes))
        note = typer.Option(help=note) if isinstance(note, str) else copy(note)
        if isinstance(note, OptionInfo):
            if note.default is ...:  # in `Annotated` a flag is there, if there is one
                note.param_decls = (f"--{name.replace('_', '-')}", *(("-o",) if name == "output" else ()))
            writes = any(isinstance(one, Writes) for one in notes)
            note.rich_help_panel = note.rich_help_panel or heading or (OUTPUT if writes else None)
            note.metavar = note.metavar or _metavar(kind)
        hint = typer.Context if note is typer.Context else Annotated[kind, note]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _metavar(kind: Any) -> str | None:
    """The name in the help for a value of a type, in a list and where it may be missing, too."""
    parts = [one for outer in (kind, *get_args(kind)) for one in (outer, *get_args(outer))]
    return next((METAVARS[one] for one in parts if one in METAVARS), None)


def _asked_of(run: ModuleType, word: str, options: Any, stack: ExitStack) -> "CommandSummary":
    """Let a command's module do its work, with its input."""
    done: CommandSummary
    if not isinstance(options, Recording):
        done = getattr(run, word)(options)
    elif hasattr(run, "of_pairs") and (pairs := stack.enter_context(options.saved_pairs(options.names))):
        done = run.of_pairs(options, pairs)
    else:
        done = getattr(run, word)(options, stack.enter_context(options.recording(options.names)))
    return done


def performed(folder: str, options: Any) -> "CommandSummary":
    """Do the work of a command: open the runs that are named, guard its outputs, and sum up.

    Args:
        folder: the package of the command, such as `gammapolars.commands.align`.
        options: its record of options.
    """
    check_limit()
    with paused_collection():  # no cycle of what an import makes is unused
        run = import_module(f"{folder}.run")
    started = time.perf_counter()
    raise_on_interrupt()
    with guarded_outputs(options), ExitStack() as stack:
        if hasattr(run, "check"):
            run.check(options)
        summary = _asked_of(run, folder.rpartition(".")[2], options, stack)
    if use := cluster_of(options):
        summary = replace(summary, cluster=use)  # type: ignore[call-arg]  # of a command whose work may be shared
    return summary.timed(time.perf_counter() - started)


def lines_of(folder: str, summary: "CommandSummary") -> list[str]:
    """The summary of a command for people."""
    run = import_module(f"{folder}.run")
    words = run if hasattr(run, "text") else import_module(f"{folder}.text")
    return [visible(line) for line in words.text(summary)]


def _perform(folder: str, options: Any, *, as_json: bool) -> None:
    """Do the work of a command, and print its summary."""
    with on_command_line():
        summary = performed(folder, options)
        if as_json:
            escaped = not is_unicode(sys.stdout)
            print(visible_json(json.dumps(summary.to_json(), ensure_ascii=escaped, allow_nan=False)))
        else:
            print("\n".join(lines_of(folder, summary)))
