"""The application that commands register with."""

from importlib import import_module
from typing import Annotated

import typer

COMMANDS = (
    "info",
    "convert",
    "query",
    "simulate",
    "detectors",
    "coincidences",
    "spectrum",
    "matrix",
    "report",
    "plot",
    "view",
    "gate",
    "angular",
    "events",
    "lifetime",
    "rates",
    "peaks",
    "calibrate",
    "lines",
    "drift",
    "align",
    "efficiency",
    "activity",
    "guide",
)
"""Their folders, in the order in which the help shows them."""

app = typer.Typer(
    name="gammapolars",
    help="List-mode gamma spectrometry: coincidences, spectra and reports from digitizer files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
detectors_app = typer.Typer(help="Make detectors.toml.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(detectors_app, name="detectors")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from gammapolars.io.provenance import versions

        print(versions()["gammapolars"])
        raise typer.Exit


def load(command: str | None = None) -> None:
    """Register a command with the application; all of them, as their help needs it, where the word is none."""
    for name in [command] if command in COMMANDS else COMMANDS:
        import_module(f"gammapolars.commands.{name}.parse")
    # Whoever imports a `parse` registers its command too soon; the help has its own order.
    app.registered_commands.sort(key=lambda one: COMMANDS.index(one.name or ""))
