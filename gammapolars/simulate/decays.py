"""The deposits that decays leave in the detectors, one block of time after the other.

Time is cut into blocks whose length follows only from the rates. Each block draws from its own stream of random
numbers, so that a run depends neither on how many hits are asked for at a time nor on the threads that compute it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats, Integers
from gammapolars.corrections.walk import extremes_ps, walk_ps
from gammapolars.simulate.emission import Correlation, Emission, emission, facing, pairs_of
from gammapolars.simulate.response import SimulatedDetector, partial_deposit_kev
from gammapolars.simulate.sources import Source, cascades, photons_per_decay

BACKGROUND = "background"
START_PS = 2_000_000_000
"""When the first block begins: late enough that no offset makes a timestamp negative."""

_BLOCK_DEPOSITS = 2**18
_MAX_SIGMA = 6.0
_MAX_BUSY = 4.0  # mean number of deposits within a detector's reach


class Deposits(NamedTuple):
    """One entry a deposit of energy in a detector, in order of `time_ps`.

    Attributes:
        time_ps: when the digitizer sees it: with the detector's offset and resolution, on its clock's ticks.
        true_ps: when the decay happened.
        detector: its number in the list of detectors.
        energy_kev: its deposit.
        full: it left the photon's full energy.
        decay: the decay's number from 1; 0 for background.
        nuclide: its place in the list of sources; the number of sources for background.
        noise: a standard normal number from which the measured energy follows.
    """

    time_ps: Integers
    true_ps: Integers
    detector: npt.NDArray[np.uint16]
    energy_kev: Floats
    full: npt.NDArray[np.bool_]
    decay: Integers
    nuclide: npt.NDArray[np.uint8]
    noise: npt.NDArray[np.float32]

    def take(self, chosen: Any) -> "Deposits":
        """Some of them, by a mask, a slice or positions."""
        return Deposits(*(column[chosen] for column in self))


def concat(parts: Sequence[Deposits]) -> Deposits:
    """Several in one, in the given order."""
    return Deposits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class _SourceDeposits(NamedTuple):
    """Signals of a source in one block: times of its seen decays, and their deposits."""

    decay_ps: Integers
    decay: npt.NDArray[np.intp]  # per deposit: position in decay_ps
    wait_ps: Integers  # per deposit: how long after the decay
    detector: npt.NDArray[np.uint16]
    energy_kev: Floats
    full: npt.NDArray[np.bool_]


class Emitter:
    """Draws the deposits of one block of time after the other.

    Args:
        sources: nuclides and activities.
        detectors: at least one.
        seed: two emitters with equal arguments draw the same.
        correlations: of gamma rays in cascade; the directions of all others know nothing of each other.

    Raises:
        UsageError: no detector, too many around one source, nothing that emits, a detector that is always busy, or a
            correlation of lines that no source emits one after the other.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        detectors: Sequence[SimulatedDetector],
        seed: int,
        correlations: Sequence[Correlation] = (),
    ) -> None:
        if not detectors:
            raise UsageError("no detector to simulate")
        if sum(detector.solid_angle for detector in detectors) > 1:
            raise UsageError("the solid angles of the detectors add up to more than 4π: reduce solid_angle")
        self.sources, self.detectors, self._seed = tuple(sources), tuple(detectors), seed
        back_to_back = facing(detectors)
        schemes = [cascades(source.scheme) for source in sources]
        self._emissions = [
            emission(source.activity_bq, paths, pairs, detectors, back_to_back)
            for source, paths, pairs in zip(sources, schemes, pairs_of(correlations, schemes), strict=True)
        ]
        self._peak = [
            np.stack([detector.peak_to_total(emission.energy_kev) for detector in detectors])
            for emission in self._emissions
        ]
        self._background = self._numbers("background_cps")
        self._background_mean = self._numbers("background_mean_kev")
        self._twice = self._numbers("scatters_twice")
        self._sigma = self._numbers("time_resolution_ps")
        self._threshold = self._numbers("threshold_kev")
        self._offset = self._numbers("time_offset_ps").astype(np.int64)
        self._tick = self._numbers("tick_ps").astype(np.int64)
        self._least_walk = np.array([extremes_ps(detector)[0] for detector in self.detectors], np.int64)
        deposits_per_s = sum(emission.detectable_per_s for emission in self._emissions) + self._background.sum()
        if not deposits_per_s > 0:
            raise UsageError("nothing to simulate: no source and no background")
        self.block_ps = int(min(_BLOCK_DEPOSITS / deposits_per_s, 1e5) * 1e12)
        self._check_rates()

    def _numbers(self, name: str) -> Floats:
        return np.array([getattr(detector, name) for detector in self.detectors], np.float64)

    def _check_rates(self) -> None:
        for detector, rate in zip(self.detectors, self.rates_cps(), strict=True):
            if rate * detector.reach_ps * 1e-12 > _MAX_BUSY:
                raise UsageError(
                    f"detector {detector.name} would see {rate:.3g} energy deposits per second and be dead "
                    "nearly all the time: reduce the activity, the solid angle or the dead time"
                )

    def rates_cps(self) -> Floats:
        """Deposits per second in each detector, those below the threshold and in the dead time too."""
        rates = self._background.copy()
        for source in self.sources:
            for energy, photons in photons_per_decay(source.scheme).items():
                detection = [
                    detector.solid_angle * float(detector.total_efficiency(energy)) for detector in self.detectors
                ]
                rates += source.activity_bq * photons * np.array(detection)
        return rates

    def earliest_ps(self, true_ps: int) -> int:
        """No deposit of this true time or later is seen before the time that this gives."""
        return true_ps + int((self._offset + self._least_walk - np.ceil(_MAX_SIGMA * self._sigma) - self._tick).min())

    def block(self, number: int, stop_ps: int | None = None) -> tuple[Deposits, int]:
        """The deposits of one block, with decays numbered from 1 in order of time, and how many decays were seen.

        Args:
            number: from 0; block n lasts from START_PS + n block_ps to the next.
            stop_ps: leave out decays at this true time or later.
        """
        rng = np.random.default_rng([self._seed, number])
        begin = START_PS + number * self.block_ps
        parts = [
            _source_deposits(emission, peak, self._twice, rng, begin=begin, block_ps=self.block_ps)
            for emission, peak in zip(self._emissions, self._peak, strict=True)
        ]
        ranks = _ranks([part.decay_ps for part in parts])
        columns: list[tuple[npt.NDArray[Any], ...]] = [
            (part.decay_ps[part.decay], part.detector, part.energy_kev, part.full, rank[part.decay], part.wait_ps)
            for part, rank in zip(parts, ranks, strict=True)
        ]
        columns.append(self._draw_background(begin, rng))
        nuclide = np.repeat(np.arange(len(columns), dtype=np.uint8), [len(column[0]) for column in columns])
        true_ps, detector, energy, full, decay, wait_ps = (
            np.concatenate(column) for column in zip(*columns, strict=True)
        )
        noise = rng.standard_normal(len(true_ps), dtype=np.float32)
        time_ps = self._digitizer_time(true_ps + wait_ps, detector, self._walk(true_ps, detector, energy, noise), rng)
        deposits = Deposits(time_ps, true_ps, detector, energy, full, decay, nuclide, noise)
        keep = energy >= self._threshold[detector]
        if stop_ps is not None:
            keep &= true_ps < stop_ps
        order = np.flatnonzero(keep)
        order = order[np.argsort(time_ps[order], kind="stable")]
        return deposits.take(order), sum(len(part.decay_ps) for part in parts)

    def _draw_background(self, begin: int, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        count = rng.poisson(self._background * (self.block_ps * 1e-12))
        detector = np.repeat(np.arange(len(count), dtype=np.uint16), count)
        true_ps = begin + (rng.random(len(detector)) * self.block_ps).astype(np.int64)
        energy = rng.standard_exponential(len(detector)) * self._background_mean[detector]
        nothing = np.zeros(len(detector), np.int64)
        return true_ps, detector, energy, np.zeros(len(detector), np.bool_), nothing, nothing

    def _walk(
        self, true_ps: Integers, detector: npt.NDArray[np.uint16], energy_kev: Floats, noise: npt.NDArray[np.float32]
    ) -> Integers:
        """How much later the digitizer sees small pulses: by the adc that each deposit has by itself."""
        late = np.zeros(len(true_ps), np.int64)
        for number, one in enumerate(self.detectors):
            if one.time_walk_ps:
                own = np.flatnonzero(detector == number)
                height = one.adc_of(energy_kev[own] + noise[own] * one.sigma_kev(energy_kev[own]))
                adc = np.clip(np.rint(height * one.drift.gain(true_ps[own])), 0, 2**one.adc_bits - 1)
                late[own] = np.rint(walk_ps(one, adc)).astype(np.int64)
        return late

    def _digitizer_time(
        self, true_ps: Integers, detector: npt.NDArray[np.uint16], late_ps: Integers, rng: np.random.Generator
    ) -> Integers:
        jitter = np.clip(rng.standard_normal(len(true_ps)), -_MAX_SIGMA, _MAX_SIGMA) * self._sigma[detector]
        tick = self._tick[detector]
        time_ps: Integers = (
            (true_ps + self._offset[detector] + late_ps + np.rint(jitter).astype(np.int64)) // tick * tick
        )
        return time_ps


def _source_deposits(
    emission: Emission, peak: Floats, twice: Floats, rng: np.random.Generator, *, begin: int, block_ps: int
) -> _SourceDeposits:
    """Draw one source's part of a block."""
    count = int(rng.poisson(emission.detectable_per_s * block_ps * 1e-12))
    arrivals = np.cumsum(rng.standard_exponential(count + 1))  # scaled to the block: sorted uniform times
    decay_ps = begin + (arrivals[:-1] * (block_ps / arrivals[-1])).astype(np.int64)
    cascade = np.searchsorted(emission.cascade, rng.random(count), side="right")
    first = (rng.random(count)[:, None] > emission.first[cascade]).sum(axis=1)
    delays = _emission_delays(emission.waits_ps, cascade, rng)
    decays, lines, met, waits = [], [], [], []
    for depth in range(emission.slots.shape[1]):
        slot = emission.slots[cascade, depth]
        detected = first == depth
        later = np.flatnonzero((first < depth) & (slot >= 0))
        detected[later] = rng.random(len(later)) < emission.detection[slot[later]]
        decay = np.flatnonzero(detected)
        chosen = slot[decay]
        outcome = np.searchsorted(emission.outcome, chosen + (1 - rng.random(len(decay))))
        for side, detectors in enumerate(emission.detectors[outcome].T):
            hit = detectors >= 0
            own, of_slot = decay[hit], chosen[hit]
            decays.append(own)
            lines.append(emission.lines[of_slot, side])
            met.append(detectors[hit].astype(np.uint16))
            photon = emission.photon[cascade[own], depth] + emission.later[of_slot, side]
            waits.append(delays[own, photon] if delays.size else np.zeros(len(own), np.int64))
    decay, line, detector = np.concatenate(decays), np.concatenate(lines), np.concatenate(met)
    energy = emission.energy_kev[line]
    full = rng.random(len(line)) < peak[detector, line]
    partly = np.flatnonzero(~full)
    again = rng.random(len(partly)) < twice[detector[partly]]
    energy[partly] = partial_deposit_kev(energy[partly], again, rng)
    return _SourceDeposits(decay_ps, decay, np.concatenate(waits), detector, energy, full)


def _emission_delays(means: Floats, cascade: npt.NDArray[np.intp], rng: np.random.Generator) -> Integers:
    """How long after its decay each photon leaves, (decays, photons); empty where all leave at once."""
    if not means.any():
        return np.zeros((0, 0), np.int64)
    lifetimes = rng.standard_exponential((len(cascade), *means.shape[1:])) * means[cascade]
    return np.asarray(np.rint(lifetimes.sum(axis=2).cumsum(axis=1)), np.int64)


def _ranks(times: Sequence[Integers]) -> list[Integers]:
    """Numbers from 1 in order of time over all of some lists of times, list by list."""
    lengths = [len(part) for part in times]
    rank = np.empty(sum(lengths), np.int64)
    rank[np.argsort(np.concatenate([np.empty(0, np.int64), *times]), kind="stable")] = np.arange(1, len(rank) + 1)
    return np.split(rank, np.cumsum(lengths)[:-1]) if lengths else []
