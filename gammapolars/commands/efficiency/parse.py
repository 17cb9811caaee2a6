"""What `gammapolars efficiency` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, app
from gammapolars.commands.options import DetectorsFile
from gammapolars.commands.peak_options import LinesFile, LiveTime, RealTime, Started


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
    from gammapolars.commands import peak_files
    from gammapolars.commands.efficiency import run
    from gammapolars.commands.efficiency.text import efficiency_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.detectors import Detectors, load_detectors
    from gammapolars.io.output import check_output

    check_output(output, overwrite=overwrite)
    known = load_detectors(detectors) if detectors else Detectors()
    counted = peak_files.counted(peaks, live_time, started, real_time or [])
    summary = run.save_efficiencies(
        peak_files.with_sources(counted, source or [], known),
        known,
        peak_files.lines_from(lines),
        output,
        order=order,
        figure=figure,
        overwrite=overwrite,
    )
    print_summary(summary, efficiency_text, as_json=as_json)
