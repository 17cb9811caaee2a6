"""One detector calibrated: peaks matched, polynomial and resolution fitted, as a table and as a `Detector`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from gammapolars.calibration.energy.least_squares import EnergyFit
from gammapolars.calibration.energy.matching import Match, match_lines
from gammapolars.calibration.energy.pairs import Pair, match_pairs
from gammapolars.calibration.energy.polynomial import fit_energy, fit_gain
from gammapolars.calibration.energy.resolution import ResolutionFit, fit_resolution
from gammapolars.core.errors import CalibrationError, GammapolarsError
from gammapolars.detectors import Detector


@dataclass(frozen=True)
class Calibration:
    """A detector's calibration.

    Attributes:
        detector: the detector with `energy`, `energy_covariance`, `energy_range` and `fwhm` set; the rest as it was.
        match: which peak is which line.
        energy: the fit of the polynomial to the lines that are fit for it.
        resolution: the fit of FWHM(E); None where no line determines it.
        residuals: one row a matched line, see `residual_table`.
    """

    detector: Detector
    match: Match
    energy: EnergyFit
    resolution: ResolutionFit | None
    residuals: pl.DataFrame


def calibrate_peaks(
    peaks: pl.DataFrame,
    lines: pl.DataFrame,
    detector: Detector,
    *,
    order: int | None = None,
    start: Sequence[float] | None = None,
    pairs: Iterable[Pair] | None = None,
    adc_range: tuple[float, float] | None = None,
) -> Calibration:
    """Calibrate a detector from the peaks of its spectra.

    Args:
        peaks: as for `match_lines`.
        lines: of the named sources.
        detector: what is known of it so far.
        order: of the polynomial, 1 to 3; chosen if it is not given.
        start: a calibration to start from; where only one line is matched, its gain alone is adjusted.
        pairs: given by hand, instead of matching.
        adc_range: where peaks could have been found.

    Raises:
        CalibrationError: no match can be trusted, or too few lines are left to fit.
    """
    if pairs is not None:
        match = match_pairs(peaks, pairs, lines, detector=detector.name)
    else:
        match = match_lines(peaks, lines, start=start, adc_range=adc_range, detector=detector.name)
    fit = match.table.filter("calibrate")
    if fit.is_empty() and start is not None:
        fit = match.table
    points = [fit[name].cast(pl.Float64).to_numpy() for name in ("adc", "adc_unc", "energy_kev", "energy_kev_unc")]
    try:
        if start is not None and order is None and fit["energy_kev"].n_unique() == 1:
            energy = fit_gain(start, *points)
        else:
            energy = fit_energy(*points, order=order)
    except GammapolarsError as error:
        raise type(error)(f"detector {detector.name}: {error}") from None
    residuals = residual_table(match, energy, detector)
    resolution = _resolution(residuals)
    updated = replace(
        detector,
        energy=energy.coefficients,
        energy_covariance=energy.covariance,
        energy_range=energy.adc_range,
        fwhm=resolution.coefficients if resolution else detector.fwhm,
    )
    return Calibration(updated, match, energy, resolution, residuals)


def _resolution(residuals: pl.DataFrame) -> ResolutionFit | None:
    sharp = residuals.filter("calibrate")
    try:
        return fit_resolution(sharp["energy_kev"], sharp["fwhm_kev"], sharp["fwhm_kev_unc"].fill_null(float("nan")))
    except CalibrationError:
        return None


def residual_table(match: Match, energy: EnergyFit, detector: Detector) -> pl.DataFrame:
    """The matched lines with the fit, in order of energy.

    Returns:
        `board`, `channel`, `name`, `run`, `nuclide`, `energy_kev`, `energy_kev_unc`, `adc`, `adc_unc`, `fitted_kev`,
        `residual_kev` (line less fit), `residual_sigma`, `fwhm_kev`, `fwhm_kev_unc`, `area`, `area_unc`, `calibrate`
        (false: no line to calibrate by, see `Match`) and `used` (false also for outliers).
    """
    table = match.table
    adc, adc_unc = table["adc"].cast(pl.Float64).to_numpy(), table["adc_unc"].cast(pl.Float64).to_numpy()
    slope = pl.Series(energy.slope_at(adc))
    curve = pl.Series(energy.energy_at(adc)[0])
    sigma = pl.Series((adc_unc * slope.to_numpy()) ** 2) + table["energy_kev_unc"] ** 2 + energy.extra_kev**2
    fit = table["calibrate"] if table["calibrate"].any() else pl.Series([True] * table.height)
    used = fit.to_numpy().copy()
    used[used] = energy.used
    return table.with_columns(
        board=pl.lit(detector.board, pl.UInt16),
        channel=pl.lit(detector.channel, pl.UInt16),
        name=pl.lit(detector.name),
        fitted_kev=curve,
        residual_kev=table["energy_kev"] - curve,
        residual_sigma=(table["energy_kev"] - curve) / sigma.sqrt(),
        fwhm_kev=table["fwhm_adc"] * slope,
        fwhm_kev_unc=table["fwhm_adc_unc"] * slope,
        used=pl.Series(used),
    ).select(
        "board", "channel", "name", "run", "nuclide", "energy_kev", "energy_kev_unc", "adc", "adc_unc", "fitted_kev",
        "residual_kev", "residual_sigma", "fwhm_kev", "fwhm_kev_unc", "area", "area_unc", "calibrate", "used",
    )  # fmt: skip
