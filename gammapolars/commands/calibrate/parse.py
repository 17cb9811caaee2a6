"""What `gammapolars calibrate` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.options import Inputs, Reading, Reject, Saving, SpectrumName
from gammapolars.core import defaults


@command()
class CalibrateOptions(Reading, Saving):
    """Calibrate detectors by the lines of sources: from raw adc values, or from an older --detectors file."""

    inputs: Inputs
    source: Annotated[list[str], "A source that was measured: Eu-152. May be repeated."]
    output: Annotated[Path, "The detectors.toml to write.", Writes(updates="detectors")]
    order: Annotated[int | None, "Of the polynomial, 1 to 3; chosen if it is not given."] = None
    lines: Annotated[list[str] | None, "Pairs by hand: ADC=KEV,ADC=KEV; for one detector BOARD/CHANNEL:ADC=KEV,…"] = (
        None
    )
    gain: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="About the gain, where known: keV per adc, 0.1:0.3.")
    ] = None
    resolution: Annotated[float | None, "About the FWHM at 662 keV, where known, in % of it: 7, or 0.2 of HPGe."] = None
    without: Annotated[
        list[float] | None, typer.Option(metavar="KEV", help="Leave this line out of the fit. May be repeated.")
    ] = None
    only: Annotated[list[str] | None, "Calibrate this detector alone: its name, or board/channel."] = None
    residuals: Annotated[Path | None, "Table of the lines: .csv, .parquet or .arrow.", OUTPUT] = None
    figures: Annotated[Path | None, "Folder for figures of lines, residuals and widths.", OUTPUT] = None
    track: Annotated[
        list[float] | None,
        typer.Option(metavar="KEV", help="Gains drift: follow this line, and calibrate corrected hits."),
    ] = None
    reject: Reject = defaults.REJECT
    spectrum: SpectrumName = None

    @property
    def further_outputs(self) -> tuple[Path, ...]:
        """The table of drift, next to detectors.toml."""
        return (self.output.with_suffix(".drift.parquet"),) if self.track else ()
