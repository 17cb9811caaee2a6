"""Which of the common calibration lines a spectrum shows; a nuclide is named only when all its main lines are there."""

from functools import cache
from typing import NamedTuple

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import lines
from gammapolars.report.full_energy import Peak

ANNIHILATION = "annihilation radiation"

SEARCHED = ("Na-22", "K-40", "Co-60", "Cs-137", "Eu-152")
"""Nuclides that a report looks for."""

MAIN_SHARE = 0.4
"""The main lines of a nuclide, without which it cannot be there, have this share of its strongest line or more."""

LEAST_INTENSITY = 1.0
"""Photons per 100 decays: weaker lines are not named."""


class SeenLine(NamedTuple):
    """A line of the table and the peak that it explains."""

    nuclide: str
    energy_kev: float
    peak: Peak


def identify(peaks: list[Peak]) -> tuple[list[SeenLine], list[Peak]]:
    """Name the peaks of one detector's spectrum.

    Args:
        peaks: of one spectrum.

    Returns:
        The lines seen, in order of energy; and the peaks that the table does not explain. A peak that two nuclides
        could explain is given to the first; 511 keV without 1275 keV is annihilation radiation and names no nuclide.
    """
    names: dict[Peak, SeenLine] = {}
    for nuclide in SEARCHED:
        energies, further_energies = main_and_further(nuclide)
        matches = [_match(peaks, energy) for energy in energies]
        if any(match is None for match in matches):
            continue
        further = [(energy, _match(peaks, energy)) for energy in further_energies]
        for energy, peak in [*zip(energies, matches, strict=True), *further]:
            if peak is not None:
                names.setdefault(peak, SeenLine(nuclide, energy, peak))
    if (peak := _match(peaks, ANNIHILATION_KEV)) is not None:
        names.setdefault(peak, SeenLine(ANNIHILATION, ANNIHILATION_KEV, peak))
    lines = sorted(names.values(), key=lambda line: line.energy_kev)
    return lines, [peak for peak in peaks if peak not in names]


@cache
def main_and_further(nuclide: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The energies in keV of a nuclide's main lines, and of those that are named where seen, but not asked for.

    Doublets count: there is a peak all the same.
    """
    table = lines(nuclide, least_intensity=LEAST_INTENSITY).select("energy_kev", "intensity").rows()
    least = MAIN_SHARE * max(intensity for _, intensity in table)
    main = tuple(energy for energy, intensity in table if intensity >= least)
    return main, tuple(energy for energy, intensity in table if intensity < least)


def _match(peaks: list[Peak], energy_kev: float) -> Peak | None:
    """The peak at a line's energy: within a quarter of its width, half a keV for the calibration, and 3 sigma."""
    near = [
        peak
        for peak in peaks
        if abs(peak.centroid_kev - energy_kev) < 0.25 * peak.fwhm_kev + 0.5 + 3 * peak.centroid_unc_kev
    ]
    return min(near, key=lambda peak: abs(peak.centroid_kev - energy_kev), default=None)
