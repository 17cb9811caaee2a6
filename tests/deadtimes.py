"""Two detectors with dead time that see single events and common ones, with the truth of each hit."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.analysis.accumulators import CloseHits, RecordedTime
from gammapolars.analysis.live_pairs import LivePart
from gammapolars.analysis.random_pairs import Expectation, Expected
from gammapolars.coincidences import PairRule
from tests.hits import in_batches

Times = npt.NDArray[np.int64]

A, B = (0, 0), (0, 1)
JITTER_PS = 3000.0
NS, US = 1000, 1_000_000


class Detectors(NamedTuple):
    """Rates of two detectors that are never dead (1/s), the share of the slower one's events that the other sees too,
    dead times (ps), and whether these are extendable."""

    rates_cps: tuple[float, float] = (30_000.0, 30_000.0)
    share: float = 0.4
    dead_ps: tuple[int, int] = (US, US)
    extendable: bool = False


def recorded(seed: int, detectors: Detectors, time_s: float) -> pl.DataFrame:
    """Hits in time order; `event` tells which are of one event."""
    rng = np.random.default_rng(seed)
    both = detectors.share * min(detectors.rates_cps)
    parts = []
    common = np.sort(rng.uniform(0, time_s * 1e12, rng.poisson(both * time_s)))
    for channel, (rate, dead_ps) in enumerate(zip(detectors.rates_cps, detectors.dead_ps, strict=True)):
        alone = rng.uniform(0, time_s * 1e12, rng.poisson((rate - both) * time_s))
        event = np.concatenate([np.arange(len(common)), 10**9 * (channel + 1) + np.arange(len(alone))])
        times = np.rint(np.concatenate([common, alone]) + rng.normal(0, JITTER_PS, len(event))).astype(np.int64)
        order = np.argsort(times)
        seen = order[alive(times[order], dead_ps, extendable=detectors.extendable)]
        parts.append(pl.DataFrame({"timestamp_ps": times[seen], "event": event[seen]}).with_columns(
            board=pl.lit(0, pl.UInt16), channel=pl.lit(channel, pl.UInt16), flags=pl.lit(0, pl.UInt32)
        ))  # fmt: skip
    return pl.concat(parts).sort("timestamp_ps")


def alive(times: Times, dead_ps: int, *, extendable: bool) -> npt.NDArray[np.bool_]:
    """Which events a detector sees that is dead after each: after each that it sees, or after each that comes."""
    if extendable:
        return np.diff(times, prepend=times[0] - dead_ps - 1) > dead_ps
    seen, last = np.zeros(len(times), np.bool_), int(times[0]) - dead_ps - 1
    for place, time in enumerate(times.tolist()):
        if time - last > dead_ps:
            seen[place], last = True, time
    return seen


def random_pairs(hits: pl.DataFrame, low_ps: int, high_ps: int) -> int:
    """Pairs of hits that are not of one event, with low <= |t_b - t_a| <= high."""
    (a, event_a), (b, event_b) = (
        (part["timestamp_ps"].to_numpy(), part["event"].to_numpy())
        for part in (hits.filter(channel=0), hits.filter(channel=1))
    )
    first, end = np.searchsorted(b, a - high_ps), np.searchsorted(b, a + high_ps, side="right")
    count = end - first
    i = np.repeat(np.arange(len(a)), count)
    j = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return int(((np.abs(b[j] - a[i]) >= low_ps) & (event_a[i] != event_b[j])).sum())


def expected(hits: pl.DataFrame, window: str, random: str = "", mask: int = 0) -> Expected:
    """Random pairs in a window, as the hits let expect; in the random window if one is given."""
    rule = PairRule(window, random=random or (), reject=mask)
    counted, close = RecordedTime(mask), CloseHits(mask)
    for batch in in_batches(hits, 20_000):
        counted.add_hits(batch)
        close.add_hits(batch)
    expectation = Expectation(rule, counted, close)
    return expectation.random(A, B) if random else expectation.prompt(A, B)


def live_part(hits: pl.DataFrame) -> LivePart:
    """Which part of the true coincidences is counted, as the hits tell."""
    counted, close = RecordedTime(), CloseHits()
    for batch in in_batches(hits, 20_000):
        counted.add_hits(batch)
        close.add_hits(batch)
    return Expectation(PairRule("100ns"), counted, close).live_part(A, B)


def true_pairs(hits: pl.DataFrame) -> int:
    """Events of which both detectors have a hit."""
    return hits.group_by("event").len().filter(pl.col("len") == 2).height
