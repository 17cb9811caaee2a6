"""The peaks of a fitted region."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincc

from gammapolars.peaks.likelihood import RegionFit
from gammapolars.peaks.model import SHAPE, form_of
from gammapolars.peaks.profile import area_interval
from gammapolars.peaks.significance import significance_of

IMPROBABLE = 1e-6

STEP = 1e-3
"""Step of tail and slope by which derivatives are taken from differences."""


class FittedPeak(NamedTuple):
    """One peak of a fitted region: places and widths in bins, areas in counts."""

    position: float
    position_unc: float
    fwhm: float
    fwhm_unc: float
    area: float
    area_unc: float
    area_unc_low: float
    area_unc_high: float
    background: float
    background_unc: float
    significance: float
    chi2_ndf: float
    status: str
    region: int


def fitted_peaks(fit: RegionFit, region: int) -> list[FittedPeak]:
    """The peaks of a region, which has a number."""
    unc = np.sqrt(np.maximum(np.diag(fit.covariance), 0.0))
    significance = significance_of(fit)
    peaks = []
    for number, area in enumerate(fit.areas.tolist()):
        position, position_unc, fwhm, fwhm_unc = _place(fit, number)
        background, background_unc = _below(fit, position, fwhm)
        peaks.append(
            FittedPeak(
                position,
                position_unc,
                fwhm,
                fwhm_unc,
                area,
                float(unc[number]),
                *area_interval(fit, number),
                background,
                background_unc,
                float(significance[number]),
                fit.chi2 / fit.ndf,
                _status(fit, number),
                region,
            )
        )
    return peaks


def _place(fit: RegionFit, number: int) -> tuple[float, float, float, float]:
    """The position and FWHM of one peak, each with its uncertainty from the covariance of all that it depends on; bins.

    The centroid is the maximum of the shape: how a tail is shared out between its part and its slope, which counts can
    hardly tell, moves the maximum much less than the Gaussian's own centre.
    """
    peaks = len(fit.model.sigmas)
    sigma = float(fit.model.sigmas[number])
    width, tail, slope, _ = fit.shape()
    form = form_of(tail, slope)
    by_tail, by_slope = (
        ((after.top - before.top) / (2 * STEP), (after.fwhm - before.fwhm) / (2 * STEP))
        for after, before in (
            (form_of(tail + STEP, slope), form_of(tail - STEP, slope)),
            (form_of(tail, slope + STEP), form_of(tail, slope - STEP)),
        )
    )
    parameters = [peaks + number, 2 * peaks, 2 * peaks + 1, 2 * peaks + 2]
    covariance = fit.covariance[np.ix_(parameters, parameters)]
    position_by = np.array([1.0, sigma * form.top, sigma * width * by_tail[0], sigma * width * by_slope[0]])
    fwhm_by = np.array([0.0, sigma * form.fwhm, sigma * width * by_tail[1], sigma * width * by_slope[1]])
    return (
        float(fit.positions[number]) + sigma * width * form.top,
        math.sqrt(max(float(position_by @ covariance @ position_by), 0.0)),
        sigma * width * form.fwhm,
        math.sqrt(max(float(fwhm_by @ covariance @ fwhm_by), 0.0)),
    )


def _status(fit: RegionFit, number: int) -> str:
    peaks = len(fit.model.sigmas)
    has_errors = fit.covariance[number, number] > 0 and fit.covariance[peaks + number, peaks + number] > 0
    if not fit.valid or not has_errors or fit.parameters[number] <= 0:
        return "failed"
    improbable = float(gammaincc(0.5 * fit.ndf, 0.5 * fit.chi2)) < IMPROBABLE
    return "poor fit" if improbable and fit.chi2 > 2 * fit.ndf else "ok"


def _below(fit: RegionFit, position: float, fwhm: float) -> tuple[float, float]:
    """Counts that the fit puts below a peak, steps included, within its FWHM on both sides; and their uncertainty."""
    model, peaks = fit.model, len(fit.model.sigmas)
    bins = model.first + np.arange(model.bins)
    share = np.clip(np.minimum(bins + 0.5, position + fwhm) - np.maximum(bins - 0.5, position - fwhm), 0.0, 1.0)
    no_step = np.array([*fit.shape()[:3], 0.0])
    at = fit.positions
    parts = model.parts(at, np.array(fit.shape()))[:peaks] - model.parts(at, no_step)[:peaks]
    counts = float(share @ (fit.areas @ parts + model.background(fit.parameters)))
    coefficients = slice(2 * peaks + len(SHAPE), None)
    by_coefficient = model.parts(at, no_step)[peaks:] @ share
    variance = float(by_coefficient @ fit.covariance[coefficients, coefficients] @ by_coefficient)
    return counts, math.sqrt(max(variance, 0.0))
