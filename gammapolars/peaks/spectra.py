"""The search and the fit of peaks in tables of spectra, calibrated or not, of any kind of detector."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.defaults import LEAST_SIGNIFICANCE
from gammapolars.core.errors import TableError, UsageError, WidthWarning
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.schema import PEAKS
from gammapolars.core.types import Floats
from gammapolars.peaks.bins import KEYS, Bins, spectra_of
from gammapolars.peaks.fit import Settings, fit_spectrum
from gammapolars.peaks.regions import Data
from gammapolars.peaks.resolution import ENOUGH_BINS, GIVEN_WIDTH_UNC, measured_widths, refined_widths
from gammapolars.peaks.results import FittedPeak, fitted_peaks
from gammapolars.peaks.search import is_edge, maxima, significance_at_width
from gammapolars.peaks.significance import global_p_value, resolution_elements
from gammapolars.peaks.widths import Widths, WidthTable

FIGURES = (
    *("area", "area_unc", "area_unc_low", "area_unc_high", "background", "background_unc"),
    *("significance", "chi2_ndf", "status", "region"),
)
"""Columns of a peak whatever the unit of its spectrum."""


def find_peaks(
    spectrum: AnyFrame,
    *,
    fwhm: Sequence[float] | None = None,
    least_significance: float = LEAST_SIGNIFICANCE,
) -> pl.DataFrame:
    """Positions of peaks in spectra, by a filter as wide as the peaks, before any fit.

    Args:
        spectrum: a table of spectra, with `counts`, `variance`, and `adc` or `energy_kev` or both (bin centres);
            several are distinguished by `run`, `board`, `channel`. Bins without counts may be left out.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²), of calibrated spectra; None: measured at the
            spectra's own clearest peaks.
        least_significance: of a peak, in standard deviations: the excess that background would have to have by itself
            at this place. There are many places: see `p_value` of `fit_peaks`.

    Returns:
        One row per peak, in order: the spectrum's columns, `centroid_kev`, `fwhm_kev` and/or `centroid_adc`, `fwhm_adc`
        (the expected width), `significance`.

    Raises:
        TableError: the frame is not a table of spectra, or `fwhm` is given for spectra that are not calibrated.
        UsageError: a significance that is not positive.
    """
    spectrum = eager(spectrum, "spectrum")
    _check(least_significance)
    rows: list[dict[str, object]] = []
    for key, bins, widths in _spectra(spectrum, fwhm):
        places, significance = _peak_places(bins, widths, least_significance)
        for place, sigma in zip(places, significance, strict=True):
            at = {}
            for unit, axis in bins.axes():
                at[f"centroid_{unit}"] = float(bins.at(axis, place))
                at[f"fwhm_{unit}"] = float(widths.at(place) * bins.slope(axis, place))
            rows.append({**key, **at, "significance": float(sigma)})
    return _table(rows, spectrum, ["centroid_{}", "fwhm_{}"], ["significance"])


def fit_peaks(
    spectrum: AnyFrame,
    peaks: pl.DataFrame | None = None,
    *,
    fwhm: Sequence[float] | None = None,
    least_significance: float = LEAST_SIGNIFICANCE,
    refine: bool | None = None,
) -> pl.DataFrame:
    """Areas, centroids and widths of peaks, by fits of each stretch of neighbouring peaks.

    The model is a Gaussian with an exponential tail on the left and a step, on a straight background (a parabola where
    that fits much better), integrated over bins; strong lines may have a second tail on the left and one on the right.
    The likelihood is the binned extended Poisson one, or χ² with the given variances where counts can be negative.
    Peaks of a stretch share the shape; a spectrum's clearest isolated peaks determine it. Only the line at 511 keV, and
    isolated peaks that demand it, have a width of their own. Uncertainties are from the Fisher information, with all
    correlations.

    An area in units of `area_unc` is not its `significance`: the uncertainty includes the scatter of the peak's own
    counts, which is absent where there is no peak. So 9 counts above no background are 9 ± 3, but not a fluctuation.

    Widths that are not given are those of the narrowest group that peaks agree on; where another has nearly as much
    support, a `WidthWarning` says so: give `fwhm` then.

    Args:
        spectrum: as for `find_peaks`.
        peaks: positions of peaks, as `find_peaks` gives them: `centroid_kev` or `centroid_adc`, and the columns that
            distinguish the spectra; None: they are searched.
        fwhm: as for `find_peaks`.
        least_significance: as for `find_peaks`.
        refine: whether peaks are added where the counts exceed the fit, lines split that are too wide, and peaks
            dropped that turn out not to be significant; None: only if the peaks are searched.

    Returns:
        A table of peaks in order: the spectrum's columns, `centroid_*`, `fwhm_*` (with `kev` and/or `adc`), `area`,
        `background` (under the peak, within its FWHM on both sides), each with `_unc`; `area_unc_low` and
        `area_unc_high`, which differ from `area_unc` below 25 counts; `significance`, by which peaks are kept: of the
        test that there is no peak, at this place; `p_value`, the probability that background gives a peak as
        significant anywhere in the spectrum; `chi2_ndf` and the number of the `region` that was fitted together;
        `status`: `ok`, `poor fit` (its χ² has a probability below 10⁻⁶), or `failed` (no minimum was found, or no
        peak). Where χ² is improbably large, uncertainties grow by √χ².

    Raises:
        TableError: as for `find_peaks`, or `peaks` has no centroids.
        UsageError: a significance that is not positive.
    """
    spectrum = eager(spectrum, "spectrum")
    _check(least_significance)
    refining = peaks is None if refine is None else refine
    settings = Settings(least_significance, refine=refining, width_unc=GIVEN_WIDTH_UNC)
    rows: list[dict[str, object]] = []
    regions = 0
    for key, bins, first_widths in _spectra(spectrum, fwhm):
        widths = first_widths
        if fwhm is None:
            places = _peak_places(bins, widths, least_significance)[0]
            refined = refined_widths(Data(bins.counts, bins.variance, widths), places)
            widths, settings = refined.widths, replace(settings, width_unc=refined.unc)
            if not refined.decided:
                warnings.warn(_undecided(bins, widths), WidthWarning, stacklevel=2)
        places = _peak_places(bins, widths, least_significance)[0] if peaks is None else _centroids(bins, peaks, key)
        fits = fit_spectrum(Data(bins.counts, bins.variance, widths, _annihilation(bins)), places, settings)
        results = [peak for number, fit in enumerate(fits, regions) for peak in fitted_peaks(fit, number)]
        elements = resolution_elements(widths.at(bins.places[_occupied(bins)]))
        rows += [
            {**key, **_row(bins, peak), "p_value": global_p_value(peak.significance, elements)}
            for peak in sorted(results)
        ]
        regions += len(fits)
    per_axis = ["centroid_{}", "centroid_{}_unc", "fwhm_{}", "fwhm_{}_unc"]
    return _table(rows, spectrum, per_axis, [*FIGURES, "p_value"])


def _undecided(bins: Bins, widths: Widths) -> str:
    """The warning where peaks of several widths are about as many."""
    occupied = bins.places[_occupied(bins)]
    middle = float(occupied[len(occupied) // 2])
    unit, axis = next(bins.axes())
    fwhm, at = float(widths.at(middle) * abs(bins.slope(axis, middle))), float(bins.at(axis, middle))
    unit = {"kev": "keV", "adc": "ADC channels"}[unit]
    return (
        f"the peaks do not have a common width: many may be doublets, and a FWHM of {fwhm:.3g} {unit} at "
        f"{at:.0f} may be that of doublets"
    )


def _check(least_significance: float) -> None:
    if not 0 < least_significance < math.inf:
        raise UsageError(f"a significance must be a positive number, not {least_significance}")


def _spectra(
    spectrum: pl.DataFrame | pl.LazyFrame, fwhm: Sequence[float] | None
) -> Iterator[tuple[dict[str, int], Bins, Widths]]:
    """Each spectrum whose peaks' widths are known, with its key, in as few bins as these need, and the widths."""
    for key, bins in spectra_of(spectrum):
        if (widths := _widths(bins, fwhm)) is not None:
            yield key, *_coarse(bins, widths)


def _widths(bins: Bins, fwhm: Sequence[float] | None) -> Widths | None:
    """How wide peaks are along a spectrum; None where no peak of it shows it."""
    if fwhm is None:
        return measured_widths(bins.counts, bins.variance)
    if bins.energy_kev is None:
        raise TableError("a FWHM in keV needs a spectrum with energy_kev: calibrate it, or leave the FWHM out")
    square = np.polynomial.polynomial.polyval(bins.energy_kev, np.asarray(fwhm, np.float64))
    if not (square > 0).any():
        raise UsageError("FWHM² is not positive anywhere: give a, b, c of FWHM² = a + b E + c E²")
    return WidthTable(np.sqrt(np.maximum(square, 0.0)) / np.abs(bins.slope(bins.energy_kev, bins.places)))


def _coarse(bins: Bins, widths: Widths) -> tuple[Bins, Widths]:
    """The same spectrum in no more bins than its narrowest peaks need, and its widths in these bins."""
    occupied = np.flatnonzero(bins.counts)
    narrowest = float(widths.at(occupied.astype(np.float64)).min()) if len(occupied) else 0.0
    factor = max(1, int(narrowest / ENOUGH_BINS))
    if factor == 1:
        return bins, widths
    coarse = bins.rebinned(factor)
    return coarse, WidthTable(widths.at(coarse.places * factor + 0.5 * (factor - 1)) / factor)


def _occupied(bins: Bins) -> slice:
    """From the first bin with counts to the last."""
    occupied = np.flatnonzero(bins.counts)
    return slice(int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else slice(0)


def _peak_places(bins: Bins, widths: Widths, least: float) -> tuple[Floats, Floats]:
    """Where a spectrum has peaks, in bins, and their significance."""
    expected = widths.at(bins.places)
    significance = significance_at_width(bins.counts, bins.variance, expected)
    places = [
        place
        for place in maxima(significance, expected, least).tolist()
        if not is_edge(bins.counts, place, float(expected[place]))
    ]
    return np.array(places, np.float64), significance[places]


def _annihilation(bins: Bins) -> float | None:
    """Where annihilation radiation would be, in bins, of a calibrated spectrum."""
    axis = bins.energy_kev
    if axis is None or not axis[0] < ANNIHILATION_KEV < axis[-1]:
        return None
    return float(np.interp(ANNIHILATION_KEV, axis, bins.places))


def _centroids(bins: Bins, peaks: pl.DataFrame, key: dict[str, int]) -> Floats:
    """Where a table of peaks has those of one spectrum, in bins."""
    for name, value in key.items():
        if name in peaks.columns:
            peaks = peaks.filter(pl.col(name) == value)
    for unit, axis in bins.axes():
        if f"centroid_{unit}" in peaks.columns:
            at = peaks[f"centroid_{unit}"].drop_nulls().cast(pl.Float64).to_numpy()
            inside = at[(at >= axis.min()) & (at <= axis.max())]
            return np.sort(bins.place(axis, inside))
    raise TableError("this table of peaks has neither centroid_kev nor centroid_adc in the unit of the spectrum")


def _row(bins: Bins, peak: FittedPeak) -> dict[str, object]:
    """A fitted peak in the quantities that a spectrum has."""
    row: dict[str, object] = {}
    for unit, axis in bins.axes():
        slope = float(bins.slope(axis, peak.position))
        row[f"centroid_{unit}"] = float(bins.at(axis, peak.position))
        widths = {"centroid_{}_unc": peak.position_unc, "fwhm_{}": peak.fwhm, "fwhm_{}_unc": peak.fwhm_unc}
        row |= {name.format(unit): width * abs(slope) for name, width in widths.items()}
    return row | {name: getattr(peak, name) for name in FIGURES}


def _table(
    rows: list[dict[str, object]], spectrum: pl.DataFrame | pl.LazyFrame, per_axis: list[str], others: list[str]
) -> pl.DataFrame:
    """Rows as a table, with the columns that the spectrum's own columns call for."""
    names = spectrum.lazy().collect_schema()
    units = [unit for unit, column in (("kev", "energy_kev"), ("adc", "adc")) if column in names]
    keys = {name: names[name] for name in KEYS if name in names}
    columns = [name.format(unit) for unit in units for name in per_axis] + others
    dtypes = PEAKS.columns | PEAKS.optional
    return pl.DataFrame(rows, keys | {name: dtypes[name] for name in columns})
