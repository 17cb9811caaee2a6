"""Where every hit went: used, rejected by its flags, or left out because it could not be read."""

from collections.abc import Iterator
from typing import Any

from gammapolars.analysis.accumulators import HitTally
from gammapolars.core.flags import union
from gammapolars.core.units import PS_PER_S
from gammapolars.io import Losses, Runs

COVERED = 0.9
"""Hits should cover so much of the time for which their run was recorded."""

CLOCK_S = 2
"""Recorded times are whole seconds."""

LISTED = 5
"""So many places of damage stand among the warnings; a summary lists them all."""


def account(hits: HitTally, losses: Losses, reject: dict[str, int]) -> dict[str, Any]:
    """The part of a summary that says where every hit went.

    Args:
        hits: what was read.
        losses: what was not.
        reject: the masks that disqualify a hit, by flag name.

    Returns:
        `hits_read` = `hits_used` + `hits_rejected` + `hits_damaged` + `hits_out_of_range`; `rejected` by flag name,
        where a hit with two flags counts under both; and the places that were `left_out`.
    """
    by_detector = hits.by_detector(union(reject))
    good, used = int(by_detector["hits"].sum()), int(by_detector["hits_used"].sum())
    missing = lost(losses)
    return {
        "hits_read": good + missing["hits_damaged"] + missing["hits_out_of_range"],
        "hits_used": used,
        "hits_rejected": good - used,
        "rejected": dict.fromkeys(reject, 0) | hits.with_flags(reject),
        **missing,
    }


def lost(losses: Losses) -> dict[str, Any]:
    """What was not read: `hits_damaged`, `hits_out_of_range`, and the places that were `left_out`."""
    return {
        "hits_damaged": losses.count("damaged"),
        "hits_out_of_range": losses.count("out_of_range"),
        "left_out": [
            {"file": str(loss.path), "what": loss.what, "hits": loss.hits, "kind": loss.kind} for loss in losses.all
        ],
    }


def times(hits: HitTally, runs: Runs) -> dict[str, Any]:
    """The part of a summary that says when hits were recorded; of several runs, by the clock of each."""
    found = {
        "real_time_s": hits.real_time_s,
        "first_timestamp_ps": hits.first_ps,
        "last_timestamp_ps": hits.last_ps,
    }
    names = dict(enumerate((run.name for run in runs.all), 1))
    if names.keys() | hits.spans.keys() == {1}:
        return found
    by_run = dict(zip(sorted(hits.spans), hits.in_runs(), strict=True))
    rows = []
    for number in sorted(names.keys() | hits.spans.keys()):
        seconds, of_detectors = by_run.get(number, (0.0, {}))
        first, last = hits.spans.get(number, (None, None))
        rows.append(
            {
                "run": number,
                "name": names[number if len(runs.all) > 1 else 1],  # one file may hold several runs
                "hits": sum(of_detectors.values()),
                "real_time_s": seconds,
                "first_timestamp_ps": first,
                "last_timestamp_ps": last,
            }
        )
    return found | {"runs": rows}


def time_warnings(hits: HitTally, runs: Runs) -> Iterator[str]:
    """Runs whose hits cover less time than was recorded, one sentence each."""
    for number, run in enumerate(runs.all, 1):
        first, last = hits.spans.get(number, (0, 0))
        covered_s = (last - first) / PS_PER_S
        seconds = run.recorded.real_time_s if run.recorded else None
        if seconds and covered_s < COVERED * seconds - CLOCK_S:
            name = run.source.folder.name
            yield f"{name}: was recorded for {seconds:g} s, its hits cover {covered_s:g} s of that: are files missing?"


def reading_warnings(runs: Runs) -> Iterator[str]:
    """What a reader must know of the reading before trusting the rest, one sentence each."""
    for run in runs.all:
        yield from run.source.warnings
        yield from run.recorded.warnings if run.recorded else ()
    yield from runs.losses.notes
    found = runs.losses.all
    for loss in found[:LISTED]:
        yield f"left out: {loss.path.name}: {loss.what}"
    if more := found[LISTED:]:
        yield f"left out: {len(more):,} more places, {sum(loss.hits for loss in more):,} hits"
