"""The peaks of a fitted region."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincc

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import LEAST_EXPECTED, RegionFit
from gammapolars.peaks.model import FURTHER, SHAPE
from gammapolars.peaks.profile import area_interval
from gammapolars.peaks.shape import Form, form_of
from gammapolars.peaks.significance import significance_of

IMPROBABLE = 1e-6
"""A fit whose χ² has a smaller probability is poor."""

UNLIKELY = 1e-3
"""A fit whose χ² has a smaller probability misses something: another peak must gain the more."""

DOUBTFUL = 0.16
"""Uncertainties of a fit whose χ² has a smaller probability grow with it: a second line that is too weak to be seen in
a peak shows in χ² long before it makes the fit improbable."""

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
    fit = replace(fit, covariance=fit.covariance * misfit(fit, DOUBTFUL) ** 2)
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

    The centroid is the maximum of the shape: how a tail is shared between its part and its slope, which counts hardly
    determine, moves the maximum much less than the Gaussian's own centre.
    """
    peaks = len(fit.model.sigmas)
    shape = fit.model.shape(fit.parameters)
    sigma = float(fit.model.widths(shape)[number])
    tails = [1, 2, *range(len(SHAPE), min(len(shape), len(SHAPE) + 4))]
    form = _form(shape)
    parameters, position_by, fwhm_by = (
        [peaks + number, 2 * peaks],
        [1.0, sigma * form.top / shape[0]],
        [0.0, sigma * form.fwhm / shape[0]],
    )
    variances = np.diag(fit.covariance)
    for place, parameter in ((place, fit.model.names.index((SHAPE + FURTHER)[place])) for place in tails):
        if variances[parameter] > 0:
            change = np.zeros(len(shape))
            change[place] = STEP
            after, before = _form(shape + change), _form(shape - change)
            parameters.append(parameter)
            position_by.append(sigma * (after.top - before.top) / (2 * STEP))
            fwhm_by.append(sigma * (after.fwhm - before.fwhm) / (2 * STEP))
    if fit.model.broad == number:
        parameters.append(len(fit.parameters) - 1)
        position_by.append(sigma * form.top / shape[-1])
        fwhm_by.append(sigma * form.fwhm / shape[-1])
    covariance = fit.covariance[np.ix_(parameters, parameters)]
    return (
        float(fit.positions[number]) + sigma * form.top,
        math.sqrt(max(float(np.array(position_by) @ covariance @ position_by), 0.0)),
        sigma * form.fwhm,
        math.sqrt(max(float(np.array(fwhm_by) @ covariance @ fwhm_by), 0.0)),
    )


def _form(shape: Floats) -> Form:
    return form_of(float(shape[1]), float(shape[2]), shape[len(SHAPE) :].tolist())


def _status(fit: RegionFit, number: int) -> str:
    peaks = len(fit.model.sigmas)
    has_errors = fit.covariance[number, number] > 0 and fit.covariance[peaks + number, peaks + number] > 0
    if not fit.valid or not has_errors or fit.parameters[number] <= 0:
        return "failed"
    return "poor fit" if _probability(fit) < IMPROBABLE else "ok"


def _probability(fit: RegionFit) -> float:
    """The probability of a χ² at least as large as that of a fit.

    Where few counts are expected, Pearson's χ² of a bin scatters by 2 + 1 / expected about 1, instead of by 2; a gamma
    distribution with that variance takes the place of that of χ².
    """
    expected = np.maximum(fit.model.expected(fit.parameters), LEAST_EXPECTED)
    per_degree = 2 + float((1 / expected).mean())
    return float(gammaincc(fit.ndf / per_degree, fit.chi2 / per_degree))


def misfit(fit: RegionFit, unlikely: float = UNLIKELY) -> float:
    """√(χ² / ndf) of a fit whose χ² has a smaller probability than `unlikely`, else 1: a factor on uncertainties."""
    return math.sqrt(fit.chi2 / fit.ndf) if fit.chi2 > fit.ndf and _probability(fit) < unlikely else 1.0


def _below(fit: RegionFit, position: float, fwhm: float) -> tuple[float, float]:
    """Counts that the fit puts below a peak, steps included, within its FWHM on both sides; and their uncertainty."""
    model, peaks = fit.model, len(fit.model.sigmas)
    bins = model.first + np.arange(model.bins)
    share = np.clip(np.minimum(bins + 0.5, position + fwhm) - np.maximum(bins - 0.5, position - fwhm), 0.0, 1.0)
    shape = model.shape(fit.parameters)
    no_step = np.array([*shape[:3], 0.0, *shape[4:]])
    at = fit.positions
    parts = model.parts(at, shape)[:peaks] - model.parts(at, no_step)[:peaks]
    counts = float(share @ (fit.areas @ parts + model.background(fit.parameters)))
    coefficients = fit.model.coefficients
    by_coefficient = model.parts(at, no_step)[peaks:] @ share
    variance = float(by_coefficient @ fit.covariance[coefficients, coefficients] @ by_coefficient)
    return counts, math.sqrt(max(variance, 0.0))
