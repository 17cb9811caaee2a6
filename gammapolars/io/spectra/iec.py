"""IEC 61455: the standard's text of lines of 70 characters, each after a mark of four (`A004`).

The 58 lines before the counts hold: 1 who and what, 2 live time, real time and the number of channels, 3 the dates
of measurement and sample, 4 four energy coefficients, 6 to 9 a description. Each later line has the number of its
first channel and five counts.
"""

import re

import numpy as np

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.dates import start_of
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, one_line, recorded, without_times
from gammapolars.io.spectra.text_lines import shown, text_of

_MARK = re.compile(r"A00[0-9]")

HEAD_LINES = 58
COUNTS_A_LINE = 5

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[EeDd][+-]?[0-9]{2}(?:[0-9](?!\.))?)?")
"""A number in columns of fixed width, where nothing has to divide one from the next."""


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of an IEC 61455 file; an InputError if it is not one, or is cut short."""
    records = _records(text_of(data))
    if len(records) <= HEAD_LINES:
        raise InputError(f"has {len(records)} lines, of which the first {HEAD_LINES} are not counts: is it cut short?")
    live, real, number = _times(records[1])
    first, counts = _counts(records[HEAD_LINES:], int(number))
    dates = records[2].split()
    started, doubts = start_of(" ".join(dates[:2]), " ".join(dates[2:4]))
    try:
        measurement = Measurement(
            title=one_line(" ".join(records[5:9])),
            detector=one_line(" ".join(records[0].split()[:-3])),
            live_time_s=live if live or real else None,
            real_time_s=real or None,
            started=started,
            energy=_energy(records[3]),
            warnings=doubts,
        )
    except UsageError as error:
        raise InputError(f"cannot be read as IEC 61455: {error}") from None
    return recorded(without_times(counts, live, real) if first == 0 else counts, measurement, first=first)


def _records(text: str) -> list[str]:
    """The lines without their mark, which must be the same for all."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    if not lines or not _MARK.match(lines[0]):
        raise InputError("is not an IEC 61455 file: its first line does not begin with A004")
    for place, line in enumerate(lines, 1):
        if line[:4] != lines[0][:4]:
            raise InputError(f"line {place} does not begin with {lines[0][:4]}: {shown(line)}")
    return [line[4:] for line in lines]


def _times(record: str) -> tuple[float, float, float]:
    """Live and real time (s), and the number of channels."""
    numbers = _numbers(record)
    if len(numbers) != 3 or min(numbers) < 0 or not 1 <= numbers[2] <= MAX_CHANNELS or numbers[2] % 1:
        raise InputError(f"line 2 should hold live time, real time and the number of channels: {shown(record)}")
    return numbers[0], numbers[1], numbers[2]


def _counts(records: list[str], number: int) -> tuple[int, Floats]:
    """The first channel's number, and the counts; every line says in which channel it begins.

    Raises:
        InputError: a line is missing or damaged.
    """
    values: list[str] = []
    first = 0
    for place, record in enumerate(records, HEAD_LINES + 1):
        channel, *counts = record.split() or [""]
        if not values:
            first = int(channel) if channel.isdecimal() and len(channel) < 7 else -1
        is_last = len(values) + COUNTS_A_LINE >= number
        if channel != str(first + len(values)) or not (len(counts) == COUNTS_A_LINE or (is_last and counts)):
            raise InputError(
                f"line {place} should hold {COUNTS_A_LINE} counts behind the first one's channel: {record}"
            )
        values += counts
        if len(values) >= number:
            break
    try:
        numbers = np.array(values[:number], np.float64)
    except ValueError:
        raise InputError("contains counts that are not numbers: is it damaged?") from None
    if len(numbers) < number or not np.isfinite(numbers).all():
        raise InputError(f"announces {number} channels, but {len(numbers)} follow: is it cut short or damaged?")
    return first, numbers


def _numbers(record: str) -> list[float]:
    """The numbers of a line in fixed columns; an InputError, where it holds something else."""
    if _NUMBER.sub("", record).strip():
        raise InputError(f"contains no numbers where some are expected: {shown(record)}")
    return [float(word.upper().replace("D", "E")) for word in _NUMBER.findall(record)]


def _energy(record: str) -> tuple[float, ...] | None:
    """The energy polynomial, without trailing zeros; None, where it does not rise."""
    terms = _numbers(record)
    while terms and terms[-1] == 0:
        terms.pop()
    return tuple(terms) if len(terms) > 1 else None
