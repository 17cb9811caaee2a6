"""Calibrations that no number can hold."""

import pytest

from gammapolars.core.errors import DetectorsError
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detector, Detectors


@pytest.mark.parametrize("energy", [(1e308, 1e308), (0.0, 1.0, 1e300), (0.0, 1.0, 0.0, -1e290)])
def test_an_energy_polynomial_that_becomes_infinite_is_refused(energy: tuple[float, ...]) -> None:
    detectors = Detectors((Detector(0, 3, name="A"), Detector(0, 4, name="B", energy=energy)))
    with pytest.raises(DetectorsError, match="detector 'B': its energy polynomial becomes infinite"):
        energy_kev(detectors)
