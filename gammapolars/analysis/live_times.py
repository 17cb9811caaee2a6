"""Metadata of each detector's spectrum besides its counts: names, calibration, real and live time."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import CLOCK_S, COVERED
from gammapolars.analysis.accumulators import HitTally
from gammapolars.core.errors import InputError
from gammapolars.core.schema import DType
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.spectra.measurement import Measurement


def measurements_of(runs: Runs, tally: HitTally, detectors: Detectors) -> dict[Key, Measurement]:
    """Metadata of each detector's spectrum besides its counts."""
    keys = tally.by_detector().select("board", "channel").rows()
    recorded = _recorded(runs, tally, keys)
    found = {}
    for key in keys:
        detector = detectors.at(*key)
        times_s = recorded.get(key, {"real_time_s": tally.real_time_s})
        title = f"{runs.files[0].path.name}: {detector.name}"
        found[key] = Measurement(title=title, detector=detector.name, energy=detector.energy, **times_s)
    return found


def _recorded(runs: Runs, tally: HitTally, keys: list[Key]) -> Mapping[Key, dict[str, Any]]:
    """Start, live and real time by detector, as the digitizer's program recorded them with a run's hits.

    It gives them only by channel, and for the whole recording: they are taken where there is one board, and where the
    hits span the recorded time, so that nothing is missing from the files.
    """
    run = runs.all[0]
    if len(runs.all) > 1 or run.recorded is None or len({board for board, _ in keys}) > 1:
        return {}
    told, start = run.live_times, run.recorded.start
    started = start.replace(tzinfo=None, microsecond=0) if start else None
    by_channel = {channel.channel: channel for channel in told.channels} if told else {}
    found: dict[Key, dict[str, Any]] = {}
    for key in keys:
        channel = by_channel.get(key[1])
        real_s = channel.real_time_s if channel else None
        complete = real_s and COVERED * real_s <= tally.real_time_s <= real_s + CLOCK_S
        found[key] = {"real_time_s": tally.real_time_s, "started": started}
        if channel and complete:
            found[key] |= {"real_time_s": real_s, "live_time_s": channel.live_time_s}
    return found


NOTED: dict[str, DType] = dict.fromkeys(("noted_icr_cps", "noted_ocr_cps", "noted_live_fraction"), pl.Float64)

NOTABLE_PART = 0.1
"""Noted rates of the whole run and those of its hits differ by more than this where something is missing."""


def with_noted(table: pl.DataFrame, runs: Runs) -> pl.DataFrame:
    """A table of detectors with the rates and the live fraction that the digitizer's program noted of their run.

    That is `run.info`, and the latest file of histograms, of a single run. Boards are in its order.

    Args:
        table: with `board` and `channel`.
        runs: the runs read.

    Returns:
        The same with `noted_icr_cps` and `noted_ocr_cps`, hits that came in and that were counted, and
        `noted_live_fraction`; null where nothing is noted.
    """
    noted = _noted(runs) if len(runs.all) == 1 else {}
    rows = [noted.get(key, (None, None, None)) for key in table.select("board", "channel").iter_rows()]
    return table.hstack(pl.DataFrame(rows, NOTED, orient="row"))


def _noted(runs: Runs) -> dict[Key, tuple[float | None, float | None, float | None]]:
    run = runs.all[0]
    if run.recorded is None:
        return {}
    told = run.live_times
    # Histograms give times only by channel: they are those of the board where there is one.
    times = {one.channel: one for one in told.channels} if told and len(run.recorded.boards) == 1 else {}
    found = {}
    for board, info in enumerate(run.recorded.boards):
        for channel in info.channels:
            time = times.get(channel.channel)
            live = time.live_time_s / time.real_time_s if time and time.live_time_s and time.real_time_s else None
            found[board, channel.channel] = channel.icr_cps, channel.ocr_cps, live
    return found


def noted_warnings(table: pl.DataFrame) -> Iterator[str]:
    """Detectors whose hits come at another rate than was noted, one sentence each."""
    rate, noted = pl.col("rate_cps"), pl.col("noted_ocr_cps")
    apart = table.filter((noted > 0) & ((rate / noted - 1).abs() > NOTABLE_PART))
    for name, own, other in apart.select("name", "rate_cps", "noted_ocr_cps").iter_rows():
        yield (
            f"{name} has {own:,.6g} hits/s in these files, but run.info lists {other:,.6g} (OCR), possibly "
            "the value at the end of the run: are files missing, or did the rate change?"
        )


Spans = Mapping[int, tuple[int, int]]

TIMES = ("real_time_s", "live_time_s")


def with_times(
    table: pl.DataFrame, measurements: Mapping[Key, Measurement], spans: Spans, slice_ps: int | None
) -> pl.DataFrame:
    """Spectra with how long each was recorded.

    For a slice that is the part of it between the run's first and last hit. Its live time is not recorded: it is taken
    for the same part of its real time as that of the whole recording.

    Args:
        table: spectra by `board` and `channel`; of slices, by `run` and `time_slice` too.
        measurements: times of whole recordings.
        spans: first and last timestamp (ps) by run.
        slice_ps: the slices' width.

    Returns:
        The same with `real_time_s` and `live_time_s`; null where no live time is known.
    """
    rows = [(*key, known.real_time_s, known.live_time_s) for key, known in measurements.items()]
    columns = {"board": pl.UInt16, "channel": pl.UInt16, **dict.fromkeys(TIMES, pl.Float64)}
    timed = table.join(
        pl.DataFrame(rows, columns, orient="row"), on=["board", "channel"], how="left", maintain_order="left"
    )
    if slice_ps is None:
        return timed
    ends = [(run, *span) for run, span in spans.items()]
    runs = pl.DataFrame(ends, {"run": pl.UInt16, "_first": pl.Int64, "_last": pl.Int64}, orient="row")
    begin = pl.col("time_slice") * slice_ps
    span_ps = pl.min_horizontal("_last", begin + slice_ps) - pl.max_horizontal("_first", begin)
    real_s = span_ps / PS_PER_S
    return (
        timed.join(runs, on="run", how="left", maintain_order="left")
        .with_columns(real_time_s=real_s, live_time_s=real_s * (pl.col("live_time_s") / pl.col("real_time_s")))
        .drop("_first", "_last")
    )


def rates(table: pl.DataFrame, detectors: Detectors) -> tuple[pl.DataFrame, list[str]]:
    """Counts per second of live time, or of real time where no live time is known.

    Args:
        table: from `with_times`.
        detectors: their names, for warnings.

    Returns:
        The table, whose `counts` are per second and whose `variance` is theirs; and warnings about it, one
        sentence each.

    Raises:
        InputError: no time passed between the first hit and the last.
    """
    seconds = pl.coalesce("live_time_s", "real_time_s")
    timed = table.filter(seconds > 0)
    if table.height and timed.is_empty():
        raise InputError("the first and last hit of the run have the same time: there are no counts per second")
    bare = timed.filter(pl.col("live_time_s").is_null()).select("board", "channel").unique().sort("board", "channel")
    names = ", ".join(detectors.at(*key).name for key in bare.iter_rows())
    warnings = []
    if names:
        warnings.append(f"the live time of {names} is unknown: counts are per second of real time, dead time included")
    if lost := table.height - timed.height:
        warnings.append(f"left out: {lost} bins of slices of zero duration")
    per_second = timed.with_columns(pl.col("counts") / seconds, pl.col("variance") / seconds**2)
    return per_second, warnings
