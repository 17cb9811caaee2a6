"""detectors.toml: which detector is on which channel, its calibrations; calibration sources; PeakEasy's .CALp files."""

from gammapolars.detectors.model import MAX_NUMBER, Covariance, Detector, Detectors
from gammapolars.detectors.peakeasy import import_calp, read_calp
from gammapolars.detectors.sources import CalibrationSource, moment
from gammapolars.detectors.toml import format_detectors, load_detectors

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
    "read_calp",
]
