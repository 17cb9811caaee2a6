"""Radioactive decay: half-lives, and activities from one date to another."""

import math
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from gammapolars.core.errors import UsageError
from gammapolars.detectors import AnyMoment, CalibrationSource, moment, parse_moment
from gammapolars.gamma_lines import evaluated_half_life


class Measurement(NamedTuple):
    """A value and its uncertainty, one standard deviation, in the same unit."""

    value: float
    unc: float


def half_life_of(nuclide: str) -> float:
    """The half-life of a nuclide in seconds: that of the table next to the gamma lines, or else after ICRP 107.

    Raises:
        UsageError: the table does not have it, and `radioactivedecay` is not installed; or it is unknown or stable.
    """
    return _looked_up(nuclide).value


@cache
def _looked_up(nuclide: str) -> Measurement:
    """The half-life of a nuclide and its uncertainty, seconds; ICRP 107 states none."""
    if evaluated := evaluated_half_life(nuclide):
        return Measurement(evaluated.seconds, evaluated.unc)
    try:
        import radioactivedecay  # takes two seconds
    except ImportError:
        raise UsageError(
            f"the half-life of {nuclide} is not in the built-in table: install gammapolars[nuclear], or "
            "give half_life_s"
        ) from None
    try:
        seconds = float(radioactivedecay.Nuclide(nuclide).half_life("s"))
    except ValueError:
        raise UsageError(f"the half-life of '{nuclide}' is not known: give half_life_s") from None
    if not seconds < math.inf:
        raise UsageError(f"{nuclide} is stable: it has no half-life")
    return Measurement(seconds, 0.0)


def half_life(nuclide: str, half_life_s: float | None = None, half_life_s_unc: float = 0.0) -> Measurement:
    """The half-life that is given, or else the one that is looked up, in seconds."""
    if half_life_s is None:
        return _looked_up(nuclide)
    if not 0 < half_life_s < math.inf:
        raise UsageError(f"a half-life must be more than 0 s, not {half_life_s}")
    return Measurement(half_life_s, half_life_s_unc)


def seconds_between(start: date, end: date) -> float:
    """Seconds from one moment to another; a date without a time means its noon.

    Where one of them has a time zone and the other has none, both are taken to be of the same zone.
    """
    first, last = moment(start), moment(end)
    if (first.tzinfo is None) != (last.tzinfo is None):
        first, last = first.replace(tzinfo=None), last.replace(tzinfo=None)
    return (last - first) / timedelta(seconds=1)


def decay_factor(half_life_s: float, elapsed_s: float, counting_s: float = 0.0) -> float:
    """The mean activity over a counting time, in units of the activity at a reference moment.

    e^{-λ t} (1 - e^{-λ t_c}) / (λ t_c) with λ = ln 2 / T½ (G. Gilmore, Practical Gamma-ray Spectrometry, 2nd ed., 2008,
    section 5.4): t from the reference moment to the start of counting, negative if the reference is later, and the real
    time t_c of counting, seconds.

    Raises:
        UsageError: the nuclide has decayed beyond the range of a number.
    """
    rate = math.log(2) / half_life_s
    during = rate * counting_s
    mean = -math.expm1(-during) / during if during > 0 else 1.0
    try:
        factor = math.exp(-rate * elapsed_s) * mean
    except OverflowError:
        factor = math.inf
    if not 0 < factor < math.inf:
        raise UsageError(
            f"{elapsed_s / half_life_s:,.0f} half-lives lie between the dates: the activity cannot be "
            "extrapolated that far"
        )
    return factor


def decay_unc(half_life_s: Measurement, elapsed_s: float, counting_s: float = 0.0) -> float:
    """The relative uncertainty of `decay_factor` from that of the half-life.

    d ln f / d ln T½ = λ t + 1 - x e^{-x} / (1 - e^{-x}) with x = λ t_c, which is λ (t + t_c / 2) for short counting.
    """
    rate = math.log(2) / half_life_s.value
    during = rate * counting_s
    during = min(during, 700.0)  # beyond, the second term is 0 to any digit, and e^x no number
    mean = 1 - during / math.expm1(during) if during > 1e-6 else during / 2
    return abs(rate * elapsed_s + mean) * half_life_s.unc / half_life_s.value


def activity_at(source: CalibrationSource, when: AnyMoment, *, counting_s: float = 0.0) -> Measurement:
    """A calibration source's activity in Bq at a moment, or the mean over a counting time that begins then.

    A chain in equilibrium decays with the half-life of its parent.

    Args:
        source: its activity at the reference date, and its half-life, looked up if it has none.
        when: the moment, or the start of counting; a date without a time means its noon.
        counting_s: the real time of counting, seconds.

    Returns:
        The activity, and its uncertainty from the stated activity and from the half-life.

    Raises:
        UsageError: the half-life is not known, or too many have passed for anything to be left.
    """
    life = half_life(source.nuclide, source.half_life_s, source.half_life_s_unc)
    elapsed = seconds_between(source.reference_date, parse_moment(when))
    activity = source.activity_bq * decay_factor(life.value, elapsed, counting_s)
    relative = math.hypot(source.activity_bq_unc / source.activity_bq, decay_unc(life, elapsed, counting_s))
    return Measurement(activity, activity * relative)
