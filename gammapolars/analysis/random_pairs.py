"""How many random coincidences to expect: of rates, the time that detectors were recorded together, and dead time."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.close_hits import MOST_DETECTORS, CloseHits, Correlated
from gammapolars.analysis.accumulators.recorded_time import RecordedTime, RunTime
from gammapolars.analysis.live_pairs import UNKNOWN, LivePart, Together, by_pair, live_part
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.dead_time import RandomDensity, random_density
from gammapolars.coincidences.hit_intervals import DeadTime
from gammapolars.coincidences.regions import Clock, plain_width_ps, stepped_width_ps
from gammapolars.core.types import Floats, Key
from gammapolars.core.units import PS_PER_S, Window

SLICE_HITS = 1000
"""Rates are those of slices of time in which both detectors have so many hits, so that true coincidences, which make
both rates larger or smaller together, do not matter."""


class Expected(NamedTuple):
    """A number of random coincidences, and its standard deviation."""

    pairs: float
    unc: float


class _Together(NamedTuple):
    """Two detectors in one run: the time in which both were recorded (s), their used hits in it, and Σ r_a r_b t (1/s)
    over slices of that time.
    """

    time_s: float
    used: tuple[float, float]
    product_cps: float


class Expectation:
    """How many pairs of each two detectors are random: N = ∫ρ Σ r_a r_b t.

    The sum runs over slices of the time in which both detectors were recorded, with the rates of each, so that neither
    gaps nor changing rates matter; the integral over the window, with ρ as `random_density` derives it, so that it is
    right within the dead time too. Windows count whole steps of a coarse clock. For more than 100 detectors, only mean
    rates count.

    Args:
        rule: the definition of a pair.
        recorded: when the detectors were.
        close: their dead times and true coincidences as far as they are known.
        clocks: their steps, where they are known.
    """

    def __init__(
        self, rule: PairRule, recorded: RecordedTime, close: CloseHits, clocks: Mapping[Key, Clock] | None = None
    ) -> None:
        self._rule = rule
        self._runs = recorded.of_runs()
        self._close = close.whole()
        self._dead, self._clocks = self._close.dead_times(), clocks or {}
        self.detectors = sorted({key for run in self._runs.values() for key in run.gaps})
        self._known: dict[tuple[Key, Key], _Pair] = {}
        self._odds: dict[Key, float] = {}
        self._totals = [
            (float(run.edges_ps[-1]) / PS_PER_S, {key: float(counts.sum()) for key, counts in run.counts.items()})
            for run in self._runs.values()
        ]

    def together(self, a: Key, b: Key) -> Mapping[int, tuple[float, tuple[float, float]]]:
        """By run, the time (s) in which two detectors were recorded, and their used hits in it."""
        return {run: _together(times, a, b)[:2] for run, times in self._runs.items()}

    def equivalent_s(self, a: Key, b: Key) -> dict[int, float]:
        """By run, the time T (s) with which N_a N_b w / T of two detectors are random, however rates changed in it.

        N are all used hits, or, with the same T, those in gates of energy.
        """
        found = {}
        for run, times in self._runs.items():
            hits = [float(times.counts[key].sum()) if key in times.counts else 0.0 for key in (a, b)]
            product = _together(times, a, b).product_cps
            found[run] = hits[0] * hits[1] / product if product else 0.0
        return found

    def prompt(self, a: Key, b: Key) -> Expected:
        """Random pairs of two detectors in the prompt window; a is the lower one."""
        return self._pair(a, b).expected(self._rule.windows(a, b)[0])

    def random(self, a: Key, b: Key) -> Expected:
        """Random pairs of two detectors in the random windows."""
        return self._pair(a, b).expected(self._rule.windows(a, b)[1])

    def live_part(self, a: Key, b: Key) -> LivePart:
        """Which part of the true coincidences of two detectors finds neither of them dead."""
        return self._pair(a, b).live

    @cached_property
    def _close_pairs(self) -> dict[tuple[Key, Key], pl.DataFrame]:
        return by_pair(self._close)

    def dead_ps(self, a: Key, b: Key) -> float:
        """The shorter dead time of two detectors."""
        return min(self._dead[key].dead_ps if key in self._dead else 0.0 for key in (a, b))

    def excess(self, a: Key, b: Key) -> float:
        """How much more frequent random pairs are in the random windows than in the prompt one."""
        prompt, random = (self._pair(a, b).level(windows) for windows in self._rule.windows(a, b))
        return random / prompt if prompt else 1.0

    def _pair(self, a: Key, b: Key) -> "_Pair":
        if (a, b) not in self._known:
            self._known[a, b] = self._new_pair(a, b)
        return self._known[a, b]

    def _extendable(self, a: Key, b: Key) -> float:
        """How probable it is, before which nothing is known, that the dead times of two detectors are prolonged."""
        for key in (a, b):
            if key not in self._odds:
                time_s = sum(float(run.live_ps(key)[-1]) for run in self._runs.values() if key in run.gaps) / PS_PER_S
                rate = self._close.all_of_used(key) * self._used(key) / time_s if time_s else 0.0
                self._odds[key] = self._close.extendable_log_odds(key, rate)
        return 1 / (1 + math.exp(-max(min(self._odds[a] + self._odds[b], 50.0), -50.0)))

    def _used(self, key: Key) -> float:
        """All used hits of a detector."""
        return sum(hits.get(key, 0.0) for _, hits in self._totals)

    def _of_means(self, a: Key, b: Key) -> "_Pair":
        """Two of very many detectors, only by their mean rates: there are too many pairs to look at each."""
        clocks = self._clocks.get(a), self._clocks.get(b)
        product_cps = sum(
            hits[a] * hits[b] / time_s for time_s, hits in self._totals if time_s and a in hits and b in hits
        )
        return _Pair(product_cps, (self._used(a), self._used(b)), clocks, (0.0, 0.0))

    def _new_pair(self, a: Key, b: Key) -> "_Pair":
        if len(self.detectors) > MOST_DETECTORS:
            return self._of_means(a, b)
        runs = [_together(times, a, b) for times in self._runs.values()]
        time_s, used = sum(run.time_s for run in runs), [sum(run.used[end] for run in runs) for end in (0, 1)]
        product_cps = sum(run.product_cps for run in runs)
        clocks = self._clocks.get(a), self._clocks.get(b)
        both = self._dead.get(a, DeadTime(0.0, 0.0)), self._dead.get(b, DeadTime(0.0, 0.0))
        dead = both[0].dead_ps, both[1].dead_ps
        pair = _Pair(product_cps, (used[0], used[1]), clocks, dead)
        pair.is_partial = any(run.is_cut_short(key) for run in self._runs.values() for key in (a, b))
        if min(*dead, *used, time_s) > 0:
            rate_a, rate_b = (self._close.all_of_used(key) * n / time_s for key, n in zip((a, b), used, strict=True))
            # Where rates change, random pairs follow the mean of products, and not the product of means.
            changing = product_cps * time_s / (used[0] * used[1])
            parts = used[0] / self._used(a), used[1] / self._used(b)
            found = self._close.correlated(a, b, (changing * rate_a, changing * rate_b), min(dead), parts)
            extendable = self._extendable(a, b)
            if found:
                dead_probability = both[0].probability * both[1].probability
                pair.correlate(found, (rate_a, rate_b), extendable, dead_probability)
            share = found.share if found else (0.0, 0.0)
            ends = Together((a, b), (rate_a, rate_b), both, changing, pair.is_partial, share, extendable)
            pair.live = live_part(ends, pair.densities, self._close, self._close_pairs.get((a, b)))
        return pair


class _Pair:
    """Measured quantities of two detectors: Σ r_a r_b t, used hits, clocks and dead times, and their correlation."""

    def __init__(
        self,
        product_cps: float,
        used: tuple[float, float],
        clocks: tuple[Clock | None, Clock | None],
        dead_ps: tuple[float, float],
    ) -> None:
        self._product_cps, self._used, self._clocks, self._dead_ps = product_cps, used, clocks, dead_ps
        self._correlated: Correlated | None = None
        self.densities: list[tuple[float, RandomDensity]] = []
        self._undead = 1.0
        self.live = UNKNOWN
        self.is_partial = False
        """Whether there are more gaps than can be followed, so that the rates while there is beam are not known."""

    def correlate(self, found: Correlated, rates_cps: tuple[float, float], extendable: float, dead: float) -> None:
        """Let true coincidences leave the detectors dead, in either way or not at all, each as probable as it is."""
        self._correlated, self._undead = found, 1 - dead
        for weight, prolonged in ((dead * (1 - extendable), False), (dead * extendable, True)):
            true_cps, centre_ps = found.share[0] * rates_cps[0], found.centre_ps
            density = random_density(rates_cps, self._dead_ps, true_cps, extendable=prolonged, centre_ps=centre_ps)
            if density and weight:
                self.densities.append((weight, density))

    def expected(self, windows: Sequence[Window]) -> Expected:
        """Random pairs in some windows of t_b - t_a."""
        plain = plain_width_ps(windows)
        if not min(self._used) or not plain:
            return Expected(0.0, 0.0)
        width_ps, unc_ps = self._width_ps(windows)
        stepped = stepped_width_ps(windows, *self._clocks, plain)
        pairs = self._product_cps * width_ps * stepped / plain / PS_PER_S
        # The hits are counted: that another run would have others is no uncertainty of how many are random in this one.
        return Expected(pairs, pairs if self.is_partial else pairs * unc_ps / width_ps)

    def level(self, windows: Sequence[Window]) -> float:
        """The mean of ρ in some windows."""
        plain = plain_width_ps(windows)
        return self._width_ps(windows)[0] / plain if plain else 1.0

    def _width_ps(self, windows: Sequence[Window]) -> tuple[float, float]:
        """∫ρ over some windows, and its standard deviation."""
        if not self.densities or not self._correlated:
            return plain_width_ps(windows), 0.0
        found, plain = self._correlated, plain_width_ps(windows)
        widths = [(self._undead, plain), *((weight, density.width_ps(windows)) for weight, density in self.densities)]
        total = sum(weight for weight, _ in widths)
        widths = [(weight / total, width) for weight, width in widths]
        mean = sum(weight * width for weight, width in widths)
        variance = sum(weight * (width - mean) ** 2 for weight, width in widths)
        # The share of used hits in true coincidences differs from that of all hits.
        centre, dead = found.centre_ps, self._dead_ps
        sides = (centre, centre + dead[1]), (centre - dead[0], centre)
        inside = [sum(max(min(high, end) - max(low, begin), 0.0) for low, high in windows) for begin, end in sides]
        dead_part = 1 - self._undead
        mean += dead_part * sum(one * (found.share[end] - found.used_share[end]) for end, one in enumerate(inside))
        variance += (dead_part * sum(one * found.share_unc[end] for end, one in enumerate(inside))) ** 2
        return max(mean, 1e-3 * plain), math.sqrt(variance)


def _together(run: RunTime, a: Key, b: Key) -> _Together:
    """Two detectors in one run, where both were recorded: slice by slice, with the rates of each in it."""
    if a not in run.counts or b not in run.counts:
        return _Together(0.0, (0.0, 0.0), 0.0)
    hits = [np.concatenate([[0.0], np.cumsum(run.counts[key])]) for key in (a, b)]
    fewest = min(float(hits[0][-1]), float(hits[1][-1]))
    slices = max(int(fewest // SLICE_HITS), 1)
    # Slices end where the detector with fewer hits has had its part of them, so that gaps do not make some of nothing.
    rarer = hits[0] if hits[0][-1] == fewest else hits[1]
    ends = np.unique(np.searchsorted(rarer, np.linspace(0, fewest, slices + 1)[1:-1]))
    rows = np.concatenate([[0], ends, [len(rarer) - 1]])
    times = [np.diff(run.live_ps(*keys)[rows]) / PS_PER_S for keys in ((a,), (b,), (a, b))]
    counts = [np.diff(one[rows]) for one in hits]
    rates = [_ratio(n, time) for n, time in zip(counts, times, strict=False)]
    together = times[2]
    used = float((rates[0] * together).sum()), float((rates[1] * together).sum())
    return _Together(float(together.sum()), used, float((rates[0] * rates[1] * together).sum()))


def _ratio(counts: Floats, time_s: Floats) -> Floats:
    return np.divide(counts, time_s, out=np.zeros_like(counts), where=time_s > 0)
