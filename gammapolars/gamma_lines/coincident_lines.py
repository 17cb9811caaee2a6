"""Which cascades of ENSDF explain that a line is in coincidence with another."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats, Range
from gammapolars.gamma_lines.ensdf import NOTABLE, SAME_LINE_KEV, canonical, cascades, photon_pairs
from gammapolars.gamma_lines.table import nuclides as known_nuclides

EVERY = "all"
"""Stands for all nuclides of the table of gamma lines."""

COLUMNS: dict[str, DType] = {
    "line": pl.Int64,
    "nuclide": pl.String,
    "daughter": pl.String,
    **floats("gate_kev", "energy_kev", "coincidences", "coincidences_unc", "half_life_s"),
}


def nuclides_named(texts: Sequence[str]) -> tuple[str, ...]:
    """The nuclides that some texts name, each one or several divided by commas, or `all`.

    Raises:
        InputError: paceENSDF is not installed.
        UsageError: ENSDF has no such nuclide, or no gamma rays of it.
    """
    names: dict[str, None] = {}
    for name in (name.strip() for text in texts for name in text.split(",")):
        names |= dict.fromkeys(_every() if name.lower() == EVERY else [canonical(name)])
    return tuple(names)


def _every() -> Iterator[str]:
    for name in known_nuclides():
        try:
            yield canonical(name)
        except UsageError:  # no gamma rays in ENSDF
            continue


def coincident_lines(gate: Range, energies_kev: Floats, fwhm_kev: Floats, nuclides: Sequence[str]) -> pl.DataFrame:
    """The cascades of some nuclides with one photon in a gate, and the other at a line.

    A line is that of a photon where they are less than half of its FWHM apart, or 0.5 keV, by which energies differ
    between tables. Cascades of fewer than 0.1 per 100 decays explain none.

    Args:
        gate: from a lower to a higher energy (keV).
        energies_kev: (n,) where the lines lie.
        fwhm_kev: (n,) how wide they are.
        nuclides: as `nuclides_named` gives them.

    Returns:
        `line` (its number from 0), `nuclide`, `daughter`, `gate_kev` and `energy_kev` of the two photons, as ENSDF has
        them, `coincidences` per 100 decays with `coincidences_unc`, and `half_life_s` of the level between them; by
        line, the most frequent first.

    Raises:
        InputError: paceENSDF is not installed.
    """
    x, y = pl.col("energy_kev_x"), pl.col("energy_kev_y")
    found = [pl.DataFrame(schema=COLUMNS)]
    reach = np.maximum(fwhm_kev / 2, SAME_LINE_KEV)
    for nuclide in nuclides:
        if not _may_explain(photon_pairs(nuclide), gate, energies_kev, reach):
            continue
        table = cascades(nuclide, least_coincidences=NOTABLE)
        both = [
            table.with_columns(gate_kev=x, energy_kev=y),
            table.filter(x != y).with_columns(gate_kev=y, energy_kev=x),
        ]
        partners = pl.concat(both).filter(pl.col("gate_kev").is_between(*gate))
        apart = np.abs(partners["energy_kev"].to_numpy()[:, None] - energies_kev[None])
        rows, lines = np.nonzero(apart <= reach)
        of_lines = partners[rows].with_columns(pl.Series("line", lines, pl.Int64))
        found.append(of_lines.select(list(COLUMNS)))
    return pl.concat(found).sort("line", "coincidences", descending=[False, True])


def _may_explain(pairs: Floats, gate: Range, energies_kev: Floats, reach: Floats) -> bool:
    """Whether one photon of any pair lies in the gate, and the other at a line."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    others = np.unique(both[(both[:, 0] >= gate[0]) & (both[:, 0] <= gate[1]), 1])
    return bool((np.abs(others[:, None] - energies_kev[None]) <= reach).any())
