"""What `gammapolars lines` is asked."""

from typing import Annotated

import typer

from gammapolars.commands.command import command


@command()
class LinesOptions:
    """Show gamma lines of a nuclide or near an energy, with uncertainties; without a name, which nuclides there are."""

    nuclide: Annotated[
        str | None, typer.Argument(metavar="NUCLIDE|KEV", help="Eu-152, Ra-226 for its chain, or an energy in keV.")
    ] = None
    within: Annotated[float, "Around an energy: how far lines may lie, in keV."] = 3.0
    cascades: Annotated[bool, "Pairs of photons from one decay, with gammapolars[nuclear]."] = False
    least: Annotated[float | None, "Photons, or pairs, per 100 decays; of pairs 0.1 if not given."] = None
