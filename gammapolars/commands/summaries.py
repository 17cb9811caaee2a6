"""Lines that the texts of several commands share: hits read, random coincidences, warnings, files written."""

from typing import Any

import polars as pl

from gammapolars.analysis.accounting import HitAccount, Times
from gammapolars.analysis.chance import RandomNet
from gammapolars.analysis.preselection import PreselectionAccount
from gammapolars.analysis.saved_pairs import SavedPairsSummary
from gammapolars.analysis.summaries import PairCounts, PairSummary, RunSummary, Summary
from gammapolars.commands.layout import share, table
from gammapolars.core.digits import counted, expected_counts, plus_minus
from gammapolars.core.summaries import SharedSummary


def head(summary: RunSummary, preselection: PreselectionAccount | None = None) -> list[str]:
    """How many hits were read, and where they went."""
    lines = [*hits_read(summary.account, summary.times), *gone(summary.account, preselection)]
    of_used = isinstance(summary, PairSummary) and summary.account.selection
    return [*lines, "pairs and random coincidences are those of the hits used"] if of_used else lines


def hits_read(account: HitAccount, times: Times) -> list[str]:
    """How many hits were read and used."""
    return [f"{counted(account.hits_read, 'hit')} in {times.real_time_s:.6g} s, {account.hits_used:,} used"]


def saved_head(summary: SavedPairsSummary) -> list[str]:
    """How many saved pairs were read, and in which window they were looked for."""
    within = f" within {summary.window_ps}" if summary.window_ps else ""
    random = "" if summary.random_pairs is None else f"; {summary.random_pairs:,} pairs in random windows subtracted"
    return [f"{counted(summary.pairs, 'saved pair')}{within}{random}"]


def gone(account: HitAccount, preselection: PreselectionAccount | None = None) -> list[str]:
    """How many hits were not used, and why."""
    lines = removed(account)
    if preselection:
        lines += taken(account, "added back to another hit", preselection.added_back)
        lines += taken(account, "vetoed", preselection.vetoed)
        lines += taken(account, "hits of veto detectors", preselection.vetoing)
    rejected = [("rejected", count, name) for name, count in account.rejected.items()]
    left_out = [("left out", account.hits_damaged, "damaged"), ("left out", account.hits_out_of_range, "out of range")]
    left_out.append(("left out", account.hits_repeated, "duplicates of another hit"))
    return lines + [
        f"  {what}: {count:,} {name} ({share(count, account.hits_read)})"
        for what, count, name in rejected + left_out
        if count
    ]


def removed(account: HitAccount) -> list[str]:
    """How many hits a selection removed, why, and of which detector."""
    if (of := account.selection) is None:
        return []
    return [line for reason, by_name in of.by_reason.items() for line in taken(account, reason, by_name)]


def taken(account: HitAccount, what: str, by_detector: dict[str, int]) -> list[str]:
    """How many hits went one way, and of which detector; nothing where there were none."""
    count = sum(by_detector.values())
    each = ", ".join(f"{detector} {number:,}" for detector, number in by_detector.items())
    return [f"  {what}: {count:,} ({share(count, account.hits_read)}): {each}"] if count else []


def tasks(summary: Summary) -> list[str]:
    """How workers shared the work, where there were any."""
    use = summary.cluster if isinstance(summary, SharedSummary) else None
    if use is None:
        return []
    lines = [f"  {name}: read in one task: {why}" for name, why in use.whole.items()]
    if not use.tasks:
        return [*lines, "read by this process alone: workers cannot share this work"]
    before = f"; {counted(use.resumed, 'task')} done before" if use.resumed else ""
    again = f"; {counted(use.retried, 'task')} begun again" if use.retried else ""
    account: HitAccount | None = getattr(summary, "account", None)
    hits = f", {counted(account.hits_read, 'hit')}, each in one task" if account else ""
    return [f"{counted(use.tasks, 'task')} on {counted(use.workers, 'worker')}{hits}{before}{again}", *lines]


def warnings(summary: Summary) -> list[str]:
    """The warnings, in lines."""
    return [f"Warning: {warning}" for warning in summary.warnings]


def tail(summary: Summary) -> list[str]:
    """Warnings, and the files written."""
    return [*tasks(summary), *warnings(summary), *(f"{output}: written" for output in summary.outputs)]


def timed_tail(summary: Summary) -> list[str]:
    """The same, with how long it took: the main output last."""
    main, *others = summary.outputs
    rate = (summary.hits_per_s or 0.0) / 1e6
    return [
        *tasks(summary),
        *warnings(summary),
        *(f"{output}: written" for output in others),
        f"{main}: written in {summary.elapsed_s:.2f} s ({rate:.1f} million hits/s)",
    ]


def pair_lines(counts: PairCounts) -> list[str]:
    """How many pairs there are, and how many of them are random: as measured where that was asked for."""
    expected = expected_counts(counts.chance_pairs_expected, counts.chance_pairs_expected_unc)
    if random := counts.random:
        measured = plus_minus(random.chance_pairs, random.chance_pairs_unc)
        number = f"random coincidences: {measured} measured, {expected} expected"
    else:
        number = f"random coincidences: {expected} expected"
    return [
        f"{counted(counts.pairs, 'pair')} within {counts.window_ps}; {number}",
        *net_lines(random),
        *_lost_lines(counts),
        *_pairs_table(counts.pairs_by_detectors),
    ]


def _lost_lines(counts: PairCounts) -> list[str]:
    """How many true pairs dead time costs, where that is one at least."""
    lost, unc = counts.lost_pairs, counts.lost_pairs_unc
    return (
        []
        if lost is None or unc is None or lost < 1
        else [f"{plus_minus(lost, unc)} more true coincidences were lost to dead time"]
    )


def net_lines(random: RandomNet | None) -> list[str]:
    """The result of random windows."""
    if random is None:
        return []
    return [
        f"{plus_minus(random.net_pairs, random.net_pairs_unc)} net coincidences; {random.random_pairs:,} "
        f"pairs in the random windows {', '.join(map(str, random.random_ps))}, "
        f"{plus_minus(random.random_pairs_expected, random.random_pairs_expected_unc)} expected"
    ]


def _pairs_table(pairs: pl.DataFrame) -> list[str]:
    """Pairs by their detectors."""
    net = "net_pairs" in pairs.columns

    def cells(row: dict[str, Any]) -> list[str]:
        measured = [f"{row['chance_pairs']:,.1f}", plus_minus(row["net_pairs"], row["net_pairs_unc"])] if net else []
        name = f"{row['name_a']} – {row['name_b']}"
        return [name, f"{row['pairs']:,}", f"{row['chance_pairs_expected']:,.1f}", *measured]

    head = ["detectors", "pairs", "random (expected)", *(["random (measured)", "net"] if net else [])]
    return table(head, [cells(row) for row in pairs.iter_rows(named=True)])
