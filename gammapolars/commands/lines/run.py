"""The command `lines`: gamma lines and cascades from the package's tables."""

from dataclasses import dataclass

import polars as pl
import typer

from gammapolars import gamma_lines
from gammapolars.analysis.summaries import Summary
from gammapolars.commands.lines.parse import LinesOptions
from gammapolars.core.records import optional
from gammapolars.gamma_lines import ensdf


@dataclass(frozen=True, kw_only=True)
class LinesSummary(Summary):
    """Lines or cascades of a nuclide, lines near an energy, or the nuclides that there are.

    Attributes:
        nuclides: names, where nothing is asked for.
        nuclide: whose lines or cascades they are.
        energy_kev: near which lines lie (keV).
        within_kev: how near (keV).
        least: photons, or pairs, per 100 decays.
        lines: `nuclide`, `parent`, `energy_kev`, `energy_kev_unc`, `intensity`, `intensity_unc`, `doublet`,
            `normalisation`, `calibrate`, `calibrate_fwhm`, `spread_kev`, `source`; near an energy, `distance_kev`.
        cascades: of two photons of one decay `nuclide`, `daughter`, `energy_kev_x`, `energy_kev_y`, `coincidences`,
            `coincidences_unc` and `half_life_s`.
    """

    nuclides: tuple[str, ...] | None = optional()
    nuclide: str | None = optional()
    energy_kev: float | None = optional()
    within_kev: float | None = optional()
    least: float | None = optional()
    lines: pl.DataFrame | None = optional()
    cascades: pl.DataFrame | None = optional()


def lines(options: LinesOptions) -> LinesSummary:
    """Lines of a nuclide or near an energy, cascades of a nuclide, or the names of all."""
    energy = _energy(options.nuclide)
    if options.cascades:
        if options.nuclide is None or energy is not None:
            raise typer.BadParameter("--cascades needs a nuclide: gammapolars lines Co-60 --cascades")
        least = ensdf.NOTABLE if options.least is None else options.least
        pairs = ensdf.cascades(options.nuclide, least_coincidences=least)
        return LinesSummary(nuclide=ensdf.canonical(options.nuclide), least=least, cascades=pairs)
    if options.nuclide is None:
        return LinesSummary(nuclides=gamma_lines.nuclides())
    least = options.least or 0.0
    if energy is not None:
        table = gamma_lines.nearest_lines(energy, within_kev=options.within, least_intensity=least)
        return LinesSummary(energy_kev=energy, within_kev=options.within, least=least, lines=table)
    table = gamma_lines.lines(options.nuclide, least_intensity=least)
    return LinesSummary(nuclide=gamma_lines.canonical(options.nuclide), least=least, lines=table)


def _energy(text: str | None) -> float | None:
    """The number of keV that an argument is, if it is one."""
    try:
        return float(text or "")
    except ValueError:
        return None
