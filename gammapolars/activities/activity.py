"""The activity from one line, with its uncertainty budget."""

import math
from dataclasses import dataclass
from datetime import date

from scipy.special import ndtri

from gammapolars.activities.decay import Measurement, decay_factor, decay_unc, seconds_between
from gammapolars.activities.few_counts import CountingLimits
from gammapolars.activities.limits import counts_per_bq, currie_limits, upper_limit
from gammapolars.activities.points import check_times
from gammapolars.core.errors import UsageError
from gammapolars.core.overview import Overview
from gammapolars.detectors import AnyMoment, parse_moment

K_95 = float(ndtri(0.95))


@dataclass(frozen=True, repr=False)
class Activity(Overview):
    """An activity and its uncertainty budget, all in Bq; uncertainties are one standard deviation.

    Attributes:
        activity_bq: the activity, which may be negative where nothing is detected.
        activity_bq_unc: its uncertainty: the parts below in quadrature.
        counting_bq_unc: the part from the area of the peak.
        intensity_bq_unc: the part from the photons per decay.
        efficiency_bq_unc: the part from the efficiency.
        decay_bq_unc: the part from the half-life.
        critical_bq: decision threshold: a larger activity is a detection, with 5 % false positives.
        detectable_bq: minimum detectable activity: detected with a probability of 95 %.
        detected: whether the activity exceeds the threshold.
        upper_limit_bq: 95 % upper limit, where it does not; otherwise None.
        at: the moment for which it holds; None: the mean during counting.
    """

    activity_bq: float
    activity_bq_unc: float
    counting_bq_unc: float
    intensity_bq_unc: float
    efficiency_bq_unc: float
    decay_bq_unc: float
    critical_bq: float
    detectable_bq: float
    detected: bool
    upper_limit_bq: float | None
    at: date | None


@dataclass(frozen=True)
class DecayCorrection:
    """The mean activity while counting in units of that `at` a moment (None: no correction), and its relative
    uncertainty from the half-life.
    """

    factor: float = 1.0
    relative_unc: float = 0.0
    at: date | None = None


def decay_correction(
    half_life_s: Measurement | None, *, started: AnyMoment | None, at: AnyMoment | None, counting_s: float
) -> DecayCorrection:
    """How to get from a mean activity to one at a moment; the start of counting, if only a half-life is given.

    Raises:
        UsageError: a moment without a half-life, or without the start of counting.
    """
    if half_life_s is None:
        if at is not None:
            raise UsageError("an activity at another date needs half_life_s")
        return DecayCorrection()
    started, at = (None if when is None else parse_moment(when) for when in (started, at))
    if at is not None and started is None:
        raise UsageError("an activity at another date needs the start of counting: give started")
    elapsed = 0.0 if at is None or started is None else seconds_between(at, started)
    return DecayCorrection(
        decay_factor(half_life_s.value, elapsed, counting_s),
        decay_unc(half_life_s, elapsed, counting_s),
        at if at is not None else started,
    )


def activity(
    area: float,
    area_unc: float,
    *,
    intensity: float,
    intensity_unc: float = 0.0,
    efficiency: float,
    efficiency_unc: float = 0.0,
    live_time_s: float,
    real_time_s: float | None = None,
    started: AnyMoment | None = None,
    at: AnyMoment | None = None,
    half_life_s: float | None = None,
    half_life_s_unc: float = 0.0,
    background: float | None = None,
    background_unc: float | None = None,
) -> Activity:
    """The activity A = area / (ε I t) from the area of one line.

    Without `half_life_s` it is the mean during counting. With it, the activity at the start of counting, or at the
    moment `at`: corrected for decay before and during counting. The decision threshold is L_C of `currie_limits`, from
    `background` where it is given; else from the area's variance less its counts, which is its variance if the line
    were not there. True coincidence summing and self-absorption are not corrected.

    Args:
        area: net counts of the line, positive or negative.
        area_unc: their uncertainty.
        intensity: photons per 100 decays.
        intensity_unc: its uncertainty.
        efficiency: of full absorption, at the line's energy.
        efficiency_unc: its uncertainty.
        live_time_s: live time, seconds.
        real_time_s: real time, over which the activity decays; the live time, if it is not given.
        started: when counting began, such as `2024-05-01T14:30`; a date without a time means its noon.
        at: the time for which the activity is asked for.
        half_life_s: of the nuclide, or of the parent of its chain, seconds.
        half_life_s_unc: its uncertainty.
        background: counts under the line.
        background_unc: their uncertainty; their square root, if it is not given.

    Raises:
        UsageError: an impossible value.
    """
    if not (math.isfinite(area) and 0 <= area_unc < math.inf):
        raise UsageError(f"an area of {area} ± {area_unc} counts is impossible")
    life = None if half_life_s is None else Measurement(half_life_s, half_life_s_unc)
    correction = decay_correction(life, started=started, at=at, counting_s=check_times(live_time_s, real_time_s))
    per_bq = counts_per_bq(intensity=intensity, efficiency=efficiency, live_time_s=live_time_s) * correction.factor
    value = area / per_bq
    if background is None:
        null = math.sqrt(max(area_unc**2 - max(area, 0.0), 0.0))
        limits = (K_95 * null, K_95**2 + 2 * K_95 * null)
    else:
        limits = currie_limits(background, background_unc)
    return budget(
        value,
        counting=area_unc / per_bq,
        intensity=abs(value) * intensity_unc / intensity,
        efficiency=abs(value) * efficiency_unc / efficiency,
        correction=correction,
        limits=CountingLimits(limits[0] / per_bq, limits[1] / per_bq, None),
    )


def budget(
    value: float,
    *,
    counting: float,
    intensity: float,
    efficiency: float,
    correction: DecayCorrection,
    limits: CountingLimits,
    limit_unc: float = 0.0,
) -> Activity:
    """An activity from the parts of its uncertainty, and by its threshold detected or not.

    `limit_unc` is the relative uncertainty of the factor from counts to activity, for a limit that is one of counting.
    """
    decay = abs(value) * correction.relative_unc
    total = math.hypot(counting, intensity, efficiency, decay)
    detected = value > limits.critical
    if limits.upper is None:
        upper = upper_limit(value, total)
    else:
        upper = value + math.hypot(limits.upper - value, K_95 * limit_unc * limits.upper)
    return Activity(
        value,
        total,
        counting,
        intensity,
        efficiency,
        decay,
        limits.critical,
        limits.detectable,
        detected,
        None if detected else upper,
        correction.at,
    )
