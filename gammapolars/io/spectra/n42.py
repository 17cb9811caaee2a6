"""N42: spectra as XML (ANSI N42.42, of 2006 and of 2012 and later), as CoMPASS and handheld instruments write them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, one_line, recorded

MAX_ELEMENTS = 2**20

MAX_DEPTH = 64

KEPT = {
    "ChannelData": "counts",
    "LiveTimeDuration": "live",
    "LiveTime": "live",
    "RealTimeDuration": "real",
    "RealTime": "real",
    "StartDateTime": "started",
    "StartTime": "started",
    "CoefficientValues": "energy",
    "Coefficients": "energy",
}
"""The elements that are read, in the words of both editions, and what they tell."""

DURATION = re.compile(r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]*)?)S)?)?")


@dataclass
class _Part:
    """A measurement or a spectrum: its texts, and what those that lie in it share."""

    name: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    calibration: str = ""
    is_packed: bool = False


def names_in(data: bytes) -> list[str]:
    """The names of a file's spectra."""
    return [spectrum.name for spectrum, _ in _parsed(data).spectra]


def decode(data: bytes, name: str | None = None) -> RecordedSpectrum:
    """The spectrum of a file, of several the one of this name.

    Raises:
        InputError: it is no such file, is damaged, or has no such spectrum.
        UsageError: it has several, and none is named.
    """
    collected = _parsed(data)
    by_name = {spectrum.name: (spectrum, measured) for spectrum, measured in collected.spectra}
    if name is None and len(by_name) > 1:
        raise UsageError(f"holds several spectra: name one of {', '.join(by_name)}")
    if not by_name or (name is not None and name not in by_name):
        raise InputError(f"has no spectrum{f' {name!r}' if name else ''} (it has {', '.join(by_name) or 'none'})")
    spectrum, measured = by_name[name] if name is not None else next(iter(by_name.values()))
    texts = measured.texts | spectrum.texts
    energies = spectrum.texts.get("energy") or collected.calibrations.get(spectrum.calibration, "")
    try:
        known = Measurement(
            live_time_s=_seconds(texts.get("live", "")),
            real_time_s=_seconds(texts.get("real", "")),
            started=_moment(texts.get("started", "")),
            energy=_energy(energies),
        )
    except UsageError as error:
        raise InputError(f"cannot be read as N42: {error}") from None
    return recorded(_counts(spectrum), known)


class _Collected:
    """Takes elements as the parser meets them, and keeps the spectra."""

    def __init__(self) -> None:
        self.spectra: list[tuple[_Part, _Part]] = []
        self.calibrations: dict[str, str] = {}
        self._inside: list[str] = []
        self._elements = 0
        self._text: list[str] = []
        self._measured = _Part()
        self._spectrum: _Part | None = None
        self._calibration: str | None = None

    def refuse_doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, as these files never do")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._inside) == MAX_DEPTH:
            raise ValueError("it has too many elements, or they lie too deep")
        self._inside.append(name)
        self._text.clear()
        if name in ("RadMeasurement", "Measurement"):
            self._measured = _Part()
        elif name == "Spectrum":
            own = attributes.get("id") or attributes.get("ID") or f"spectrum-{len(self.spectra) + 1}"
            reference = attributes.get("energyCalibrationReference") or attributes.get("CalibrationIDs", "")
            self._spectrum = _Part(one_line(own), calibration=reference.partition(" ")[0])
            self.spectra.append((self._spectrum, self._measured))
        elif name == "EnergyCalibration" or (name == "Calibration" and attributes.get("Type", "Energy") == "Energy"):
            self._calibration = attributes.get("id") or attributes.get("ID", "")
        elif name == "ChannelData" and self._spectrum is not None:
            how = attributes.get("compressionCode") or attributes.get("Compression", "None")
            self._spectrum.is_packed = how.lower().startswith("countedzero")

    def text(self, text: str) -> None:
        if self._inside and self._inside[-1] in KEPT:
            self._text.append(text)

    def end(self, _: str) -> None:
        name = self._inside.pop()
        what = KEPT.get(name)
        text = "".join(self._text).strip()
        if what == "energy":
            if self._calibration:
                self.calibrations[self._calibration] = text
            elif self._calibration is not None and self._spectrum is not None:
                self._spectrum.texts.setdefault(what, text)
        elif what is not None:
            (self._spectrum or self._measured).texts.setdefault(what, text)
        if name == "Spectrum":
            self._spectrum = None
        elif name in ("EnergyCalibration", "Calibration"):
            self._calibration = None
        self._text.clear()


def _parsed(data: bytes) -> _Collected:
    """The spectra of a file; neither document types nor entities are taken, which can be made to expand without end."""
    from xml.parsers.expat import ExpatError, ParserCreate

    collected = _Collected()
    parser = ParserCreate()
    parser.buffer_text = True
    handlers: dict[str, Callable[..., None]] = {
        "StartElementHandler": collected.start,
        "EndElementHandler": collected.end,
        "CharacterDataHandler": collected.text,
        "StartDoctypeDeclHandler": collected.refuse_doctype,
    }
    for handler, takes in handlers.items():
        setattr(parser, handler, takes)
    try:
        parser.Parse(data, True)
    except (ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise InputError(f"cannot be read as N42: {error}") from None
    collected.spectra = [(one, measured) for one, measured in collected.spectra if one.texts.get("counts")]
    if not collected.spectra:
        raise InputError("is no N42 file, or holds no spectrum")
    return collected


def _numbers(text: str, what: str) -> Floats:
    try:
        values = np.array(text.split(), np.float64)
    except ValueError:
        raise InputError(f"cannot be read as N42: {what} are no numbers") from None
    if not np.isfinite(values).all():
        raise InputError(f"cannot be read as N42: {what} are no finite numbers")
    return values


def _counts(spectrum: _Part) -> Floats:
    """All channels; where zeros are counted, each 0 is followed by how many there are."""
    values = _numbers(spectrum.texts["counts"], "counts")
    if spectrum.is_packed:
        runs, place = [], 0
        while place < len(values):
            is_zero = values[place] == 0
            many = int(values[place + 1]) if is_zero and place + 1 < len(values) else 1
            if many < 1 or (is_zero and place + 1 == len(values)):
                raise InputError("cannot be read as N42: its counted zeros are damaged")
            runs.append((values[place], many))
            place += 2 if is_zero else 1
        if sum(many for _, many in runs) <= MAX_CHANNELS:
            values = np.repeat(np.array([value for value, _ in runs]), [many for _, many in runs])
        else:
            raise InputError(f"announces more than {MAX_CHANNELS:,} channels: is it damaged?")
    return values


def _energy(text: str) -> tuple[float, ...] | None:
    """The polynomial; None for that of an uncalibrated spectrum, 0 1 0, or one that does not rise."""
    terms = np.trim_zeros(_numbers(text, "energy coefficients"), "b").tolist()
    return None if len(terms) < 2 or terms == [0.0, 1.0] else tuple(terms)


def _seconds(text: str) -> float | None:
    """A duration such as `PT0H8M39.127S`."""
    match = DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _moment(text: str) -> datetime | None:
    """A date with a time, on the clock of where it was written."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
    except ValueError:
        return None
