"""Weak lines that strong ones disturb: next to the sum of two lines in cascade, or to a Compton edge."""

from functools import cache
from itertools import combinations

import numpy as np
import polars as pl

from gammapolars.calibration.energy.arrays import Indices
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.types import Floats
from gammapolars.simulate import NUCLIDES, cascades

WEAK = 0.2
"""Only a line with less than this part of the area of a strong one is disturbed by it."""

EFFICIENCY = 0.02
"""The full-energy efficiency of a detector near its source: counts in a sum for each count of the one line, if the
other follows it in every decay."""

SAME_LINE_KEV = 0.5
"""How far the energies of one line may differ between the table of gamma lines and the decay schemes."""

EDGE_SHARE = 4.0
"""Counts in the Compton continuum for each count of a line, times 1.5, by which the continuum is higher at its edge."""

SUM_REACH, EDGE_REACH = 1.6, 1.2
"""A sum further away than this, in units of the FWHM, is a peak of its own in the fit; an edge lies near the peak."""

LEAST_SHIFT = 0.02
"""Least shift of a centroid, in units of the FWHM; smaller ones belong to the line shape."""

LEAST_PULL = 0.25
"""Least shift of a centroid, in units of its uncertainty; smaller ones do no harm."""

LEAST_LINES = 4
"""Different lines that must be left; where there are fewer, none is left out."""


def disturbances(table: pl.DataFrame) -> list[str]:
    """The disturbance of each line, in words; empty where there is none, or where too few lines would be left.

    The shift that a sum can cause is its distance from the line times its share of the counts of both; that of an edge
    is a third of the FWHM times the share of the step in the line's counts.

    Args:
        table: of matched lines, as `Match` has them.
    """
    if table.height < LEAST_LINES:
        return [""] * table.height
    columns = table.select(pl.col("energy_kev", "adc", "adc_unc", "fwhm_adc", "area").cast(pl.Float64))
    energy, adc, adc_unc, fwhm_adc, area = columns.to_numpy().T
    slope = float(np.polyfit(adc, energy, 1)[0])
    fwhm, unc = slope * fwhm_adc, slope * adc_unc
    causes = []
    for line in range(table.height):
        strong = np.flatnonzero((table["run"] == table["run"][line]).to_numpy() & (area * WEAK > area[line]))
        pairs = _sums(table, strong) + _edges(energy, area, fwhm[line], strong)
        causes.append(_worst(pairs, (energy[line], fwhm[line], unc[line], area[line])))
    left = table["energy_kev"].filter(pl.Series([not cause for cause in causes])).n_unique()
    return causes if left >= LEAST_LINES else [""] * table.height


_Cause = tuple[str, float, float, float, float]
"""Its name, its energy (keV), its counts at most, how near it disturbs (in units of the FWHM), and the shift, as a
part of its distance (0), or of the FWHM."""


def _sums(table: pl.DataFrame, strong: Indices) -> list[_Cause]:
    """The sums of each two strong lines that one decay can emit."""
    lines = table[strong].sort("energy_kev", descending=True).rows(named=True)
    causes: list[_Cause] = []
    for place, one in enumerate(lines):
        for other in lines[place + 1 :]:
            if one["nuclide"] != other["nuclide"]:
                continue
            rarer = min(one, other, key=lambda line: (line["intensity"] or 0.0, line["area"]))
            share = _together(one["nuclide"], one["energy_kev"], other["energy_kev"])
            what = f"near the sum {one['energy_kev']:.1f} + {other['energy_kev']:.1f}"
            total = one["energy_kev"] + other["energy_kev"]
            causes.append((what, total, EFFICIENCY * share * rarer["area"], SUM_REACH, 0.0))
    return causes


def _together(nuclide: str, one: float, other: float) -> float:
    """The part of the rarer line's photons that the other line's accompany; where no scheme is known at most all: 1."""
    if nuclide not in NUCLIDES:
        return 1.0
    alone, both = _photons(nuclide)
    near = [[energy for energy in alone if abs(energy - line) < SAME_LINE_KEV] for line in (one, other)]
    rarer = min(sum(alone[energy] for energy in energies) for energies in near)
    joint = sum(both.get((min(x, y), max(x, y)), 0.0) for x in near[0] for y in near[1])
    return joint / rarer if rarer else 1.0


@cache
def _photons(nuclide: str) -> tuple[dict[float, float], dict[tuple[float, float], float]]:
    """How often a decay emits a photon, by energy, and each two."""
    alone: dict[float, float] = {}
    both: dict[tuple[float, float], float] = {}
    for cascade in cascades(NUCLIDES[nuclide]):
        for energy in cascade.energies_kev:
            alone[energy] = alone.get(energy, 0.0) + cascade.probability
        for x, y in combinations(sorted(cascade.energies_kev), 2):
            both[x, y] = both.get((x, y), 0.0) + cascade.probability
    return alone, both


def _edges(energy: Floats, area: Floats, fwhm: float, strong: Indices) -> list[_Cause]:
    """The Compton edges of strong lines, with the counts of their step within a FWHM."""
    edges = energy[strong] / (1 + ANNIHILATION_KEV / (2 * energy[strong]))
    steps = EDGE_SHARE * area[strong] * fwhm / edges
    return [
        (f"near the Compton edge of {kev:.1f}", float(edge), float(step), EDGE_REACH, 1 / 3)
        for kev, edge, step in zip(energy[strong], edges, steps, strict=True)
    ]


def _worst(causes: list[_Cause], line: tuple[float, float, float, float]) -> str:
    """The largest shift of a line (given its energy, FWHM and uncertainty in keV, and area), if it is too large."""
    energy, fwhm, unc, area = line
    worst, most = "", max(LEAST_SHIFT * fwhm, LEAST_PULL * unc)
    for what, at, counts, reach, part in causes:
        distance = abs(at - energy)
        if distance > reach * fwhm:
            continue
        shift = (part * fwhm or distance) * counts / (counts + area)
        if shift > most:
            worst, most = what, shift
    return worst
