"""Several runs on one page: each by itself, and compared."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from gammapolars.analysis.recording import Recording
from gammapolars.io import Losses, Run, Runs
from gammapolars.report import pair_text, tables
from gammapolars.report.estimates import total_net, with_net
from gammapolars.report.numbers import MOST_NAMED, count, enumeration, with_uncertainty
from gammapolars.report.page import Image, Section, Table
from gammapolars.report.recorded import live_text, start_text
from gammapolars.report.sections import RATES, SPECTRA, Findings

MOST_DRAWN = 4
"""The page has the separate figures of at most this many runs, to keep it small; the comparison has all runs."""

PER_SECOND = "In counts per second of real time, so that runs of different lengths can be compared."

SAME = 4.0
"""Rates of runs differ where χ² is this many standard deviations above its expectation."""


class RunPart(NamedTuple):
    """One of several runs: its name on the page, and its own results."""

    name: str
    found: Findings


def recordings(recording: Recording) -> Iterator[Recording]:
    """Each of several runs as a recording of its own, with the losses of its own files, when all have been read."""
    for run in recording.runs.all:
        runs = Runs((run,), replace(recording.runs.reading, losses=_own_losses(recording.runs.losses, run)))
        yield replace(recording, runs=runs, progress=None)


def _own_losses(losses: Losses, run: Run) -> Losses:
    own = Losses(keep_going=losses.keep_going)
    paths = {file.path for file in run.files}
    for loss in losses.all:
        if loss.path in paths:
            own.set_aside(loss.path, loss.what, loss.hits, loss.kind, place=loss.place)
    return own


def comparison(parts: Sequence[RunPart], images: Mapping[str, Image]) -> list[Section]:
    """Common properties of runs, and their differences."""
    return [
        Section("Runs compared", [], tables=[_run_table(parts)]),
        Section("Rates compared", _rate_text(parts), images.get(RATES), [_rate_table(parts)]),
        Section("Spectra compared", [PER_SECOND], images.get(SPECTRA)),
    ]


def _run_table(parts: Sequence[RunPart]) -> Table:
    """One row per run."""
    times = ("start", "first to last hit (s)", "real time (s)", "live time")
    counts = ("hits", "used", "pairs", "random (expected)", "true")
    rows = [_run_row(part) for part in parts]
    table = Table(("run", *times, *counts, "nuclides"), rows, frozenset((*times, *counts)))
    if all(part.found.analysis.detectors.height < 2 for part in parts):
        table = tables.without(table, *counts[2:])
    return table


def _run_row(part: RunPart) -> tuple[str, ...]:
    analysis = part.found.analysis
    run = analysis.runs[0] if analysis.runs else None
    recorded = (run.real_time_s if run else None), (live_text(run) if run else "")
    net = total_net(with_net(analysis.pairs_by_detectors))
    nuclides = {line.nuclide for one in part.found.lines for line in one.seen if line.is_confirmed}
    return (
        part.name,
        (start_text(run) if run else "") or tables.NONE,
        f"{analysis.real_time_s:,.6g}",
        tables.NONE if recorded[0] is None else f"{recorded[0]:,.6g}",
        recorded[1] or tables.NONE,
        count(analysis.hits_read),
        count(analysis.hits_used),
        count(analysis.pairs),
        pair_text.expected_random(analysis.pairs_by_detectors),
        with_uncertainty(*net) if analysis.pairs else tables.NONE,
        ", ".join(sorted(nuclides)) or tables.NONE,
    )


def _rates(parts: Sequence[RunPart]) -> dict[str, list[tuple[str, Mapping[str, float]]]]:
    """The rates of each detector, run by run, where they are known."""
    rates: dict[str, list[tuple[str, Mapping[str, float]]]] = {}
    for part in parts:
        for row in part.found.analysis.true_rates.iter_rows(named=True):
            if row["rate_cps"] is not None:
                rates.setdefault(row["name"], []).append((part.name, row))
    return dict(sorted(rates.items()))


def _rate_table(parts: Sequence[RunPart]) -> Table:
    """One row per detector and run."""
    numbers = [heading for heading, _ in tables.RATES.values()]
    rows = [
        (detector, run, *(tables.with_unc(row, name, factor) for name, (_, factor) in tables.RATES.items()))
        for detector, of_runs in _rates(parts).items()
        for run, row in of_runs
    ]
    return Table(("detector", "run", *numbers), rows, frozenset(numbers))


def _rate_text(parts: Sequence[RunPart]) -> list[str]:
    """Whether the detectors had the same rates in all runs."""
    differing, same = [], []
    for detector, of_runs in _rates(parts).items():
        if len(of_runs) < 2:
            continue
        chi2, ndf = _chi2([(row["rate_cps"], row["rate_cps_unc"]) for _, row in of_runs])
        low, high = (end(of_runs, key=lambda one: one[1]["rate_cps"]) for end in (min, max))
        if chi2 > ndf + SAME * math.sqrt(2 * ndf):
            ends = " to ".join(f"{tables.with_unc(row, 'rate_cps')} counts/s in {run}" for run, row in (low, high))
            differing.append(f"{detector} from {ends} (χ²/ndf = {chi2:,.0f}/{ndf})")
        else:
            same.append(detector)
    texts = [f"Rates differ between runs by more than counting statistics: {'; '.join(differing[:MOST_NAMED])}."]
    rates = "rate" if len(same) == 1 else "rates"
    agree = [f"The {rates} of {enumeration(same[:MOST_NAMED])} in all runs agree within counting statistics."]
    return (texts if differing else []) + (agree if same else [])


def _chi2(values: Sequence[tuple[float, float]]) -> tuple[float, int]:
    """χ² of values about their weighted mean, and its degrees of freedom."""
    weights = [1 / max(unc, 1e-12) ** 2 for _, unc in values]
    mean = sum(weight * value for weight, (value, _) in zip(weights, values, strict=True)) / sum(weights)
    chi2 = sum(weight * (value - mean) ** 2 for weight, (value, _) in zip(weights, values, strict=True))
    return chi2, len(values) - 1


def rates_of_runs(parts: Sequence[RunPart]) -> pl.DataFrame:
    """The rates of several runs over time, from the first hit of each, in bins of one width; with `run`."""
    known = [(part.name, part.found.analysis.rates) for part in parts if part.found.analysis.rates.height]
    if not known:
        return pl.DataFrame()
    width = max(float(rates["width_s"][0]) for _, rates in known)
    return pl.concat(_wider(rates, width).with_columns(run=pl.lit(name)) for name, rates in known)


def _wider(rates: pl.DataFrame, width_s: float) -> pl.DataFrame:
    """Rates in wider bins, whose width is a whole number of those that there are; a last one that is cut is left out.

    Unless it is the only one.
    """
    keys = ["board", "channel", "name"]
    place = (pl.col("time_s") / width_s).floor().cast(pl.Int64)
    sums = pl.col("counts").sum(), pl.col("width_s").sum().alias("inside_s")
    wide = rates.with_columns(bin=place).group_by(*keys, "bin", maintain_order=True).agg(*sums)
    whole = wide.filter(pl.col("inside_s") > width_s * (1 - 1e-9))
    shown = whole if whole.height else wide
    return shown.select(
        *keys,
        time_s=(pl.col("bin") + 0.5) * width_s,
        width_s=pl.lit(width_s) if whole.height else pl.col("inside_s"),
        counts="counts",
    )


def spectra_of_runs(parts: Sequence[RunPart]) -> pl.DataFrame:
    """The spectra of several runs in counts per second of real time; with `run`."""
    found = []
    for part in parts:
        analysis = part.found.analysis
        if not analysis.spectra.height or not analysis.true_rates.height:
            continue
        seconds = analysis.true_rates.select("board", "channel", "real_time_s").filter(pl.col("real_time_s") > 0)
        timed = analysis.spectra.join(seconds, on=["board", "channel"], maintain_order="left")
        found.append(
            timed.with_columns(
                pl.col("counts") / pl.col("real_time_s"),
                pl.col("variance") / pl.col("real_time_s") ** 2,
                run=pl.lit(part.name),
            ).drop("real_time_s")
        )
    return pl.concat(found, how="diagonal") if found else pl.DataFrame()
