"""Which nuclides peaks show: those whose strong lines are all there, in about the ratio of their intensities."""

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.types import Floats, Mask
from gammapolars.gamma_lines import COMMON, heads, lines, nuclides
from gammapolars.identification.peak_list import PeakList

Indices = NDArray[np.intp]

EFFICIENCY_SLOPE = -0.9
"""ln of the full-energy efficiency falls about so with ln E above `EFFICIENCY_KNEE`, and hardly rises below it."""

EFFICIENCY_KNEE = 120.0

FACTOR, FACTOR_PER_LN = 3.0, 1.6
"""How far an area may be from the one that another line predicts: a factor, and one more for each e-fold of energy."""

SEEN_FROM_KEV = 150.0
"""Most spectra begin below: where a single line is found, stronger ones from here to the lowest peak should be, too."""

SEEN = 5.0
"""A line should be seen where its predicted area is this many times the uncertainty of an area there, with a factor."""

LEAST_PART = 0.6
"""The least part (by predicted area) of a nuclide's expected lines that must be found."""

LEAST_OF_CHAIN = 0.1
"""The same of all photons of the chain, for a daughter that one line names."""

CLOSE_RARE, CLOSE_ALONE = 0.4, 0.5
"""Part of the tolerance within which a single line names a rare nuclide, and a common one in a scintillator."""

LEAST_OF_ONE, LEAST_OF_ALL = 0.4, 0.35
"""The least part of all photons that one line must have to name a nuclide by itself, or several together."""

DRIFTED = 0.7
"""How far a calibration may have drifted, in units of the FWHM."""

ENOUGH_LINES = 5
"""Lines of one nuclide from which on they correct a calibration."""

NEAR = 0.06
"""How far around lines correct it, as part of the range."""

CLEAR = 5.0
"""Area over its uncertainty of peaks that convince of a nuclide."""

LEAST_ALONE = 0.05
"""Part of the strongest peak's counts that a rare nuclide's line must have to name it by itself."""

MOST_DOUBTFUL = 1.5
"""Where a hump may be, an area is a line's if it is at most this factor above the predicted one."""

APART = (0.5, 0.95)
"""Lines closer than this part of the FWHM are one peak; fits resolve them, or do not."""

LEAST_INTENSITY = 0.01
"""Photons per 100 decays of the weakest lines that name a peak."""


class Sighting(NamedTuple):
    """A nuclide that the peaks show.

    `lines` are its energies (keV), each with the number of its `peaks`; `is_common`: a calibration source or natural;
    `share`: the part of its photons, of all that the spectrum reaches, for which there are peaks.
    """

    nuclide: str
    lines: tuple[float, ...]
    peaks: tuple[int, ...]
    is_common: bool
    share: float = 1.0


class _Lines(NamedTuple):
    """Lines of a nuclide, those that a detector does not resolve as one."""

    kev: Floats
    intensity: Floats


@cache
def _lines_of(nuclide: str) -> tuple[tuple[float, float], ...]:
    """Energies and intensities of a nuclide or chain, by energy."""
    if nuclide not in _alone():
        return _pairs(lines(nuclide))
    return _alone()[nuclide]


@cache
def _alone() -> dict[str, tuple[tuple[float, float], ...]]:
    """The lines of all nuclides that head no chain, in one pass over the table."""
    alone = lines().filter(~pl.col("nuclide").is_in(list(heads())))
    return {str(name): _pairs(own) for (name,), own in alone.group_by(["nuclide"])}


def _pairs(table: pl.DataFrame) -> tuple[tuple[float, float], ...]:
    shown = table.filter(pl.col("intensity") >= LEAST_INTENSITY).sort("energy_kev")
    return tuple(shown.select("energy_kev", "intensity").iter_rows())


@cache
def _strongest() -> tuple[tuple[str, ...], Floats]:
    """The names of all nuclides, and the energies of the three lines of each that detectors see most of."""
    names, energies = [], []
    for name in nuclides():
        if own := _lines_of(name):
            kev, photons = np.array(own).T
            order = np.argsort(-photons * efficiency(kev), kind="stable")[
                [0, min(1, len(own) - 1), min(2, len(own) - 1)]
            ]
            names.append(name)
            energies.append(kev[order])
    return tuple(names), np.array(energies)


def _near_names(peaks: PeakList, usable: Mask) -> tuple[str, ...]:
    """The nuclides one of whose strong lines has a peak nearby."""
    names, energies = _strongest()
    kev, width = peaks.kev[usable], np.maximum(peaks.width_at(energies), 2.0)
    if not len(kev):
        return ()
    near = np.abs(energies[:, :, None] - kev).min(2) < width
    return tuple(name for name, close in zip(names, near.any(1), strict=True) if close)


def _resolved(nuclide: str, peaks: PeakList, apart: float) -> _Lines:
    """The lines of a nuclide, with those closer than `apart` FWHM as one, at the energy of its mean photon."""
    groups: list[list[float]] = []
    for kev, intensity in _lines_of(nuclide):
        if groups and kev - groups[-1][0] < apart * float(peaks.width_at(kev)):
            mean, photons = groups[-1]
            groups[-1] = [(mean * photons + kev * intensity) / (photons + intensity), photons + intensity]
        else:
            groups.append([kev, intensity])
    means, sums = np.array(groups).T
    return _Lines(means, sums)


def efficiency(kev: Floats) -> Floats:
    """The full-energy efficiency of any detector, relative and rough."""
    return np.asarray(np.maximum(kev, EFFICIENCY_KNEE) ** EFFICIENCY_SLOPE)


def sightings(peaks: PeakList, usable: Mask, doubtful: Mask, asked: tuple[str, ...] = ()) -> list[Sighting]:
    """The nuclides that peaks show, the surest first; a later one explains at least one peak that no earlier one does.

    Args:
        peaks: of one spectrum.
        usable: which of them may be full-energy peaks.
        doubtful: which of them may as well be a hump of a stronger line: they convince nobody of a nuclide.
        asked: nuclides or heads of chains that are there; all of the table, if none is given.
    """
    names = asked or _near_names(peaks, usable)
    trials: dict[str, Sighting] = {}
    for name in names:
        found = [one for apart in APART if (one := _sighting(name, peaks, (usable, doubtful), apart)) is not None]
        if found:
            trials[name] = max(found, key=lambda one: _gain(one, peaks, set()))
    result: list[Sighting] = []
    explained: set[int] = set()
    while trials:
        gains = {name: _gain(one, peaks, explained) for name, one in trials.items()}
        best = max(gains, key=lambda name: gains[name])
        if gains[best] <= 0:
            break
        one = trials.pop(best)
        result.append(one)
        explained |= set(one.peaks)
    return result


def aligned(peaks: PeakList, usable: Mask, doubtful: Mask) -> PeakList:
    """The peaks with energies moved to where the lines of nuclides say that a calibration has drifted to.

    A nuclide with many lines is sure even where all of them are off by a good part of their width. The correction at an
    energy is the mean of those around; without enough lines there is none, nor where lines are not resolved.
    """
    if peaks.is_scintillator:
        return peaks
    wide = peaks._replace(slack=DRIFTED)
    common = tuple(name for name in _near_names(wide, usable) if name in COMMON)
    seen = sightings(wide, usable, doubtful, common) if common else []
    pairs = {
        at: kev
        for one in seen
        if len(set(one.peaks)) >= ENOUGH_LINES
        for at, kev in zip(one.peaks, one.lines, strict=True)
    }
    if len(pairs) < ENOUGH_LINES:
        return peaks
    at, kev = np.array(list(pairs)), np.array(list(pairs.values()))
    weight = 1 / np.square(np.hypot(peaks.kev_unc[at], 0.05 * peaks.width[at]))
    near = np.exp(-0.5 * np.square((peaks.kev[:, None] - kev) / (NEAR * kev.max())))
    # Beyond the lines the nearest ones still say more than none.
    near = weight * np.maximum(near, 1e-9 / (1 + np.abs(peaks.kev[:, None] - kev)))
    return peaks._replace(kev=peaks.kev + (near * (kev - peaks.kev[at])).sum(1) / near.sum(1))


def _gain(one: Sighting, peaks: PeakList, explained: set[int]) -> float:
    """How much a nuclide adds: clearness of its peaks, twice if common, part of its photons, nearness."""
    new = [at for at in one.peaks if at not in explained]
    if not new:
        return 0.0
    clear = np.log1p((peaks.area / np.maximum(peaks.area_unc, 1e-9))[new])
    off = np.abs(peaks.kev[list(one.peaks)] - np.array(one.lines)) / peaks.tolerance(np.array(one.lines))
    return (
        float(clear.sum()) * (2.0 if one.is_common else 1.0)
        - 0.8 * float((off**2).mean())
        - 0.5 * len(one.peaks)
        + one.share
    )


def _sighting(name: str, peaks: PeakList, masks: tuple[Mask, Mask], apart: float) -> Sighting | None:
    """The evidence for a nuclide; None where its strong lines are missing."""
    usable, doubtful = masks
    resolved = _resolved(name, peaks, apart)
    low, high = peaks.bounds
    inside = (resolved.kev > low) & (resolved.kev < high)
    kev, emitted = resolved.kev[inside], resolved.intensity[inside]
    if not usable.any() or not len(kev):
        return None
    predicted = emitted * efficiency(kev)
    at = np.flatnonzero(usable)
    off = np.abs(peaks.kev[at][:, None] - kev[None, :])
    near = off <= peaks.tolerance(kev)[None, :] + peaks.reach[at][:, None]
    peak = at[np.where(near, off, np.inf).argmin(0)]
    matched = np.asarray(near.any(axis=0), np.bool_)
    if not matched[int(predicted.argmax())]:
        return None
    # A hump may lie where the strongest line is: then another line says how much there is of the nuclide.
    sound = matched & ~doubtful[peak]
    annihilation = matched & (kev == ANNIHILATION_KEV)
    if peaks.is_coincident:  # its two photons are in no ratio to others, since they fly apart
        sound &= ~annihilation
    main = int(np.where(sound, predicted, 0.0).argmax()) if sound.any() else int(predicted.argmax())
    predicted = predicted * peaks.area[peak[main]] / predicted[main]
    factor = FACTOR * FACTOR_PER_LN ** np.abs(np.log(kev / kev[main]))
    ratio = peaks.area[peak] / predicted
    fits = matched & (ratio < factor) & (ratio > 1 / factor)
    fits[main] = True
    visible = predicted > factor * SEEN * _least_unc(peaks, kev)
    hidden = _hidden(peaks, kev, predicted)
    missing = visible & ~fits & ~hidden & ~(matched & (ratio >= factor))
    shown = predicted[fits].sum()
    if shown < LEAST_PART * (shown + predicted[missing].sum()) or missing.sum() > 0.5 * fits.sum():
        return None
    if peaks.is_whole and (
        not _is_most(name, emitted, fits | (annihilation & peaks.is_coincident), hidden | (kev < SEEN_FROM_KEV))
        or (fits.sum() == 1 and _lacks_lines_below(peaks, resolved, float(kev[main]), float(peaks.area[peak[main]])))
    ):
        return None
    common = name in COMMON
    lacking = bool(missing.any()) and peaks.span is not None
    if not _convinces(peaks, (kev, peak, fits & ~doubtful[peak]), visible, common=common, lacking=lacking):
        return None
    # A hump takes part of the counts of a line that lies in it, and not the other way round.
    clear = peaks.area[peak] > CLEAR * peaks.area_unc[peak]
    fits &= ~doubtful[peak] | clear & (ratio / _neighbours_ratio(kev, ratio, fits & sound) < MOST_DOUBTFUL)
    order = np.flatnonzero(fits)
    there = fits | annihilation  # of which there is more where others emit positrons, too
    share = float(emitted[there].sum() / emitted.sum())
    return Sighting(name, tuple(kev[order].tolist()), tuple(peak[order].tolist()), common, share)


def _is_most(name: str, emitted: Floats, fits: Mask, may_lack: Mask) -> bool:
    """Whether the lines that are there are most of a nuclide's radiation, where nothing hides or absorbs it.

    How clear a line is above the continuum goes about with its intensity: efficiencies fall with energy, and so
    does the square root of the continuum. A daughter does not come without its chain.
    """
    least = LEAST_OF_ONE if fits.sum() == 1 else LEAST_OF_ALL
    shown = emitted[fits].sum()
    is_of_chain = shown >= LEAST_OF_CHAIN * _of_chain(name)
    return bool(shown >= least * emitted[fits | ~may_lack].sum()) and (is_of_chain or int(fits.sum()) > 1)


@cache
def _of_chain(name: str) -> float:
    """All photons from `SEEN_FROM_KEV` on of the chain that a daughter belongs to, per 100 of the daughter's decays."""
    parent = lines(name)["parent"][0]
    return sum(intensity for kev, intensity in _lines_of(parent) if kev >= SEEN_FROM_KEV) if parent != name else 0.0


def _convinces(
    peaks: PeakList, found: tuple[Floats, Indices, Mask], visible: Mask, *, common: bool, lacking: bool
) -> bool:
    """Whether that many lines name a nuclide: several, or the only one that could be seen, close by and clear.

    `lacking` says that a line is missing which the spectrum is known to reach.
    """
    kev, peak, fits = found
    clear = (peaks.area > CLEAR * peaks.area_unc) & peaks.is_sure
    own = fits & clear[peak] & (np.abs(kev - ANNIHILATION_KEV) > peaks.tolerance(kev))
    if int(own.sum()) >= (2 if common else 3):
        return True
    if not own.any():
        return False
    main = int(np.where(own, peaks.area[peak], 0.0).argmax())
    if not common and (peaks.is_scintillator or peaks.area[peak[main]] < LEAST_ALONE * peaks.area.max()):
        return False
    off = abs(float(peaks.kev[peak[main]] - kev[main]))
    alone = not lacking and int(visible.sum()) <= (1 if common else 0) + int(own.sum())
    tolerance = float(peaks.tolerance(kev[main]))
    of_tolerance = CLOSE_RARE if not common else CLOSE_ALONE if peaks.is_scintillator else 1.0
    close = off < of_tolerance * tolerance + float(peaks.reach[peak[main]])
    return alone and close


def _lacks_lines_below(peaks: PeakList, all_lines: _Lines, main: float, area: float) -> bool:
    """Whether a nuclide with one peak, at the line `main`, should have others below all peaks, where spectra reach."""
    kev, intensity = all_lines
    below = (kev > SEEN_FROM_KEV) & (kev <= 0.9 * peaks.kev.min())
    emitted = intensity * efficiency(kev)
    predicted = area * emitted[below] / emitted[kev == main]
    return bool((predicted > FACTOR * SEEN * _least_unc(peaks, kev[below])).any())


def _neighbours_ratio(kev: Floats, ratio: Floats, sound: Mask) -> Floats:
    """About the ratio of areas to predicted ones at energies, from the sound lines around."""
    if not sound.any():
        return np.ones_like(kev)
    weight = 1 / (0.05 + np.square(np.log(kev[:, None] / kev[None, sound])))
    return np.asarray(np.exp((weight * np.log(ratio[sound])).sum(1) / weight.sum(1)))


def _least_unc(peaks: PeakList, kev: Floats) -> Floats:
    """About the uncertainty that a small area would have at energies: that of the peaks around."""
    distance = np.abs(peaks.kev[:, None] - kev[None, :])
    nearest = np.argsort(distance, axis=0, kind="stable")[:3]
    return np.asarray(np.median(peaks.area_unc[nearest], axis=0))


def _hidden(peaks: PeakList, kev: Floats, predicted: Floats) -> Mask:
    """Whether a larger peak covers a line."""
    close = np.abs(peaks.kev[:, None] - kev[None, :]) < 1.2 * np.maximum(peaks.fwhm, peaks.width)[:, None]
    return np.asarray((close & (peaks.area[:, None] > 0.7 * predicted[None, :])).any(0))
