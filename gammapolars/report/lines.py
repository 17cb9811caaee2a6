"""Gamma lines of a run: the peaks of each detector's spectrum, and the lines of nuclides among them."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from gammapolars.analysis.run_spectra import SpectrumSet, area_doubts, fitted
from gammapolars.detectors import Detectors, named
from gammapolars.identification import ANNIHILATION as ANNIHILATION_KIND
from gammapolars.identification import FULL_ENERGY, UNKNOWN, peak_kinds, span_of
from gammapolars.peaks import with_sums

ANNIHILATION = "annihilation radiation"
"""Name of 511 keV where no nuclide explains it."""

CLEAR = 10.0
"""Area over its uncertainty of peaks that a report names though no nuclide explains them."""

PEAKS = "'gammapolars peaks"
"""The command that follows doubts about peaks, up to its options."""


class Peak(NamedTuple):
    """A peak in keV, with the statistical uncertainty of its position; its area is above the background."""

    centroid_kev: float
    centroid_unc_kev: float
    fwhm_kev: float
    area: float
    area_unc: float


class SeenLine(NamedTuple):
    """A line of a nuclide and the peak that it explains; and whether other lines confirm the nuclide."""

    nuclide: str
    energy_kev: float
    peak: Peak
    is_confirmed: bool = True


class Lines(NamedTuple):
    """The lines of one detector's spectrum, and the clear peaks that no nuclide and no other origin explains."""

    board: int
    channel: int
    name: str
    seen: list[SeenLine]
    unexplained: list[Peak]


def peak_table(
    spectra: pl.DataFrame, detectors: Detectors, warn: Callable[[str], None] = lambda _: None
) -> pl.DataFrame:
    """The peaks of each detector's spectrum, as `gammapolars peaks` finds, fits and names them.

    Args:
        spectra: `board`, `channel`, `adc`, `energy_kev` (null where not calibrated), `counts`, `variance`.
        detectors: names and resolutions.
        warn: called with doubts about the widths and areas of a spectrum.

    Returns:
        PEAKS with `board`, `channel`, `name`, `kind`, `reason`, `nuclide` and `line_kev`.
    """
    table = spectra.with_columns(run=pl.lit(1, pl.UInt16))
    of_detectors = SpectrumSet(table, (), detectors)
    fits = fitted(
        of_detectors, warn=lambda doubt: warn(f"{doubt}; give the FWHM of a single line with {PEAKS} --fwhm'")
    )
    if fits.height:
        for doubt in area_doubts(with_sums(table, fits), of_detectors):
            warn(f"{doubt}; {PEAKS} --areas sum' gives the summed counts instead")
    if not fits.height:
        return pl.DataFrame()
    return named(peak_kinds(fits.drop("run", strict=False), span_kev=span_of(table)), detectors)


def lines_of(spectra: pl.DataFrame, peaks: pl.DataFrame) -> list[Lines]:
    """The lines of each calibrated detector, by its peaks as `peak_table` gives them; detectors in adc are left out."""
    if "energy_kev" not in spectra.columns:
        return []
    calibrated = spectra.drop_nulls("energy_kev").select("board", "channel", "name").unique().sort("board", "channel")
    return [
        Lines(board, channel, name, *_of_one(peaks.filter(board=board, channel=channel) if peaks.height else peaks))
        for board, channel, name in calibrated.iter_rows()
    ]


def _of_one(peaks: pl.DataFrame) -> tuple[list[SeenLine], list[Peak]]:
    """The lines of one spectrum in order of energy, and the clear peaks without an explanation."""
    seen, unexplained = [], []
    for row in peaks.iter_rows(named=True):
        peak = Peak(*(row[name] for name in ("centroid_kev", "centroid_kev_unc", "fwhm_kev", "area", "area_unc")))
        if row["line_kev"] is not None:
            confirmed = row["kind"] == ANNIHILATION_KIND or ", with" in row["reason"]
            seen.append(SeenLine(row["nuclide"] or ANNIHILATION, row["line_kev"], peak, confirmed))
        elif row["kind"] in (FULL_ENERGY, UNKNOWN) and row["status"] != "failed" and peak.area > CLEAR * peak.area_unc:
            unexplained.append(peak)
    return seen, unexplained


def line_labels(lines: list[Lines]) -> dict[float, str]:
    """Labels of the lines that are seen, by their energies (keV): the nuclide and the energy, or only that."""
    seen = [line for detector in lines for line in detector.seen]
    names = {line.energy_kev: line.nuclide for line in seen}
    return {kev: f"{kev:.0f}" if name == ANNIHILATION else f"{name} {kev:.1f}" for kev, name in names.items()}
