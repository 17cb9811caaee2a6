"""Peaks that are none of a nuclide: escapes, sums, backscatter, Compton edges, annihilation radiation and X-rays."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import x_rays
from gammapolars.identification.nuclides import Sighting
from gammapolars.identification.peak_list import PeakList

FULL_ENERGY, ANNIHILATION, UNKNOWN = "full energy", "annihilation", "unknown"
SUM, SINGLE_ESCAPE, DOUBLE_ESCAPE, X_RAY = "sum", "single escape", "double escape", "X-ray"
BACKSCATTER, HUMP = "backscatter", "Compton edge or hump"

PAIRS_FROM_KEV = 1400.0
"""Below, so few photons make pairs that their escape peaks are not seen."""

MOST_SUM = 0.3
"""A sum has at most this part of the counts of the rarer of its lines."""

MOST_PILE_UP = 0.02
"""The same for two photons that arrived together by chance."""

MOST_HUMP = 1.5
"""Counts in a hump of the continuum, at most, for each in the peak of the photon that makes it."""

MOST_NARROW = 0.03
"""The same for peaks no wider than a line, where lines are resolved."""

SUMMED = 8
"""The strongest lines of a nuclide, whose sums are looked for."""

HIGHEST_X_RAY = 120.0


class Origin(NamedTuple):
    """Where else a peak can come from: its kind, the reason in words, and how far off the peak lies (in tolerances).

    For X-rays, `is_confirmed` says that other peaks show them, too; for sums, `is_rare` that no cascade
    makes them, or that both are annihilation photons, which fly apart.
    """

    kind: str
    reason: str
    off: float
    is_confirmed: bool = False
    is_rare: bool = False


def compton_edge(kev: float) -> float:
    """The most that a photon leaves by one Compton scattering: E / (1 + m/2E)."""
    return kev / (1 + ANNIHILATION_KEV / (2 * kev))


def scattered(kev: float, cosine: float) -> float:
    """The energy of a photon that was scattered by an angle: E / (1 + (1 − cos θ) E/m)."""
    return kev / (1 + (1 - cosine) * kev / ANNIHILATION_KEV)


def sharp_origins(peaks: PeakList, at: int, parents: Sequence[int], seen: Sequence[Sighting]) -> Iterator[Origin]:
    """Kinds of a peak as wide as lines are (an escape of one photon is a little wider)."""
    kev, area = float(peaks.kev[at]), float(peaks.area[at])
    tolerance = float(peaks.tolerance(kev)) + 3 * float(peaks.kev_unc[at])
    for parent in parents:
        energy = float(peaks.kev[parent])
        if energy < PAIRS_FROM_KEV or area > (3.0 if energy > 3000 else 0.8) * peaks.area[parent]:
            continue
        for number, kind in ((1, SINGLE_ESCAPE), (2, DOUBLE_ESCAPE)):
            off = abs(kev - energy + number * ANNIHILATION_KEV) / tolerance
            if off < 1:
                yield Origin(kind, f"{energy:.1f} keV minus {number} × 511 keV", off)
    yield from _sums(peaks, at, seen, tolerance)
    if kev < HIGHEST_X_RAY:
        yield from _x_rays(peaks, kev, tolerance, seen)


def _sums(peaks: PeakList, at: int, seen: Sequence[Sighting], tolerance: float) -> Iterator[Origin]:
    """Sums of two lines of a nuclide that is there, or random sums of the two strongest of all."""
    kev, area = float(peaks.kev[at]), float(peaks.area[at])
    pairs = []
    for nuclide in seen:
        strong = sorted(set(nuclide.peaks), key=lambda number: -peaks.area[number])[:SUMMED]
        pairs += [
            (one, other, MOST_SUM)
            for place, one in enumerate(strong)
            for other in (*strong[place + 1 :], *_annihilation(peaks))
        ]
    strongest = np.argsort(-peaks.area, kind="stable")[:4].tolist()
    pairs += [(one, other, MOST_PILE_UP) for one in strongest for other in strongest]
    for one, other, most in pairs:
        off = abs(kev - float(peaks.kev[one] + peaks.kev[other])) / (1.5 * tolerance)
        if off < 1 and at not in (one, other) and area < most * min(peaks.area[one], peaks.area[other]):
            by_chance = most == MOST_PILE_UP
            words = f"{peaks.kev[one]:.1f} keV + {peaks.kev[other]:.1f} keV"
            words = f"{words}, random summing" if by_chance else words
            yield Origin(SUM, words, off, is_rare=by_chance or one == other)


def _annihilation(peaks: PeakList) -> list[int]:
    off = np.abs(peaks.kev - ANNIHILATION_KEV)
    return np.flatnonzero(off < peaks.tolerance(ANNIHILATION_KEV)).tolist()[:1]


def _x_rays(peaks: PeakList, kev: float, tolerance: float, seen: Sequence[Sighting]) -> Iterator[Origin]:
    """K X-rays of the nuclides found, and of surrounding material: there the weaker ones only with Kα1."""
    table, width = x_rays(["", *(one.nuclide for one in seen)]), float(peaks.width_at(kev))
    near = [
        (abs(row["energy_kev"] - kev), row)
        for row in table.iter_rows(named=True)
        if abs(row["energy_kev"] - kev) < tolerance + 0.15 * width
    ]
    # Those of a nuclide that is there are the likelier ones.
    for off, row in sorted(near, key=lambda one: (not one[1]["nuclide"], one[1]["line"] != "Kalpha1", one[0])):
        of = f"of {row['nuclide']}" if row["nuclide"] else "fluorescence"
        partner = x_ray_partner(row["element"], row["line"])
        is_resolved = abs(partner - row["energy_kev"]) > 1.2 * width
        is_there = bool((np.abs(peaks.kev - partner) < max(tolerance, 0.5 * width)).any())
        if row["nuclide"] or row["line"] == "Kalpha1" or is_there or not is_resolved:
            confirmed = bool(row["nuclide"]) or (is_there and is_resolved)
            reason = f"{row['element']} {row['line']} {row['energy_kev']:.1f} keV, {of}"
            yield Origin(X_RAY, reason, off / tolerance, confirmed)
            return


@cache
def x_ray_partner(element: str, line: str) -> float:
    """The energy (keV) of the strongest K X-ray of a fluorescent element besides `line`; nan of others."""
    others = x_rays([""]).filter(pl.col("element") == element, pl.col("line") != line).sort("intensity")
    return float(others["energy_kev"][-1]) if others.height else float("nan")


def humps(peaks: PeakList, at: int, parents: Sequence[int]) -> Iterator[Origin]:
    """Structures in the continuum of stronger lines that can be mistaken for a peak where it rises or falls.

    Where lines are resolved, a hump is many times wider than they are; a peak as narrow as a line can only be a part
    of it, next to the edge or to 180°.
    """
    kev, area = float(peaks.kev[at]), float(peaks.area[at])
    width = max(float(peaks.width_at(kev)), min(float(peaks.kev_unc[at]), float(peaks.fwhm[at])))
    is_narrow = bool(peaks.is_sharp[at]) and not peaks.is_scintillator
    for parent in parents:
        energy = float(peaks.kev[parent])
        if energy <= kev or area > (MOST_NARROW if is_narrow else MOST_HUMP) * peaks.area[parent]:
            continue
        edge = compton_edge(energy)
        reach = max(1.8 * width, 0.01 * edge)
        if -reach < kev - edge < 0.7 * width:
            yield Origin(HUMP, f"edge of {energy:.1f} keV at {edge:.1f} keV", abs(kev - edge) / reach)
        back, side = scattered(energy, -1.0), scattered(energy, 0.0)
        side = min(side, back + 6 * width) if is_narrow else side
        if back - width < kev < side + width:
            off = max(0.0, (kev - back) / (side - back))
            yield Origin(BACKSCATTER, f"of {energy:.1f} keV: {back:.1f} keV at 180°", off)
