"""Energy calibration: which peak is which line of the sources, and the polynomial through them."""

from gammapolars.calibration.energy.hints import NO_HINTS as NO_HINTS
from gammapolars.calibration.energy.hints import Hints as Hints
from gammapolars.calibration.energy.matching import match_lines as match_lines
from gammapolars.calibration.energy.polynomial import fit_energy as fit_energy
from gammapolars.calibration.energy.result import OFF as OFF
from gammapolars.calibration.energy.result import SAME_LINE_KEV as SAME_LINE_KEV
from gammapolars.calibration.energy.result import Calibration as Calibration
from gammapolars.calibration.energy.result import Pair as Pair
from gammapolars.calibration.energy.result import calibrate_peaks as calibrate_peaks
from gammapolars.calibration.energy.result import parse_pairs as parse_pairs
