"""The application that commands register with."""

from typing import Annotated

import typer

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
