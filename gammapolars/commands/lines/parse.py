"""What `gammapolars lines` is asked."""

from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import nuclides
from gammapolars.commands.notes import argument, option


@command(short_help="Look up gamma lines of a nuclide or near an energy")
class LinesOptions:
    """Look up gamma lines of a nuclide, or near an energy, with uncertainties.

    Without a nuclide or energy, it lists all nuclides of the table.

    Examples:
    gammapolars lines Eu-152
    gammapolars lines 661.7 --within 2
    """

    nuclide: Annotated[
        str | None,
        argument("NUCLIDE|KEV", "Eu-152, Ra-226 for its chain, or an energy in keV.", complete=nuclides),
    ] = None
    within: Annotated[float, option("KEV", "Show lines up to this far from the energy.")] = 3.0
    cascades: Annotated[bool, "List coincident pairs of lines; needs gammapolars[nuclear]."] = False
    least: Annotated[
        float | None,
        option("PERCENT", "Minimum intensity: photons, or pairs, per 100 decays; 0.1 for pairs if not given."),
    ] = None
