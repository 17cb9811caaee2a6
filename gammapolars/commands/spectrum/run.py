"""A run's spectra, counted in one pass and written as tables, figures or files of other programs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.paired_spectra import PairedSpectra
from gammapolars.analysis.live_times import measurements_of, rates, with_times
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.spectra_counter import spectra_counter, spectra_table
from gammapolars.analysis.summaries import RunSummary, Summary, of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import check_bins, is_energy, refuse
from gammapolars.commands.figure_files import FIGURES, is_figure, save_figure
from gammapolars.commands.spectrum.parse import SpectrumOptions
from gammapolars.commands.spectrum.pulse_shapes import PulseShapeSummary, check_axis, pulse_shapes
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.quantities import PSD
from gammapolars.core.records import Rows
from gammapolars.core.summaries import SharedSummary
from gammapolars.core.types import Key
from gammapolars.detectors import Detectors, named
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import COLLECTIONS, FORMATS, holds_one_spectrum, save_spectrum, spectrum_format
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.selections import slice_width_ps

Written = TypeVar("Written", bound=Summary)

WHOLE_COUNTS = ("spe", "chn", "n42")
"""Formats of spectra that hold no fractions of a count."""


@dataclass(frozen=True, kw_only=True)
class SpectrumSummary(SharedSummary, RunSummary):
    """Spectra that were counted.

    Attributes:
        bin_kev: width of the bins (keV); null: bins of adc.
        slice_ps: width of slices of time, if there are any (ps).
        slices: how many of them have counts.
        per_second: whether counts were divided by time.
        spectra: of each detector `board`, `channel`, `name`, `counts`, `real_time_s`, `live_time_s`, and whether it is
            `calibrated`.
    """

    bin_kev: float | None
    slice_ps: int | None
    slices: int | None
    per_second: bool
    spectra: Rows


def spectrum(options: SpectrumOptions, recording: Recording) -> SpectrumSummary | PulseShapeSummary:
    """Write the spectrum of each detector's used hits; of each slice of time, if they are wanted.

    Each adc value is a bin, if no bins of energy are asked for; a figure has those in any case. With slices memory
    holds a row for each filled bin: at most slices × detectors × channels. Counts per second are those of the live
    time, or of the real time where none was recorded, with a warning. With `--axis psd` these are distributions of the
    pulse shape.
    """
    check_axis(options)
    if options.axis == PSD.word:
        return pulse_shapes(options, recording)
    detectors, rule = recording.detectors, PairRule(defaults.WINDOW, reject=recording.masks(options.reject))
    recording = replace(recording, recorded_energies=is_energy(options.unit, "spectra"))
    check_bins(options.bin_kev, calibrated=recording.is_calibrated)
    kind = _check_output(options.output, options.format, overwrite=options.overwrite)
    slice_ps = None if options.slice_width is None else slice_width_ps(options.slice_width)
    _check_kind(options.output, kind, sliced=slice_ps is not None, per_second=options.per_second)
    bin_kev = options.bin_kev
    if bin_kev is None and (kind in FIGURES or recording.has_energies):
        bin_kev = fitting_bin_kev(detectors)
    tally, counts = HitTally(), spectra_counter(recording, union(rule.reject), bin_kev, slice_ps)
    count_hits(recording, [tally, counts])
    table = spectra_table(counts, detectors, bin_kev)
    measurements = measurements_of(recording.runs, tally, detectors)
    rows = _described(table, measurements, detectors)
    slices = table.select("run", "time_slice").n_unique() if slice_ps and table.height else None
    if slice_ps or options.per_second:
        table = with_times(table, measurements, tally.spans, slice_ps)
    untimed: list[str] = []
    if options.per_second:
        table, untimed = rates(table, detectors)
        measurements = {key: replace(of, title=f"{of.title}, per second") for key, of in measurements.items()}
    if slice_ps and len(tally.spans) <= 1:
        table = table.drop("run")
    found = passes.warnings(tally.by_detector(union(rule.reject)), recording, rule)
    summed = passes.summed_runs(recording) if slice_ps is None else []
    warnings = (*found, *summed, *untimed)
    summary = SpectrumSummary(
        **of_hits(recording, tally, rule.reject, warnings),
        bin_kev=bin_kev,
        slice_ps=slice_ps,
        slices=slices,
        per_second=options.per_second,
        spectra=rows,
    )
    if kind in FIGURES:
        return _drawn(summary, named(table, detectors), options)
    written = save_spectrum(
        whole(table) if kind in WHOLE_COUNTS else table,
        options.output,
        measurement=measurements,
        bin_kev=bin_kev,
        format=kind,
        overwrite=options.overwrite,
        metadata=summary.provenance(recording),
    )
    return summary.saved(*written)


OF_PAIRED_HITS = "these spectra contain only hits in pairs, each hit once per pair, not all hits"


@dataclass(frozen=True, kw_only=True)
class SavedPairsSpectrumSummary(SavedPairsSummary):
    """Spectra of the hits of saved pairs.

    Attributes:
        bin_kev: width of the bins (keV); null: bins of adc.
        spectra: of each detector `board`, `channel`, `name`, `counts`, and whether it is `calibrated`.
    """

    bin_kev: float | None
    spectra: Rows


def of_pairs(options: SpectrumOptions, saved: SavedPairs) -> SavedPairsSpectrumSummary:
    """Write the spectrum of each detector's hits in saved pairs, a hit in each pair that it has; net by their weights.

    Raises:
        UsageError: an option that only works for single hits, and their live times.
    """
    why = f"{saved.name} contains pairs, but no single hits or live times"
    only_hits = {"--reject": "reject", "--slice": "slice_width", "--per-second": "per_second", "--axis": "axis"}
    refuse(options, only_hits, why)
    check_axis(options)
    in_kev = is_energy(options.unit, "spectra") and saved.is_calibrated
    saved.require_values()
    check_bins(options.bin_kev, calibrated=in_kev)
    if not in_kev and not saved.files.has_adc:
        raise UsageError(f"{saved.name}: its pairs have no adc values: leave --unit adc out")
    kind = _check_output(options.output, options.format, overwrite=options.overwrite)
    _check_kind(options.output, kind, sliced=False, per_second=False)
    detectors = saved.detectors
    bin_kev = (options.bin_kev or fitting_bin_kev(detectors)) if in_kev else None
    counts = PairedSpectra(bin_kev)
    tally = saved.count(counts.add_pairs)
    table = counts.table()
    keys = sorted(table.select("board", "channel").unique().rows())
    known = {key: detectors.at(*key) for key in keys}
    measurements = {
        key: Measurement(f"{one.name}, hits in pairs", one.name, energy=one.energy) for key, one in known.items()
    }
    summary = SavedPairsSpectrumSummary(
        **saved.summary(tally, [OF_PAIRED_HITS], energies=in_kev),
        bin_kev=bin_kev,
        spectra=[
            {
                **{"board": key[0], "channel": key[1], "name": one.name},
                **{"counts": table.filter(board=key[0], channel=key[1])["counts"].sum(), "calibrated": in_kev},
            }
            for key, one in known.items()
        ],
    )
    if kind in FIGURES:
        return _drawn(summary, named(table, detectors), options)
    written = save_spectrum(
        table,
        options.output,
        measurement=measurements,
        bin_kev=bin_kev,
        format=kind,
        overwrite=options.overwrite,
        metadata=saved.provenance(summary),
    )
    return summary.saved(*written)


def _drawn(summary: Written, table: pl.DataFrame, options: SpectrumOptions) -> Written:
    """Draw spectra with the names of their detectors."""
    from gammapolars.figures import spectrum as figure

    save_figure(figure(table), options.output, overwrite=options.overwrite)
    return summary.saved(options.output)


def whole(table: pl.DataFrame) -> pl.DataFrame:
    """Spectra with whole counts, no bin of which is more than one off; their sums are kept.

    The sum over all bins up to each one is rounded, so that counts lost by one bin go to its neighbour.

    Args:
        table: a table of spectra by board and channel.
    """
    place = pl.coalesce("adc", "energy_kev")
    summed = pl.col("counts").cum_sum().round().over("board", "channel", order_by=place)
    counts = summed - summed.shift(1, fill_value=0.0).over("board", "channel", order_by=place)
    return table.sort("board", "channel", place).with_columns(counts=counts).with_columns(variance=pl.col("counts"))


def _check_kind(output: Path, kind: str, *, sliced: bool, per_second: bool) -> None:
    """Raise where a format cannot hold the output wanted."""
    if sliced and kind not in ("parquet", "csv"):
        raise UsageError(
            f"{output}: this format stores one spectrum per detector and no slices: write .parquet or .csv"
        )
    if per_second and kind not in COLLECTIONS:
        raise UsageError(f"{output}: this format stores counts, not counts per second: write .parquet, .csv or .root")


def _check_output(output: Path, format: str | None, *, overwrite: bool) -> str:
    """The format that is meant; raises before any work is done, if it is none or its file cannot be written."""
    suffix = output.suffix.lower()
    if format is None:
        check_suffix(output, "spectra are", (*FORMATS, *FIGURES))
    kind = suffix if is_figure(output) and format is None else spectrum_format(output, format)
    # Which files there will be, if each detector has its own, is known when the detectors are.
    check_output(output, overwrite=overwrite or holds_one_spectrum(kind))
    return kind


def _described(
    table: pl.DataFrame, measurements: Mapping[Key, Measurement], detectors: Detectors
) -> list[dict[str, Any]]:
    """One row per spectrum, for the summary."""
    summed = table.group_by("board", "channel").agg(pl.col("counts").sum())
    sums = {(board, channel): counts for board, channel, counts in summed.iter_rows()}
    return [
        {
            "board": key[0],
            "channel": key[1],
            "name": detectors.at(*key).name,
            "counts": sums.get(key, 0.0),
            "real_time_s": measurement.real_time_s,
            "live_time_s": measurement.live_time_s,
            "calibrated": measurement.energy is not None,
        }
        for key, measurement in measurements.items()
    ]
