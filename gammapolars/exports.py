"""A run's spectra and its matrix, counted in one pass and written as tables, figures or files of other programs."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis, defaults
from gammapolars.accounting import CLOCK_S, COVERED, account, reading_warnings, time_warnings, times
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.drift.correction import Correction, correction_of
from gammapolars.errors import UsageError
from gammapolars.figure_files import save_figure
from gammapolars.flags import union
from gammapolars.io import Runs
from gammapolars.io.compass.live_times import live_times
from gammapolars.io.matrix_files import SUFFIXES as MATRIX_SUFFIXES
from gammapolars.io.matrix_files import save_matrix
from gammapolars.io.output import check_output
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import COLLECTIONS, FORMATS, holds_one_spectrum, save_spectrum, spectrum_format
from gammapolars.products import AdcSpectra, EnergyMatrix, HitTally, PairTally
from gammapolars.products.matrix import BIN_ADC
from gammapolars.provenance import describe
from gammapolars.schema import HITS, require
from gammapolars.slicing import rates, with_times
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.selections import slice_width_ps
from gammapolars.streaming import batches_of, by_run
from gammapolars.time_order import time_ordered

FIGURE = ".png"

WHOLE_COUNTS = ("spe", "chn")
"""Formats of spectra that hold no fractions of a count."""

Key = tuple[int, int]


def spectra(
    runs: Runs,
    output: Path,
    *,
    reject: str = defaults.REJECT,
    detectors: Detectors | None = None,
    bin_kev: float | None = None,
    slice_width: str | None = None,
    per_second: bool = False,
    format: str | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Write the spectrum of each detector's used hits; of each slice of time, if they are wanted.

    Args:
        runs: from `open_runs`.
        output: as for `save_spectrum`, or a figure that ends in .png.
        reject: names of the flags that reject a hit.
        detectors: energy calibrations.
        bin_kev: width of bins of energy; None: each adc value is a bin, with its energy where that is known. A figure
            has bins of energy in any case.
        slice_width: of slices of time that get a spectrum each, such as `10min`; in .parquet and .csv. Memory then
            holds a row for each filled bin: at most slices × detectors × channels.
        per_second: whether counts are divided by the live time, or by the real time where none was recorded, with a
            warning; in .parquet, .csv and .root.
        format: as for `save_spectrum`.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars spectrum --json` prints it.
    """
    known, rule = detectors or Detectors(), PairRule(defaults.WINDOW, reject=reject)
    _check_bins(bin_kev, known)
    kind = _check_spectra_output(output, format, overwrite=overwrite)
    slice_ps = None if slice_width is None else slice_width_ps(slice_width)
    _check_kind(output, kind, sliced=slice_ps is not None, per_second=per_second)
    tally, adc = HitTally(), AdcSpectra(union(rule.reject), slice_ps)
    correction = correction_of(known, runs)
    count_hits(runs, [tally, adc], progress, correction)
    if kind == FIGURE and bin_kev is None:
        bin_kev = fitting_bin_kev(known)
    table = adc.spectra(known, bin_kev)
    measurements = measurements_of(runs, tally, known)
    told: list[str] = []
    rows = _described(table, measurements, known)
    slices = table.select("run", "time_slice").n_unique() if slice_ps and table.height else None
    if slice_ps or per_second:
        table = with_times(table, measurements, tally.spans, slice_ps)
    if per_second:
        table, told = rates(table, known)
        measurements = {key: replace(of, title=f"{of.title}, per second") for key, of in measurements.items()}
    if slice_ps and len(tally.spans) <= 1:
        table = table.drop("run")
    summary = {
        **account(tally, runs.losses, rule.reject),
        **times(tally, runs),
        "bin_kev": bin_kev,
        "slice_ps": slice_ps,
        "slices": slices,
        "per_second": per_second,
        "spectra": rows,
        "warnings": [
            *reading_warnings(runs),
            *time_warnings(tally, runs),
            *analysis.warnings(tally.by_detector(union(rule.reject)), known, rule),
            *told,
            *(correction.warnings if correction else ()),
        ],
    }
    if kind == FIGURE:
        from gammapolars.figures import spectrum as figure

        save_figure(figure(analysis.named(table, known)), output, overwrite=overwrite)
        return summary | {"outputs": [str(output)]}
    written = save_spectrum(
        whole(table) if kind in WHOLE_COUNTS else table,
        output,
        measurement=measurements,
        bin_kev=bin_kev,
        format=kind,
        overwrite=overwrite,
        metadata=describe(runs, summary),
    )
    return summary | {"outputs": [str(path) for path in written]}


def matrix(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    bin_kev: float | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Write the symmetric matrix of the energies of a run's pairs; of their adc values, if nothing is calibrated.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        output: as for `save_matrix`, or a figure that ends in .png.
        random: windows that hold chance pairs alone, or `auto`: the matrix is then net of chance.
        detectors: time offsets and energy calibrations.
        bin_kev: the bins' width; None: 2 keV, or what the coarsest detector needs.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars matrix --json` prints it.
    """
    started = time.perf_counter()
    known = detectors or Detectors()
    _check_bins(bin_kev, known)
    _check_suffix(output, "matrices", (*MATRIX_SUFFIXES, FIGURE))
    check_output(output, overwrite=overwrite)
    width_kev = max(2.0, fitting_bin_kev(known)) if bin_kev is None else bin_kev
    rule = analysis.with_random(runs, rule, random, known)
    hits, pairs = HitTally(), PairTally(rule.window)
    energies = EnergyMatrix(rule.window, known, bin_kev=width_kev)
    reading = analysis.Pass(runs, rule, known, progress, [hits, pairs, energies])
    for _ in batches_of(reading.pairs().select(pl.len())):
        pass
    table = energies.table()
    in_kev = "energy_kev_x" in table.columns
    summary = analysis.summarise(reading, hits, pairs) | {
        "bin_kev": width_kev if in_kev else None,
        "bin_adc": None if in_kev else BIN_ADC,
        "channel_0": _centre_of_channel_0(table, width_kev if in_kev else BIN_ADC),
        "counts": float(table["counts"].sum()),
    }
    if output.suffix.lower() == FIGURE:
        from gammapolars.figures import matrix as figure

        save_figure(figure(table), output, overwrite=overwrite)
    else:
        metadata = describe(runs, summary)
        save_matrix(table, output, bin_kev=width_kev, bin_adc=BIN_ADC, overwrite=overwrite, metadata=metadata)
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def _centre_of_channel_0(table: pl.DataFrame, width: float) -> float:
    """Where files of channels begin: with the bin at 0, or with the lowest if some lie below."""
    lowest = table.to_series(0).min()
    return width / 2 if lowest is None else min(width / 2, float(lowest))  # type: ignore[arg-type]


def whole(table: pl.DataFrame) -> pl.DataFrame:
    """Spectra with whole counts, no bin of which is more than one off; their sums are kept.

    The sum over all bins up to each one is rounded, so that what one bin loses its neighbour gets.

    Args:
        table: a table of spectra by board and channel.
    """
    place = pl.coalesce("adc", "energy_kev")
    summed = pl.col("counts").cum_sum().round().over("board", "channel", order_by=place)
    counts = summed - summed.shift(1, fill_value=0.0).over("board", "channel", order_by=place)
    return table.sort("board", "channel", place).with_columns(counts=counts).with_columns(variance=pl.col("counts"))


def count_hits(
    runs: Runs,
    products: list[Any],
    progress: analysis.Progress | None,
    correction: Correction | None = None,
    most_hits: int | None = None,
) -> None:
    """Let products see all hits, or so many of the first, in order of time.

    That order is what the real time is told from.
    """
    require(runs.hits, HITS)
    columns = [name for name in runs.hits.collect_schema() if name in HITS.columns or name in ("gain_factor", "run")]
    read = 0
    with runs.naming_errors():
        for of_run in by_run(batches_of(runs.hits.select(columns))):
            for batch in time_ordered(of_run, reorder_ps=runs.reorder_ps, on_repair=runs.note_repair):
                part = batch if most_hits is None else batch.head(most_hits - read)
                hits = correction.corrected(part) if correction else part
                for product in products:
                    product.add_hits(hits)
                read += part.height
                if progress:
                    progress(read)
                if most_hits is not None and read >= most_hits:
                    return


def _check_bins(bin_kev: float | None, detectors: Detectors) -> None:
    if bin_kev is None:
        return
    if not 0 < bin_kev < math.inf:
        raise UsageError(f"a bin must be wider than 0 keV, not {bin_kev}")
    if not any(detector.energy for detector in detectors):
        raise UsageError("bins of energy need a calibration: name a detectors.toml that has one with --detectors")


def _check_kind(output: Path, kind: str, *, sliced: bool, per_second: bool) -> None:
    """Raise where a format has no place for what is wanted."""
    if sliced and kind not in ("parquet", "csv"):
        raise UsageError(f"{output}: this format holds one spectrum a detector, no slices: write .parquet or .csv")
    if per_second and kind not in COLLECTIONS:
        raise UsageError(f"{output}: this format holds counts, not counts per second: write .parquet, .csv or .root")


def _check_suffix(output: Path, noun: str, known: tuple[str, ...]) -> None:
    if output.suffix.lower() not in known:
        raise UsageError(f"{output}: unknown suffix '{output.suffix}': {noun} are written to {', '.join(known)}")


def _check_spectra_output(output: Path, format: str | None, *, overwrite: bool) -> str:
    """The format that is meant; raises before any work is done, if it is none or its file cannot be written."""
    suffix = output.suffix.lower()
    if format is None:
        _check_suffix(output, "spectra", (*FORMATS, FIGURE))
    kind = FIGURE if suffix == FIGURE and format is None else spectrum_format(output, format)
    # Which files there will be, if each detector has its own, is known when the detectors are.
    check_output(output, overwrite=overwrite or holds_one_spectrum(kind))
    return kind


def measurements_of(runs: Runs, tally: HitTally, detectors: Detectors) -> dict[Key, Measurement]:
    """What is known of each detector's spectrum beside its counts."""
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
    """Start, live and real time by detector, as the digitizer's program wrote them beside a run's hits.

    It tells them by channel alone, and of the whole recording: they are taken where there is one board, and where the
    hits span the recorded time, so that nothing is missing from the files.
    """
    run = runs.all[0]
    if len(runs.all) > 1 or run.recorded is None or len({board for board, _ in keys}) > 1:
        return {}
    told, start = live_times(run.source.folder), run.recorded.start
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


def _described(
    table: pl.DataFrame, measurements: Mapping[Key, Measurement], detectors: Detectors
) -> list[dict[str, Any]]:
    """One row a spectrum, for the summary."""
    summed = table.group_by("board", "channel").agg(pl.col("counts").sum())
    sums = {(board, channel): counts for board, channel, counts in summed.iter_rows()}
    return [
        {
            "board": key[0],
            "channel": key[1],
            "name": detectors.at(*key).name,
            "counts": sums.get(key, 0.0),
            "real_time_s": known.real_time_s,
            "live_time_s": known.live_time_s,
            "calibrated": known.energy is not None,
        }
        for key, known in measurements.items()
    ]
