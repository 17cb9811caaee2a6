"""What radioactive sources emit: decay schemes, and every cascade of photons that they allow with its probability."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
        positrons: per decay, by the level that they leave behind.
        half_lives_ps: of levels that live long enough to be seen.
    """

    name: str
    transitions: tuple[Transition, ...]
    positrons: Mapping[float, float]
    half_lives_ps: Mapping[float, float] = field(default_factory=dict)


class Cascade(NamedTuple):
    """Photons that leave one decay together; `ANNIHILATION_KEV` stands for the two photons of a positron.

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


# Energies and intensities of the strong lines: IAEA evaluation (the calibration lines of gammapolars); the weaker ones
# and the conversion coefficients: ENSDF, rounded. The intensities of doublets are shared out to their two transitions.
_SM_152 = (
    Transition(121.78, 0, 121.7817, 28.41, 1.155),
    Transition(366.48, 121.78, 244.6974, 7.55, 0.107),
    Transition(684.75, 121.78, 562.98, 0.036),
    Transition(706.9, 366.48, 340.4, 0.031),
    Transition(810.45, 366.48, 444.01, 0.298, 0.02),
    Transition(810.45, 121.78, 688.670, 0.856),
    Transition(810.45, 0, 810.451, 0.317),
    Transition(963.36, 121.78, 841.574, 0.168),
    Transition(963.36, 0, 963.367, 0.134),
    Transition(1022.97, 366.48, 656.489, 0.144),
    Transition(1022.97, 121.78, 901.19, 0.084),
    Transition(1041.12, 366.48, 674.64, 0.169),
    Transition(1041.12, 121.78, 919.337, 0.419),
    Transition(1085.84, 366.48, 719.349, 0.250),
    Transition(1085.84, 121.78, 964.079, 14.486),
    Transition(1085.84, 0, 1085.837, 10.13),
    Transition(1233.86, 366.48, 867.380, 4.241),
    Transition(1233.86, 121.78, 1112.076, 13.40),
    Transition(1292.77, 366.48, 926.31, 0.272),
    Transition(1292.77, 0, 1292.78, 0.104),
    Transition(1371.74, 366.48, 1005.27, 0.659),
    Transition(1371.74, 121.78, 1249.94, 0.187),
    Transition(1529.80, 1233.86, 295.939, 0.440),
    Transition(1529.80, 1041.12, 488.679, 0.414),
    Transition(1529.80, 963.36, 566.44, 0.131),
    Transition(1529.80, 1085.84, 443.9606, 2.827),
    Transition(1529.80, 121.78, 1408.013, 20.85),
    Transition(1579.43, 366.48, 1212.948, 1.415),
    Transition(1579.43, 121.78, 1457.643, 0.497),
    Transition(1649.82, 1085.84, 563.986, 0.494),
    Transition(1649.82, 121.78, 1528.10, 0.279),
)
_GD_152 = (
    Transition(344.28, 0, 344.2785, 26.58, 0.0399),
    Transition(615.40, 344.28, 271.13, 0.078),
    Transition(755.40, 344.28, 411.1165, 2.237, 0.0239),
    Transition(930.55, 615.40, 315.17, 0.050),
    Transition(930.55, 344.28, 586.265, 0.457),
    Transition(930.55, 0, 930.58, 0.073),
    Transition(1109.20, 344.28, 764.90, 0.190),
    Transition(1109.20, 0, 1109.174, 0.186),
    Transition(1123.19, 755.40, 367.789, 0.862),
    Transition(1123.19, 344.28, 778.9045, 12.96),
    Transition(1434.02, 1109.20, 324.83, 0.072),
    Transition(1434.02, 930.55, 503.474, 0.153),
    Transition(1434.02, 755.40, 678.623, 0.471),
    Transition(1434.02, 344.28, 1089.737, 1.734),
    Transition(1643.43, 930.55, 712.84, 0.096),
    Transition(1643.43, 344.28, 1299.142, 1.632),
)

# Sources for fast timing. Intensities: IAEA 2007 where it has the line, else ENSDF 2023; conversion: ENSDF 2023 of the
# decay, theory where nothing was measured. Four figures were moved, within or close to their uncertainties, because a
# level would be fed by less than nothing without: the conversion of Cs-133's 81 keV (ENSDF: 1.703, of theory) and of
# Fe-57's 14.4 keV (8.56(26)), and Ta-181's photons of 133 keV (43.3(5)) and 137 keV (0.86(19)). Left out: levels of
# Fe-57 above 137 keV (0.2 % of decays), and Ta-181's 3.9 keV between the levels of 619 and 615 keV.
_CS_133 = (
    Transition(437.01, 383.85, 53.1622, 2.14, 5.66),
    Transition(437.01, 160.61, 276.3989, 7.16, 0.0566),
    Transition(437.01, 81.00, 356.0129, 62.05, 0.0254),
    Transition(383.85, 160.61, 223.2368, 0.453, 0.0975),
    Transition(383.85, 81.00, 302.8508, 18.34, 0.0434),
    Transition(383.85, 0, 383.8485, 8.94, 0.0202),
    Transition(160.61, 81.00, 79.6142, 2.65, 1.77),
    Transition(160.61, 0, 160.6120, 0.638, 0.294),
    Transition(81.00, 0, 80.9979, 32.9, 1.74),
)
_FE_57 = (
    Transition(136.47, 14.41, 122.06065, 85.51, 0.024),
    Transition(136.47, 0, 136.47356, 10.71, 0.137),
    Transition(14.41, 0, 14.41295, 9.15, 8.58),
)
_CD_111 = (
    Transition(416.63, 245.35, 171.28, 90.65, 0.103),
    Transition(245.35, 0, 245.35, 94.09, 0.0628),
)
_TA_181 = (
    Transition(618.92, 482.10, 136.86, 0.80, 1.83),
    Transition(618.92, 0, 618.66, 0.025, 0.0122),
    Transition(615.12, 482.10, 133.021, 42.85, 1.27),
    Transition(615.12, 0, 615.17, 0.233, 0.194),
    Transition(482.10, 136.25, 345.93, 15.12, 0.0544),
    Transition(482.10, 6.12, 475.99, 0.703, 0.168),
    Transition(482.10, 0, 482.18, 80.5, 0.0295),
    Transition(136.25, 0, 136.26, 5.85, 1.75),
    Transition(6.12, 0, 6.3, 0.01151, 70.5),
)

# Half-lives of their levels: ENSDF 2023 of the decay, with its uncertainty; levels that it does not give, or only to a
# factor (Cs-133's 437 keV), are taken to decay at once.
_CS_133_PS = {81.00: 6283.0, 160.61: 172.0, 383.85: 44.0}  # (14), (4), (11)
_FE_57_PS = {14.41: 98_300.0, 136.47: 9000.0}  # (300), (700)
_CD_111_PS = {245.35: 84_500.0, 416.63: 120.0}  # (400), (30)
_TA_181_PS = {482.10: 10_800.0, 615.12: 17_600_000.0, 618.92: 870.0}  # (100), (200,000), (20)

NUCLIDES: dict[str, Nuclide] = {
    nuclide.name: nuclide
    for nuclide in (
        Nuclide("Ba-133", _CS_133, {}, _CS_133_PS),
        Nuclide("Co-57", _FE_57, {}, _FE_57_PS),
        Nuclide(
            "Co-60",
            (Transition(2505.75, 1332.51, 1173.228, 99.85), Transition(1332.51, 0, 1332.492, 99.9826)),
            {},
        ),
        Nuclide("Cs-137", (Transition(661.66, 0, 661.657, 84.99),), {}),
        Nuclide("Eu-152", _SM_152 + _GD_152, {}, {121.78: 1403.0}),  # the half-life: ENSDF
        Nuclide("Hf-181", _TA_181, {}, _TA_181_PS),
        Nuclide("In-111", _CD_111, {}, _CD_111_PS),
        Nuclide("K-40", (Transition(1460.85, 0, 1460.822, 10.66),), {}),
        Nuclide("Na-22", (Transition(1274.58, 0, 1274.537, 99.94),), {1274.58: 0.9030, 0.0: 0.0006}),
    )
}
"""The decay schemes that can be simulated, by name."""


def cascades(nuclide: Nuclide) -> tuple[Cascade, ...]:
    """Every set of photons that one decay can emit, with its probability; a decay without photons is left out.

    The feeding of a level is what leaves it less what reaches it from above, so that the cascades add up to the
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
            raise UsageError(f"unknown source '{name}': the known ones are {', '.join(NUCLIDES)}")
        if nuclide in by_nuclide:
            raise UsageError(f"source {nuclide} is given twice: add up its activities")
        by_nuclide[nuclide] = Source(nuclide, _becquerels(text, activity) if equals else DEFAULT_ACTIVITY_BQ)
    if not by_nuclide:
        raise UsageError(f"no source: name at least one of {', '.join(NUCLIDES)}")
    return tuple(by_nuclide.values())


def _becquerels(text: str, activity: str) -> float:
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,2}))?\s*([kM]?)Bq", activity)
    value = 0.0
    if match:
        value = float(f"{match[1]}e{match[2] or 0}") * {"": 1.0, "k": 1e3, "M": 1e6}[match[3]]
    if not 0 < value < 1e12:
        raise UsageError(f"source '{text}' has no activity: write a number of Bq, kBq or MBq, such as Co-60=50kBq")
    return value
