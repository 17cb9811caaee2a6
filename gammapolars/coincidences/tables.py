"""Tables of pairs, lazily: all pairs within windows, and the nearest stop of each start."""

from collections.abc import Iterator, Sequence

import polars as pl

from gammapolars.coincidences.rule import AnyWindow, PairRule
from gammapolars.coincidences.sample import AUTO, measured
from gammapolars.core import defaults
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.detectors import AnyDetector, AnyDetectors, key_of
from gammapolars.streaming.slices import SLICE_HITS, chosen, in_parallel, lazy_frame, slices
from gammapolars.streaming.time_order import REORDER_PS


def pairs(
    hits: AnyFrame,
    window: AnyWindow = defaults.WINDOW,
    *,
    random: str | Sequence[AnyWindow] = (),
    reject: str | int = defaults.REJECT,
    start: AnyDetector | None = None,
    stop: AnyDetector | None = None,
    detectors: AnyDetectors | None = None,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """All pairs of hits of different detectors within a window, each stored once, in time order.

    Without `start` and `stop`, a is the earlier hit (of two at the same time that of the lower board, channel), so
    `dt_ps >= 0`. With them, a is the start detector's hit, b the stop detector's, and `dt_ps` is signed. The window is
    closed: `low <= dt_ps <= high`. Rejected hits neither pair nor hide a later pair. The result is the same
    whatever the size of slices.

    With random windows, their pairs come out as well, in `region` `random` instead of `prompt`, and with the `weight`
    -s, where s is the total width of the prompt window over that of the random windows, each counted in whole steps of
    the clock. Prompt pairs weigh 1. So the sum of weights over any pairs, such as those in a bin, is the
    number of true coincidences, N = P - s R, and the sum of squared weights its variance, P + s² R.

    Args:
        hits: a table of hits, nearly in time order; every further column comes out twice, with `_a` and `_b`. Only
            hits of one `run` pair, where that column distinguishes several.
        window: `250ns`, `LOW:HIGH`, picoseconds, or (low, high) in picoseconds.
        random: windows away from the first, which hold no true coincidences: `1us:3us`, or several; `auto` finds them
            in the time differences of the first hits. Without start and stop they hold |dt|, so that both sides count.
            They measure random coincidences best within the dead time, because detectors are dead close to a true
            coincidence.
        reject: flags that disqualify a hit, as on the command line: names, a mask, or `none`.
        start: the detector of a, its (board, channel), `0/3`, or its name in `detectors`; together with `stop`.
        stop: the detector of b.
        detectors: where the names of start and stop are looked up, or the path of detectors.toml. Hits are taken as
            they are: `gp.align` and `gp.calibrate` correct them.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of pairs, sorted by the time of the earlier hit.

    Raises:
        TableError: the frame is not a table of hits.
        UsageError: an invalid window, flag or detector; when collected, if `auto` finds no random window.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    hits = lazy(hits, "hits")
    a, b = (None if one is None else key_of(one, detectors) for one in (start, stop))
    rule = PairRule(window, reject=reject, start=a, stop=b)
    columns = rule.require(hits)
    if random and random != AUTO:
        rule = rule.with_random(random)  # invalid windows are reported at once
    made = rule.schema(columns, weighted=bool(random))

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        ready = measured(rule, hits, auto=random == AUTO) if random else rule
        needed = hits if wanted is None else chosen(hits, rule.columns_for(wanted, columns))
        parts = slices(needed, ready.reach, reorder_ps=reorder_ps, slice_hits=slice_hits)
        yield from in_parallel(ready.pairs_in, parts)

    return lazy_frame(made, batches)


def nearest(
    hits: AnyFrame,
    start: AnyDetector,
    stop: AnyDetector,
    window: AnyWindow = defaults.WINDOW,
    *,
    reject: str | int = defaults.REJECT,
    detectors: AnyDetectors | None = None,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """For each hit of a start detector the stop detector's hit that is nearest in time, if one lies in the window.

    The stop hit with `low <= dt_ps <= high` and the smallest |dt| is taken (the later one if two are as near), by
    `join_asof` within slices. A stop hit can serve several starts.

    Args:
        hits: a table of hits, nearly in time order.
        start: the detector of a, its (board, channel), `0/3`, or its name in `detectors`.
        stop: the detector of b.
        window: as for `pairs`; `0ns:1us` takes the first stop after each start.
        reject: flags that disqualify a hit.
        detectors: as for `pairs`.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of pairs in the order of the starts, `dt_ps` signed.

    Raises:
        TableError, UsageError, TimeOrderError: as for `pairs`.
    """
    hits = lazy(hits, "hits")
    a, b = key_of(start, detectors), key_of(stop, detectors)
    rule = PairRule(window, reject=reject, start=a, stop=b, nearest=True)
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        needed = hits if wanted is None else chosen(hits, rule.columns_for(wanted, columns))
        for part in slices(needed, rule.reach, reorder_ps=reorder_ps, slice_hits=slice_hits):
            yield from rule.pairs_in(part)

    return lazy_frame(rule.schema(columns), batches)
