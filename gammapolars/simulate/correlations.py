"""Directions of two gamma rays in cascade that know of each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gammapolars.angular import angular_coefficients, cone_attenuation, legendre
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats
from gammapolars.core.units import parse_numbers
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Cascade

OPTION = "--correlation"
NEAR_KEV = 1.0
"""A line is meant by an energy no further from its own."""


@dataclass(frozen=True)
class Correlation:
    """Two gamma rays that follow one another, with W(θ) = 1 + a2 P2(cos θ) + a4 P4(cos θ) for the angle between them.

    Attributes:
        first_kev: the energy of one.
        second_kev: that of the other.
        a2: of detectors without size, such as `gp.angular_coefficients` gives it.
        a4: the same.

    Raises:
        UsageError: W(θ) would be negative somewhere.
    """

    first_kev: float
    second_kev: float
    a2: float
    a4: float = 0.0

    def __post_init__(self) -> None:
        cosine = np.linspace(0, 1, 10_001)
        least = (1 + self.a2 * legendre(2, cosine) + self.a4 * legendre(4, cosine)).min()
        if not least >= 0:
            raise UsageError(f"no correlation has a2 = {self.a2:g} and a4 = {self.a4:g}: W(θ) would be below 0")

    def weights(self, detectors: Sequence[SimulatedDetector]) -> Floats:
        """The mean of W(θ) over the cones of two detectors, (n, n): 1 without correlation.

        By the addition theorem the mean over two cones is 1 + Σ_k a_k Q_k(i) Q_k(j) P_k(cos θ_ij), exactly; a photon
        of each in the same detector is two in the same cone.
        """
        towards = np.array([detector.axis for detector in detectors])
        cosine = np.clip(towards @ towards.T, -1, 1)
        size = np.array([cone_attenuation(1 - 2 * detector.solid_angle) for detector in detectors])
        return np.asarray(
            1
            + self.a2 * np.outer(size[:, 0], size[:, 0]) * legendre(2, cosine)
            + self.a4 * np.outer(size[:, 1], size[:, 1]) * legendre(4, cosine)
        )


def parse_correlations(texts: Iterable[str]) -> tuple[Correlation, ...]:
    """Correlations from `1173.2,1332.5=0.102,0.009` (two lines in keV; a2, a4), or from three spins `…=4,2,0`.

    The spins are those of the three levels, with the lowest multipoles that they allow.

    Raises:
        UsageError: anything else.
    """
    correlations = []
    for text in texts:
        lines, equals, values = text.partition("=")
        if not equals:
            raise UsageError(
                f"{OPTION} takes two lines and what they are, 1173.2,1332.5=0.102,0.009 (a2,a4) or "
                f"1173.2,1332.5=4,2,0 (spins), not '{text}'"
            )
        energies = parse_numbers(lines, OPTION, at_least=2)
        of_spins = values.count(",") == 2
        coefficients = angular_coefficients(values) if of_spins else parse_numbers(values, OPTION, at_least=2)
        if len(energies) != 2 or len(coefficients) != 2:
            raise UsageError(f"{OPTION} takes two lines, and a2,a4 or three spins, not '{text}'")
        correlations.append(Correlation(*energies, *coefficients))
    return tuple(correlations)


def pairs_of(
    correlations: Sequence[Correlation], schemes: Sequence[Sequence[Cascade]]
) -> list[dict[tuple[float, float], Correlation]]:
    """The correlated lines of each source, by the energies of its scheme, the upper one first.

    Args:
        correlations: as they were asked for.
        schemes: the cascades of each source.

    Raises:
        UsageError: two lines that do not follow one another, or a line in two correlations.
    """
    by_source: list[dict[tuple[float, float], Correlation]] = [{} for _ in schemes]
    for correlation in correlations:
        energies = {correlation.first_kev, correlation.second_kev}
        places = 0
        for pairs, paths in zip(by_source, schemes, strict=True):
            following = {pair for path in paths for pair in pairwise(path.energies_kev) if ANNIHILATION_KEV not in pair}
            near = [pair for pair in following if _distance(pair, correlation) <= NEAR_KEV]
            if not near:
                continue
            chosen = min(near, key=lambda pair: _distance(pair, correlation))
            if shared_lines := {line for pair in pairs for line in pair} & set(chosen):
                raise UsageError(f"the line {min(shared_lines):g} keV is in two correlations: a line can be in one")
            pairs[chosen] = correlation
            places += 1
        if not places:
            raise UsageError(
                f"no source emits {' and '.join(f'{line:g}' for line in sorted(energies))} keV one after the other: "
                f"{OPTION} takes two lines of a cascade with no other between them"
            )
    return by_source


def _distance(pair: tuple[float, float], correlation: Correlation) -> float:
    """How far two lines are from those that are meant, in either order."""
    a, b = correlation.first_kev, correlation.second_kev
    return min(max(abs(pair[0] - one), abs(pair[1] - other)) for one, other in ((a, b), (b, a)))
