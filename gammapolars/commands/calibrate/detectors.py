"""Calibrations of detectors by the lines of sources: which peaks, which lines, and where to begin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import polars as pl

from gammapolars.analysis.run_spectra import SpectrumSet, fitted
from gammapolars.calibration.energy import NO_HINTS, SAME_LINE_KEV, Calibration, Hints, Pair, calibrate_peaks
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.types import Key
from gammapolars.detectors import Detector
from gammapolars.detectors.hits import is_of
from gammapolars.gamma_lines import lines

MOST_MISSED = 0.05
"""Largest square of the part of its peak that a fit misses (χ²/ndf less 1, times the bins of a FWHM, over the area)."""

CLEAR = 5.0
"""Least significance of the peaks that a calibration rests on."""


@dataclass(frozen=True)
class Basis:
    """The basis of a calibration.

    Attributes:
        lines: of the named sources.
        order: of the polynomials; None: chosen.
        pairs: of adc and energy, given by hand, by detector name or `board/channel`; under "" those for every detector.
        only: the detectors that are to be calibrated; all where it is empty.
        without: energies of lines to leave out, keV.
        hints: about which gain and resolution the detectors have.
    """

    lines: pl.DataFrame
    order: int | None = None
    pairs: Mapping[str, Sequence[Pair]] | None = None
    only: Sequence[str] = ()
    without: Sequence[float] = ()
    hints: Hints = NO_HINTS


def calibrations(spectra: SpectrumSet, basis: Basis) -> tuple[list[Calibration], list[str]]:
    """The calibration of each detector that has peaks.

    A detector that is calibrated already is started from that; where its gain has changed too much for that, as if
    nothing were known of it.

    Args:
        spectra: of runs or files.
        basis: of the calibration.

    Returns:
        The calibrations, and warnings of detectors that have none, or whose peaks agree on no width.

    Raises:
        CalibrationError: no detector has peaks, or the peaks of one cannot be assigned to lines.
        UsageError: a detector that is asked for has no spectrum.
    """
    keys = _asked(spectra, basis.only)
    in_adc = replace(spectra, table=spectra.table.with_columns(energy_kev=pl.lit(None, pl.Float64)))
    results: list[Calibration] = []
    warnings: list[str] = []
    for key in keys:
        one = replace(in_adc, table=in_adc.table.filter(is_of(key)))
        detector = spectra.detectors.at(*key)
        table = fitted(one, least_significance=CLEAR, warn=warnings.append)
        if table.filter(pl.col("status") != "failed").is_empty():
            warnings.append(f"{detector.name} shows no peak ({one.table['counts'].sum():,.0f} counts): not calibrated")
            continue
        missing = len(spectra.runs) - one.table["run"].n_unique()
        results.append(_calibration(table, detector, basis, one.table, missing=missing))
    if not results:
        raise CalibrationError(f"{spectra.runs[0]}: no detector shows a peak: was this run taken with a source?")
    return results, warnings


def _asked(spectra: SpectrumSet, only: Sequence[str]) -> list[Key]:
    """The detectors to calibrate."""
    measured = spectra.keys()
    if not only:
        return measured
    keys = [spectra.detectors.named(name).key for name in only]
    for key, name in zip(keys, only, strict=True):
        if key not in measured:
            raise UsageError(f"detector '{name}' has no hits: leave it out")
    return keys


def _calibration(
    peaks: pl.DataFrame, detector: Detector, basis: Basis, spectrum: pl.DataFrame, *, missing: int
) -> Calibration:
    """One detector's calibration; it took no part in `missing` of the runs, whose sources it may not have seen."""
    pairs = None
    if basis.pairs:
        names = (detector.name, f"{detector.board}/{detector.channel}", "")
        pairs = next((basis.pairs[name] for name in names if name in basis.pairs), None)
    filled = spectrum.filter(pl.col("counts") > 0)["adc"]
    adc_range = (float(filled.min() or 0), float(filled.max() or 0))  # type: ignore[arg-type]
    # A fit that misses a fifth of the peak's counts has fitted something else: a threshold, a heap of lines.
    # Statistical scatter, 1 for each bin, is not missed: it would grow with the number of bins in a peak.
    missed = ((pl.col("chi2_ndf") - 1) * pl.col("fwhm_adc") / pl.col("area")).fill_null(0.0)
    is_other = (pl.col("status") == "poor fit") & (missed >= MOST_MISSED)
    trusted = peaks.filter(pl.col("status") != "failed", ~is_other)

    def calibrated(start: Sequence[float] | None, expected: pl.DataFrame) -> Calibration:
        return calibrate_peaks(
            trusted,
            expected,
            detector,
            order=basis.order,
            start=start,
            pairs=pairs,
            adc_range=adc_range,
            without=basis.without,
            hints=basis.hints,
        )

    trials: list[tuple[Sequence[float] | None, pl.DataFrame]] = [(None, basis.lines)]
    if pairs is None:
        trials += [(None, fewer) for fewer in _fewer_sources(basis.lines, missing=missing)]
        trials = [(detector.energy, basis.lines), *trials] if detector.energy else trials
    refused = None
    for start, expected in trials:
        try:
            return calibrated(start, expected)
        except CalibrationError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _fewer_sources(expected: pl.DataFrame, *, missing: int) -> Iterator[pl.DataFrame]:
    """The lines without up to so many of the sources: those of runs that a detector took no part in."""
    nuclides = expected["parent"].unique(maintain_order=True).to_list()
    for fewer in range(1, min(missing, len(nuclides) - 1) + 1):
        for kept in combinations(nuclides, len(nuclides) - fewer):
            yield expected.filter(pl.col("parent").is_in(kept))


def lines_without(
    energies: Sequence[float], lines: pl.DataFrame, pairs: Mapping[str, Sequence[Pair]] | None
) -> tuple[float, ...]:
    """Energies (keV) of lines to leave out.

    Raises:
        UsageError: neither the sources nor the pairs have a line there.
    """
    known = [*lines["energy_kev"], *(pair.energy_kev for group in (pairs or {}).values() for pair in group)]
    for energy in energies:
        nearest = min(known, key=lambda line: abs(line - energy))
        if not abs(nearest - energy) <= SAME_LINE_KEV:
            raise UsageError(
                f"--without {energy:g}: there is no such line in the fit; the nearest is at {nearest:g} keV"
            )
    return tuple(energies)


def lines_of(sources: Sequence[str]) -> pl.DataFrame:
    """The lines of several sources in one table, those of a nuclide once.

    Raises:
        UsageError: a source is none of the table's.
    """
    table = pl.concat([lines(source) for source in sources]).unique(maintain_order=True)
    unc = (pl.col("energy_kev_unc") ** 2 + pl.col("spread_kev") ** 2).sqrt()
    return table.with_columns(energy_kev_unc=unc)
