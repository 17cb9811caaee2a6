"""When a measurement began, as the texts of spectrum files write it."""

import re
from datetime import datetime
from functools import partial

from gammapolars.io.spectra.measurement import UNKNOWN_START

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""In English on every machine."""

LAST_OF_THIS_CENTURY = 69
"""Years of two digits: up to this one they are of 2000 to 2069, as POSIX has it."""

_CLOCK = re.compile(
    r"[\sT,]+([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]*)?\s*(?:([AaPp])\.?[Mm]\.?)?"
    r"\s*(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?"
)

_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_MONTH_BY_NAME = re.compile(r"([0-9]{1,2})[-/. ]([A-Za-z]{3})[a-z]*[-/. ]([0-9]{4}|[0-9]{2})")


def moment_of(text: str, *, day_first: bool | None = None) -> datetime | None:
    """A date and a time of day, on the clock of the laboratory; None where they are none, or none that is certain.

    In `07/11/2018` the first number is the month, as the format of IAEA and ORTEC has it, unless it is above 12; in
    `11.07.2018` it is the day.

    Args:
        text: the date and the time of day.
        day_first: whether the first number of `07/11/2018` is the day, where it is known; None: as above.
    """
    words = " ".join(text.split())
    year_last = partial(_year_last, day_first=day_first)
    for pattern, date_of in ((_YEAR_FIRST, _year_first), (_MONTH_BY_NAME, _by_name), (_YEAR_LAST, year_last)):
        if date := pattern.match(words):
            clock = _CLOCK.fullmatch(words[date.end() :])
            return _moment(date_of(date), clock) if clock else None
    return None


def start_of(start: str, sample: str) -> tuple[datetime | None, tuple[str, ...]]:
    """When a measurement began, in a format that some programs write with the day first and others with the month.

    Both dates of a file have the same order, and a sample is taken before it is measured: where that leaves two orders,
    the start is not known.

    Args:
        start: the date and the time of day of the measurement.
        sample: the same of the sample, or anything else.

    Returns:
        The moment, and a warning where it is undecided.
    """
    readings = [(moment_of(start, day_first=order), moment_of(sample, day_first=order)) for order in (False, True)]
    has_sample = any(taken for _, taken in readings)
    possible = [(at, taken) for at, taken in readings if at and (taken or not has_sample)]
    in_order = [at for at, taken in possible if taken is None or taken <= at]
    moments = sorted({*(in_order or (at for at, _ in possible))})
    if len(moments) < 2:
        return (moments[0] if moments else None), ()
    either = " or ".join(f"{at.day} {MONTHS[at.month - 1]} {at.year}" for at in moments)
    return None, (
        f"the date {start.split(maxsplit=1)[0]} can be {either}: the start of the measurement is taken as unknown",
    )


def _moment(date: tuple[int, int, int], clock: re.Match[str]) -> datetime | None:
    hour, minute, second = (int(clock[place]) for place in (1, 2, 3))
    if half := clock[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        moment = datetime(*date, hour, minute, second)
    except ValueError:
        return None
    return None if moment == UNKNOWN_START else moment


def _year_first(date: re.Match[str]) -> tuple[int, int, int]:
    return int(date[1]), int(date[3]), int(date[4])


def _by_name(date: re.Match[str]) -> tuple[int, int, int]:
    name = date[2].title()
    return _full_year(date[3]), MONTHS.index(name) + 1 if name in MONTHS else 0, int(date[1])


def _year_last(date: re.Match[str], day_first: bool | None) -> tuple[int, int, int]:
    first, second = int(date[1]), int(date[3])
    is_day = date[2] == "." or (first > 12 if day_first is None else day_first)
    day, month = (first, second) if is_day else (second, first)
    return _full_year(date[4]), month, day


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year <= LAST_OF_THIS_CENTURY else 1900)
