"""What `gammapolars spectrum` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command()
class SpectrumOptions(Recording, Saving):
    """Write the spectrum of each detector; in .spe, .chn and .txt, of several detectors a file each."""

    output: Annotated[Path, "Ends in .spe, .chn, .n42, .txt, .csv, .parquet, .root, .png, .pdf or .svg.", OUTPUT]
    bin_kev: Annotated[float | None, "Bins of energy of this width, instead of adc values."] = None
    reject: Reject = defaults.REJECT
    slice_width: Annotated[
        str | None, typer.Option("--slice", help="A spectrum for each slice of time, such as 10min: .parquet, .csv.")
    ] = None
    unit: Annotated[str, "keV; adc: channels, though energies were recorded beside them."] = "keV"
    per_second: Annotated[bool, "Counts per second of live time, where it is known."] = False
    format: Annotated[str | None, "radware, for a .spe of RadWare's gf3."] = None
