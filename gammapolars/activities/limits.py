"""Distinction from background: decision thresholds, detection limits, upper limits."""

import math
from typing import NamedTuple

from scipy.special import log_ndtr, ndtri, ndtri_exp

from gammapolars.core.errors import UsageError
from gammapolars.core.overview import html_of


class CurrieLimits(NamedTuple):
    """Net counts that decide on detection.

    Attributes:
        critical: L_C: more than this is a detection; background exceeds it with a probability of 1 - confidence.
        detection: L_D: true net counts that are detected with the probability `confidence`.
    """

    critical: float
    detection: float

    def _repr_html_(self) -> str:
        return html_of(self)


def currie_limits(
    background: float,
    background_unc: float | None = None,
    *,
    channels: float | None = None,
    side_channels: float | None = None,
    confidence: float = 0.95,
) -> CurrieLimits:
    """Currie's critical level and detection limit in net counts.

    With σ₀ the standard deviation of net counts where there is nothing but background, L_C = k σ₀ and
    L_D = k² + 2 k σ₀ (L. A. Currie, Anal. Chem. 40 (1968) 586), k = 1.645 for 95 %. σ₀² is the background itself, as it
    will scatter below the line, and the variance with which it is known:

    - a background measured as long as the sample (paired observations): σ₀² = 2 B, so that L_C = 2.33 √B and
      L_D = 2.71 + 4.65 √B;
    - from n channels at the sides of a peak of N channels: σ₀² = B (1 + N/n);
    - with an uncertainty that is known otherwise: σ₀² = B + u²; u = 0 for a background that is known exactly.

    They hold for backgrounds of about 10 counts or more, where counts are distributed nearly normally.

    Args:
        background: B, expected counts under the line.
        background_unc: u, its uncertainty.
        channels: N, of the peak's region.
        side_channels: n, of all regions that the background was taken from.
        confidence: 1 - α = 1 - β.

    Raises:
        UsageError: an impossible value, or the background's uncertainty given twice.
    """
    if not 0 <= background < math.inf:
        raise UsageError(f"background counts must be 0 or more, not {background}")
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must lie between 0.5 and 1, not {confidence}")
    if (channels is None) != (side_channels is None):
        raise UsageError("give both the number of channels in the peak and at its sides")
    if channels is not None and side_channels is not None:
        if background_unc is not None:
            raise UsageError("give background_unc or the numbers of channels, not both")
        if not (channels > 0 and side_channels > 0):
            raise UsageError(f"the numbers of channels must be positive, not {channels} and {side_channels}")
        variance = background * channels / side_channels
    else:
        variance = background if background_unc is None else background_unc**2
    if not 0 <= variance < math.inf:
        raise UsageError(f"background_unc must be a number, not {background_unc}")
    k = float(ndtri(confidence))
    sigma = math.sqrt(background + variance)
    return CurrieLimits(k * sigma, k**2 + 2 * k * sigma)


def minimum_detectable_activity(
    limits: CurrieLimits, *, intensity: float, efficiency: float, live_time_s: float
) -> float:
    """The activity in Bq whose line has L_D net counts: L_D / (ε I t).

    As Currie has it: the uncertainties of ε and I are not in it.

    Args:
        limits: from `currie_limits`.
        intensity: photons per 100 decays.
        efficiency: of full absorption, at the line.
        live_time_s: live time, seconds.
    """
    return limits.detection / counts_per_bq(intensity=intensity, efficiency=efficiency, live_time_s=live_time_s)


def counts_per_bq(*, intensity: float, efficiency: float, live_time_s: float) -> float:
    """Net counts of a line per Bq.

    Raises:
        UsageError: a value is not above 0.
    """
    for name, value in (("intensity", intensity), ("efficiency", efficiency), ("live_time_s", live_time_s)):
        if not 0 < value < math.inf:
            raise UsageError(f"{name} must be more than 0, not {value}")
    return intensity / 100 * efficiency * live_time_s


def upper_limit(value: float, unc: float, *, confidence: float = 0.95) -> float:
    """The one-sided upper limit of something that cannot be negative, from a measured value that can.

    The quantile of the normal distribution of mean `value` and standard deviation `unc` cut off below 0, as ISO 11929-1
    has it: positive even for values far below 0.
    """
    if not unc > 0:
        return max(value, 0.0)
    # Φ⁻¹(1 - γ ω) = -Φ⁻¹(γ ω), in logarithms since ω is tiny where the value is far below 0.
    tail = math.log1p(-confidence) + float(log_ndtr(value / unc))
    return max(value - unc * float(ndtri_exp(tail)), 0.0)
