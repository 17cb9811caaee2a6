"""Radiation of radioactive sources: decay schemes, and every possible cascade of photons with its probability."""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import UsageError

DEFAULT_ACTIVITY_BQ = 50_000.0
_NEGLIGIBLE = 1e-9

Numbers = tuple[float, ...]


class Transition(NamedTuple):
    """A gamma transition between two levels of the daughter nucleus.

    Attributes:
        upper: the level that it leaves, in keV.
        lower: the level that it reaches, in keV; 0 is the ground state.
        energy_kev: the photon's energy.
        photons: photons per 100 decays.
        conversion: internal-conversion coefficient: electrons per photon.
    """

    upper: float
    lower: float
    energy_kev: float
    photons: float
    conversion: float = 0.0


@dataclass(frozen=True)
class Nuclide:
    """A decay scheme.

    Attributes:
        name: such as `Co-60`.
        transitions: of the daughter nuclei; levels with equal energies are one level.
        positrons: per decay, by the level that they feed.
        half_lives_ps: of levels that live long enough to be seen.
    """

    name: str
    transitions: tuple[Transition, ...]
    positrons: Mapping[float, float]
    half_lives_ps: Mapping[float, float] = field(default_factory=dict)


class Cascade(NamedTuple):
    """Photons that leave one decay together; `ANNIHILATION_KEV` represents the two photons of a positron.

    Attributes:
        probability: of a decay to emit these photons, and no others.
        energies_kev: of the photons, one after the other.
        waits_ps: mean lifetimes of the levels that are lived through before each photon, since the one before it.
    """

    probability: float
    energies_kev: tuple[float, ...]
    waits_ps: tuple[tuple[float, ...], ...] = ()


class Source(NamedTuple):
    """A nuclide and how much there is of it; its decay scheme, where it is not one of `NUCLIDES`."""

    nuclide: str
    activity_bq: float = DEFAULT_ACTIVITY_BQ
    own_scheme: Nuclide | None = None

    @property
    def scheme(self) -> Nuclide:
        """Its decay scheme."""
        return self.own_scheme or NUCLIDES[self.nuclide]


def _decay_schemes() -> dict[str, Nuclide]:
    with Path(__file__).with_name("decay_schemes.toml").open("rb") as file:
        tables = tomllib.load(file)
    return {
        name: Nuclide(
            name,
            tuple(Transition(*numbers) for numbers in table["transitions"]),
            **{
                key: {float(level): value for level, value in table.get(key, {}).items()}
                for key in ("positrons", "half_lives_ps")
            },
        )
        for name, table in tables.items()
    }


NUCLIDES = _decay_schemes()
"""The decay schemes that can be simulated, by name: `decay_schemes.toml`, with their sources."""


def cascades(nuclide: Nuclide) -> tuple[Cascade, ...]:
    """Every set of photons that one decay can emit, with its probability; a decay without photons is left out.

    The feeding of a level is its decay rate less the rate from levels above, so that the cascades add up to the
    nuclide's intensities. X-rays are left out.
    """
    out: dict[float, list[Transition]] = {}
    feeding: dict[float, float] = {0.0: nuclide.positrons.get(0.0, 0.0)}
    for transition in nuclide.transitions:
        rate = transition.photons / 100 * (1 + transition.conversion)
        out.setdefault(transition.upper, []).append(transition)
        feeding[transition.upper] = feeding.get(transition.upper, 0.0) + rate
        if transition.lower > 0:
            feeding[transition.lower] = feeding.get(transition.lower, 0.0) - rate
    means = {level: half_life / math.log(2) for level, half_life in nuclide.half_lives_ps.items()}
    probabilities: dict[tuple[Numbers, tuple[Numbers, ...]], float] = {}

    def follow(level: float, probability: float, energies: Numbers, waits: tuple[Numbers, ...], wait: Numbers) -> None:
        if probability < _NEGLIGIBLE:
            return
        if level == 0:
            probabilities[energies, waits] = probabilities.get((energies, waits), 0.0) + probability
            return
        wait = (*wait, means[level]) if level in means else wait
        total = sum(item.photons * (1 + item.conversion) for item in out[level])
        for item in out[level]:
            branch = probability * item.photons / total
            follow(item.lower, branch, (*energies, item.energy_kev), (*waits, wait), ())
            follow(item.lower, branch * item.conversion, energies, waits, wait)

    for level, feeding_rate in feeding.items():
        positrons = nuclide.positrons.get(level, 0.0)
        follow(level, positrons, (ANNIHILATION_KEV,), ((),), ())
        follow(level, feeding_rate - positrons, (), (), ())
    return tuple(Cascade(probability, *photons) for photons, probability in probabilities.items() if photons[0])


def photons_per_decay(nuclide: Nuclide) -> dict[float, float]:
    """Emitted photons per decay by energy; a positron gives two of `ANNIHILATION_KEV`."""
    intensities: dict[float, float] = {}
    for probability, energies, _ in cascades(nuclide):
        for energy in energies:
            photons = 2 * probability if energy == ANNIHILATION_KEV else probability
            intensities[energy] = intensities.get(energy, 0.0) + photons
    return intensities


def parse_sources(texts: Iterable[str]) -> tuple[Source, ...]:
    """Sources from `Co-60` or `Co-60=50kBq` (units Bq, kBq, MBq).

    Raises:
        UsageError: a nuclide without a decay scheme, an activity that is no positive number with a unit, or no source.
    """
    by_nuclide: dict[str, Source] = {}
    for text in texts:
        name, equals, activity = (part.strip() for part in text.partition("="))
        by_spelling = {re.sub(r"[^a-z0-9]", "", key.lower()): key for key in NUCLIDES}
        nuclide = by_spelling.get(re.sub(r"[^a-z0-9]", "", name.lower()))
        if nuclide is None:
            raise UsageError(f"unknown source '{name}': choose from {', '.join(NUCLIDES)}")
        if nuclide in by_nuclide:
            raise UsageError(f"source {nuclide} is given twice: add up its activities")
        by_nuclide[nuclide] = Source(nuclide, _becquerels(text, activity) if equals else DEFAULT_ACTIVITY_BQ)
    if not by_nuclide:
        raise UsageError(f"no source: give at least one of {', '.join(NUCLIDES)}")
    return tuple(by_nuclide.values())


def _becquerels(text: str, activity: str) -> float:
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,2}))?\s*([kM]?)Bq", activity)
    value = 0.0
    if match:
        value = float(f"{match[1]}e{match[2] or 0}") * {"": 1.0, "k": 1e3, "M": 1e6}[match[3]]
    if not 0 < value < 1e12:
        raise UsageError(f"source '{text}' has no activity: write a number of Bq, kBq or MBq, such as Co-60=50kBq")
    return value
