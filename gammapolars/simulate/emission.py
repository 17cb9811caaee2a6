"""Visible decays of a source: tables of its cascades, of who sees their photons, and of directions that correlate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gammapolars.angular import angular_coefficients, cone_attenuation, legendre
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats
from gammapolars.core.units import parse_numbers
from gammapolars.core.wording import setting
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Cascade

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
            raise UsageError(f"a2 = {self.a2:g} and a4 = {self.a4:g} are impossible: W(θ) would be negative")

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
                f"{_option()} takes two lines and their correlation, 1173.2,1332.5=0.102,0.009 (a2,a4) or "
                f"1173.2,1332.5=4,2,0 (spins), not '{text}'"
            )
        energies = parse_numbers(lines, _option(), at_least=2)
        of_spins = values.count(",") == 2
        coefficients = angular_coefficients(values) if of_spins else parse_numbers(values, _option(), at_least=2)
        if len(energies) != 2 or len(coefficients) != 2:
            raise UsageError(f"{_option()} takes two lines and either a2,a4 or three spins, not '{text}'")
        correlations.append(Correlation(*energies, *coefficients))
    return tuple(correlations)


def _option() -> str:
    return setting("--correlation", "correlations")


def pairs_of(
    correlations: Sequence[Correlation], schemes: Sequence[Sequence[Cascade]]
) -> list[dict[tuple[float, float], Correlation]]:
    """The correlated lines of each source, by the energies of its scheme (its cascades), the upper one first.

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
                raise UsageError(
                    f"the line {min(shared_lines):g} keV is in two correlations, but a line can be in only one"
                )
            pairs[chosen] = correlation
            places += 1
        if not places:
            raise UsageError(
                f"no source emits {' and '.join(f'{line:g}' for line in sorted(energies))} keV in "
                f"succession: {_option()} takes two consecutive lines of a cascade"
            )
    return by_source


def _distance(pair: tuple[float, float], correlation: Correlation) -> float:
    """How far two lines are from those that are meant, in either order."""
    a, b = correlation.first_kev, correlation.second_kev
    return min(max(abs(pair[0] - one), abs(pair[1] - other)) for one, other in ((a, b), (b, a)))


_SPHERE_POINTS = 400_000

_Pair = tuple[float, float]
_Chances = dict[tuple[int, int], float]
"""By whom the photons of a slot can be seen, and how probably; -1 is nobody."""


@dataclass(frozen=True)
class Emission:
    """Tables over a source's cascades, the slots in them, and their outcomes.

    A slot is a photon, or two whose directions know of each other: those of an annihilation, or of a correlation. Only
    decays that are seen are drawn. Their first seen slot follows from `first`, the probabilities that a decay's k-th
    slot or an earlier one is the first to be seen; later slots are seen independently.
    """

    detectable_per_s: float
    cascade: Floats  # cumulative probability of cascades among the seen decays
    slots: npt.NDArray[np.intp]  # (cascades, places) -> slot
    photon: npt.NDArray[np.intp]  # (cascades, places) -> number in the cascade of the slot's first photon
    first: Floats  # (cascades, places)
    detection: Floats  # per slot: probability of being seen by any detector
    waits_ps: Floats  # (cascades, photons, levels): mean lifetimes before each photon; no levels where none lives long
    energy_kev: Floats  # per line
    lines: npt.NDArray[np.intp]  # (slots, 2): the lines of its two photons; twice the same for one photon
    later: npt.NDArray[np.intp]  # (slots, 2): how much later in the cascade than its first each photon is
    outcome: Floats  # slot + cumulative probability of its outcomes: searchable as a whole
    detectors: npt.NDArray[np.int16]  # (outcomes, 2): who saw it; -1 for nobody


def emission(
    activity_bq: float,
    paths: Sequence[Cascade],
    correlations: Mapping[_Pair, Correlation],
    detectors: Sequence[SimulatedDetector],
    facing: Floats,
) -> Emission:
    """The tables of one source.

    Args:
        activity_bq: decays per second.
        paths: its cascades.
        correlations: lines that follow one another with correlated directions.
        detectors: around it.
        facing: from `facing`.

    Raises:
        UsageError: correlated photons, and detectors that overlap.
    """
    energies = sorted({energy for path in paths for energy in path.energies_kev})
    pairs = list(correlations)
    outcomes = [_outcomes(energy, detectors, facing) for energy in energies]
    outcomes += [_correlated_outcomes(pair, correlations[pair], detectors) for pair in pairs]
    lines = [(place, place) for place in range(len(energies))]
    lines += [(energies.index(first), energies.index(second)) for first, second in pairs]
    detection = np.array([sum(chance.values()) for chance in outcomes])
    by_cascade = [_slots(path.energies_kev, energies, pairs) for path in paths]
    depth = max(len(row) for row in by_cascade)
    slots, photon = np.full((2, len(paths), depth), -1, np.intp)
    first = np.ones((len(paths), depth))
    weight = np.empty(len(paths))
    for row, (path, places) in enumerate(zip(paths, by_cascade, strict=True)):
        slots[row, : len(places)] = numbers = [slot for slot, _ in places]
        photon[row, : len(places)] = [number for _, number in places]
        unseen = np.cumprod(1 - detection[numbers])
        weight[row] = path.probability * (1 - unseen[-1])
        first[row, : len(numbers) - 1] = ((1 - unseen) / (1 - unseen[-1]))[:-1]
    cumulative = np.cumsum(weight) / weight.sum()
    cumulative[-1] = 1.0
    steps = []
    for slot, chance in enumerate(outcomes):
        step = np.cumsum(list(chance.values())) / detection[slot]
        step[-1] = 1.0
        steps.append(slot + step)
    return Emission(
        detectable_per_s=activity_bq * float(weight.sum()),
        cascade=cumulative,
        slots=slots,
        photon=photon,
        first=first,
        detection=detection,
        waits_ps=_waits(paths),
        energy_kev=np.array(energies),
        lines=np.array(lines, np.intp),
        later=np.array([(0, 0)] * len(energies) + [(0, 1)] * len(pairs), np.intp),
        outcome=np.concatenate(steps),
        detectors=np.array([pair for chance in outcomes for pair in chance], np.int16),
    )


def _slots(path: Sequence[float], energies: list[float], pairs: list[_Pair]) -> list[tuple[int, int]]:
    """The slots of a cascade, each with the number of its first photon."""
    slots, place = [], 0
    while place < len(path):
        pair = (path[place], path[place + 1]) if place + 1 < len(path) else None
        if pair in pairs:
            slots.append((len(energies) + pairs.index(pair), place))
            place += 2
        else:
            slots.append((energies.index(path[place]), place))
            place += 1
    return slots


def _waits(paths: Sequence[Cascade]) -> Floats:
    """Mean lifetimes of the levels before each photon, (cascades, photons, levels)."""
    depth = max(len(path.energies_kev) for path in paths)
    levels = max((len(wait) for path in paths for wait in path.waits_ps), default=0)
    waits = np.zeros((len(paths), depth, levels))
    for row, path in enumerate(paths):
        for photon, wait in enumerate(path.waits_ps):
            waits[row, photon, : len(wait)] = wait
    return waits


def _outcomes(energy: float, detectors: Sequence[SimulatedDetector], facing: Floats) -> _Chances:
    """Those of a photon, or of the two photons of an annihilation."""
    efficiency = [float(detector.total_efficiency(energy)) for detector in detectors]
    if energy != ANNIHILATION_KEV:
        return {(i, -1): item.solid_angle * efficiency[i] for i, item in enumerate(detectors)}
    chances: _Chances = {}
    for i, seen_i in enumerate(efficiency):
        both = facing[i, :-1] * seen_i * np.array(efficiency)
        chances[i, -1] = 2 * float(facing[i].sum() * seen_i - both.sum())  # the one or the other photon
        chances |= {(i, j): float(chance) for j, chance in enumerate(both) if chance > 0}
    return chances


def _correlated_outcomes(pair: _Pair, correlation: Correlation, detectors: Sequence[SimulatedDetector]) -> _Chances:
    """Those of two photons: each by itself is seen as without correlation.

    Raises:
        UsageError: detectors that cover the same directions would see more than there is.
    """
    one, other = (
        np.array([item.solid_angle * float(item.total_efficiency(energy)) for item in detectors]) for energy in pair
    )
    both = np.outer(one, other) * correlation.weights(detectors)
    alone, alone_other = one - both.sum(axis=1), other - both.sum(axis=0)
    if min(alone.min(), alone_other.min()) < 0:
        raise UsageError("correlated gamma rays need detectors whose solid angles do not overlap")
    chances: _Chances = {(i, -1): float(chance) for i, chance in enumerate(alone)}
    chances |= {(-1, j): float(chance) for j, chance in enumerate(alone_other)}
    return chances | {(i, j): float(chance) for (i, j), chance in np.ndenumerate(both) if chance > 0}


def facing(detectors: Sequence[SimulatedDetector]) -> Floats:
    """Probabilities that two photons which fly apart back to back meet detectors i and j; the last place is nobody.

    Counted over an even (Fibonacci) lattice of directions: a detector covers the cone of its solid angle.
    """
    place = np.arange(_SPHERE_POINTS) + 0.5
    height = 1 - 2 * place / _SPHERE_POINTS
    turn = place * math.pi * (3 - math.sqrt(5))
    across = np.sqrt(1 - height**2)
    met = np.full((2, _SPHERE_POINTS), len(detectors))
    for number, detector in enumerate(detectors):
        x, y, z = detector.axis
        cosine = across * np.cos(turn) * x + across * np.sin(turn) * y + height * z
        edge = 1 - 2 * detector.solid_angle
        met[0, (cosine > edge) & (met[0] == len(detectors))] = number
        met[1, (-cosine > edge) & (met[1] == len(detectors))] = number
    side = len(detectors) + 1
    joint = np.bincount(met[0] * side + met[1], minlength=side * side).reshape(side, side) / _SPHERE_POINTS
    return np.asarray((joint + joint.T) / 2)
