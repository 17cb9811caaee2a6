"""What `gammapolars gate` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.options import (
    BackgroundOption,
    Pairing,
    PeakRegion,
    RandomOption,
    Reading,
    Reject,
    Runs,
    Saving,
    SecondBackgroundOption,
    SubtractBackground,
    WindowOption,
)
from gammapolars.core import defaults


@command()
class GateOptions(Reading, Pairing, Saving):
    """Show what is in coincidence with a line, net of background and chance: of a run, a file of pairs, or a matrix."""

    names: Runs
    on: Annotated[float, "The line's energy in keV; the channel, with --unit adc."]
    output: Annotated[
        Path, "Ends in .parquet, .arrow, .csv, .root, .txt, .spe, .chn, .n42, .png, .pdf or .svg.", OUTPUT
    ]
    width: Annotated[float | None, "Of the gate, from one end to the other; else 2 FWHM of each detector."] = None
    unit: Annotated[str, "keV; adc: gate on channels, where there are no energies."] = "keV"
    background: BackgroundOption = None
    partner: Annotated[float | None, "Also count the coincidences with this line, net of all three backgrounds."] = None
    partner_background: Annotated[
        list[str] | None, typer.Option(metavar="LOW:HIGH", help="Beside that line; else auto. May be repeated.")
    ] = None
    second: Annotated[
        float | None, typer.Option("--and", help="A second line, of triples: the spectrum of their third hits.")
    ] = None
    second_background: SecondBackgroundOption = None
    of: Annotated[
        list[str] | None, typer.Option("--in", help="Only hits of this detector may lie in the gate. May be repeated.")
    ] = None
    polygon: Annotated[Path | None, "Only pairs inside the polygons of this .toml or .csv.", FILE] = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    bin_width: Annotated[float | None, typer.Option("--bin", help="Width of the bins: 1 keV, or 1 adc.")] = None
    by_detector: Annotated[bool, "A spectrum of each detector."] = False
    axis: Annotated[str | None, "Of a stored matrix: which axis to gate on, x or y."] = None
    subtract_background: SubtractBackground = False
    peak_region: PeakRegion = None
    cascade: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUCLIDE", help="Nuclides whose ENSDF cascades may explain the peaks: Eu-152,Co-60, or all."
        ),
    ] = None
    peaks: Annotated[Path | None, "The peaks' table: .csv, .parquet.", OUTPUT] = None
    figure: Annotated[Path | None, "The spectrum: .png, .pdf, .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
