"""What `gammapolars coincidences` is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
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

    matrix: Annotated[Path | None, "The pairs' energies too, in the same pass: as for matrix -o.", OUTPUT] = None
    bin_kev: Annotated[float | None, "Width of the matrix' bins."] = None
    spectra: Annotated[Path | None, "Each detector's spectrum too: .parquet, .arrow, .csv.", OUTPUT] = None
    rates: Annotated[Path | None, "Rates over time too: .parquet, .arrow, .csv.", OUTPUT] = None
    time_differences: Annotated[Path | None, "Histograms of them too: .parquet, .arrow, .csv.", OUTPUT] = None


@command()
class CoincidencesOptions(Further, Recording, Pairing, Saving):
    """Find all pairs of hits of different detectors within a window, and save them."""

    output: Annotated[Path, "Ends in .parquet, .arrow, .csv or .root.", OUTPUT]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    reject: Reject = defaults.REJECT
    start: Annotated[str | None, "Only pairs of this detector with --stop, dt signed."] = None
    stop: Annotated[str | None, "The other detector."] = None
    nearest: Annotated[bool, "Of each start the nearest stop alone, instead of all."] = False
    live: Annotated[bool, "Also give the number of true pairs corrected for the detectors' dead time."] = False
    layout: Annotated[str | None, "compass-pairs: a ROOT tree Data_C, each pair in both orders."] = None
    add_back: AddBackOption = None
    veto: VetoOption = None
