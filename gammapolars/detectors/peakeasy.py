"""PeakEasy's calibrations, .CALp files."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.detectors.model import MAX_NUMBER, Detector, Detectors
from gammapolars.detectors.values import read_text


def read_calp(path: str | Path) -> tuple[float, ...]:
    """The energy polynomial (keV, lowest order first) of a PeakEasy `.CALp` file, without trailing zeros.

    Raises:
        DetectorsError: the file is missing or is no such file, or a coefficient is missing or no finite number.
    """
    path = Path(path)
    lines = read_text(path, "text").splitlines()
    if not lines or not lines[0].startswith("#PeakEasy CALp"):
        raise DetectorsError(
            f"{path}: is not a PeakEasy calibration: its first line should begin with '#PeakEasy CALp'"
        )
    values = {
        label.strip(): value.strip() for label, colon, value in (line.partition(":") for line in lines[1:]) if colon
    }
    labels = ["Offset (keV)", "Gain (keV / Chan)", "2nd Order Coef", "3rd Order Coef", "4th Order Coef"]
    coefficients = [_calp_value(values, label, path) for label in labels]
    while len(coefficients) > 2 and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def _calp_value(values: dict[str, str], label: str, path: Path) -> float:
    if label not in values:
        if label.endswith("Coef"):
            return 0.0
        raise DetectorsError(f"{path}: has no line '{label} : …'")
    try:
        number = float(values[label])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DetectorsError(f"{path}: '{label}' is not a finite number: {values[label]!r}")
    return number


def import_calp(assignments: Iterable[str]) -> Detectors:
    """Detectors from `CHANNEL=FILE.CALp` or `BOARD/CHANNEL=FILE.CALp`, such as `1=ch1.CALp`.

    Raises:
        UsageError: an assignment has no such form.
        DetectorsError: a file is no calibration, or a channel is given twice.
    """
    detectors = []
    for assignment in assignments:
        match = re.fullmatch(r"(?:(\d{1,5})/)?(\d{1,5})=(.+)", assignment)
        if not match or int(match[1] or 0) > MAX_NUMBER or int(match[2]) > MAX_NUMBER:
            raise UsageError(f"'{assignment}' is not an assignment: write CHANNEL=FILE.CALp or BOARD/CHANNEL=FILE.CALp")
        path = Path(match[3])
        detectors.append(
            Detector(
                int(match[1] or 0), int(match[2]), energy=read_calp(path), notes=f"energy imported from {path.name}"
            )
        )
    return Detectors(tuple(detectors))
