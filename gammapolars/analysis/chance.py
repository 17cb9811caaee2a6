"""Pairs of each two detectors, and how many of them are random: as rates and dead times let expect, and as measured."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from gammapolars.analysis.accumulators import PairTally, StopCover
from gammapolars.analysis.accumulators.close_hits import MOST_DETECTORS
from gammapolars.analysis.live_pairs import UNKNOWN, LivePart
from gammapolars.analysis.random_pairs import Expectation, Expected
from gammapolars.coincidences import PairRule, nearest_chance_pairs
from gammapolars.core.records import Part
from gammapolars.core.schema import DType
from gammapolars.core.units import Window, format_ps
from gammapolars.core.wording import setting
from gammapolars.detectors import Detectors

DIFFERENT_SIGMA = 3.0
"""The expected number and that from random windows differ by more than statistics from here on,"""

DIFFERENT_PART = 0.01
"""and by so much of it at the least."""

NOTABLE_FACTOR = 0.05
"""A random window in which random coincidences are more frequent than in the prompt one by so much is warned of."""

SIDES: dict[str, DType] = {
    f"{column}_{side}": dtype
    for side in "ab"
    for column, dtype in {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}.items()
}
COUNTS: dict[str, DType] = {
    "pairs": pl.Int64,
    "chance_pairs_expected": pl.Float64,
    "chance_pairs_expected_unc": pl.Float64,
}
LOST: dict[str, DType] = {
    "live_fraction": pl.Float64,
    "live_fraction_unc": pl.Float64,
    "lost_pairs": pl.Float64,
    "lost_pairs_unc": pl.Float64,
    "live_doubt": pl.String,
}
NET: dict[str, DType] = {
    "random_pairs": pl.Int64,
    "random_pairs_expected": pl.Float64,
    "random_pairs_expected_unc": pl.Float64,
    "chance_pairs": pl.Float64,
    "chance_pairs_unc": pl.Float64,
    "net_pairs": pl.Float64,
    "net_pairs_unc": pl.Float64,
}


@dataclass(frozen=True)
class RandomNet(Part):
    """Pairs in random windows, and all pairs with the random ones subtracted, summed over detector pairs.

    Attributes:
        random_ps: the windows, [low, high] each (ps).
        random_pairs: pairs in them.
        random_pairs_expected: how many rates and dead times let expect there.
        chance_pairs: random coincidences among all pairs, as the random windows measure them.
        net_pairs: pairs less those.
    """

    random_ps: tuple[Window, ...]
    random_pairs: int
    random_pairs_expected: float
    random_pairs_expected_unc: float
    chance_pairs: float
    chance_pairs_unc: float
    net_pairs: float
    net_pairs_unc: float


def by_detectors(
    pairs: PairTally,
    rule: PairRule,
    detectors: Detectors,
    expectation: Expectation,
    cover: StopCover | None = None,
) -> pl.DataFrame:
    """Pairs of each two detectors, and the random ones among them.

    `Expectation` gives the expected number. Random windows, if the rule has them, measure it: s R of R random pairs, so
    that N = P - s R pairs are net, with the variance P + s² R. Where each start takes only the nearest stop, random
    ones are found by starts without a true coincidence: see `nearest_chance_pairs`.

    Args:
        pairs: the pairs found.
        rule: the rule that made them.
        detectors: their names.
        expectation: of random pairs.
        cover: of the stops, if the rule takes the nearest one.

    Returns:
        `board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`, `chance_pairs_expected` with `_unc`; a before b by
        (board, channel), all detector pairs that the rule admits, found or not; of very many detectors, those found.
        With random windows also `random_pairs`, `random_pairs_expected` with `_unc`, `chance_pairs` (s R) and
        `net_pairs`, each with `_unc`. Last `live_fraction`, the part of true pairs that finds neither detector dead,
        and `lost_pairs`, the others, each with `_unc`, and `live_doubt`, why they do not do for a correction; null:
        dead times are not known, or each start takes only the nearest stop.
    """
    counts, random = pairs.counts(), pairs.random_counts()
    rows = []
    every = combinations(expectation.detectors, 2)
    many = len(expectation.detectors) > MOST_DETECTORS and not rule.detectors
    for a, b in sorted({*counts, *random}) if many else every:
        if rule.detectors and {a, b} != set(rule.detectors):
            continue
        prompt = counts.get((a, b), 0)
        by_chance = expectation.prompt(a, b)
        if cover:
            by_chance = _nearest_expected(rule, expectation, cover, prompt)
        row: tuple[Any, ...] = (*a, detectors.at(*a).name, *b, detectors.at(*b).name, prompt, *by_chance)
        if rule.regions:
            scale, beside = rule.regions.scale(*(rule.detectors or (a, b))), random.get((a, b), 0)
            measured = scale * beside, scale * math.sqrt(beside)
            net = prompt - scale * beside, math.sqrt(prompt + scale**2 * beside)
            row += (beside, *expectation.random(a, b), *measured, *net)
        else:
            net = prompt - by_chance.pairs, math.hypot(math.sqrt(prompt), by_chance.unc)
        rows.append((*row, *(_lost(net, UNKNOWN if cover else expectation.live_part(a, b)))))
    return pl.DataFrame(rows, SIDES | COUNTS | (NET if rule.regions else {}) | LOST, orient="row")


def _lost(net: tuple[float, float], live: LivePart) -> tuple[Any, ...]:
    """`LOST` of two detectors, of the true pairs that were counted: N (1/P - 1), P being the part that is."""
    part, unc = live.part, live.unc
    if part is None or unc is None:
        return (None,) * len(LOST)
    missing = 1 / part - 1
    lost = net[0] * missing, math.hypot(net[1] * missing, net[0] * unc / part**2)
    return part, unc, *lost, live.doubt


def _nearest_expected(rule: PairRule, expectation: Expectation, cover: StopCover, pairs: int) -> Expected:
    """Random pairs of starts with their nearest stop; of several runs, together."""
    assert rule.detectors
    starts, covered = 0.0, 0.0
    for run, (time_s, used) in expectation.together(*rule.detectors).items():
        starts, covered = starts + used[0], covered + used[0] * cover.part(run, time_s)
    number = nearest_chance_pairs(starts, pairs, covered / starts) if starts else 0.0
    return Expected(number, math.sqrt(number * number / starts) if starts else 0.0)


def total_expected(table: pl.DataFrame) -> Expected:
    """Random pairs of all detector pairs of a table together; they share detectors: uncertainties add linearly."""
    return Expected(float(table["chance_pairs_expected"].sum()), float(table["chance_pairs_expected_unc"].sum()))


def net_of_random(table: pl.DataFrame, rule: PairRule) -> RandomNet | None:
    """The result of random windows, summed over the detector pairs of a table; None where there are none."""
    if not rule.regions:
        return None
    sums: dict[str, Any] = {name: table[name].sum() for name in NET}
    uncs = {name: math.sqrt(float((table[name] ** 2).sum())) for name in ("chance_pairs_unc", "net_pairs_unc")}
    return RandomNet(rule.regions.random, **sums | uncs)


def chance_warnings(table: pl.DataFrame, rule: PairRule, expectation: Expectation) -> Iterator[str]:
    """Where random windows hold other numbers of pairs than expected, or too many for the prompt one, in a sentence."""
    if "random_pairs" not in table.columns:
        return
    yield from _beyond_dead_time(table, rule, expectation)
    random, expected = pl.col("random_pairs"), pl.col("random_pairs_expected")
    unc = (pl.max_horizontal(expected, 1.0) + pl.col("random_pairs_expected_unc") ** 2).sqrt()
    # Among many detector pairs the worst one differs by more: as rarely as one by 3 standard deviations.
    limit = math.sqrt(DIFFERENT_SIGMA**2 + 2 * math.log(max(table.height, 1)))
    apart = table.with_columns(sigma=(random - expected) / unc).filter(
        (pl.col("sigma").abs() > limit) & ((random - expected).abs() > DIFFERENT_PART * expected)
    )
    if apart.is_empty():
        return
    worst = apart.sort(pl.col("sigma").abs(), descending=True).row(0, named=True)
    others = f"; {apart.height - 1} more detector pairs differ, too" if apart.height > 1 else ""
    fewer = "the detectors were not always recording at the same time, or their dead time is longer than observed"
    more = "the rates changed quickly, or the windows contain delayed coincidences"
    yield (
        f"the random windows contain {worst['random_pairs']:,} pairs of {worst['name_a']} and "
        f"{worst['name_b']}, but {worst['random_pairs_expected']:,.0f} are expected "
        f"({abs(worst['sigma']):.1f} standard deviations){others}: perhaps "
        f"{fewer if worst['sigma'] < 0 else more}; net counts are based on the random windows"
    )


def _beyond_dead_time(table: pl.DataFrame, rule: PairRule, expectation: Expectation) -> Iterator[str]:
    """Random windows in which dead time takes fewer pairs away than it does in the prompt one."""
    most, worst = NOTABLE_FACTOR, None
    for row in table.iter_rows(named=True):
        a, b = (row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])
        excess = expectation.excess(a, b) - 1
        if abs(excess) > most:
            most, worst = abs(excess), (row, 1 + excess)
    if worst:
        row, factor = worst
        a, b = (row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])
        yield (
            f"the random windows contain {factor:,.2f} times as many pairs of {row['name_a']} and "
            f"{row['name_b']} as the prompt window contains random ones, because they lie beyond the dead "
            "time that follows a true coincidence in both detectors: the net counts of this pair are too "
            f"low by {(1 - 1 / factor) * row['chance_pairs']:,.0f}; "
            f"{_advice(rule, expectation.dead_ps(a, b), factor)}"
        )


def _advice(rule: PairRule, dead_ps: float, factor: float) -> str:
    """Advice for random windows that hold too many pairs."""
    low, high = 2 * rule.window.reach, int(dead_ps)
    if high > 1.2 * low:
        window = f"{format_ps(low)}:{format_ps(high)}".replace(" ", "")
        inside = setting(f"--random {window}", f'random="{window}"')
        return f"{inside} stays within that dead time"
    return f"no window fits within that dead time ({format_ps(high)}): divide the random pairs by {factor:,.2f}"
