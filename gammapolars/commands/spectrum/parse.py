"""What `gammapolars spectrum` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import choice, option
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command(short_help="Write the spectrum of each detector")
class SpectrumOptions(Recording, OnCluster, Saving):
    """Write the spectrum of each detector.

    In the formats .spe, .chn and .txt, each detector has a file of its own.

    Examples:
    gammapolars spectrum run.root --detectors d.toml -o spectrum.spe
    gammapolars spectrum run.root --detectors d.toml --bin-kev 2 -o spectra.png
    """

    output: Annotated[Path, "Spectra: .spe, .chn, .n42, .txt, .csv, .parquet, .root, .png, .pdf or .svg.", OUTPUT]
    bin_kev: Annotated[float | None, option("KEV", "Bin width in energy; if not given, one bin per ADC channel.")] = (
        None
    )
    axis: Annotated[str, choice("energy|psd", "psd: distributions of the pulse shape.")] = "energy"
    bin_psd: Annotated[float | None, option("WIDTH", "Bin width of the pulse shape: 0.005 if not given.")] = None
    reject: Reject = defaults.REJECT
    slice_width: Annotated[
        str | None, option("TIME", "One spectrum per time slice, such as 10min, in .parquet or .csv.", "--slice")
    ] = None
    unit: Annotated[str, choice("keV|adc", "adc: ADC channels, even if energies were recorded.")] = "keV"
    per_second: Annotated[bool, "Counts per second of live time, where it is known."] = False
    format: Annotated[str | None, choice("radware", "radware: a .spe for RadWare's gf3.", metavar="FORMAT")] = None
