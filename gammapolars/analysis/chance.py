"""Pairs of each two detectors, and how many of them chance makes: from rates, and from random windows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from gammapolars.analysis.accumulators import HitTally, PairTally, StopCover
from gammapolars.coincidences import PairRule, chance_pairs, nearest_chance_pairs
from gammapolars.core.flags import union
from gammapolars.core.records import Part
from gammapolars.core.schema import DType
from gammapolars.core.types import Key
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors

DISAGREE_SIGMA = 4.0
DISAGREE_PART = 0.05
"""Rates and random windows disagree where the difference is larger than both."""

SIDES: dict[str, DType] = {
    f"{column}_{side}": dtype
    for side in "ab"
    for column, dtype in {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}.items()
}
COUNTS: dict[str, DType] = {"pairs": pl.Int64, "chance_pairs_expected": pl.Float64}
NET: dict[str, DType] = {
    "random_pairs": pl.Int64,
    "random_pairs_expected": pl.Float64,
    "chance_pairs": pl.Float64,
    "chance_pairs_unc": pl.Float64,
    "net_pairs": pl.Float64,
    "net_pairs_unc": pl.Float64,
}


@dataclass(frozen=True)
class RandomNet(Part):
    """Pairs in random windows, and what is left of all pairs without those by chance, summed over detector pairs.

    Attributes:
        random_ps: the windows, [low, high] each (ps).
        random_pairs: pairs in them.
        random_pairs_expected: how many rates let expect there.
        chance_pairs: pairs by chance among all, as the random windows measure them.
        net_pairs: pairs less those.
    """

    random_ps: tuple[Window, ...]
    random_pairs: int
    random_pairs_expected: float
    chance_pairs: float
    chance_pairs_unc: float
    net_pairs: float
    net_pairs_unc: float


def by_detectors(
    hits: HitTally, pairs: PairTally, rule: PairRule, detectors: Detectors, cover: StopCover | None = None
) -> pl.DataFrame:
    """Pairs of each two detectors, beside those expected by chance.

    Chance is expected to make N = r_a r_b w T pairs, with the rates of the used hits. Random windows, if the rule has
    them, measure it: s R of R random pairs, so that N = P - s R pairs are net, with the variance P + s² R. Where each
    start takes the nearest stop alone, chance takes starts that have no true partner: see `nearest_chance_pairs`.

    Args:
        hits: what was read.
        pairs: what was found.
        rule: what made the pairs.
        detectors: their names.
        cover: of the stops, if the rule takes the nearest one.

    Returns:
        `board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`, `chance_pairs_expected`; a before b by
        (board, channel), all detector pairs that the rule admits, found or not. With random windows also
        `random_pairs`, `random_pairs_expected` (r_a r_b w_r T), `chance_pairs` (s R), `net_pairs`, the last two with
        `_unc`.
    """
    keys = hits.by_detector().select("board", "channel").rows()
    runs = hits.in_runs(union(rule.reject))
    counts, random = pairs.counts(), pairs.random_counts()
    rows = []
    for a, b in combinations(keys, 2):
        if rule.detectors and {a, b} != set(rule.detectors):
            continue

        def expected(width_ps: float, a: Key = a, b: Key = b) -> float:
            return sum((chance_pairs(used.get(a, 0), used.get(b, 0), width_ps, time_s) for time_s, used in runs), 0.0)

        names = detectors.at(*a).name, detectors.at(*b).name
        prompt = counts.get((a, b), 0)
        by_chance = _nearest_expected(hits, rule, cover, prompt) if cover else expected(rule.width_ps)
        row = (*a, names[0], *b, names[1], prompt, by_chance)
        if rule.regions:
            ends = rule.detectors or (a, b)
            scale, beside = rule.regions.scale(*ends), random.get((a, b), 0)
            wide = rule.regions.width(rule.regions.random, *ends)
            measured = scale * beside, scale * math.sqrt(beside)
            row += (beside, expected(wide), *measured, prompt - scale * beside, math.sqrt(prompt + scale**2 * beside))
        rows.append(row)
    return pl.DataFrame(rows, SIDES | COUNTS | (NET if rule.regions else {}), orient="row")


def _nearest_expected(hits: HitTally, rule: PairRule, cover: StopCover, pairs: int) -> float:
    """Pairs by chance of starts with their nearest stop; of several runs, together."""
    assert rule.detectors
    starts, covered = 0, 0.0
    for run, (time_s, used) in zip(sorted(hits.spans), hits.in_runs(union(rule.reject)), strict=True):
        of_run = used.get(rule.detectors[0], 0)
        starts, covered = starts + of_run, covered + of_run * cover.part(run, time_s)
    return nearest_chance_pairs(starts, pairs, covered / starts) if starts else 0.0


def net_of_random(table: pl.DataFrame, rule: PairRule) -> RandomNet | None:
    """What random windows tell, summed over the detector pairs of a table; None where there are none."""
    if not rule.regions:
        return None
    sums: dict[str, Any] = {name: table[name].sum() for name in NET if not name.endswith("_unc")}
    uncs = {name: math.sqrt(float((table[name] ** 2).sum())) for name in NET if name.endswith("_unc")}
    return RandomNet(rule.regions.random, **sums | uncs)


def chance_warnings(table: pl.DataFrame) -> Iterator[str]:
    """Where random windows hold other numbers of pairs than rates tell, in a sentence."""
    if "random_pairs" not in table.columns:
        return
    random, expected = pl.col("random_pairs"), pl.col("random_pairs_expected")
    sigma = (random - expected) / pl.max_horizontal(expected, 1.0).sqrt()
    apart = table.with_columns(sigma=sigma).filter(
        (pl.col("sigma").abs() > DISAGREE_SIGMA) & ((random - expected).abs() > DISAGREE_PART * expected)
    )
    if apart.is_empty():
        return
    worst = apart.sort(pl.col("sigma").abs(), descending=True).row(0, named=True)
    others = f", and {apart.height - 1} more detector pairs differ" if apart.height > 1 else ""
    fewer = "detectors are dead after true coincidences, or were not recorded together"
    more = "rates changed during the run, or the windows hold more than chance"
    yield (
        f"random windows hold {worst['random_pairs']:,} pairs of {worst['name_a']} and {worst['name_b']}, where rates "
        f"tell {worst['random_pairs_expected']:,.0f} (r_a r_b w T){others}: it may be that "
        f"{fewer if worst['sigma'] < 0 else more}; net counts follow the random windows"
    )
