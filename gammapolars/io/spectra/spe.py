"""SPE: ORTEC's text format, one count a line, with sections that begin with a `$`."""

import re
from datetime import datetime

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS, Channels, whole_counts
from gammapolars.io.spectra.dates import moment_of
from gammapolars.io.spectra.measurement import (
    UNKNOWN_START,
    Measurement,
    RecordedSpectrum,
    one_line,
    recorded,
    with_middles,
    without_times,
)
from gammapolars.io.spectra.text_lines import text_of

MAX_COUNT = 2**31 - 1
CHANNELS = MAX_CHANNELS

NO_TITLE = "No sample description was entered."
"""As ORTEC's own programs write it."""

KEV_PER_UNIT = {"ev": 1e-3, "kev": 1.0, "mev": 1e3}

LEAST_TABLE = 16
"""A table of fewer energies than this is one of points, which a fit went through."""

_SECTION = re.compile(r"^[^\S\n]*\$([A-Za-z][\w.]*)[^\S\n]*(?::|(?=\s)|\Z)", re.MULTILINE)
"""How a section begins. Some programs leave the colon out."""

_UNIT = re.compile(r"(?<=[0-9.])(?=(?:k|m)?ev\b)", re.IGNORECASE)
"""Where a unit is written right after its number."""


def encode(channels: Channels) -> bytes:
    """The bytes of an SPE file.

    Where no live time is known, the real time takes its place, and a remark says so: other programs need one.

    Raises:
        OutputError: a count is fractional, negative or above 2^31 - 1.
    """
    counts = whole_counts(channels.counts, 0, MAX_COUNT, "SPE", "write .root, .csv or .parquet")
    measurement = channels.measurement
    remarks = ["DET# 1", f"DETDESC# {one_line(measurement.detector)}"]
    if measurement.live_time_s is None:
        remarks.append("live time is not known: real time stands for it")
    if measurement.started is None:
        remarks.append("date is not known")
    real = measurement.real_time_s if measurement.real_time_s is not None else measurement.live_time_s or 0.0
    live = measurement.live_time_s if measurement.live_time_s is not None else real
    lines = [
        *("$SPEC_ID:", one_line(measurement.title).lstrip("$ ") or NO_TITLE),
        *("$SPEC_REM:", *remarks),
        *("$DATE_MEA:", _date(measurement.started or UNKNOWN_START)),
        *("$MEAS_TIM:", f"{live:.12g} {real:.12g}"),
        *("$DATA:", f"0 {len(counts) - 1}"),
        *(f"{count:8d}" for count in counts.tolist()),
        *("$ROI:", "0"),
        *("$PRESETS:", "None", "0", "0"),
        *_calibration(channels.energy),
        "$ENDRECORD:",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def _date(moment: datetime) -> str:
    return f"{moment:%m/%d}/{moment.year:04d} {moment:%H:%M:%S}"


def _calibration(energy: tuple[float, ...] | None) -> list[str]:
    """Its sections: the line through zero and gain where it is one, and the polynomial, of three terms at least."""
    if energy is None:
        return []
    terms = np.trim_zeros(np.array(energy), "b").tolist()
    terms += [0.0] * (3 - len(terms))
    line = ["$ENER_FIT:", f"{terms[0]!r} {terms[1]!r}"] if not any(terms[2:]) else []
    return [*line, "$MCA_CAL:", str(len(terms)), " ".join([*map(repr, terms), "keV"])]


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of an SPE file; an InputError if it is not one, is cut short, or lacks a number."""
    text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
    parts = _SECTION.split(text)
    names = [name.upper().replace(".", "_") for name in parts[1::2]]
    sections = {name: part.strip() for name, part in zip(names, parts[2::2], strict=True)}
    if "DATA" not in sections:
        raise InputError("is not an SPE file: it has no section $DATA:")
    if (spectra := names.count("DATA")) > 1:
        raise InputError(f"$DATA: appears {spectra} times: write each spectrum to a file of its own")
    last = names[-1]
    first, counts = _counts(sections["DATA"], is_last=last == "DATA")
    live, real = _times(sections.get("MEAS_TIM", ""))
    title = one_line(sections.get("SPEC_ID", ""))
    remarks = re.findall(r"^DETDESC#[^\S\n]*(.*)$", sections.get("SPEC_REM", ""), re.MULTILINE)
    middles = None if "MCA_CAL" in sections else _tabled(sections.get("ENER_TABLE", ""), first, len(counts))
    try:
        measurement = Measurement(
            title="" if title == NO_TITLE else title,
            detector=one_line(remarks[0]) if remarks else "",
            live_time_s=live,
            real_time_s=real,
            started=moment_of(sections.get("DATE_MEA", "")),
            energy=_energy(sections, last) if middles is None else None,
        )
    except UsageError as error:
        raise InputError(f"cannot be read as SPE: {error}") from None
    values = without_times(counts.to_numpy(), live, real) if first == 0 else counts.to_numpy()
    spectrum = recorded(values, measurement, first=first)
    return spectrum if middles is None else with_middles(spectrum, middles)


def _counts(section: str, *, is_last: bool) -> tuple[int, pl.Series]:
    """The first channel's number, and the counts.

    Some programs give the number of channels, after a 0, in place of the last one: where one count is missing and
    another section follows, so that the file is not cut short there, that is meant.
    """
    opening, *rest = section.split("\n", 1)
    words = [*opening.replace(",", " ").split(None, MAX_CHANNELS + 2), *"".join(rest).split(None, MAX_CHANNELS + 2)]
    limits = words[:2]
    if (
        len(limits) < 2
        or not all(re.fullmatch("[0-9]{1,9}", word) for word in limits)
        or int(limits[1]) < int(limits[0])
    ):
        raise InputError("$DATA: should begin with the numbers of the first and last channel")
    first, number = int(limits[0]), int(limits[1]) - int(limits[0]) + 1
    values = pl.Series(words[2:], dtype=pl.String).cast(pl.Float64, strict=False)
    if len(values) == number - 1 > 0 and first == 0 and not is_last:
        number -= 1
    if len(values) != number:
        less = "is it cut short?" if len(values) < number else "is it damaged?"
        raise InputError(f"$DATA: announces {number} counts, but {len(values)} follow: {less}")
    if not values.is_finite().fill_null(value=False).all():
        where = int(values.is_finite().fill_null(value=False).arg_min() or 0)
        raise InputError(f"$DATA: channel {first + where} has no number")
    return first, values


def _times(section: str) -> tuple[float | None, float | None]:
    """Live and real time (s); None for those that are missing, and for a real time of 0 after a live one."""
    times = _numbers("MEAS_TIM", section.split())
    if min(times, default=0.0) < 0:
        raise InputError("$MEAS_TIM: should be live and real time in seconds")
    if not any(times[:2]):
        return None, None
    return times[0], (times[1] if len(times) > 1 else 0.0) or None


def _numbers(name: str, words: list[str]) -> list[float]:
    """The numbers of a section, however its lines are wrapped, with decimal points or, throughout, commas."""
    if not any("." in word for word in words):
        words = [re.sub(r"(?<=[0-9]),(?=[0-9])", ".", word, count=1) for word in words]
    values = pl.Series(words, dtype=pl.String).cast(pl.Float64, strict=False)
    if not values.is_finite().fill_null(value=False).all():
        raise InputError(f"${name}: contains no number where one is expected: {' '.join(words)[:40]!r}")
    return values.to_list()


def _energy(sections: dict[str, str], last: str) -> tuple[float, ...] | None:
    """The polynomial of $MCA_CAL, else that of $ENER_FIT, without trailing zeros; None where it rises with nothing.

    The number before the coefficients of $MCA_CAL may be larger, as zeros are left out, or smaller, as it is the order
    to some programs: the coefficients themselves count, unless the file may be cut short after them.
    """
    for name in ("MCA_CAL", "ENER_FIT"):
        words = _UNIT.sub(" ", sections.get(name, "")).split()
        unit = words.pop().lower() if words and words[-1].lower() in KEV_PER_UNIT else "kev"
        number = _announced(words) if name == "MCA_CAL" else None
        terms = _numbers(name, words)
        if number is not None and len(terms) < number and (name == last or not terms):
            raise InputError(f"${name}: should be a number of coefficients, and on the next line the coefficients")
        if len(terms) == 1:
            raise InputError(f"${name}: has one coefficient, but a calibration needs at least two")
        if any(terms[1:]):
            while terms[-1] == 0:
                terms.pop()
            return tuple(term * KEV_PER_UNIT[unit] for term in terms)
    return None


def _announced(words: list[str]) -> int | None:
    """The number of coefficients, taken off the words before them; None where there is none.

    It is written as `3`, as `%3`, or not at all: then the first coefficient has a decimal sign, or is 0.
    """
    number = re.fullmatch("[%#]?([0-9]{1,2})", words[0]) if words else None
    if number is None or int(number[1]) == 0:
        return None
    del words[0]
    return int(number[1])


def _tabled(section: str, first: int, channels: int) -> Floats | None:
    """The energies (keV) that $ENER_TABLE gives for every channel; None, where it lacks some of them.

    Instruments with scintillators write it with $ENER_FIT, which is a straight line and 1 % off. Its energies are
    rounded, to whole keV as a rule: the smoothest curve that stays as close to them as rounding does is the one
    that was rounded, so that channels have their own widths again.
    """
    numbers = _numbers("ENER_TABLE", section.split())[1:]
    places, energies = np.array(numbers[::2]), np.array(numbers[1::2])
    expected = np.arange(first, first + channels, dtype=np.float64)
    if channels < LEAST_TABLE or not (np.array_equal(places, expected) and len(energies) == channels):
        return None
    if (np.diff(energies) < 0).any() or energies[0] == energies[-1]:
        return None
    from scipy.interpolate import UnivariateSpline

    step = 1.0 if (energies % 1 == 0).all() else 0.0
    middles = np.asarray(UnivariateSpline(expected, energies, s=channels * step**2 / 12)(expected), np.float64)
    return middles if (np.diff(middles) > 0).all() else energies
