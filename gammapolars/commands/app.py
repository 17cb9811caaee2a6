"""The application that commands register with, and the options that several of them have."""

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

Runs = Annotated[
    list[str], typer.Argument(metavar="RUN", help="Files or patterns of one run, or folders of one run each.")
]
WindowOption = Annotated[
    str, typer.Option("--window", help="Coincidence window: 250ns for |dt| ≤ 250 ns, or LOW:HIGH.")
]
RandomOption = Annotated[
    list[str] | None,
    typer.Option("--random", help="Window of chance pairs, to be subtracted: 1us:3us, or auto. May be repeated."),
]
BackgroundOption = Annotated[
    list[str] | None,
    typer.Option("--background", metavar="LOW:HIGH", help="Beside the line: what lies below it. May be repeated."),
]
SecondBackgroundOption = Annotated[
    list[str] | None, typer.Option("--and-background", metavar="LOW:HIGH", help="Beside the second line.")
]
Reject = Annotated[str, typer.Option("--reject", help="Flags that reject a hit: names, a mask such as 0x480, or none.")]
AddBackOption = Annotated[
    str | None, typer.Option("--add-back", help="Sum what detectors of one group saw within this time, such as 100ns.")
]
VetoOption = Annotated[
    list[str] | None,
    typer.Option("--veto", help="Drop hits that came with one of a kind of detector: BGO=200ns. May be repeated."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from gammapolars.io.provenance import versions

        print(versions()["gammapolars"])
        raise typer.Exit
