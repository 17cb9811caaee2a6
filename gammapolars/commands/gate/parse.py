"""What `gammapolars gate` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors, nuclides
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.notes import choice, option
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


@command(short_help="Write the gated spectrum of a line")
class GateOptions(Reading, Pairing, OnCluster, Saving):
    """Gated spectrum of a line, with background and, on request, random coincidences subtracted.

    The coincidences are those of runs, of saved pairs, or of a stored matrix.

    Examples:
    gammapolars gate run.root --detectors d.toml --on 1332.5 -o gated.csv
    gammapolars gate pairs.parquet --on 1332.5 --background auto -o gated.csv
    gammapolars gate matrix.parquet --on 1332.5 --background auto -o gated.csv
    """

    names: Runs
    on: Annotated[float, option("KEV", "Energy of the line; its ADC channel with --unit adc.")]
    output: Annotated[
        Path,
        "Gated spectrum: .parquet, .arrow, .csv, .root, .txt, .spe, .chn, .n42, .png, .pdf or .svg.",
        OUTPUT,
    ]
    width: Annotated[float | None, option("KEV", "Full width of the gate; if not given, 2 FWHM of each detector.")] = (
        None
    )
    unit: Annotated[str, choice("keV|adc", "Gate on energies, or on ADC channels where there are none.")] = "keV"
    background: BackgroundOption = None
    partner: Annotated[
        float | None,
        option("KEV", "Also count the coincidences with this line, with all three backgrounds subtracted."),
    ] = None
    partner_background: Annotated[
        list[str] | None,
        option("LOW:HIGH", "Background region next to that line; auto if not given. May be repeated."),
    ] = None
    second: Annotated[
        float | None, option("KEV", "Second line: spectrum of the third hits of triple coincidences.", "--and")
    ] = None
    second_background: SecondBackgroundOption = None
    of: Annotated[
        list[str] | None,
        option(
            "DETECTOR", "Accept only hits of this detector in the gate. May be repeated.", "--in", complete=detectors
        ),
    ] = None
    polygon: Annotated[Path | None, "Keep only pairs inside the polygons of this .toml or .csv.", FILE] = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    bin_width: Annotated[float | None, option("WIDTH", "Bin width; 1 keV or 1 ADC channel if not given.", "--bin")] = (
        None
    )
    by_detector: Annotated[bool, "Give a spectrum for each detector."] = False
    axis: Annotated[str | None, choice("x|y", "Axis of a stored matrix on which to gate.")] = None
    subtract_background: SubtractBackground = False
    peak_region: PeakRegion = None
    cascade: Annotated[
        list[str] | None,
        option(
            "NUCLIDE",
            "Nuclides whose ENSDF cascades may explain the peaks: Eu-152,Co-60, or all.",
            complete=nuclides,
        ),
    ] = None
    peaks: Annotated[Path | None, "Table of peaks in the gated spectrum: .csv or .parquet.", OUTPUT] = None
    figure: Annotated[Path | None, "Figure of the gated spectrum: .png, .pdf or .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
