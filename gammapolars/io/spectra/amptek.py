"""Amptek MCA: the text of Amptek's programs, in sections that begin with `<<NAME>>`.

The calibration is kept as points (channel, energy); Amptek's programs draw a straight line through two of them, and
fit one through more. `GAIN` is that of the amplifier or of the number of channels, and no calibration.
"""

import re

import numpy as np

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.dates import moment_of
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, one_line, recorded
from gammapolars.io.spectra.spe import KEV_PER_UNIT
from gammapolars.io.spectra.text_lines import shown, text_of

OPENING = "<<PMCA SPECTRUM>>"

_SECTION = re.compile(r"^[^\S\n]*<<([A-Z0-9 ]+)>>[^\S\n]*$", re.MULTILINE)

_ENTRY = re.compile(r"^[^\S\n]*([A-Z_]+)[^\S\n]+[-–][^\S\n]*(.*)$", re.MULTILINE)


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of an Amptek MCA file; an InputError if it is not one, or is cut short."""
    text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
    parts = _SECTION.split(text)
    sections = dict(zip(reversed(parts[1::2]), reversed(parts[2::2]), strict=True))  # of two, the first
    if OPENING.strip("<>") not in sections or "DATA" not in sections:
        raise InputError(f"is not an Amptek MCA file: it has no {OPENING}, or no <<DATA>>")
    if "END" not in sections:
        raise InputError("ends before <<END>>: is it cut short?")
    entries = dict(reversed(_ENTRY.findall(sections[OPENING.strip("<>")])))
    try:
        measurement = Measurement(
            title=one_line(entries.get("DESCRIPTION", "")),
            detector=_serial(entries.get("SERIAL_NUMBER", "")),
            live_time_s=_seconds(entries, "LIVE_TIME"),
            real_time_s=_seconds(entries, "REAL_TIME") or None,
            started=moment_of(entries.get("START_TIME", "")),
            energy=_energy(sections.get("CALIBRATION", "")),
        )
    except UsageError as error:
        raise InputError(f"cannot be read as an Amptek MCA file: {error}") from None
    return recorded(_numbers(sections["DATA"], "DATA"), measurement)


def _serial(number: str) -> str:
    text = one_line(number)
    return "" if text in ("", "0") else f"serial number {text}"


def _seconds(entries: dict[str, str], name: str) -> float | None:
    """A time; None, where it is missing."""
    words = entries.get(name, "").split()
    try:
        return float(words[0].replace(",", ".")) if words else None
    except ValueError:
        raise InputError(f"{name} is not a time: {shown(entries[name])}") from None


def _numbers(section: str, name: str) -> Floats:
    words = section.split(None, MAX_CHANNELS + 1)
    try:
        values = np.array(words[: MAX_CHANNELS + 1], np.float64)
    except ValueError:
        raise InputError(f"<<{name}>> contains something other than numbers: is it damaged?") from None
    if not 0 < len(values) <= MAX_CHANNELS or not np.isfinite(values).all():
        raise InputError(f"<<{name}>> contains no finite numbers, or too many: is it damaged?")
    return values


def _energy(section: str) -> tuple[float, float] | None:
    """The straight line through the points of the calibration; None, without two of them, or in no unit of energy."""
    label, *lines = [line.strip() for line in section.split("\n") if line.strip()] or [""]
    unit = re.search(r"(?<![a-z])([km]?ev)(?![a-z])", label.lower())
    if not label.upper().startswith("LABEL") or unit is None:
        return None
    points = _numbers(" ".join(lines), "CALIBRATION") if lines else np.empty(0)
    if len(points) % 2:
        raise InputError("<<CALIBRATION>> contains no pairs of channel and energy: is it damaged?")
    channels, energies = points[::2], points[1::2] * KEV_PER_UNIT[unit[1]]
    if len(np.unique(channels)) < 2:
        return None
    from_mean = channels - channels.mean()
    gain = float((from_mean @ energies) / (from_mean @ from_mean))
    return float(energies.mean() - gain * channels.mean()), gain
