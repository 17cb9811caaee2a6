"""What `gammapolars calibrate` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors, nuclides
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.notes import option
from gammapolars.commands.options import Inputs, Reading, Reject, Saving, SpectrumName
from gammapolars.core import defaults


@command(short_help="Calibrate energies with the lines of known sources")
class CalibrateOptions(Reading, Saving):
    """Calibrate the energies of detectors with the lines of known sources.

    The gain need not be known: lines are matched to peaks in ADC channels, or in the energies of an older calibration
    given with --detectors.

    Examples:
    gammapolars calibrate run.root --source Co-60 -o detectors.toml
    gammapolars calibrate run.root --source Co-60 -o d.toml --figures figures
    """

    inputs: Inputs
    source: Annotated[
        list[str], option("NUCLIDE", "Source in front of the detectors: Eu-152. May be repeated.", complete=nuclides)
    ]
    output: Annotated[Path, "detectors.toml to write.", Writes(updates="detectors")]
    order: Annotated[int | None, "Order of the polynomial, 1 to 3; chosen if not given."] = None
    lines: Annotated[
        list[str] | None,
        option("ADC=KEV,...", "Peaks matched by hand; for one detector, BOARD/CHANNEL:ADC=KEV,... May be repeated."),
    ] = None
    gain: Annotated[str | None, option("LOW:HIGH", "Rough gain in keV per ADC channel, if known, such as 0.1:0.3.")] = (
        None
    )
    resolution: Annotated[
        float | None, option("PERCENT", "Rough FWHM at 662 keV, if known: 7 for NaI, 0.2 for HPGe.")
    ] = None
    without: Annotated[list[float] | None, option("KEV", "Leave this line out of the fit. May be repeated.")] = None
    only: Annotated[
        list[str] | None,
        option("DETECTOR", "Calibrate only this detector: name or board/channel. May be repeated.", complete=detectors),
    ] = None
    track: Annotated[
        list[float] | None,
        option("KEV", "Correct drifting gains by this line before calibrating. May be repeated."),
    ] = None
    residuals: Annotated[Path | None, "Table of the lines and residuals: .csv, .parquet or .arrow.", OUTPUT] = None
    figures: Annotated[Path | None, option("FOLDER", "Folder for figures of lines, residuals and widths."), OUTPUT] = (
        None
    )
    reject: Reject = defaults.REJECT
    spectrum: SpectrumName = None

    @property
    def further_outputs(self) -> tuple[Path, ...]:
        """The table of drift, next to detectors.toml."""
        return (self.output.with_suffix(".drift.parquet"),) if self.track else ()
