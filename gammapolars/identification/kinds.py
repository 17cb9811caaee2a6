"""The kind of each peak, with the reason, and the nuclide and line where it is one."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.gamma_lines import COMMON, canonical, lines
from gammapolars.identification import origins
from gammapolars.identification.nuclides import Sighting, aligned, sightings
from gammapolars.identification.origins import (
    ANNIHILATION,
    FULL_ENERGY,
    UNKNOWN,
    Origin,
    compton_edge,
    humps,
    scattered,
    sharp_origins,
)
from gammapolars.identification.peak_list import PeakList, peak_list

KINDS = (
    FULL_ENERGY,
    origins.SUM,
    origins.SINGLE_ESCAPE,
    origins.DOUBLE_ESCAPE,
    ANNIHILATION,
    origins.BACKSCATTER,
    origins.HUMP,
    origins.X_RAY,
    UNKNOWN,
)
"""Kinds of peaks."""

KEYS = ("run", "board", "channel")

MOST_PARENTS = 12
"""The strongest peaks whose continuum, escapes and sums are looked for."""

CLEAR = 5.0
"""Area over its uncertainty of a full-energy peak that no nuclide explains."""

NOTABLE, MOST_OF_PARENT = 0.02, 0.5
"""Such a peak has at least this part of the counts of the largest above it; where it may be a hump, the second."""


class Kind(NamedTuple):
    """The kind of a peak, why, and its nuclide and line (keV)."""

    kind: str
    reason: str
    nuclide: str | None = None
    line_kev: float | None = None

    @property
    def is_alone(self) -> bool:
        """Whether no other line confirms the nuclide."""
        return ", with" not in self.reason

    def gives_way_to(self, x_ray: Origin) -> bool:
        """Whether a peak that a nuclide explains is rather an X-ray.

        Others than common nuclides need two more lines where further peaks show the X-rays, and common ones one.
        """
        if self.nuclide in COMMON:
            return self.is_alone and x_ray.is_confirmed
        return self.is_alone or (x_ray.is_confirmed and self.reason.endswith("with another line"))


def peak_kinds(
    peaks: AnyFrame,
    *,
    nuclides: Iterable[str] = (),
    fwhm: tuple[float, float, float] | None = None,
    gated: bool = False,
    paired: bool = False,
    span_kev: tuple[float, float] | None = None,
) -> pl.DataFrame:
    """The kind of each peak of a table.

    Full-energy peaks have the width that most peaks agree on. They are named after nuclides whose strong lines are all
    there in about the ratio of their intensities; common sources and natural nuclides come first. Escapes, sums,
    backscatter and Compton edges are looked for where the strongest peaks put them, and 511 keV is annihilation
    radiation unless a nuclide has a line there. Energies decide all of that: without a calibration all is unknown.

    Args:
        peaks: of PEAKS, as `fit_peaks` gives them, of one or several spectra.
        nuclides: that are known to be there, or heads of chains; others are then not looked for.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²); None: from the peaks themselves.
        gated: whether they are those in coincidence with a line, which lack others of the same nuclide.
        paired: whether they are those of all pairs, in which 511 keV is in no ratio to other lines: its two photons fly
            apart, and opposite detectors see both.
        span_kev: range of the spectrum, keV: strong lines of a nuclide that are missing there speak
            against it. None: not known; then those between the peaks do.

    Returns:
        The table with `kind` (one of `KINDS`), `reason`, `nuclide` and `line_kev`.

    Raises:
        TableError: it is no table of peaks.
        UsageError: a nuclide is unknown.
    """
    peaks = eager(peaks, "table")
    if not {"area", "area_unc", "status"} <= set(peaks.columns):
        raise TableError("this is not a table of peaks: it has no area, area_unc and status")
    names = tuple(canonical(name) for name in nuclides)
    keys = [name for name in KEYS if name in peaks.columns]
    numbered = peaks.drop([name for name in Kind._fields if name in peaks.columns]).with_row_index("number")
    parts = numbered.partition_by(keys, maintain_order=True) if keys else [numbered]
    rows = {
        int(row): kind
        for part in parts
        for row, kind in zip(part["number"], _of_one(part, names, fwhm, (gated, paired), span_kev), strict=True)
    }
    columns = {"kind": pl.String, "reason": pl.String, "nuclide": pl.String, "line_kev": pl.Float64}
    found = pl.DataFrame([rows[row] for row in range(peaks.height)], schema=columns, orient="row")
    return pl.concat([numbered.drop("number"), found], how="horizontal")


def _of_one(
    table: pl.DataFrame,
    names: tuple[str, ...],
    fwhm: tuple[float, float, float] | None,
    coincident: tuple[bool, bool],
    span_kev: tuple[float, float] | None,
) -> list[Kind]:
    """The kinds of one spectrum's peaks, in the order of the table; `coincident`: gated, of pairs."""
    gated, paired = coincident
    result = [Kind(UNKNOWN, "it has no position, width or area")] * table.height
    in_kev = "centroid_kev" in table.columns and table["centroid_kev"].is_not_null().any()
    if not in_kev:
        for row, status in enumerate(table["status"]):
            result[row] = Kind(UNKNOWN, "the spectrum has no energies" if status != "failed" else "its fit failed")
        return result
    is_whole, is_coincident = not gated and not names, gated or paired
    peaks = peak_list(table, "kev", fwhm)._replace(is_whole=is_whole, is_coincident=is_coincident, span=span_kev)
    for row, kind in zip(peaks.rows.tolist(), _kinds(peaks, names), strict=True):
        result[row] = kind
    return result


def _kinds(peaks: PeakList, names: tuple[str, ...]) -> list[Kind]:
    # Annihilation radiation is as much of a source as its lines are, and wider by Doppler's effect.
    annihilation = np.abs(peaks.kev - ANNIHILATION_KEV) < peaks.tolerance(ANNIHILATION_KEV) + peaks.reach
    usable = (peaks.is_sharp | annihilation) & peaks.is_sure
    strongest = np.argsort(-np.where(usable, peaks.area, 0.0), kind="stable")[:MOST_PARENTS]
    parents = [int(at) for at in strongest if usable[at]]
    hump_of = [min(humps(peaks, at, parents), key=lambda one: one.off, default=None) for at in range(len(peaks.kev))]
    doubtful = np.array([one is not None for one in hump_of], dtype=bool)
    peaks = aligned(peaks, usable, doubtful)
    seen = sightings(peaks, usable, doubtful, names)
    return [_kind(peaks, at, seen, parents, hump_of[at]) for at in range(len(peaks.kev))]


def _kind(peaks: PeakList, at: int, seen: list[Sighting], parents: list[int], hump: Origin | None) -> Kind:
    """The kind of one peak."""
    named = _named(peaks, at, seen)
    off = abs(float(peaks.kev[at]) - ANNIHILATION_KEV)
    if off < peaks.tolerance(ANNIHILATION_KEV) + peaks.reach[at] and (
        named is None or named.line_kev == ANNIHILATION_KEV
    ):
        return Kind(ANNIHILATION, "511 keV", named.nuclide if named else None, ANNIHILATION_KEV)
    if not peaks.is_sure[at]:
        return Kind(UNKNOWN, "its area is not known well enough")
    if not peaks.is_sharp[at]:
        return _wide(peaks, at, hump)
    return _sharp(peaks, at, named, list(sharp_origins(peaks, at, parents, seen)), hump, parents)


def _wide(peaks: PeakList, at: int, hump: Origin | None) -> Kind:
    """The kind of a peak that is wider than a full-energy peak."""
    wide = f"{peaks.fwhm[at] / peaks.width[at]:.1f} times as wide as full-energy peaks"
    if hump is not None:
        return Kind(hump.kind, f"{hump.reason}, {wide}")
    is_below = bool((peaks.area[peaks.kev > peaks.kev[at]] > peaks.area[at]).any())
    return Kind(origins.HUMP if is_below else UNKNOWN, wide)


def _sharp(
    peaks: PeakList, at: int, named: Kind | None, others: list[Origin], hump: Origin | None, parents: list[int]
) -> Kind:
    """The kind of a peak as wide as a full-energy peak: the line of a nuclide, another trace of lines, or no name."""
    if named is not None and not any(named.gives_way_to(one) for one in others if one.kind == origins.X_RAY):
        return named
    if hump is not None and peaks.is_scintillator:
        # An edge of a scintillator is as narrow as its lines, and far more likely than a rare sum.
        others = [one for one in others if not one.is_rare]
    origin = min(others, key=lambda one: one.off, default=hump)
    if origin is not None:
        return Kind(origin.kind, origin.reason)
    if _is_clear(peaks, at, parents):
        return Kind(FULL_ENERGY, "as wide as the others; no nuclide of the table explains it")
    return Kind(UNKNOWN, "no nuclide explains it, and it is too weak to be sure that it is a line")


def _named(peaks: PeakList, at: int, seen: list[Sighting]) -> Kind | None:
    """The nuclide and line that explain a peak."""
    for one in seen:
        if at in one.peaks:
            kev = one.lines[one.peaks.index(at)]
            nuclide, line = _line(one.nuclide, kev, float(peaks.width_at(kev)))
            others = len(set(one.peaks)) - 1
            also = f", with {others} other lines" if others > 1 else ", with another line" if others else ""
            return Kind(FULL_ENERGY, f"{nuclide} {line:.1f} keV{also}", nuclide, line)
    return None


def _line(head: str, kev: float, width: float) -> tuple[str, float]:
    """The strongest of the lines that are one peak: its nuclide and energy."""
    near = [line for line in _lines_by_name(head) if abs(line[2] - kev) < max(width, 0.5)]
    _, nuclide, energy = max(near)
    return nuclide, energy


@cache
def _lines_by_name(head: str) -> tuple[tuple[float, str, float], ...]:
    """Intensity, nuclide and energy of all lines of a nuclide or chain."""
    return tuple(lines(head).select("intensity", "nuclide", "energy_kev").iter_rows())


def _is_clear(peaks: PeakList, at: int, parents: list[int]) -> bool:
    """Whether a peak without a name can only be a line: clear, isolated, and no bit of a stronger line's continuum."""
    kev, area = float(peaks.kev[at]), float(peaks.area[at])
    if area < CLEAR * peaks.area_unc[at]:
        return False
    others = np.abs(peaks.kev - kev) < 3 * peaks.width[at]
    others &= (peaks.area > 0.3 * area) & (peaks.area < 3 * area)
    if others.sum() > 1:
        return False
    in_continuum = any(
        scattered(float(peaks.kev[parent]), -1.0) - peaks.width[at] < kev < compton_edge(float(peaks.kev[parent]))
        and area < MOST_OF_PARENT * peaks.area[parent]
        for parent in parents
        if kev < 300
    )
    above = peaks.area[peaks.kev > kev].max(initial=0.0)
    least = MOST_OF_PARENT if peaks.is_scintillator or in_continuum else NOTABLE
    return bool(area > least * above)
