"""SPC and PCF, read by SandiaSpecUtils (its package is `SpecUtils`), which the extra `gammapolars[spectra]` installs.

SpecUtils keeps counts and times in 32-bit floating point: of more than 2^24 counts in a channel it keeps 7 digits. Its
readers of other formats are not used, as those here are exact: it takes the gain of Amptek's amplifiers for a
calibration, is seconds off in the dates of CNF, and empties the first and last channels of CHN.
"""

from collections import Counter
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np

from gammapolars.core.errors import InputError, UsageError, first_line
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.measurement import (
    UNKNOWN_START,
    Measurement,
    RecordedSpectrum,
    Spectra,
    one_line,
    recorded,
    with_bounds,
    without_times,
)

EXTRA = "gammapolars[spectra]"

BINARY_SPC = b"\1\0"
"""How ORTEC's SPC begins; the text of the same name begins with words."""

SAMPLE = "Sample Description: "
"""How SpecUtils marks the title of an SPC file among its remarks."""

POLYNOMIALS = ("Polynomial", "FullRangeFraction")
CALIBRATED = (*POLYNOMIALS, "LowerChannelEdge")
"""Calibrations out of a file, rather than one that SpecUtils makes up."""

SAME_BOUNDS = 1e-5
"""Part of the highest energy: 32-bit floating point has 7 digits, of which sums lose one."""

CRASHES = (RuntimeError, ValueError, TypeError, MemoryError, OverflowError, IndexError)
"""Exceptions that SpecUtils and its conversion to Python can raise on damaged files."""


def spc(data: bytes) -> Spectra:
    """The spectrum of an SPC file: ORTEC's binary one of whole or real counts, or the text.

    Raises:
        InputError: it is none, or SpecUtils is not installed.
    """
    return _spectra(data, "loadFromBinarySpc" if data.startswith(BINARY_SPC) else "loadFromIaeaSpc", "SPC")


def pcf(data: bytes) -> Spectra:
    """The spectra of a PCF file, as GADRAS writes it; their names are those of the detectors, or the titles.

    Raises:
        InputError: it is none, or SpecUtils is not installed.
    """
    return _spectra(data, "loadFromPcf", "PCF")


def _spectra(data: bytes, load: str, what: str) -> Spectra:
    try:
        import SpecUtils
    except ImportError:
        raise InputError(
            f"{what} is read by the package SandiaSpecUtils, which is not installed: pip install '{EXTRA}'"
        ) from None
    file = SpecUtils.SpecFile()
    try:
        is_read = getattr(file, load)(BytesIO(data))
        measured = [one for one in file.measurements() if one.numGammaChannels() > 0] if is_read else []
        names = _names(measured)
        titles = [_text(remark[len(SAMPLE) :]) for remark in file.remarks() if remark.startswith(SAMPLE)]
    except CRASHES as error:
        raise InputError(f"cannot be read as {what}, is it damaged? ({first_line(error)})") from None
    if not measured:
        raise InputError(f"cannot be read as {what}, or contains no spectrum: is it damaged?")
    title = titles[0] if len(titles) == len(measured) == 1 else ""
    return {name: partial(_recorded, one, title, what) for name, one in zip(names, measured, strict=True)}


def _names(measured: list[Any]) -> list[str]:
    """The detectors' names, or the titles, where all have one of their own; otherwise numbers."""
    numbers = [f"spectrum-{number}" for number in range(1, len(measured) + 1)]
    if len(measured) == 1:
        return numbers
    for named in ("detectorName", "title"):
        names = [_text(getattr(one, named)()) for one in measured]
        if all(names) and max(Counter(names).values()) == 1:
            return names
    return numbers


def _recorded(one: Any, title: str, what: str) -> RecordedSpectrum:
    """One spectrum as the package keeps it."""
    try:
        counts = np.asarray(one.gammaCounts(), np.float64)
        bounds = np.asarray(one.channelEnergies() or [], np.float64)
        terms = np.asarray(one.calibrationCoeffs(), np.float64)
        live, real = one.liveTime(), one.realTime()
        model = one.energyCalibrationModel().name
        known = Measurement(
            title=_text(one.title()) or title,
            detector=_text(one.detectorName()),
            live_time_s=live if live or real else None,
            real_time_s=real or None,
            started=_whole_seconds(one.startTime()),
            energy=_polynomial(model, terms, bounds),
        )
    except (*CRASHES, UsageError) as error:
        raise InputError(f"cannot be read as {what}, is it damaged? ({first_line(error)})") from None
    if not np.isfinite(counts).all() or len(counts) > MAX_CHANNELS:
        raise InputError(f"cannot be read as {what}: its counts are not finite numbers, or too many: is it damaged?")
    spectrum = recorded(without_times(counts, known.live_time_s, known.real_time_s), known)
    return with_bounds(spectrum, bounds) if known.energy is None and model in CALIBRATED and len(bounds) else spectrum


def _text(text: str) -> str:
    return one_line(text.replace("\0", " "))


def _whole_seconds(moment: datetime) -> datetime | None:
    at = moment.replace(tzinfo=None, microsecond=0)
    return None if at == UNKNOWN_START else at


def _polynomial(model: str, terms: Floats, bounds: Floats) -> tuple[float, ...] | None:
    """The polynomial of the middle of a channel (keV), where the calibration is one and nothing else.

    A polynomial of channel numbers is taken as it is, as that of SPE and CHN is. One of fractions of the full range
    gives the lower bounds of channels, so that the middle lies half a channel higher. Neither holds where the bounds,
    as SpecUtils computes them, are others, by deviation pairs or a fifth term: then the bounds themselves count.
    """
    terms = np.trim_zeros(terms, "b")
    if model not in POLYNOMIALS or len(terms) < 2 or len(bounds) < 2:
        return None
    channels = len(bounds) - 1
    width = 1.0 if model == "Polynomial" else 1 / channels
    with np.errstate(all="ignore"):
        lower = np.polynomial.Polynomial(terms)(np.polynomial.Polynomial([0.0, width]))
        if not np.abs(lower(np.arange(channels + 1.0)) - bounds).max() <= SAME_BOUNDS * np.abs(bounds).max():
            return None
        of_middle = lower if model == "Polynomial" else lower(np.polynomial.Polynomial([0.5, 1.0]))
    energy = tuple(float(term) for term in of_middle.coef)
    return None if energy == (0.0, 1.0) else energy
