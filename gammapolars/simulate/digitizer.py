"""From deposits of energy to a digitizer's hits: pile-up, dead time, resolution, adc and flags."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Integers, Mask
from gammapolars.simulate.decays import BACKGROUND, Deposits, concat
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source

Positions = npt.NDArray[np.intp]


TRUTH = pl.Schema(
    {
        "hit": pl.UInt64,
        "decay": pl.UInt64,
        "nuclide": pl.String,
        "true_time_ps": pl.Int64,
        "deposit_kev": pl.Float64,
        "full_energy": pl.Boolean,
        "deposits": pl.UInt8,
    }
)
"""The columns of truth, as files hold them; in a chunk, `nuclide` is an Enum."""


class Chunk(NamedTuple):
    """A stretch of a simulated run: as many rows of truth as of hits, in the same order.

    Attributes:
        hits: a table of hits.
        truth: `hit` (its number from 0), `decay` (the seen decay's number from 1; 0: background), `nuclide`,
            `true_time_ps` (of the decay), `deposit_kev` (before the resolution), `full_energy` (one photon, all of it),
            `deposits` (how many were added up to this hit). If there are several, the first gives decay and time.
    """

    hits: pl.DataFrame
    truth: pl.DataFrame


def hit_of_deposit(time_ps: Integers, chain: Mask, dead_time_ps: Integers) -> Positions:
    """To which hit each deposit belongs, with a dead time that further deposits do not prolong.

    A deposit makes a hit unless it falls within the dead time of the hit before it. Only chains of deposits are walked,
    all chains at once and one deposit further at each step, as most deposits are isolated.

    Args:
        time_ps: of deposits, detector after detector, sorted in each.
        chain: True where a chain begins: at a detector's first deposit, and after a gap as long as the dead time or
            longer.
        dead_time_ps: of each deposit's detector.

    Returns:
        Positions of the deposits that make the hits, one a deposit; those that make one give their own.
    """
    owner = np.arange(len(time_ps), dtype=np.intp)
    ends = np.append(chain[1:], True)  # nothing follows in the chain
    hit = np.flatnonzero(chain & ~ends)
    place = hit
    while len(place):
        place = place + 1
        free = time_ps[place] - time_ps[hit] >= dead_time_ps[place]
        hit = np.where(free, place, hit)
        owner[place] = hit
        going = ~ends[place]
        place, hit = place[going], hit[going]
    return owner


class Digitizer:
    """Turns a stream of deposits into hits; hits that a later deposit may still change wait.

    Deposits of a detector within its trigger time of the first add up to one hit. A later one within the pile-up time
    marks the hit with the flag 0x8000, and the hit's adc is then 0, as CoMPASS records it. No deposit makes a hit
    within the dead time of the hit before. An adc above the range is cut, with the flags 0x80 and 0x400. Every hit has
    the fine-timestamp flag 0x4000. Deposits number detectors and sources in their order here.
    """

    def __init__(self, detectors: Sequence[SimulatedDetector], sources: Sequence[Source]) -> None:
        self._detectors = tuple(detectors)
        names = [*(source.nuclide for source in sources), BACKGROUND]
        self._nuclides = pl.Series(names, dtype=pl.Enum(names))
        self._board = np.array([detector.board for detector in detectors], np.uint16)
        self._channel = np.array([detector.channel for detector in detectors], np.uint16)
        self._trigger = np.array([detector.trigger_ps for detector in detectors], np.int64)
        self._pile_up = np.array([detector.pile_up_ps for detector in detectors], np.int64)
        self._dead = np.array([detector.dead_time_ps for detector in detectors], np.int64)
        self._reach = np.array([detector.reach_ps for detector in detectors], np.int64)
        self._carried: list[Deposits] = []
        self._waiting: pl.DataFrame | None = None
        self._hits = 0

    def push(self, deposits: Deposits, complete_ps: int) -> Chunk:
        """Take deposits in, and give the hits out that nothing can change or overtake any more.

        Args:
            deposits: in any order, none before the `complete_ps` of the call before.
            complete_ps: all deposits before this time have now been pushed.
        """
        pool = concat([*self._carried, deposits])
        order = np.argsort(pool.time_ps, kind="stable")
        pool = pool.take(order[np.argsort(pool.detector[order], kind="stable")])
        reach = self._reach[pool.detector]
        chain = np.ones(len(reach), np.bool_)
        chain[1:] = (np.diff(pool.time_ps) >= reach[1:]) | (pool.detector[1:] != pool.detector[:-1])
        last = np.flatnonzero(np.append(chain[1:], True)[: len(chain)])
        over = pool.time_ps[last] + reach[last] <= complete_ps  # nothing still to come can join the chain
        is_final = over[np.cumsum(chain) - 1]
        late = pool.take(~is_final)
        self._carried = [late]
        hits = self._hits_of(pool.take(is_final), chain[is_final])
        if self._waiting is not None:
            hits = pl.concat([self._waiting, hits])
        hits = hits.sort("timestamp_ps", maintain_order=True)
        until = min(complete_ps, int(late.time_ps.min(initial=complete_ps)))
        count = int(hits["timestamp_ps"].search_sorted(until, side="left"))
        self._waiting = hits[count:]
        return self._chunk(hits[:count])

    def _hits_of(self, pool: Deposits, chain: Mask) -> pl.DataFrame:
        """The hits of settled deposits, detector after detector."""
        owner = hit_of_deposit(pool.time_ps, chain, self._dead[pool.detector])
        place = np.arange(len(owner))
        owners = np.flatnonzero(owner == place)
        other = np.flatnonzero(owner != place)
        later = pool.time_ps[other] - pool.time_ps[owner[other]]
        in_sum = later <= self._trigger[pool.detector[other]]
        energy, parts = pool.energy_kev.copy(), np.ones(len(owner), np.uint8)
        np.add.at(energy, owner[other[in_sum]], pool.energy_kev[other[in_sum]])
        np.add.at(parts, owner[other[in_sum]], 1)
        pile_up = np.zeros(len(owner), np.bool_)
        pile_up[owner[other[~in_sum & (later < self._pile_up[pool.detector[other]])]]] = True
        close = np.diff(pool.time_ps[owners]) < self._pile_up[pool.detector[owners[1:]]]
        close &= pool.detector[owners[1:]] == pool.detector[owners[:-1]]
        pile_up[owners[:-1][close]] = pile_up[owners[1:][close]] = True
        hits, pile_up, parts, energy = pool.take(owners), pile_up[owners], parts[owners], energy[owners]
        adc, flags = self._digitized(hits, energy, pile_up)
        return pl.DataFrame(
            {
                "board": self._board[hits.detector],
                "channel": self._channel[hits.detector],
                "timestamp_ps": hits.time_ps,
                "adc": adc,
                "flags": flags,
                "decay": hits.decay.astype(np.uint64),
                "nuclide": hits.nuclide,
                "true_time_ps": hits.true_ps,
                "deposit_kev": energy,
                "full_energy": hits.full & (parts == 1),
                "deposits": parts,
            }
        )

    def _digitized(
        self, hits: Deposits, energy_kev: npt.NDArray[np.float64], pile_up: Mask
    ) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
        adc = np.empty(len(energy_kev), np.uint16)
        flags = np.full(len(energy_kev), FLAGS["fine_timestamp"], np.uint32)
        borders = np.searchsorted(hits.detector, np.arange(len(self._detectors) + 1))
        for detector, begin, end in zip(self._detectors, borders[:-1], borders[1:], strict=True):
            true = energy_kev[begin:end]
            measured = true + hits.noise[begin:end] * detector.sigma_kev(true)
            top = 2**detector.adc_bits - 1
            height, over = detector.adc_of(measured), measured > detector.energy_of(top + 0.5)
            if detector.drift:
                height = height * detector.drift.gain(hits.time_ps[begin:end])
                over |= height > top + 0.5
                height[over] = top
            adc[begin:end] = np.clip(np.rint(height), 0, top)
            flags[begin:end][over] |= FLAGS["saturation"]
        adc[pile_up] = 0
        flags[pile_up] |= FLAGS["pile_up"]
        return adc, flags

    def _chunk(self, hits: pl.DataFrame) -> Chunk:
        truth = hits.select(
            pl.int_range(self._hits, self._hits + len(hits), dtype=pl.UInt64).alias("hit"),
            "decay",
            pl.lit(self._nuclides).gather(pl.col("nuclide")).alias("nuclide"),
            "true_time_ps",
            "deposit_kev",
            "full_energy",
            "deposits",
        )
        self._hits += len(hits)
        return Chunk(hits.select("board", "channel", "timestamp_ps", "adc", "flags"), truth)
