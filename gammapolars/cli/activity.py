"""Commands on tables of peaks: efficiencies from sources of known activity, and activities from efficiencies."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.cli.app import AsJson, Overwrite, app
from gammapolars.options import DetectorsFile

LiveTime = Annotated[
    list[float], typer.Option("--live-time", metavar="SECONDS", help="Once for all files of peaks, or once for each.")
]
Started = Annotated[
    list[str],
    typer.Option("--started", metavar="DATE", help="When counting began, as 2024-05-01 or 2024-05-01T14:30."),
]
RealTime = Annotated[
    list[float] | None, typer.Option("--real-time", metavar="SECONDS", help="If the source decays while counting.")
]
LinesFile = Annotated[
    Path | None, typer.Option("--lines", help="Your own table of gamma lines, .csv, instead of the package's.")
]


@app.command()
def efficiency(
    peaks: Annotated[
        list[Path], typer.Argument(metavar="PEAKS", help="Tables of peaks, .csv or .parquet: one of each source.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="detectors.toml to write, with the efficiencies.")],
    live_time: LiveTime,
    started: Started,
    detectors: DetectorsFile = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Of each file: a [[source]] of detectors.toml, by its name.")
    ] = None,
    real_time: RealTime = None,
    order: Annotated[int | None, typer.Option("--order", help="Of the polynomial; chosen, if not given.")] = None,
    lines: LinesFile = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="Points and curve, a .png.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fit each detector's full-energy-peak efficiency to the peaks of sources of known activity."""
    from gammapolars import efficiency_command, peak_files
    from gammapolars.activity_text import efficiency_text
    from gammapolars.detectors import Detectors, load_detectors
    from gammapolars.io.output import check_output
    from gammapolars.printing import print_summary

    check_output(output, overwrite=overwrite)
    known = load_detectors(detectors) if detectors else Detectors()
    counted = peak_files.counted(peaks, live_time, started, real_time or [])
    summary = efficiency_command.save_efficiencies(
        peak_files.with_sources(counted, source or [], known),
        known,
        peak_files.lines_from(lines),
        output,
        order=order,
        figure=figure,
        overwrite=overwrite,
    )
    print_summary(summary, efficiency_text, as_json=as_json)


@app.command()
def activity(
    peaks: Annotated[Path, typer.Argument(metavar="PEAKS", help="A table of peaks, .csv or .parquet.")],
    nuclide: Annotated[list[str], typer.Option("--nuclide", help="Such as Cs-137; of a chain its head.")],
    live_time: Annotated[float, typer.Option("--live-time", metavar="SECONDS", help="How long it was counted.")],
    detectors: DetectorsFile = None,
    started: Annotated[
        str | None, typer.Option("--started", metavar="DATE", help="When counting began: needed with --at.")
    ] = None,
    real_time: Annotated[
        float | None, typer.Option("--real-time", metavar="SECONDS", help="If it decays while counting.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="Activity at this date; else the mean while counting."),
    ] = None,
    spectrum: Annotated[
        Path | None, typer.Option("--spectrum", help="That the peaks were found in: for limits where there is no peak.")
    ] = None,
    lines: LinesFile = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Ends in .csv or .parquet.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Tell the activities of nuclides from their peaks, or upper limits where nothing is detected."""
    from gammapolars import activity_command, peak_files
    from gammapolars.activity_text import activity_text
    from gammapolars.detectors import Detectors, load_detectors
    from gammapolars.printing import print_summary

    if output is not None:
        activity_command.check_table(output, overwrite=overwrite)
    known = load_detectors(detectors) if detectors else Detectors()
    (counted,) = peak_files.counted(
        [peaks], [live_time], [started] if started else [], [] if real_time is None else [real_time]
    )
    summary = activity_command.activity_summary(
        counted,
        nuclide,
        known,
        peak_files.lines_from(lines),
        at=peak_files.parse_moment(at) if at else None,
        spectrum=spectrum,
    )
    if output is not None:
        activity_command.save_activities(summary, output, overwrite=overwrite)
    print_summary(summary, activity_text, as_json=as_json)
