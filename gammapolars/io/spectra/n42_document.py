"""N42 written: spectra as XML of ANSI N42.42-2012, one measurement a detector."""

from collections.abc import Mapping

import numpy as np

from gammapolars.io.spectra.channels import MAX_CHANNELS, Channels, whole_counts
from gammapolars.io.spectra.measurement import one_line

CHANNELS = MAX_CHANNELS

MAX_COUNT = 2**53
"""Larger whole numbers are not exact in floating point."""

NAMESPACE = "http://physics.nist.gov/N42/2011/N42"

COUNTS_A_LINE = 16

TITLE = "Title: "
"""How other programs mark a spectrum's title among its remarks."""

UNCALIBRATED = (0.0, 1.0)
"""As CoMPASS writes it: the format needs a calibration."""


def encode(spectra: Mapping[str, Channels]) -> bytes:
    """The bytes of an N42 file with spectra by their names. Missing metadata are left out.

    Raises:
        OutputError: a count is fractional or negative.
    """
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<RadInstrumentData xmlns="{NAMESPACE}">',
            "<RadInstrumentDataCreatorName>gammapolars</RadInstrumentDataCreatorName>",
            '<RadInstrumentInformation id="instrument">',
            "<RadInstrumentManufacturerName>unknown</RadInstrumentManufacturerName>",
            "<RadInstrumentModelName>unknown</RadInstrumentModelName>",
            "<RadInstrumentClassCode>Other</RadInstrumentClassCode>",
            "</RadInstrumentInformation>",
            *(_detector(name, channels) for name, channels in spectra.items()),
            *(_calibration(name, channels) for name, channels in spectra.items()),
            *(_measurement(name, channels) for name, channels in spectra.items()),
            "</RadInstrumentData>\n",
        ]
    ).encode()


def _detector(name: str, channels: Channels) -> str:
    """The element of a detector, with its name as far as it is known."""
    detector = one_line(channels.measurement.detector)
    called = f"<RadDetectorName>{_text(detector)}</RadDetectorName>" if detector else ""
    return (
        f"<RadDetectorInformation id={_id('detector', name)}>{called}"
        "<RadDetectorCategoryCode>Gamma</RadDetectorCategoryCode><RadDetectorKindCode>Other</RadDetectorKindCode>"
        "</RadDetectorInformation>"
    )


def _calibration(name: str, channels: Channels) -> str:
    """The element of an energy polynomial, which has three terms at least."""
    terms = list(channels.energy or UNCALIBRATED)
    numbers = " ".join(map(repr, map(float, terms + [0.0] * (3 - len(terms)))))
    return (
        f"<EnergyCalibration id={_id('energy', name)}><CoefficientValues>{numbers}</CoefficientValues>"
        "</EnergyCalibration>"
    )


def _measurement(name: str, channels: Channels) -> str:
    """The element of a measurement with its one spectrum."""
    known = channels.measurement
    counts = whole_counts(channels.counts, 0, MAX_COUNT, "N42", "write .root, .csv or .parquet")
    lines = [
        " ".join(map(str, part.tolist())) for part in np.split(counts, range(COUNTS_A_LINE, len(counts), COUNTS_A_LINE))
    ]
    title = one_line(known.title)
    elements = [
        f"<RadMeasurement id={_id('measurement', name)}>",
        "<MeasurementClassCode>NotSpecified</MeasurementClassCode>",
        known.started and f"<StartDateTime>{known.started.isoformat()}</StartDateTime>",
        _duration("RealTimeDuration", known.real_time_s),
        f"<Spectrum id={_quoted(name)} radDetectorInformationReference={_id('detector', name)} "
        f"energyCalibrationReference={_id('energy', name)}>",
        title and f"<Remark>{TITLE}{_text(title)}</Remark>",
        _duration("LiveTimeDuration", known.live_time_s),
        '<ChannelData compressionCode="None">',
        *lines,
        "</ChannelData>",
        "</Spectrum>",
        "</RadMeasurement>",
    ]
    return "\n".join(element for element in elements if element)


def _duration(element: str, seconds: float | None) -> str | None:
    """A time in seconds, with all its digits and without an exponent."""
    return None if seconds is None else f"<{element}>PT{np.format_float_positional(seconds, trim='-')}S</{element}>"


def _id(kind: str, name: str) -> str:
    return _quoted(f"{kind}-{name}")


def _quoted(text: str) -> str:
    return f'"{_text(text)}"'


def _text(text: str) -> str:
    """Text as XML holds it: control characters are gone before, halves of surrogate pairs and non-characters here."""
    allowed = "".join("?" if "\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff" else letter for letter in text)
    return allowed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
