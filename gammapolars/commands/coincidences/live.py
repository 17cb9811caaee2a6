"""True pairs as they would be counted without dead time."""

from dataclasses import dataclass, replace

import polars as pl

from gammapolars.analysis.summaries import PairSummary
from gammapolars.core.digits import plus_minus
from gammapolars.core.records import Part, optional


@dataclass(frozen=True)
class LivePairs(Part):
    """Pairs with random coincidences subtracted, corrected for dead time.

    Attributes:
        live_pairs: of the detector pairs whose dead times do for it; null: of none.
        live_pairs_unc: one standard deviation.
    """

    live_pairs: float | None
    live_pairs_unc: float | None


@dataclass(frozen=True, kw_only=True)
class CoincidenceSummary(PairSummary):
    """The results of `coincidences`.

    Attributes:
        live: true pairs without dead time, where these are asked for.
    """

    live: LivePairs | None = optional()


def summary_of(summary: PairSummary, *, live: bool) -> CoincidenceSummary:
    """The same with the cost of dead detectors, and, where that is asked for, corrected for it."""
    entries = vars(summary)
    if summary.preselection:  # hits that it took away made detectors dead as well
        entries = entries | {"of_pairs": summary.of_pairs.without_lost()}
    if not live:
        return CoincidenceSummary(**entries)
    table = _with_live(summary.of_pairs.pairs_by_detectors)
    total = _total(table.drop_nulls("live_pairs"))
    doubts = [
        f"coincidences of {row['name_a']} and {row['name_b']} are not corrected for dead time: {row['live_doubt']}"
        for row in table.filter(pl.col("live_pairs").is_null())
        .with_columns(pl.col("live_doubt").fill_null("their dead times are not known"))
        .iter_rows(named=True)
    ]
    entries = entries | {"of_pairs": replace(summary.of_pairs, pairs_by_detectors=table)}
    return CoincidenceSummary(**entries | {"warnings": (*summary.warnings, *_few(doubts))}, live=total)


def _with_live(table: pl.DataFrame) -> pl.DataFrame:
    """Net pairs N / P of each two detectors, P being their live fraction, where nothing speaks against it."""
    if "net_pairs" in table.columns:
        net, unc = pl.col("net_pairs"), pl.col("net_pairs_unc")
    else:
        net = pl.col("pairs") - pl.col("chance_pairs_expected")
        unc = (pl.col("pairs") + pl.col("chance_pairs_expected_unc") ** 2).sqrt()
    part, part_unc = pl.col("live_fraction"), pl.col("live_fraction_unc")
    sure = pl.when(pl.col("live_doubt") == "")
    deviation = ((unc / part) ** 2 + (net * part_unc / part**2) ** 2).sqrt()
    return table.with_columns(live_pairs=sure.then(net / part), live_pairs_unc=sure.then(deviation))


def _total(table: pl.DataFrame) -> LivePairs:
    """All detector pairs together: dead times of electronics of one kind err together, and counts do not."""
    if table.is_empty():
        return LivePairs(None, None)
    common = pl.col("live_pairs").abs() * pl.col("live_fraction_unc") / pl.col("live_fraction")
    counts = (pl.col("live_pairs_unc") ** 2 - common**2).clip(lower_bound=0.0).sum()
    pairs, unc = table.select(pl.col("live_pairs").sum(), unc=(counts + common.sum() ** 2).sqrt()).row(0)
    return LivePairs(pairs, unc)


def _few(doubts: list[str]) -> list[str]:
    """At most three of many sentences."""
    return (
        doubts
        if len(doubts) <= 3
        else [*doubts[:2], f"{len(doubts) - 2} more detector pairs are not corrected for dead time either"]
    )


def live_lines(live: LivePairs | None) -> list[str]:
    """The entries of the correction."""
    if live is None or live.live_pairs is None:
        return []
    number = plus_minus(live.live_pairs, live.live_pairs_unc or 0.0)
    return [
        f"{number} true coincidences after dead-time correction, with each detector dead on its own after each "
        "of its hits"
    ]
