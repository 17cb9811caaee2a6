"""Directions of detectors as the source sees them, and what their size does to a correlation."""

import math
from collections.abc import Iterable

from gammapolars.detectors import Detector
from gammapolars.errors import DetectorsError, UsageError


def angle_deg(a: Detector, b: Detector) -> float:
    """The angle between the directions of two detectors, 0 to 180 degrees.

    Raises:
        DetectorsError: one has no `theta_deg` and `phi_deg`.
    """
    check_directions([a, b])
    one, other = (_vector(detector) for detector in (a, b))
    cosine = sum(x * y for x, y in zip(one, other, strict=True))
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def check_directions(detectors: Iterable[Detector]) -> None:
    """Raise unless all detectors have a direction.

    Raises:
        DetectorsError: the message names those that have none.
    """
    if bare := [one.name for one in detectors if one.theta_deg is None or one.phi_deg is None]:
        raise DetectorsError(f"no direction of {', '.join(bare)}: give theta_deg and phi_deg in detectors.toml")


def _vector(detector: Detector) -> tuple[float, float, float]:
    assert detector.theta_deg is not None
    assert detector.phi_deg is not None
    theta, phi = math.radians(detector.theta_deg), math.radians(detector.phi_deg)
    return math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)


def attenuation(half_angle_deg: float) -> tuple[float, float]:
    """By what the finite size of one detector weakens P2 and P4: Q2 and Q4 of a cone with the same efficiency all over.

    Q_k = ∫ P_k(cos β) sin β dβ / ∫ sin β dβ from 0 to the half-angle α: Q2 = c (1 + c) / 2 and
    Q4 = c (1 + c) (7 c² - 3) / 8, with c = cos α (M. E. Rose, Phys. Rev. 91 (1953) 610).

    Raises:
        UsageError: an angle that no detector has.
    """
    if not 0 <= half_angle_deg < 90:
        raise UsageError(f"the half-angle of a detector lies from 0 to 90 degrees, not at {half_angle_deg:g}")
    c = math.cos(math.radians(half_angle_deg))
    return c * (1 + c) / 2, c * (1 + c) * (7 * c * c - 3) / 8
