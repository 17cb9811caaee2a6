"""CHN: ORTEC's binary format of one spectrum, little endian."""

import struct
from datetime import datetime

import numpy as np

from gammapolars.core.errors import InputError, OutputError
from gammapolars.io.spectra.channels import Channels, whole_counts
from gammapolars.io.spectra.dates import MONTHS
from gammapolars.io.spectra.measurement import (
    UNKNOWN_START,
    Measurement,
    RecordedSpectrum,
    one_line,
    recorded,
    without_times,
)

MAX_COUNT = 2**31 - 1
"""Counts are signed, as spectra less a background have negative ones."""

CHANNELS = 2**16 - 1

_HEAD = struct.Struct("<hHH2sII8s4sHH")
"""-1, MCA, segment, seconds, real time, live time, date, hour and minute, first channel, channels."""

_TRAILER = struct.Struct("<hh3f3f228sB63sB63s128s")
"""Its type, a reserve, energy and shape calibration, a reserve, detector and title after their lengths, a reserve."""

TICKS_PER_S = 50
TRAILER = -102
OLD_TRAILER = -101
"""Has two energy coefficients."""


def encode(channels: Channels) -> bytes:
    """The bytes of a CHN file. Times are kept to 20 ms, coefficients to 7 digits, texts to 63 letters of Latin-1.

    Raises:
        OutputError: a count is fractional, negative or above 2^31 - 1, the calibration has more than three
            coefficients, or a time or date does not fit.
    """
    counts = whole_counts(channels.counts, 0, MAX_COUNT, "CHN", "write .root, .csv or .parquet")
    measurement = channels.measurement
    real = measurement.real_time_s if measurement.real_time_s is not None else measurement.live_time_s or 0.0
    live = measurement.live_time_s if measurement.live_time_s is not None else real
    if max(real, live) * TICKS_PER_S >= 2**32 - 0.5:
        raise OutputError("CHN stores times up to 994 days only: write .spe, .root or .parquet")
    started = measurement.started or UNKNOWN_START
    if not 1900 <= started.year < 2100:
        raise OutputError(f"CHN stores dates of the years 1900 to 2099 only, not of {started.year}: write .spe")
    date = f"{started.day:02d}{MONTHS[started.month - 1]}{started.year % 100:02d}{started.year // 2000}"
    head = _HEAD.pack(
        *(-1, 1, 1),
        f"{started.second:02d}".encode(),
        *(round(real * TICKS_PER_S), round(live * TICKS_PER_S)),
        date.encode(),
        f"{started.hour:02d}{started.minute:02d}".encode(),
        *(0, len(counts)),
    )
    detector, title = (
        one_line(text).encode("latin-1", "replace")[:63] for text in (measurement.detector, measurement.title)
    )
    energy = _coefficients(channels.energy)
    texts = (len(detector), detector.ljust(63), len(title), title.ljust(63))
    return head + counts.astype("<i4").tobytes() + _TRAILER.pack(TRAILER, 0, *energy, 0, 0, 0, b"", *texts, b"")


def _coefficients(energy: tuple[float, ...] | None) -> list[float]:
    """Three of them; 0, 1, 0 for an uncalibrated spectrum, as other programs write it."""
    terms = [0.0, 1.0] if energy is None else np.trim_zeros(np.array(energy), "b").tolist()
    if len(terms) > 3:
        raise OutputError(
            f"CHN stores three energy coefficients, but the calibration has {len(terms)}: write .spe, or fewer terms"
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(np.array(terms, np.float32)).all():
            raise OutputError("an energy coefficient is too large for CHN: write .spe")
    return [*terms, 0.0, 0.0, 0.0][:3]


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of a CHN file; an InputError if it is not one, or is cut short."""
    if len(data) < _HEAD.size or struct.unpack_from("<h", data)[0] != -1:
        raise InputError("is not a CHN file: it does not begin with -1")
    _, _, _, second, real, live, date, clock, first, number = _HEAD.unpack_from(data)
    end = _HEAD.size + 4 * number
    if number == 0 or len(data) < end:
        have = (len(data) - _HEAD.size) // 4
        raise InputError(f"announces {number} channels, but {have} follow: is it cut short or damaged?")
    live_s, real_s = (live / TICKS_PER_S, real / TICKS_PER_S) if live or real else (None, None)
    counts = np.frombuffer(data, "<i4", number, _HEAD.size)
    energy, detector, title = _trailer(data[end : end + _TRAILER.size])
    measurement = Measurement(
        title=title,
        detector=detector,
        live_time_s=live_s,
        real_time_s=real_s,
        started=_started(date, clock, second),
        energy=energy,
    )
    return recorded(without_times(counts, live_s, real_s) if first == 0 else counts, measurement, first=first)


def _trailer(data: bytes) -> tuple[tuple[float, ...] | None, str, str]:
    """Energy coefficients, detector and title. Some programs write no trailer, or one of another kind."""
    kind = struct.unpack_from("<h", data)[0] if len(data) >= 2 else 0
    if kind not in (TRAILER, OLD_TRAILER):
        return None, "", ""
    if len(data) < _TRAILER.size:
        raise InputError(f"its trailer has {len(data)} of {_TRAILER.size} bytes: is it cut short?")
    _, _, *numbers, _, detector_length, detector, title_length, title, _ = _TRAILER.unpack(data)
    terms = numbers[: 3 if kind == TRAILER else 2]
    if not np.isfinite(terms).all():
        raise InputError("its energy calibration is not a number: is it damaged?")
    while terms and terms[-1] == 0:
        terms.pop()
    energy = None if terms in ([], [0.0, 1.0]) else tuple(terms)
    return energy, _text(detector, detector_length), _text(title, title_length)


def _text(data: bytes, length: int) -> str:
    return one_line(data[:length].decode("latin-1"))


def _started(date: bytes, clock: bytes, second: bytes) -> datetime | None:
    """From `DDMonYY1`, where 1 means a year from 2000 on, `HHMM` and `SS`; None where they are no date."""
    try:
        text = date.decode("ascii")
        moment = datetime(
            (2000 if text[7:8] == "1" else 1900) + int(text[5:7]),
            MONTHS.index(text[2:5].title()) + 1,
            int(text[:2]),
            int(clock[:2]),
            int(clock[2:]),
            int(second),
        )
    except ValueError:
        return None
    return None if moment == UNKNOWN_START else moment
