"""detectors.toml: which detector is on which channel, its calibrations; calibration sources; PeakEasy's .CALp files."""

from gammapolars.detectors.model import MAX_NUMBER, Covariance, Detector, Detectors
from gammapolars.detectors.peakeasy import import_calp, read_calp
from gammapolars.detectors.sources import CalibrationSource, moment
from gammapolars.detectors.toml import format_detectors, load_detectors, parse_detectors
from gammapolars.detectors.update import updated_text

__all__ = [
    "MAX_NUMBER",
    "CalibrationSource",
    "Covariance",
    "Detector",
    "Detectors",
    "format_detectors",
    "import_calp",
    "load_detectors",
    "moment",
    "parse_detectors",
    "read_calp",
    "updated_text",
]
