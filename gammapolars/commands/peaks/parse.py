"""What `gammapolars peaks` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import choice, option
from gammapolars.commands.options import Inputs, Reading, Reject, Saving, SpectrumName
from gammapolars.core import defaults


@command(short_help="Find peaks and fit their energies, widths and areas")
class PeaksOptions(Reading, Saving):
    """Find the peaks of spectra, and fit their energies, widths and areas.

    Examples:
    gammapolars peaks run.root --detectors d.toml -o peaks.csv
    gammapolars peaks spectrum.spe --calibration 0.1,0.25 -o peaks.csv
    """

    inputs: Inputs
    output: Annotated[Path, "Table of peaks: .csv, .parquet or .arrow.", OUTPUT]
    calibration: Annotated[
        str | None, option("C0,C1,...", "Energy polynomial in keV, lowest order first: 3.545,0.3965.")
    ] = None
    fwhm: Annotated[
        str | None,
        option("A,B,C", "Widths: FWHM^2 = A + B E + C E^2, E in keV, or in ADC channels if not calibrated."),
    ] = None
    significance: Annotated[float, option("SIGMA", "Minimum significance of a peak, in standard deviations.")] = (
        defaults.LEAST_SIGNIFICANCE
    )
    areas: Annotated[
        str, choice("fit|sum", "Areas of isolated peaks: from the fit, or the sum of counts above a straight line.")
    ] = "fit"
    reject: Reject = defaults.REJECT
    spectrum: SpectrumName = None
