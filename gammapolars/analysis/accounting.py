"""Where every hit went: used, rejected by its flags, or left out because it could not be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from gammapolars.analysis.accumulators import HitTally
from gammapolars.core.flags import REMOVED, union
from gammapolars.core.records import Part, Rows, optional
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import Selection
from gammapolars.detectors import Detectors
from gammapolars.io import Losses, Runs
from gammapolars.io.reading import Kind

COVERED = 0.9
"""Hits should cover so much of the time for which their run was recorded."""

CLOCK_S = 2
"""Recorded times are whole seconds."""

BEYOND = 0.1
"""Changing rates are trusted this part of their range beyond its end."""


@dataclass(frozen=True, kw_only=True)
class SelectionAccount(Part):
    """Hits that a selection removed, each for the first reason that holds.

    Attributes:
        hits_below_threshold: hits below a threshold, or the lower end of a range.
        hits_above_range: hits above a range.
        hits_outside_polygons: hits outside the polygons.
        below_threshold: hits below a threshold by their detectors' names.
        above_range: hits above a range by their detectors' names.
        outside_polygons: hits outside the polygons by their detectors' names.
        min_energy_kev: the threshold for all detectors (keV), if there is one.
        keep: the file of polygons, if there is one.
    """

    hits_below_threshold: int
    hits_above_range: int
    hits_outside_polygons: int
    below_threshold: dict[str, int]
    above_range: dict[str, int]
    outside_polygons: dict[str, int]
    min_energy_kev: float | None
    keep: str | None

    @property
    def by_reason(self) -> dict[str, dict[str, int]]:
        """How many of which detectors, by the reason in words."""
        return {
            "below threshold": self.below_threshold,
            "above range": self.above_range,
            "outside the polygons": self.outside_polygons,
        }


@dataclass(frozen=True, kw_only=True)
class HitAccount(Part):
    """Where every hit went: `hits_read` is the sum of those used, rejected, damaged, out of range and repeated.

    Where a selection removes hits, those are further ones: a hit counts where it is taken away first, and what removes
    it comes before flags.

    Attributes:
        hits_read: hits in the files.
        hits_used: hits that no flag rejected.
        hits_rejected: hits that some flag rejected.
        rejected: hits by flag name; one with two flags counts under both.
        hits_damaged: hits left out because the file is damaged there.
        hits_out_of_range: hits left out because no hit can have their values.
        hits_repeated: hits left out because they repeat another one, where those are to be dropped.
        left_out: where hits were left out: `file`, `what` is wrong there, `hits`, and the `kind`: damaged,
            out_of_range or repeated.
        selection: hits that thresholds, ranges and polygons removed, where there are such.
    """

    hits_read: int
    hits_used: int
    hits_rejected: int
    rejected: dict[str, int]
    hits_damaged: int
    hits_out_of_range: int
    hits_repeated: int
    left_out: Rows
    selection: SelectionAccount | None = optional()


@dataclass(frozen=True)
class Times(Part):
    """When hits were recorded; of several runs, by the clock of each.

    Attributes:
        real_time_s: from the first hit to the last, of all runs together (s).
        first_timestamp_ps: of the first hit (ps).
        last_timestamp_ps: of the last hit (ps).
        runs: where there are several, each one's number `run`, `name`, `hits`, `real_time_s`, `first_timestamp_ps` and
            `last_timestamp_ps`.
    """

    real_time_s: float
    first_timestamp_ps: int | None
    last_timestamp_ps: int | None
    runs: Rows | None = optional()


def account(
    hits: HitTally,
    losses: Losses,
    reject: Mapping[str, int],
    *,
    seen: HitTally | None = None,
    selection: Selection | None = None,
) -> HitAccount:
    """Where every hit went.

    Args:
        hits: those that were used or rejected, or that a selection removed.
        losses: the data not read.
        reject: the masks that disqualify a hit, by flag name.
        seen: all hits, if some were taken away before they could be used or rejected.
        selection: which hits were removed.
    """
    removed = union(REMOVED) if selection else 0
    flags = {name: mask for name, mask in reject.items() if not mask & removed}
    good, used = (int(hits.by_detector(mask)["hits_used"].sum()) for mask in (removed, union(flags) | removed))
    whole = seen or hits
    damaged, out_of_range, repeated = (losses.count(kind) for kind in get_args(Kind))
    return HitAccount(
        hits_read=int(whole.by_detector()["hits"].sum()) + damaged + out_of_range + repeated,
        hits_used=used,
        hits_rejected=good - used,
        rejected=dict.fromkeys(flags, 0) | hits.with_flags(flags, without=removed),
        hits_damaged=damaged,
        hits_out_of_range=out_of_range,
        hits_repeated=repeated,
        left_out=[
            {"file": str(loss.path), "what": loss.what, "hits": loss.hits, "kind": loss.kind} for loss in losses.all
        ],
        selection=selection_account(whole, selection) if selection else None,
    )


def selection_account(hits: HitTally, selection: Selection) -> SelectionAccount:
    """How many hits, marked as they were removed, each reason took away."""
    names = selection.detectors
    below, above, outside = (
        {names.at(*key).name: count for key, count in hits.marked_by(REMOVED[reason]).items()}
        for reason in ("below_threshold", "above_range", "outside_polygons")
    )
    return SelectionAccount(
        hits_below_threshold=sum(below.values()),
        hits_above_range=sum(above.values()),
        hits_outside_polygons=sum(outside.values()),
        below_threshold=below,
        above_range=above,
        outside_polygons=outside,
        min_energy_kev=selection.min_energy_kev,
        keep=selection.keep,
    )


def times(hits: HitTally, runs: Runs) -> Times:
    """When hits were recorded."""
    whole = (hits.real_time_s, hits.first_ps, hits.last_ps)
    names = dict(enumerate((run.name for run in runs.all), 1))
    if names.keys() | hits.spans.keys() == {1}:
        return Times(*whole)
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
    return Times(*whole, rows)


def clock_warnings(hits: HitTally, detectors: Detectors) -> Iterator[str]:
    """Clocks whose rates change and were measured over less time than hits cover, one sentence each."""
    last = max((end for _, end in hits.spans.values()), default=0) / PS_PER_S
    for clock in detectors.clocks:
        first_known, known = clock.rate_range_s or (0.0, last)
        if last > known + BEYOND * (known - first_known):
            yield (
                f"the clock rates of board {clock.board} are known up to {known:.6g} s, but hits continue "
                f"to {last:.6g} s: measure them with 'gammapolars align' on this run"
            )
