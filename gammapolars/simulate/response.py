"""The response of a detector to a photon: whether it interacts, its deposit, and its adc, whose gain may drift."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.constants import ANNIHILATION_KEV, FWHM_PER_SIGMA
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors import Detector, Detectors


@dataclass(frozen=True)
class GainDrift:
    """How a detector's gain changes with time: pulse heights are multiplied by `gain`.

    gain(t) = 1 + per_hour t / 1 h + amplitude sin(2π t / period) + (step, from step_s on), with the time t of the
    digitizer's clock.

    Attributes:
        per_hour: relative change of the gain in an hour.
        amplitude: of a sine, relative.
        period_s: of the sine.
        step: relative change of the gain at one moment.
        step_s: the moment of the step.
    """

    per_hour: float = 0.0
    amplitude: float = 0.0
    period_s: float = 3600.0
    step: float = 0.0
    step_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible gains.

        Raises:
            UsageError: a number that is not finite, or a period that is not positive.
        """
        if not all(map(math.isfinite, (self.per_hour, self.amplitude, self.period_s, self.step, self.step_s))):
            raise UsageError(f"a gain drift must have finite numbers, not {self}")
        if self.period_s <= 0:
            raise UsageError(f"the period of a gain drift must be longer than 0 s, not {self.period_s}")

    def __bool__(self) -> bool:
        return bool(self.per_hour or self.amplitude or self.step)

    def gain(self, timestamp_ps: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The factor on pulse heights at times of the digitizer's clock, at least 0.

        Args:
            timestamp_ps: as hits have it.
        """
        seconds = np.asarray(timestamp_ps, np.float64) / PS_PER_S
        gain = 1 + self.per_hour * seconds / 3600
        gain += self.amplitude * np.sin(2 * math.pi / self.period_s * seconds)
        gain += self.step * (seconds >= self.step_s)
        return np.asarray(np.maximum(gain, 0.0))


STEADY = GainDrift()


# Total attenuation per g/cm2 at these energies, rounded from NIST's XCOM tables of germanium and sodium iodide.
_ENERGY_KEV = (30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000, 3000)
_CM2_PER_G = {
    "Ge": (
        13.9, 6.21, 3.34, 2.02, 0.950, 0.555, 0.249, 0.166, 0.113,
        0.0933, 0.0821, 0.0745, 0.0643, 0.0573, 0.0510, 0.0466, 0.0409, 0.0352,
    ),
    "NaI": (
        8.0, 18.9, 10.5, 6.45, 3.00, 1.67, 0.617, 0.328, 0.166,
        0.117, 0.0949, 0.0822, 0.0675, 0.0585, 0.0514, 0.0469, 0.0414, 0.0367,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class SimulatedDetector:
    """A detector and its digitizer channel. `from_detector` gives sensible numbers for its kind.

    Attributes:
        board: the digitizer board's number.
        channel: the board's input.
        name: how the summary calls it.
        energy: coefficients of the energy polynomial in keV, lowest order first; it must rise over the adc range.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²).
        angle_deg: its place on a circle around the source; detectors 180° apart face each other.
        direction: its polar angle and azimuth (degrees) instead, theta from 0 to 180; None: it is on the circle.
        solid_angle: the part of all directions, 0 to 0.5, in which a photon meets the detector.
        material: `Ge` or `NaI`: how strongly it attenuates.
        thickness_g_cm2: of the crystal, along the photon's path.
        peak_to_total_662: full-energy part of all interactions at 662 keV.
        peak_to_total_power: how that part falls with energy: proportional to E^-power, and never above 0.95.
        scatters_twice: part of the partly absorbed photons that scatter a second time before they escape.
        threshold_kev: a smaller deposit does not trigger.
        background_cps: rate of deposits that belong to no source, with exponentially falling energies.
        background_mean_kev: their mean energy.
        time_resolution_ps: standard deviation of the timestamp.
        time_offset_ps: how much later than the others its timestamps are.
        time_walk_ps: how much later still small pulses are, by their adc: Σ b_i adc^(-i/2), i from 1; None: not at all.
        time_walk_range: adc values between which that holds.
        tick_ps: timestamps are multiples of it.
        trigger_ps: deposits within this time of the one that triggered add up to one hit, unnoticed.
        pile_up_ps: a deposit within this time of the one that triggered marks the hit as piled up.
        dead_time_ps: no further hit within this time of the one that triggered; deposits in it do not prolong it.
        adc_bits: the largest adc is 2^bits - 1; a higher one is cut and marked as saturated.
        drift: how the gain changes with time; `energy` holds where it is 1.
    """

    board: int
    channel: int
    name: str
    energy: tuple[float, ...]
    fwhm: tuple[float, ...]
    angle_deg: float = 0.0
    solid_angle: float = 0.02
    material: str = "Ge"
    thickness_g_cm2: float = 30.0
    peak_to_total_662: float = 0.28
    peak_to_total_power: float = 0.65
    scatters_twice: float = 0.3
    threshold_kev: float = 20.0
    background_cps: float = 20.0
    background_mean_kev: float = 300.0
    time_resolution_ps: float = 8_000.0
    time_offset_ps: int = 0
    tick_ps: int = 10_000
    trigger_ps: int = 200_000
    pile_up_ps: int = 3_000_000
    dead_time_ps: int = 5_000_000
    adc_bits: int = 14
    drift: GainDrift = STEADY
    time_walk_ps: tuple[float, ...] | None = None
    time_walk_range: tuple[float, float] | None = None
    direction: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no detector has.

        Raises:
            UsageError: a number is out of its range, or the energy polynomial does not rise.
        """
        ranges: dict[str, tuple[float, float]] = {
            "solid_angle": (1e-6, 0.5), "thickness_g_cm2": (1e-3, 1e3), "peak_to_total_662": (1e-3, 1.0),
            "peak_to_total_power": (0, 3), "scatters_twice": (0, 1), "threshold_kev": (0, 1e4),
            "background_cps": (0, 1e7), "background_mean_kev": (1, 1e4), "time_resolution_ps": (0, 1e8),
            "time_offset_ps": (-(10**9), 10**9), "tick_ps": (1, 10**8), "trigger_ps": (0, 10**9),
            "pile_up_ps": (0, 10**9), "dead_time_ps": (0, 10**9), "adc_bits": (8, 16),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"detector {self.name}: {name} must be between {low:g} and {high:g}, not {value!r}")
        if self.material not in _CM2_PER_G:
            raise UsageError(f"detector {self.name}: material must be one of {', '.join(_CM2_PER_G)}")
        steps = np.diff(self.energy_of(np.arange(2.0**self.adc_bits)))
        if len(self.energy) < 2 or not (steps > 0).all():
            raise UsageError(
                f"detector {self.name}: its energy does not increase over the {self.adc_bits} bits of the ADC"
            )

    @classmethod
    def from_detector(cls, detector: Detector, **changes: Any) -> "SimulatedDetector":
        """A detector of detectors.toml, with the numbers of its kind (HPGe, NaI, LaBr3; HPGe if it names none).

        Args:
            detector: gives the channel, name, time offset, walk and, where it has them, energy and FWHM coefficients.
            changes: other values for attributes.
        """
        numbers = dict(_KINDS.get(detector.kind.lower(), _KINDS["hpge"]))
        numbers |= {key: value for key in ("energy", "fwhm") if (value := getattr(detector, key)) is not None}
        numbers |= {name: getattr(detector, name) for name in ("time_offset_ps", "time_walk_ps", "time_walk_range")}
        numbers |= changes
        return cls(detector.board, detector.channel, detector.name, **numbers)

    @property
    def axis(self) -> tuple[float, float, float]:
        """The unit vector from the source to it; the circle lies in the plane of x and y."""
        if self.direction is None:
            angle = math.radians(self.angle_deg)
            return math.cos(angle), math.sin(angle), 0.0
        theta, phi = map(math.radians, self.direction)
        return math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)

    @property
    def reach_ps(self) -> int:
        """How long a hit can matter to a later deposit."""
        return max(self.trigger_ps, self.pile_up_ps, self.dead_time_ps)

    def total_efficiency(self, energy_kev: npt.ArrayLike) -> Floats:
        """Probability that a photon towards the detector interacts in it: 1 - exp(-μ x)."""
        per_gram = np.log(_CM2_PER_G[self.material])
        attenuation = np.exp(np.interp(np.log(energy_kev), np.log(_ENERGY_KEV), per_gram))
        return np.asarray(-np.expm1(-attenuation * self.thickness_g_cm2))

    def peak_to_total(self, energy_kev: npt.ArrayLike) -> Floats:
        """Part of the interactions that leave the photon's full energy."""
        ratio = self.peak_to_total_662 * (np.asarray(energy_kev, np.float64) / 661.657) ** -self.peak_to_total_power
        return np.minimum(0.95, ratio)

    def sigma_kev(self, energy_kev: Floats) -> Floats:
        """Standard deviation of the measured energy, from FWHM² = a + b E + c E²."""
        square = np.polynomial.polynomial.polyval(energy_kev, self.fwhm)
        return np.sqrt(np.maximum(square, 0.0)) / FWHM_PER_SIGMA

    def energy_of(self, adc: npt.ArrayLike) -> Floats:
        """Energy in keV at an adc, the calibration's own polynomial."""
        return np.asarray(np.polynomial.polynomial.polyval(np.asarray(adc, np.float64), self.energy))

    def adc_of(self, energy_kev: Floats) -> Floats:
        """The adc, not yet a whole number, at which the calibration gives an energy.

        Newton's iteration from the linear part; beyond the adc range the polynomial goes on as a straight line, since
        only inside does it need to rise.
        """
        top = float(2**self.adc_bits)
        low, high = self.energy_of([0.0, top])
        slope = np.polynomial.polynomial.polyder(self.energy)
        energy = np.asarray(energy_kev, np.float64)
        adc = np.clip((energy - self.energy[0]) / self.energy[1], 0, top)
        for _ in range(50 if len(self.energy) > 2 else 1):
            step = (self.energy_of(adc) - energy) / np.polynomial.polynomial.polyval(adc, slope)
            adc = np.clip(adc - step, 0, top)
            if not (np.abs(step) > 1e-4).any():
                break
            if energy.max(initial=low) > high or energy.min(initial=high) < low:
                energy = np.clip(energy, low, high)
        return adc


_KINDS: dict[str, dict[str, Any]] = {
    "hpge": {"energy": (0.0, 0.11), "fwhm": (0.55, 0.00216)},
    "nai": {
        "energy": (0.0, 0.75), "fwhm": (0.0, 3.2), "material": "NaI", "thickness_g_cm2": 18.0,
        "solid_angle": 0.05, "peak_to_total_662": 0.5, "peak_to_total_power": 0.6, "time_resolution_ps": 1_900.0,
        "tick_ps": 1, "pile_up_ps": 1_000_000, "dead_time_ps": 1_500_000,
    },
    "labr3": {
        "energy": (0.0, 0.5), "fwhm": (0.0, 0.557), "material": "NaI", "thickness_g_cm2": 25.0,
        "solid_angle": 0.02, "peak_to_total_662": 0.45, "peak_to_total_power": 0.65, "time_resolution_ps": 150.0,
        "tick_ps": 1, "trigger_ps": 20_000, "pile_up_ps": 200_000, "dead_time_ps": 400_000,
    },
}  # fmt: skip


def around_source(detectors: Detectors, **changes: Any) -> tuple[SimulatedDetector, ...]:
    """The detectors of detectors.toml around the source: where it says, or evenly on a circle.

    Where not all of them have `theta_deg` and `phi_deg`, all are on the circle: of an even number, each faces another.

    Args:
        detectors: at least one.
        changes: values for attributes of all of them, where they are not None.

    Raises:
        UsageError: no detector, or one with a number out of its range; clocks that drift.
    """
    if not len(detectors):
        raise UsageError("no detector to simulate: describe at least one in detectors.toml")
    if detectors.clocks:
        raise UsageError("the clocks of a simulated run are exact: leave [[clock]] out of detectors.toml")
    overrides = {key: value for key, value in changes.items() if value is not None}
    simulated = [SimulatedDetector.from_detector(detector, **overrides) for detector in detectors]
    directions = [(one.theta_deg, one.phi_deg) for one in detectors]
    axes = [(theta, phi) for theta, phi in directions if theta is not None and phi is not None]
    if len(axes) == len(simulated):
        return tuple(replace(one, direction=where) for one, where in zip(simulated, axes, strict=True))
    return tuple(replace(one, angle_deg=360.0 * place / len(simulated)) for place, one in enumerate(simulated))


def compton_electron_kev(energy_kev: Floats, rng: np.random.Generator) -> Floats:
    """Energies of recoil electrons of Compton scattering, one a photon.

    Distributed as the cross-section of O. Klein and Y. Nishina, Z. Phys. 52 (1929) 853, and sampled by the composition
    and rejection of H. Kahn, Applications of Monte Carlo, AECU-3259 (1954), which needs about 1.6 trials a photon.

    Args:
        energy_kev: energies of the photons.
        rng: the random numbers' source.
    """
    alpha = np.asarray(energy_kev, np.float64) / ANNIHILATION_KEV
    ratio = np.empty_like(alpha)  # of the photon's energies before and after
    open_ = np.arange(len(alpha))
    while len(open_):
        a = alpha[open_]
        first, second, third = rng.random((3, len(open_)))
        low = first * (2 * a + 9) <= 2 * a + 1
        x = np.where(low, 1 + 2 * a * second, (2 * a + 1) / (2 * a * second + 1))
        accept = third <= np.where(low, 4 * (1 / x - 1 / x**2), 0.5 * ((1 - (x - 1) / a) ** 2 + 1 / x))
        ratio[open_[accept]] = x[accept]
        open_ = open_[~accept]
    return np.asarray(energy_kev, np.float64) * (1 - 1 / ratio)


def partial_deposit_kev(energy_kev: Floats, twice: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Energies deposited by photons that escape after one Compton scattering, or after two.

    Two scatterings fill the gap between the Compton edge and the full-energy peak.
    """
    deposit = compton_electron_kev(energy_kev, rng)
    deposit[twice] += compton_electron_kev(energy_kev[twice] - deposit[twice], rng)
    return deposit
