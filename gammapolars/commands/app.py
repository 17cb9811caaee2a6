"""The application that commands register with."""

from importlib import import_module
from typing import Annotated

import typer

from gammapolars.commands.completion import commands
from gammapolars.commands.help_pages import CommandWithHelp, GroupWithHelp
from gammapolars.commands.notes import argument, switch

GROUPS: dict[str, tuple[str, ...]] = {
    "Look": ("info", "rates", "spectrum", "peaks", "lines", "plot", "view"),
    "Calibrate": ("calibrate", "align", "drift", "efficiency", "detectors"),
    "Coincidences": ("coincidences", "matrix", "gate", "events", "lifetime", "angular"),
    "Results": ("report", "activity", "query"),
    "Experiment": ("init", "run"),
    "Convert": ("convert", "simulate"),
    "Help": ("guide",),
}
"""The folders of the commands, by the headings and in the order in which the help shows them."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)
"""All of them."""


class Root(GroupWithHelp):
    """The command line itself."""

    headings = GROUPS | {"Help": (*GROUPS["Help"], "help")}


app = typer.Typer(
    name="gammapolars",
    cls=Root,
    help="List-mode gamma spectrometry: coincidences, spectra and reports from digitizer files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
detectors_app = typer.Typer(
    cls=GroupWithHelp,
    help="Make detectors.toml from other programs' calibrations.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(detectors_app, name="detectors")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, switch("--version", "Print the version.")] = False,
    install_completion: Annotated[
        bool, switch("--install-completion", "Install tab completion for this shell.")
    ] = False,
    show_completion: Annotated[bool, switch("--show-completion", "Print the script of this completion.")] = False,
) -> None:
    if version:
        from gammapolars.core.versions import versions

        print(versions()["gammapolars"])
        raise typer.Exit
    if install_completion or show_completion:
        from typer import completion

        act = completion.install_callback if install_completion else completion.show_callback
        act(context, context.command.params[0], True)


@app.command("help", cls=CommandWithHelp, epilog="gammapolars help\ngammapolars help gate")
def _help(
    context: typer.Context,
    words: Annotated[list[str] | None, argument("COMMAND", "Command to explain.", complete=commands)] = None,
) -> None:
    """Show the help of a command."""
    from gammapolars.commands.help_pages import page_of

    print(page_of(context.find_root(), words or ()))


def load(command: str | None = None) -> None:
    """Register a command with the application; all of them, as their help needs it, where the word is none."""
    for name in [command] if command in COMMANDS else COMMANDS:
        import_module(f"gammapolars.commands.{name}.parse")
