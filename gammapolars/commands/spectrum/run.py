"""A run's spectra, counted in one pass and written as tables, figures or files of other programs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import AdcSpectra, HitTally
from gammapolars.analysis.live_times import measurements_of, rates, with_times
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import check_bins
from gammapolars.commands.figure_files import FIGURE, save_figure
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Key, Progress
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.provenance import describe
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import COLLECTIONS, FORMATS, holds_one_spectrum, save_spectrum, spectrum_format
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.selections import slice_width_ps

WHOLE_COUNTS = ("spe", "chn")
"""Formats of spectra that hold no fractions of a count."""


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
    progress: Progress | None = None,
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
    check_bins(bin_kev, known)
    kind = _check_spectra_output(output, format, overwrite=overwrite)
    slice_ps = None if slice_width is None else slice_width_ps(slice_width)
    _check_kind(output, kind, sliced=slice_ps is not None, per_second=per_second)
    tally, adc = HitTally(), AdcSpectra(union(rule.reject), slice_ps)
    recording = Recording(runs, known, progress)
    count_hits(recording, [tally, adc])
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
            *passes.warnings(tally.by_detector(union(rule.reject)), known, rule),
            *told,
            *recording.warnings,
        ],
    }
    if kind == FIGURE:
        from gammapolars.figures import spectrum as figure

        save_figure(figure(passes.named(table, known)), output, overwrite=overwrite)
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


def _check_kind(output: Path, kind: str, *, sliced: bool, per_second: bool) -> None:
    """Raise where a format has no place for what is wanted."""
    if sliced and kind not in ("parquet", "csv"):
        raise UsageError(f"{output}: this format holds one spectrum a detector, no slices: write .parquet or .csv")
    if per_second and kind not in COLLECTIONS:
        raise UsageError(f"{output}: this format holds counts, not counts per second: write .parquet, .csv or .root")


def _check_spectra_output(output: Path, format: str | None, *, overwrite: bool) -> str:
    """The format that is meant; raises before any work is done, if it is none or its file cannot be written."""
    suffix = output.suffix.lower()
    if format is None:
        check_suffix(output, "spectra are", (*FORMATS, FIGURE))
    kind = FIGURE if suffix == FIGURE and format is None else spectrum_format(output, format)
    # Which files there will be, if each detector has its own, is known when the detectors are.
    check_output(output, overwrite=overwrite or holds_one_spectrum(kind))
    return kind


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
