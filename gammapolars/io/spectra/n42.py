"""N42: spectra as XML (ANSI N42.42, of 2006 and of 2012 and later), as CoMPASS and handheld instruments write them."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.measurement import (
    Measurement,
    RecordedSpectrum,
    Spectra,
    one_line,
    one_of,
    recorded,
    with_bounds,
)
from gammapolars.io.spectra.spe import KEV_PER_UNIT

MAX_ELEMENTS = 2**20

MAX_DEPTH = 64

TITLE = "Title:"
"""How other programs mark a spectrum's title among its remarks."""

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
    "EnergyBoundaryValues": "edges",
    "EnergyDeviationValues": "deviations",
    "RadDetectorName": "detector",
    "Remark": "remark",
}
"""The elements that are read, in the words of both editions, and their meaning."""

ENERGIES = {"energy": "energy coefficients", "edges": "bounds of energy"}

CALIBRATION = frozenset({*ENERGIES, "deviations", "unit", "model"})
"""Parts of a calibration; its unit and its model are attributes of the edition of 2006."""

POLYNOMIAL, FRACTION, BOUNDS = "Polynomial", "FullRangeFraction", ("LowerChannelEdge", "LowerBinEdge")
"""Models of calibrations: of the third, coefficients are the lower bounds of channels."""

MEASUREMENTS = frozenset({"RadMeasurement", "Measurement", "DerivedData"})
"""Elements within which spectra share their times."""

ASIDE = frozenset({"GrossCounts", "DoseRate", "TotalDose", "ExposureRate", "TotalExposure", "CountDoseData"})
"""Elements next to spectra, the times in which are of something else than a spectrum."""

_PART = "([0-9]+(?:[.,][0-9]*)?(?:[Ee][+-]?[0-9]{1,2})?)"

DURATION = re.compile(f"P(?:{_PART}W|(?:0+Y)?(?:0+M)?(?:{_PART}D)?(?:T(?:{_PART}H)?(?:{_PART}M)?(?:{_PART}S)?)?)")
"""Weeks, or days, hours, minutes and seconds (ISO 8601, and exponents, which some programs write); years and months, of
which nobody knows the length, are none."""

SECONDS = (604_800.0, 86_400.0, 3600.0, 60.0, 1.0)
"""Seconds of a week, a day, an hour, a minute and a second."""


@dataclass
class _Part:
    """A measurement or a spectrum: its texts, and the values shared by those that lie in it."""

    name: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    calibration: str = ""
    detector: str = ""
    is_packed: bool = False


def decode(data: bytes, name: str | None = None) -> RecordedSpectrum:
    """The spectrum of a file, of several the one of this name.

    Raises:
        InputError: it is no such file, is damaged, or has no such spectrum.
        UsageError: it has several, and none is named.
    """
    return one_of(spectra_of(data), name)


def spectra_of(data: bytes) -> Spectra:
    """The spectra of a file by their names, of which repeated ones are numbered.

    Raises:
        InputError: it is no such file, or is damaged.
    """
    collected = _parsed(data)
    times: Counter[str] = Counter()
    spectra: Spectra = {}
    for spectrum, measured in collected.spectra:
        name = spectrum.name
        while name in spectra:
            times[spectrum.name] += 1
            name = f"{spectrum.name}-{times[spectrum.name] + 1}"
        spectra[name] = partial(_recorded, spectrum, measured, collected)
    return spectra


def _recorded(spectrum: "_Part", measured: "_Part", collected: "_Collected") -> RecordedSpectrum:
    """One spectrum, with the metadata of its measurement."""
    texts = measured.texts | spectrum.texts
    named = (collected.calibrations.get(name) for name in spectrum.calibration.split())
    calibration = next(filter(None, named), {}) | spectrum.texts
    counts = _counts(spectrum)
    energy, edges = _calibrated(calibration, len(counts))
    try:
        known = Measurement(
            title=one_line(texts.get("title", "")),
            detector=one_line(collected.detectors.get(spectrum.detector, "")),
            live_time_s=_seconds(texts.get("live", "")),
            real_time_s=_seconds(texts.get("real", "")),
            started=_moment(texts.get("started", "")),
            energy=energy,
            warnings=tuple(
                f"{what} time {texts[what]!r} cannot be read as a duration: it is taken as unknown"
                for what in ("live", "real")
                if texts.get(what) and _seconds(texts[what]) is None
            ),
        )
    except UsageError as error:
        raise InputError(f"cannot be read as N42: {error}") from None
    found = recorded(counts, known)
    return found if energy is not None or not len(edges) else with_bounds(found, edges)


def _calibrated(texts: Mapping[str, str], channels: int) -> tuple[tuple[float, ...] | None, Floats]:
    """The polynomial (keV), and the bounds of channels, as far as there are any.

    Raises:
        InputError: the energies follow from something else, and those given here would be wrong.
    """
    unit, model = texts.get("unit", "keV"), texts.get("model", POLYNOMIAL)
    numbers, edges = (_numbers(texts.get(name, ""), what) for name, what in ENERGIES.items())
    deviations = _numbers(texts.get("deviations", ""), "deviations of energy")
    if unit.lower() not in KEV_PER_UNIT or model not in (POLYNOMIAL, FRACTION, *BOUNDS) or deviations.any():
        what = "deviations" if deviations.any() else f"the model {one_line(model)!r} in {one_line(unit)!r}"
        raise InputError(f"its calibration has {what}, which is not read of N42: write polynomials, or .pcf")
    kev = KEV_PER_UNIT[unit.lower()]
    if model == FRACTION:
        numbers = _bounds_of_fractions(numbers, channels)
    return (None, numbers * kev) if model != POLYNOMIAL else (_energy(numbers * kev), edges * kev)


class _Collected:
    """Takes elements as the parser meets them, and keeps the spectra."""

    def __init__(self) -> None:
        self.spectra: list[tuple[_Part, _Part]] = []
        self.calibrations: dict[str, dict[str, str]] = {}
        self.detectors: dict[str, str] = {}
        self._inside: list[str] = []
        self._elements = 0
        self._text: list[str] = []
        self._measured = _Part()
        self._spectrum: _Part | None = None
        self._calibration: str | None = None
        self._detector = ""

    def refuse_doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, which these files never do")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._inside) == MAX_DEPTH:
            raise ValueError("it has too many elements, or they lie too deep")
        self._inside.append(name)
        self._text.clear()
        if name in MEASUREMENTS:
            self._measured = _Part()
        elif name == "Spectrum":
            own = attributes.get("id") or attributes.get("ID") or f"spectrum-{len(self.spectra) + 1}"
            reference = attributes.get("energyCalibrationReference") or attributes.get("CalibrationIDs", "")
            detector = attributes.get("radDetectorInformationReference", "")
            self._spectrum = _Part(one_line(own), calibration=reference, detector=detector)
            self.spectra.append((self._spectrum, self._measured))
        elif name == "EnergyCalibration" or (name == "Calibration" and attributes.get("Type", "Energy") == "Energy"):
            self._calibration = attributes.get("id") or attributes.get("ID", "")
            self._keep("unit", attributes.get("EnergyUnits", "keV"))
        elif name == "Equation" and self._calibration is not None:
            self._keep("model", attributes.get("Model", POLYNOMIAL))
        elif name == "RadDetectorInformation":
            self._detector = attributes.get("id", "")
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
        if what is not None and ASIDE.isdisjoint(self._inside):
            self._keep(what, text)
        if name == "Spectrum":
            self._spectrum = None
        elif name in ("EnergyCalibration", "Calibration"):
            self._calibration = None
        self._text.clear()

    def _keep(self, what: str, text: str) -> None:
        """A text where it belongs."""
        if what in CALIBRATION:
            if self._calibration:
                self.calibrations.setdefault(self._calibration, {})[what] = text
            if self._calibration is not None and self._spectrum is not None:
                self._spectrum.texts.setdefault(what, text)
        elif what == "detector":
            self.detectors[self._detector] = text
        elif what == "remark":
            if self._spectrum is not None and text.startswith(TITLE):
                self._spectrum.texts.setdefault("title", text[len(TITLE) :].partition("\n")[0])
        else:
            (self._spectrum or self._measured).texts.setdefault(what, text)


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
        raise InputError("is not an N42 file, or contains no spectrum")
    return collected


def _numbers(text: str, what: str) -> Floats:
    words = text.split(None, MAX_CHANNELS + 1)
    if len(words) > MAX_CHANNELS + 1:
        raise InputError(f"cannot be read as N42: {what} are more than {MAX_CHANNELS:,}: is it damaged?")
    try:
        values = np.array(words, np.float64)
    except ValueError:
        raise InputError(f"cannot be read as N42: {what} are not numbers") from None
    if not np.isfinite(values).all():
        raise InputError(f"cannot be read as N42: {what} are not finite numbers")
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


def _bounds_of_fractions(terms: Floats, channels: int) -> Floats:
    """The bounds of channels by four terms of a polynomial of their part of the range, and one for low energies."""
    if not 2 <= len(terms) <= 5:
        raise InputError(f"its calibration by fractions of the range has {len(terms)} terms, and 2 to 5 are possible")
    x = np.arange(channels + 1) / channels
    low = terms[4] / (1 + 60 * x) if len(terms) == 5 else 0.0
    return np.asarray(np.polynomial.polynomial.polyval(x, terms[:4]) + low, np.float64)


def _energy(numbers: Floats) -> tuple[float, ...] | None:
    """The polynomial; None for that of an uncalibrated spectrum, 0 1 0, or one that does not rise."""
    terms = np.trim_zeros(numbers, "b").tolist()
    return None if len(terms) < 2 or terms == [0.0, 1.0] else tuple(terms)


def _seconds(text: str) -> float | None:
    """A duration such as `PT0H8M39.127S`."""
    match = DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    parts = (float((part or "0").replace(",", ".")) for part in match.groups())
    return sum(part * seconds for part, seconds in zip(parts, SECONDS, strict=True))


def _moment(text: str) -> datetime | None:
    """A date with a time, on the clock of where it was written."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
    except ValueError:
        return None
