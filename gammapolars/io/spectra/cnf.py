"""CNF: the binary format of Canberra's Genie (CAM), little endian, as far as it holds a spectrum.

It is not published. The part read here was found out by others and agrees in two public readers (xylib, becquerel):
blocks, each with a head of 48 bytes; in that of acquisition the number of channels, the energy calibration in PDP-11's
floating point, and the times in steps of 100 ns; in that of the spectrum one 32-bit count a channel.
"""

import struct
from datetime import datetime, timedelta

import numpy as np

from gammapolars.core.errors import InputError, UsageError
from gammapolars.io.spectra.measurement import (
    UNKNOWN_START,
    Measurement,
    RecordedSpectrum,
    one_line,
    recorded,
    without_times,
)

_FIRST_HEAD, _HEAD_BYTES = 112, 48
"""Where copies of the blocks' heads begin, and how long each is."""

ACQUISITION, SAMPLE, COUNTS = 0x12000, 0x12001, 0x12005
"""Kinds of blocks."""

CHANNELS_PER_UNIT = 256
MOST_CHANNELS = 65536

COUNTS_BEGIN = 512
"""Bytes from the beginning of the block of counts."""

_PHA = _HEAD_BYTES + 128
"""From the beginning of the block of acquisition: the kind of the spectrum, and how many channels it has."""

_CALIBRATION = _HEAD_BYTES + 32 + 36
"""The same of four energy coefficients, from where the head says."""

_TITLE, _TITLE_BYTES = 48, 64

ORIGIN = datetime(1858, 11, 17)
"""The day 0 of the modified Julian date, from which VMS counts."""

STEPS_PER_S = 10**7


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of a CNF file; an InputError if it is not one, or is cut short."""
    blocks = _blocks(data)
    if COUNTS not in blocks or ACQUISITION not in blocks:
        raise InputError("is not a CNF file, or contains no spectrum: it has no acquisition block or no counts")
    acquisition, begin = blocks[ACQUISITION], blocks[COUNTS]
    number = _unpacked("<H", data, acquisition + _PHA + 10) * CHANNELS_PER_UNIT
    if not 0 < number <= MOST_CHANNELS:
        raise InputError(f"announces {number:,} channels: is it damaged?")
    begin += COUNTS_BEGIN
    if len(data) < begin + 4 * number:
        have = max(0, (len(data) - begin) // 4)
        raise InputError(f"announces {number:,} channels, but {have:,} follow: is it cut short or damaged?")
    counts = np.frombuffer(data, "<u4", number, begin)
    started, real, live = _times(data, acquisition)
    try:
        measurement = Measurement(
            title=_title(data, blocks.get(SAMPLE)),
            live_time_s=live,
            real_time_s=real,
            started=started,
            energy=_energy(data, acquisition),
        )
    except UsageError as error:
        raise InputError(f"cannot be read as CNF: {error}") from None
    return recorded(without_times(counts, live, real), measurement)


def _blocks(data: bytes) -> dict[int, int]:
    """Where the first block of each kind begins; those whose own head does not repeat what the list says are left out.

    Raises:
        InputError: there is no list of blocks.
    """
    blocks: dict[int, int] = {}
    for place in range(_FIRST_HEAD, len(data) - _HEAD_BYTES + 1, _HEAD_BYTES):
        kind, begin = _unpacked("<I", data, place), _unpacked("<I", data, place + 10)
        if kind == 0:
            break
        if begin + _HEAD_BYTES <= len(data) and _unpacked("<I", data, begin) == kind:
            blocks.setdefault(kind, begin)
    return blocks


def _unpacked(form: str, data: bytes, place: int) -> int:
    """One number; an InputError, where the file has ended before it."""
    try:
        (number,) = struct.unpack_from(form, data, place)
    except struct.error:
        raise InputError("ends within its heads: is it cut short or damaged?") from None
    return int(number)


def _times(data: bytes, acquisition: int) -> tuple[datetime | None, float | None, float | None]:
    """The start, and the real and live time (s), which count down from -1."""
    place = acquisition + _HEAD_BYTES + _unpacked("<H", data, acquisition + 36) + 1
    steps = _unpacked("<Q", data, place)
    real, live = ((~_unpacked("<Q", data, place + behind) & (2**64 - 1)) for behind in (8, 16))
    seconds = [None if step in (0, 2**64 - 1) else (step + 1) / STEPS_PER_S for step in (real, live)]
    try:
        started = ORIGIN + timedelta(seconds=steps // STEPS_PER_S) if steps else UNKNOWN_START
    except OverflowError:
        raise InputError("contains an impossible date: is it damaged?") from None
    return None if started == UNKNOWN_START else started, seconds[0], seconds[1]


def _energy(data: bytes, acquisition: int) -> tuple[float, ...] | None:
    """The energy polynomial, without trailing zeros; None, where it does not rise, or is that of channels."""
    place = acquisition + _CALIBRATION + _unpacked("<H", data, acquisition + 34)
    terms = [_pdp11(data, place + 4 * number) for number in range(4)]
    while terms and terms[-1] == 0:
        terms.pop()
    return None if len(terms) < 2 or terms == [0.0, 1.0] else tuple(terms)


def _pdp11(data: bytes, place: int) -> float:
    """A number in PDP-11's floating point: as IEEE 754, with its halves exchanged and 4 times as large."""
    high, low = _unpacked("<H", data, place), _unpacked("<H", data, place + 2)
    (value,) = struct.unpack("<f", struct.pack("<HH", low, high))
    return float(value) / 4


def _title(data: bytes, sample: int | None) -> str:
    """The sample's name, if there is one."""
    if sample is None:
        return ""
    letters = data[sample + _TITLE : sample + _TITLE + _TITLE_BYTES].partition(b"\0")[0]
    return one_line(letters.decode("latin-1"))
