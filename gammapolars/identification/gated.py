"""Identification of peaks in coincidence with a line: by the nuclides that all pairs together show."""

import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import nearest_lines
from gammapolars.identification.kinds import Kind, peak_kinds
from gammapolars.identification.origins import ANNIHILATION, FULL_ENERGY

NEAR_FWHM, NEAR_KEV = 0.2, 0.3
"""How far a peak may lie from a line: part of its FWHM, and for evaluations and calibrations besides."""

LEAST_INTENSITY = 0.1
"""Photons per 100 decays of lines that name a peak."""


def gated_kinds(
    peaks: pl.DataFrame, of_all: pl.DataFrame, *, span_kev: tuple[float, float] | None = None
) -> pl.DataFrame:
    """Identify each peak of a gated spectrum.

    In coincidence with one line a nuclide shows only coincident lines, in ratios of their own: nuclides are found in
    the spectrum of all pairs, and each of their lines may be there. Where that names none, the gated one has to.

    Args:
        peaks: of PEAKS, of the gated spectrum, or of one of each detector.
        of_all: of PEAKS, of all pairs without a gate.
        span_kev: from where to where the spectrum of all pairs reaches, keV; None: not known.

    Returns:
        `peaks` with `kind`, `reason`, `nuclide` and `line_kev`, as from `peak_kinds`.
    """
    own = peak_kinds(peaks, gated=True)
    if own.is_empty() or "centroid_kev" not in own.columns:
        return own
    known = peak_kinds(of_all, paired=True, span_kev=span_kev)["nuclide"].drop_nulls().unique().sort().to_list()
    if not known:
        return own
    rows = [_of_peak(row, known) for row in own.iter_rows(named=True)]
    columns = {name: own.schema[name] for name in Kind._fields}
    return own.with_columns(pl.DataFrame(rows, schema=columns, orient="row"))


def _of_peak(peak: dict[str, object], known: list[str]) -> Kind:
    """The line of a known nuclide, where one is near; else the kind of the peak by itself, but for other nuclides."""
    own = Kind(*(peak[name] for name in Kind._fields))  # type: ignore[arg-type]
    kev, fwhm = peak["centroid_kev"], peak["fwhm_kev"]
    if own.kind == ANNIHILATION or not (isinstance(kev, float) and isinstance(fwhm, float) and kev > 0 and fwhm > 0):
        return own
    within = NEAR_FWHM * fwhm + min(NEAR_KEV, 0.3 * fwhm)
    near = nearest_lines(kev, within_kev=within, least_intensity=LEAST_INTENSITY)
    near = near.filter(pl.col("nuclide").is_in(known), pl.col("energy_kev") != ANNIHILATION_KEV)
    if near.height:
        nuclide, line = near.sort("intensity").select("nuclide", "energy_kev").row(-1)
        return Kind(FULL_ENERGY, f"{nuclide} {line:.1f} keV, of a nuclide that all pairs show", nuclide, line)
    if own.nuclide is not None:
        return Kind(FULL_ENERGY, "as wide as the others; no nuclide that all pairs show explains it")
    return own
