"""Which of the common calibration lines a spectrum shows; a nuclide is named only when all its main lines are there."""

from typing import NamedTuple

from gammapolars.report.peak_search import Peak

ANNIHILATION = "annihilation radiation"

MAIN_LINES: dict[str, tuple[float, ...]] = {
    "Na-22": (511.0, 1274.537),
    "K-40": (1460.822,),
    "Co-60": (1173.228, 1332.492),
    "Cs-137": (661.657,),
    "Eu-152": (121.7817, 344.2785, 778.9045, 964.072, 1112.076, 1408.013),
}
"""keV, of the IAEA evaluation: the lines without which the nuclide cannot be there."""

FURTHER_LINES: dict[str, tuple[float, ...]] = {
    "Eu-152": (244.6974, 411.1165, 443.965, 867.380, 1085.837, 1212.948, 1299.142),
}
"""keV: lines that are named with their nuclide where they are seen, but not asked for."""


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
    seen: dict[Peak, SeenLine] = {}
    for nuclide, energies in MAIN_LINES.items():
        matches = [_match(peaks, energy) for energy in energies]
        if any(match is None for match in matches):
            continue
        further = [(energy, _match(peaks, energy)) for energy in FURTHER_LINES.get(nuclide, ())]
        for energy, peak in [*zip(energies, matches, strict=True), *further]:
            if peak is not None:
                seen.setdefault(peak, SeenLine(nuclide, energy, peak))
    if (peak := _match(peaks, 511.0)) is not None:
        seen.setdefault(peak, SeenLine(ANNIHILATION, 511.0, peak))
    lines = sorted(seen.values(), key=lambda line: line.energy_kev)
    return lines, [peak for peak in peaks if peak not in seen]


def _match(peaks: list[Peak], energy_kev: float) -> Peak | None:
    """The peak at a line's energy: within a quarter of its width, half a keV for the calibration, and 3 sigma."""
    near = [
        peak
        for peak in peaks
        if abs(peak.centroid_kev - energy_kev) < 0.25 * peak.fwhm_kev + 0.5 + 3 * peak.centroid_unc_kev
    ]
    return min(near, key=lambda peak: abs(peak.centroid_kev - energy_kev), default=None)
