"""The command line: parse, call, print."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gammapolars import defaults
from gammapolars.errors import GammapolarsError
from gammapolars.memory import reuse_freed_memory
from gammapolars.options import DetectorsFile, ReadingOptions, reads_runs

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

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
Reject = Annotated[str, typer.Option("--reject", help="Flags that reject a hit: names, a mask such as 0x480, or none.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]


def run() -> NoReturn:
    """The command `gammapolars`, in a process of its own: leaves it at once when all is done and written.

    Taking the interpreter and the libraries' threads down in order costs a tenth of a second, for nothing.
    """
    reuse_freed_memory()
    sys.unraisablehook = _pass_interrupts_on
    code: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads it any more, or the disk is full
        code = code or 1
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _pass_interrupts_on(lost: Any) -> None:
    """Send Ctrl-C again, a moment later, where Python loses it: it would print it and go on.

    In a callback of the garbage collector nothing can be raised, and in here neither.
    """
    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(lost)


def main() -> None:
    """Parse and run one command: errors become one line on stderr and an exit code."""
    try:
        app(prog_name="gammapolars")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer exits without a word
            _fail("interrupted", INTERRUPTED)
        raise
    except GammapolarsError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        _fail("out of memory: choose a smaller window, or a machine with more", 1)
    except Exception as error:
        if os.environ.get("GAMMAPOLARS_TRACEBACK"):
            raise
        reason = str(error).strip().partition("\n")[0]
        _fail(
            f"unexpected {type(error).__name__}: {reason} (set GAMMAPOLARS_TRACEBACK=1 to see where, and report it)", 1
        )
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # polars' own kind, which is no Exception
            raise
        _fail("polars met something unexpected and cannot go on: is an input damaged?", 1)


def _fail(message: str, code: int) -> None:
    print(f"Error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from gammapolars.provenance import versions

        print(versions()["gammapolars"])
        raise typer.Exit


@app.command()
@reads_runs
def info(runs: Runs, *, how: ReadingOptions, as_json: AsJson = False) -> None:
    """Show what is in a run or in a file of pairs: hits, rates, flags, times and their order, provenance."""
    from gammapolars import info_text, inspection
    from gammapolars.printing import Progress, print_json

    if len(runs) == 1 and inspection.is_table_of_pairs(runs[0]):
        pairs = inspection.inspect_pairs(Path(runs[0]))
        print_json(pairs) if as_json else print(info_text.describe_pairs(pairs))
        return
    opened = how.open(runs)
    with Progress(opened.count) as progress:
        found = inspection.inspect(opened, progress=progress)
    print_json(found) if as_json else print(info_text.describe(found))


@app.command()
@reads_runs
def convert(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    sort: Annotated[
        bool, typer.Option("--sort", help="Sort hits that are out of time order by any time, through temporary files.")
    ] = False,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's hits, in time order, to another format; calibrated, if detectors.toml is given."""
    from gammapolars import commands
    from gammapolars.io import check_writable
    from gammapolars.printing import Progress, print_json

    check_writable(output, overwrite=overwrite)
    opened = how.open(runs)
    with Progress(opened.count) as progress:
        summary = commands.convert(
            opened, output, detectors=how.known, sort=sort, overwrite=overwrite, progress=progress
        )
    print_json(summary) if as_json else print(f"{summary['hits_read']:,} hits written to {output}")


@app.command()
@reads_runs
def coincidences(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    window: WindowOption = defaults.WINDOW,
    reject: Reject = defaults.REJECT,
    start: Annotated[
        str | None, typer.Option("--start", help="Only pairs of this detector with --stop, dt signed.")
    ] = None,
    stop: Annotated[str | None, typer.Option("--stop", help="The other detector.")] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="compass-pairs: a ROOT tree Data_C, each pair in both orders.")
    ] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find all pairs of hits of different detectors within a window, and save them."""
    from gammapolars import commands
    from gammapolars.coincidences import PairRule
    from gammapolars.io import check_writable
    from gammapolars.printing import Progress, coincidence_text, print_json

    check_writable(output, overwrite=overwrite, layout=layout)
    known = how.known
    ends = (known.named(name) if name is not None else None for name in (start, stop))
    rule = PairRule(window, reject=reject, start=next(ends), stop=next(ends))
    opened = how.open(runs)
    with Progress(opened.count) as progress:
        summary = commands.coincidences(
            opened, rule, output, detectors=known, layout=layout, overwrite=overwrite, progress=progress
        )
    print_json(summary) if as_json else print(coincidence_text(summary))


@app.command()
@reads_runs
def spectrum(
    runs: Runs,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Ends in .spe, .chn, .txt, .csv, .parquet, .root or .png."),
    ],
    bin_kev: Annotated[
        float | None, typer.Option("--bin-kev", help="Bins of energy of this width, instead of adc values.")
    ] = None,
    reject: Reject = defaults.REJECT,
    format: Annotated[str | None, typer.Option("--format", help="radware, for a .spe of RadWare's gf3.")] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the spectrum of each detector; in .spe, .chn and .txt, of several detectors a file each."""
    from gammapolars import exports
    from gammapolars.printing import Progress, print_json, spectra_text

    opened = how.open(runs)
    with Progress(opened.count) as progress:
        summary = exports.spectra(
            opened,
            output,
            reject=reject,
            detectors=how.known,
            bin_kev=bin_kev,
            format=format,
            overwrite=overwrite,
            progress=progress,
        )
    print_json(summary) if as_json else print(spectra_text(summary))


@app.command()
@reads_runs
def matrix(
    runs: Runs,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .mat, .m4b, .spn, .root, .parquet, .csv or .png.")
    ],
    window: WindowOption = defaults.WINDOW,
    bin_kev: Annotated[
        float | None, typer.Option("--bin-kev", help="Width of the bins; 2 keV, or what detectors need.")
    ] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the symmetric matrix of the energies of all pairs within a window."""
    from gammapolars import exports
    from gammapolars.coincidences import PairRule
    from gammapolars.printing import Progress, matrix_text, print_json

    opened = how.open(runs)
    rule = PairRule(window, reject=reject)
    with Progress(opened.count) as progress:
        summary = exports.matrix(
            opened, rule, output, detectors=how.known, bin_kev=bin_kev, overwrite=overwrite, progress=progress
        )
    print_json(summary) if as_json else print(matrix_text(summary))


@app.command()
@reads_runs
def report(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to make.")],
    window: WindowOption = defaults.WINDOW,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Pairs, spectra, matrix, rates and timing of a run, explained on one HTML page."""
    from gammapolars import report as reporting
    from gammapolars.coincidences import PairRule
    from gammapolars.printing import Progress, print_json

    opened = how.open(runs)
    rule = PairRule(window, reject=reject)
    with Progress(opened.count) as progress:
        summary = reporting.make_report(
            opened, rule, output, detectors=how.known, overwrite=overwrite, progress=progress
        )
    print_json(summary) if as_json else print(f"{summary['pairs']:,} pairs; open {summary['output']}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@reads_runs
def query(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A query in queries/, or a .py file.")],
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Files, patterns or folders.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result streams to.")] = None,
    window: WindowOption = defaults.WINDOW,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Run your own query: a module with def query(hits, *, parameters) -> LazyFrame. Its parameters are options.

    With a name and no run, show the query and its parameters.
    """
    from gammapolars import commands, queries
    from gammapolars.printing import print_json, query_help

    found = queries.load(queries.find(name))
    files, words = queries.split_arguments(runs or [], context.args)
    if not files:
        print(query_help(found))
        return
    arguments = queries.parse_arguments(found, words)
    if output is None:
        raise typer.BadParameter("a query needs an output: add -o result.parquet")
    opened = how.open(files)
    summary = commands.run_query(
        opened,
        found,
        arguments,
        output,
        window=window,
        reject=reject,
        detectors=how.known,
        overwrite=overwrite,
    )
    print_json(summary) if as_json else print(f"query '{found.name}' written to {output}")


@app.command()
def simulate(
    source: Annotated[list[str], typer.Option("--source", help="Nuclide or NUCLIDE=ACTIVITY: Co-60, Na-22=100kBq.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run, a ROOT file as CoMPASS writes them.")],
    hits: Annotated[int | None, typer.Option("--hits", help="Stop after so many hits.")] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="Stop after this time, such as 60s.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random numbers: equal seeds give equal runs.")] = 1,
    detectors: DetectorsFile = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Parquet file: each hit's decay, nuclide, energy.")
    ] = None,
    layout: Annotated[str, typer.Option("--layout", help="Baskets: native, small, large, or entries each.")] = "native",
    solid_angle: Annotated[
        float | None, typer.Option("--solid-angle", help="Share of all directions that each detector covers.")
    ] = None,
    background: Annotated[
        float | None, typer.Option("--background", help="Uncorrelated hits/s of each detector.")
    ] = None,
    time_resolution: Annotated[
        str | None, typer.Option("--time-resolution", help="Standard deviation of timestamps, such as 8ns.")
    ] = None,
    tick: Annotated[str | None, typer.Option("--tick", help="Step of the digitizer's clock, such as 4ns.")] = None,
    dead_time: Annotated[str | None, typer.Option("--dead-time", help="After each hit, such as 2us.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a list-mode run with known truth."""
    from gammapolars import simulate as simulation
    from gammapolars.detectors import load_detectors
    from gammapolars.printing import Progress, print_json
    from gammapolars.units import PS_PER_S, parse_ps

    def picoseconds(text: str | None) -> int | None:
        return None if text is None else parse_ps(text)

    seconds = picoseconds(duration)
    with Progress(lambda: hits) as progress:
        summary = simulation.run(
            output,
            source,
            hits=hits,
            duration_s=None if seconds is None else seconds / PS_PER_S,
            seed=seed,
            detectors=load_detectors(detectors) if detectors else None,
            truth=truth,
            layout=layout,
            solid_angle=solid_angle,
            background_cps=background,
            time_resolution_ps=picoseconds(time_resolution),
            tick_ps=picoseconds(tick),
            dead_time_ps=picoseconds(dead_time),
            overwrite=overwrite,
            progress=progress,
        )
    print_json(summary) if as_json else print(f"{summary['hits']:,} hits written to {output}")


@detectors_app.command("import")
def detectors_import(
    assignments: Annotated[list[str], typer.Argument(metavar="CHANNEL=FILE.CALp", help="Or BOARD/CHANNEL=FILE.CALp.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="detectors.toml to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Make detectors.toml from PeakEasy calibrations."""
    from gammapolars.detectors import format_detectors, import_calp
    from gammapolars.io.output import complete_or_nothing

    found = import_calp(assignments)
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        hidden.write_text(format_detectors(found), encoding="utf-8")
    print(f"{len(found)} detectors written to {output}")
