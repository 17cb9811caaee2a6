"""What `gammapolars coincidences` is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.help_pages import CLUSTER
from gammapolars.commands.notes import choice, option, switch
from gammapolars.commands.options import (
    AddBackOption,
    Pairing,
    RandomOption,
    Recording,
    Reject,
    Saving,
    VetoOption,
    WindowOption,
)
from gammapolars.core import defaults


@dataclass(frozen=True, kw_only=True)
class Further:
    """Files that the same pass writes next to the pairs."""

    HEADING = "More output from the same pass"

    matrix: Annotated[Path | None, "Matrix of the pairs' energies, as from 'gammapolars matrix'.", OUTPUT] = None
    bin_kev: Annotated[float | None, option("KEV", "Bin width of this matrix.")] = None
    spectra: Annotated[Path | None, "Spectrum of each detector: .parquet, .arrow or .csv.", OUTPUT] = None
    rates: Annotated[Path | None, "Rates over time: .parquet, .arrow or .csv.", OUTPUT] = None
    time_differences: Annotated[Path | None, "Histograms of time differences: .parquet, .arrow or .csv.", OUTPUT] = None


@command(short_help="Find pairs of hits within a time window")
class CoincidencesOptions(Further, Recording, Pairing, OnCluster, Saving):
    """Find all pairs of hits of different detectors within a time window, and save them.

    Examples:
    gammapolars coincidences run.root --detectors d.toml -o pairs.parquet
    gammapolars coincidences run.root --start 0/1 --stop 0/2 -o pairs.csv
    """

    output: Annotated[
        Path, "Table of pairs: .parquet, .arrow, .csv or .root; or a folder of Parquet files: pairs/.", OUTPUT
    ]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    reject: Reject = defaults.REJECT
    start: Annotated[
        str | None,
        option("DETECTOR", "Keep only pairs of this detector with --stop; dt is signed.", complete=detectors),
    ] = None
    stop: Annotated[str | None, option("DETECTOR", "The other detector of these pairs.", complete=detectors)] = None
    nearest: Annotated[bool, "Keep only the nearest stop for each start."] = False
    live: Annotated[bool, "Also report the true coincidences, corrected for the dead time of the detectors."] = False
    adc_short: Annotated[bool, "Also save adc_short of both hits, for their pulse shape."] = False
    layout: Annotated[
        str | None,
        choice("compass-pairs", "compass-pairs: a ROOT tree Data_C with each pair in both orders.", metavar="LAYOUT"),
    ] = None
    resume: Annotated[
        bool,
        switch(
            "--resume",
            "Do not repeat tasks that were finished when this command was killed; keep them if it fails again.",
            under=CLUSTER,
        ),
    ] = False
    add_back: AddBackOption = None
    veto: VetoOption = None
