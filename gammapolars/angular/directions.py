"""Directions of detectors as the source sees them, and the effect of their size on a correlation."""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.core.types import Floats
from gammapolars.detectors import AnyDetector, AnyDetectors, Detector, detector_of

Ints = npt.NDArray[np.intp]


def angle_deg(a: AnyDetector, b: AnyDetector, detectors: AnyDetectors | None = None) -> float:
    """The angle between the directions of two detectors, 0 to 180 degrees.

    Args:
        a: one of them; its name or (board, channel), where `detectors` are given.
        b: the other.
        detectors: where they are looked up, or the path of detectors.toml.

    Raises:
        DetectorsError: one has no `theta_deg` and `phi_deg`.
    """
    one, other = unit_vectors([detector_of(a, detectors), detector_of(b, detectors)])
    return float(angles_between(one, other))


def check_directions(detectors: Iterable[Detector]) -> None:
    """Raise a DetectorsError that names the detectors without a direction, if there are any."""
    if missing := [one.name for one in detectors if one.theta_deg is None or one.phi_deg is None]:
        raise DetectorsError(
            f"no direction is given for {', '.join(missing)}: give theta_deg and phi_deg in detectors.toml"
        )


def unit_vectors(detectors: Iterable[Detector]) -> Floats:
    """Directions (detectors, 3): z along theta = 0, x along theta = 90°, phi = 0.

    Raises:
        DetectorsError: one has no `theta_deg` and `phi_deg`.
    """
    every = list(detectors)
    check_directions(every)
    angles = np.array([(one.theta_deg, one.phi_deg) for one in every], np.float64).reshape(-1, 2)
    theta, phi = np.radians(angles).T
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)


def angles_between(first: Floats, second: Floats) -> Floats:
    """Angles between unit vectors (…, 3), 0 to 180 degrees; small ones are as exact as large ones."""
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.asarray(np.degrees(np.arctan2(across, (first * second).sum(axis=-1))))


def groups_of(angles_deg: Floats, tolerance_deg: float) -> Ints:
    """Numbers from 0, ascending with the angle, that angles of one group share.

    A group begins at its smallest angle and holds all that lie no more than the tolerance above it; the next begins at
    the next angle. So no two angles of a group are further apart than the tolerance, however many lie between them.
    """
    groups = np.zeros(len(angles_deg), np.intp)
    number, begin = -1, -math.inf
    for place in np.argsort(angles_deg, kind="stable"):
        if angles_deg[place] - begin > tolerance_deg:
            number, begin = number + 1, float(angles_deg[place])
        groups[place] = number
    return groups


def legendre(order: int, cosine: npt.ArrayLike) -> Floats:
    """The Legendre polynomial P_order."""
    return np.asarray(np.polynomial.legendre.legval(np.asarray(cosine, np.float64), [0.0] * order + [1.0]))


def attenuation(half_angle_deg: float) -> tuple[float, float]:
    """Attenuation of P2 and P4 by the finite size of one detector: Q2 and Q4 of a cone of uniform efficiency.

    Q_k = ∫ P_k(cos β) sin β dβ / ∫ sin β dβ from 0 to the half-angle α: Q2 = c (1 + c) / 2 and
    Q4 = c (1 + c) (7 c² - 3) / 8, with c = cos α (M. E. Rose, Phys. Rev. 91 (1953) 610).

    Raises:
        UsageError: an angle that is impossible for a detector.
    """
    if not 0 <= half_angle_deg < 90:
        raise UsageError(f"the half-angle of a detector must be between 0 and 90 degrees, not {half_angle_deg:g}")
    return cone_attenuation(math.cos(math.radians(half_angle_deg)))


def cone_attenuation(c: float) -> tuple[float, float]:
    """Q2 and Q4 of a cone by the cosine of its half-angle."""
    return c * (1 + c) / 2, c * (1 + c) * (7 * c * c - 3) / 8
