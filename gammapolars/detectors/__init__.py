"""detectors.toml: which detector is on which channel, its calibrations; calibration sources; PeakEasy's .CALp files."""

from gammapolars.detectors.clocks import BoardClock as BoardClock
from gammapolars.detectors.clocks import combined as combined
from gammapolars.detectors.given import AnyDetector as AnyDetector
from gammapolars.detectors.given import AnyDetectors as AnyDetectors
from gammapolars.detectors.given import detector_of as detector_of
from gammapolars.detectors.given import detectors_of as detectors_of
from gammapolars.detectors.given import key_of as key_of
from gammapolars.detectors.given import keys_of as keys_of
from gammapolars.detectors.model import MAX_NUMBER as MAX_NUMBER
from gammapolars.detectors.model import Covariance as Covariance
from gammapolars.detectors.model import Detector as Detector
from gammapolars.detectors.model import Detectors as Detectors
from gammapolars.detectors.model import limits_of as limits_of
from gammapolars.detectors.names import named as named
from gammapolars.detectors.peakeasy import import_calp as import_calp
from gammapolars.detectors.peakeasy import read_calp as read_calp
from gammapolars.detectors.sources import AnyMoment as AnyMoment
from gammapolars.detectors.sources import CalibrationSource as CalibrationSource
from gammapolars.detectors.sources import moment as moment
from gammapolars.detectors.sources import parse_moment as parse_moment
from gammapolars.detectors.toml import format_detectors as format_detectors
from gammapolars.detectors.toml import load_detectors as load_detectors
from gammapolars.detectors.toml import parse_detectors as parse_detectors
from gammapolars.detectors.update import updated_text as updated_text
