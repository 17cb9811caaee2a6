"""Warnings about runs, to be read before their results: the same sentences in all commands."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from gammapolars.analysis.accounting import CLOCK_S, COVERED
from gammapolars.analysis.accumulators import HitTally
from gammapolars.core.digits import counted, percent
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S, format_ps
from gammapolars.core.wording import setting
from gammapolars.io import Run, Runs
from gammapolars.io.provenance import removed_hits

LISTED = 5
"""This many places of damage, and notes of one file, are among the warnings; a summary lists all damage."""

TROUBLE = {
    "memory_full": "the digitizer's memory was full",
    "trigger_lost": "triggers were lost",
    "n_triggers_lost": "triggers were lost",
    "event_lost": "hits were lost in the digitizer's memory",
    "external_reset": "timestamps were reset from outside",
    "pll_lock_lost": "the clock lost its lock",
    "over_temperature": "the digitizer was too hot",
    "adc_shutdown": "the digitizer switched off its ADC",
}
"""Flags that a reader should know of even when they reject nothing."""

MANY = 0.1
"""Saturation and pile-up are reported from this fraction of the hits."""

LONG_GAP_PS = 60 * PS_PER_S
"""Between two files of a run hits are missing for longer than this only if a file is, or the beam was."""

STANDS_STILL = 10
"""A clock does not advance if one detector has at least this many hits at one time."""


def run_warnings(runs: Runs, hits: HitTally, *, complete: bool = True) -> Iterator[str]:
    """Warnings from the recorded metadata of runs, and from columns that every command reads.

    Args:
        runs: the runs read.
        hits: all of its hits, whatever became of them later.
        complete: whether all hits were read, once.
    """
    for run in runs.all:
        yield from run.source.warnings
        yield from run.recorded.warnings if run.recorded else ()
        yield from run.live_times.warnings if run.live_times else ()
    yield from _of_reading(runs)
    yield from _of_removed(runs)
    if complete and not hits.spans:
        yield "the run contains no hits"
    for run in runs.all:
        yield from _of_order(run)
        yield from _of_several_files(run)
    yield from _of_repeats(hits)
    yield from _of_flags(hits)
    if complete:
        yield from _of_times(hits, runs)


def _of_reading(runs: Runs) -> Iterator[str]:
    """Repairs and omissions."""
    notes = Counter[str]()
    for note in runs.losses.notes:
        name = note.partition(": ")[0]
        notes[name] += 1
        if notes[name] <= LISTED:
            yield note
    yield from (
        f"{name}: {count - LISTED:,} more messages of this kind" for name, count in notes.items() if count > LISTED
    )
    losses = runs.losses.all
    for loss in losses[:LISTED]:
        count = f"{loss.hits:,} " if loss.kind == "repeated" else ""
        yield f"left out: {loss.path.name}: {count}{loss.what}"
    if more := losses[LISTED:]:
        yield f"left out: {len(more):,} more places, {sum(loss.hits for loss in more):,} hits"


def _of_removed(runs: Runs) -> Iterator[str]:
    """Files from which hits are missing that have made detectors dead."""
    for file in runs.files:
        if removed_hits(file.path):
            yield (
                f"{file.path.name}: hits below thresholds were removed when it, or its input, was written: dead times, "
                "live fractions and expected random coincidences are wrong, as detectors were dead after those hits too"
            )


def _of_order(run: Run) -> Iterator[str]:
    """How far a run's hits are out of time order."""
    for file in run.files:
        if file.order.run_again is not None:
            yield (
                f"{file.path}: run {file.order.run_again} appears again after another run, so its hits "
                "would be paired separately: 'gammapolars convert RUN... --sort -o sorted.parquet' sorts "
                "by run"
            )
    step = max(file.order.largest_step_back_ps for file in run.files)
    if not step:
        return
    repaired = "repaired while reading"
    started_again = next((file.order.step_back for file in run.files if file.order.step_back), None)
    if started_again:
        repaired = run.advice(started_again.advice)
    elif step > run.reorder_ps and not run.scratch:
        repaired = run.advice(
            f"use a larger {setting('--reorder', 'reorder_ps')}, or 'gammapolars convert RUN... --sort "
            "-o sorted.parquet' first"
        )
    count = sum(file.order.inversions for file in run.files)
    yield f"{counted(count, 'hit')} out of time order, by up to {format_ps(step)}: {repaired}"


def _of_several_files(run: Run) -> Iterator[str]:
    """Files of one run that cannot be of one, or of which one is missing."""
    spans = sorted(
        (file.span.first_ps, file.span.last_ps, file.path.name)
        for file in run.files
        if file.span.first_ps is not None and file.span.last_ps is not None
    )
    for (_, before, left), (after, _, right) in pairwise(spans):
        if (gap := after - before) > LONG_GAP_PS:
            yield f"{format_ps(gap)} without a hit between {left} and {right}"
    if len(run.streams) > 1:
        yield from _of_shared_detectors(run)


def _of_shared_detectors(run: Run) -> Iterator[str]:
    """Detectors with hits of two files in the same stretch of time: their clocks began again, or hits count twice."""
    spans: dict[Key, list[tuple[int, int, str]]] = {}
    for stream in run.streams:
        of_stream: dict[Key, tuple[int, int]] = {}
        for key, (first, last) in (span for file in stream for span in file.span.detectors.items()):
            known = of_stream.get(key, (first, last))
            of_stream[key] = min(first, known[0]), max(last, known[1])
        for key, (first, last) in of_stream.items():
            spans.setdefault(key, []).append((first, last, stream[0].path.name))
    shared = {key: overlap for key, of in sorted(spans.items()) if (overlap := _overlap(of, run.reorder_ps))}
    if not shared:
        return
    (board, channel), (low, high, one, other) = next(iter(shared.items()))
    more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
    yield (
        f"detector {board}/{channel}{more} has hits of both {one} and {other} from {low / PS_PER_S:.6g} s "
        f"to {high / PS_PER_S:.6g} s: if the clock was restarted, these are separate runs: read them with "
        f"{setting('--apart', 'apart=True')}"
    )


def _overlap(spans: list[tuple[int, int, str]], least_ps: int) -> tuple[int, int, str, str] | None:
    """Where two spans of time first have more than this in common: from when to when, and their names."""
    ordered = sorted(spans)
    _, latest, name = ordered[0]
    for first, last, other in ordered[1:]:
        if min(latest, last) - first > least_ps:
            return first, min(latest, last), name, other
        if last > latest:
            latest, name = last, other
    return None


def _of_repeats(hits: HitTally) -> Iterator[str]:
    """Hits that no detector can have."""
    repeats = hits.repeats
    if not repeats.most:
        return
    count, time_ps, (board, channel) = repeats.most
    total = int(hits.by_flags()["counts"].sum())
    where = f"{board}/{channel} at {time_ps / PS_PER_S:.12g} s"
    if count >= STANDS_STILL:
        yield (
            f"the clock stopped, or its steps are far too long: {count:,} hits of {where} have the same "
            f"time, and {repeats.hits:,} of {total:,} hits repeat the time of another hit in the same detector"
        )
        return
    yield (
        f"{repeats.hits:,} of {total:,} hits have the board, channel and time of another hit (such as "
        f"{where}), which is impossible in one detector: were files merged twice? "
        f"{setting('--drop-duplicates', 'drop_duplicates=True')} keeps the first of each"
    )


def _of_flags(hits: HitTally) -> Iterator[str]:
    """Flags of the digitizer."""
    flags, total = hits.with_flags(FLAGS), int(hits.by_flags()["counts"].sum())
    for name, meaning in TROUBLE.items():
        if count := flags.get(name):
            yield f"{meaning} ({counted(count, 'hit')} with flag {name})"
    for name in ("saturation", "pile_up"):
        if (count := flags.get(name, 0)) > MANY * total:
            yield f"{percent(count, total)} of the hits have the flag {name}"


def _of_times(hits: HitTally, runs: Runs) -> Iterator[str]:
    """Runs whose hits cover less time than was recorded."""
    for number, run in enumerate(runs.all, 1):
        first, last = hits.spans.get(number, (0, 0))
        covered_s = (last - first) / PS_PER_S
        seconds = run.recorded.real_time_s if run.recorded else None
        if seconds and covered_s < COVERED * seconds - CLOCK_S:
            name = run.source.folder.name
            yield (
                f"{name}: was recorded for {seconds:g} s, but its hits cover only {covered_s:g} s: are files missing?"
            )
