"""Values of detectors.toml that no calculation can hold."""

import pytest

from gammapolars.core.errors import DetectorsError
from gammapolars.detectors.toml import parse_detectors

TOML = '[[detector]]\nname = "A"\nchannel = 4\n'


@pytest.mark.parametrize(
    "line",
    [
        "board = 0x{}",
        "time_offset_ps = 0x{}",
        "energy = [0x{}, 1]",
        "group = 0x{}",
        "theta_deg = 0x{}",
        "kind = [0x{}]",
    ],
)
def test_whole_numbers_of_thousands_of_digits_are_refused(line: str) -> None:
    with pytest.raises(DetectorsError, match="thousands of digits"):
        parse_detectors(TOML + line.format("f" * 6000))
