"""What `gammapolars peaks` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Inputs, Reading, Reject, Saving, SpectrumName
from gammapolars.core import defaults


@command()
class PeaksOptions(Reading, Saving):
    """Find the peaks of spectra, and fit their energies, widths and areas."""

    inputs: Inputs
    output: Annotated[Path, "Ends in .csv, .parquet or .arrow.", OUTPUT]
    calibration: Annotated[str | None, "Energy polynomial: keV at adc 0, keV per adc, …: 3.545,0.3965."] = None
    fwhm: Annotated[str | None, "a,b,c of FWHM² = a + b E + c E², E in keV, or in channels where uncalibrated."] = None
    significance: Annotated[float, "Least significance of a peak, in standard deviations."] = (
        defaults.LEAST_SIGNIFICANCE
    )
    areas: Annotated[str, "Areas of lone peaks: fit, or sum, of counts above a straight line."] = "fit"
    reject: Reject = defaults.REJECT
    spectrum: SpectrumName = None
