"""What the command `gate` writes: a net spectrum, its fitted peaks and a figure."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars.commands.checks import is_energy
from gammapolars.commands.figure_files import FIGURES, check_figure, is_figure, save_figure
from gammapolars.commands.gate.cascades import cascades_of
from gammapolars.commands.gate.counts import GateSummary, NetCounts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import UsageError
from gammapolars.gamma_lines.coincident_lines import nuclides_named
from gammapolars.identification import gated_kinds
from gammapolars.io import WRITERS, check_writable, save
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import FORMATS, save_spectrum
from gammapolars.peaks import fit_peaks, width_doubts

EVIDENT = 4.0
"""Peaks whose area is less than as many standard deviations are left out: net counts of nothing fluctuate as well, and
at a thousand places in a spectrum they do so by three."""

SURE = 8.0
"""So many standard deviations have the peaks that tell how wide peaks are."""

MIN_BINS = 16
"""A spectrum with fewer filled bins has no peaks to fit."""


def check(options: GateOptions) -> None:
    """Raise before any work if one of the files could not be written.

    Raises:
        InputError: cascades are asked for, and paceENSDF is not installed.
        UsageError: an unknown suffix, or a nuclide that ENSDF does not have.
        OutputError: one exists already.
    """
    if options.cascade:
        if not is_energy(options.unit, "gates"):
            raise UsageError("cascades are those of energies: leave --cascade or --unit adc out")
        nuclides_named(options.cascade)
    check_suffix(options.output, "gated spectra are", dict.fromkeys((*WRITERS, *FORMATS, *FIGURES)))
    check_output(options.output, overwrite=options.overwrite)
    if options.peaks is not None:
        check_writable(options.peaks, overwrite=options.overwrite, text=True)
    check_figure(options.figure, overwrite=options.overwrite)


def write(counts: NetCounts, options: GateOptions) -> GateSummary:
    """Fit the peaks of a net spectrum, and write all files.

    Returns:
        The summary, with the peaks and what was written.
    """
    net, total, summary, texts = counts
    if net.is_empty():
        empty = f"{summary.gate.low:g} to {summary.gate.high:g} {summary.unit}"
        summary = replace(summary, warnings=(*summary.warnings, f"no pair has a hit in the gate {empty}"))
    with width_doubts():  # of detectors that differ, peaks of all together have no one width
        of_all = fit_peaks(total if total.height > MIN_BINS else total.head(0))
    peaks = gated_kinds(_peaks(net, total, of_all), of_all)
    if "name" in net.columns:
        names = net.select("board", "channel", "name").unique()
        peaks = peaks.join(names, on=["board", "channel"], how="left", maintain_order="left")
    summary = replace(summary, peaks=peaks)
    if options.cascade:
        gates = [gate for gate in (summary.gate, summary.and_gate) if gate]
        summary = replace(summary, cascades=cascades_of(peaks, gates, options.cascade))
    written = _save(net, summary, texts, options)
    if options.peaks is not None:
        save(peaks.lazy(), options.peaks, overwrite=options.overwrite, metadata=texts)
    if options.figure is not None:
        _draw(net, summary, options.figure, overwrite=options.overwrite)
    return summary.saved(*written, options.peaks, options.figure)


def _save(net: pl.DataFrame, summary: GateSummary, texts: dict[str, str], options: GateOptions) -> Sequence[Path]:
    """Write a net spectrum in the format of its suffix; in some, a file for each detector."""
    output, overwrite = options.output, options.overwrite
    suffix = output.suffix.lower()
    if is_figure(output):
        _draw(net, summary, output, overwrite=overwrite)
    elif suffix in WRITERS and suffix != ".root":
        save(net.lazy(), output, overwrite=overwrite, metadata=texts)
    else:
        width: dict[str, Any] = {"bin_kev" if summary.unit == "keV" else "bin_adc": summary.bin_width}
        measurement = Measurement(title=_title(summary))
        return save_spectrum(net, output, measurement=measurement, overwrite=overwrite, metadata=texts, **width)
    return [output]


def _draw(net: pl.DataFrame, summary: GateSummary, path: Path, *, overwrite: bool) -> None:
    from gammapolars import figures

    assert summary.peaks is not None
    save_figure(figures.gated(net, title=_title(summary), peaks=summary.peaks), path, overwrite=overwrite)


def _title(summary: GateSummary) -> str:
    gates = [gate for gate in (summary.gate, summary.and_gate) if gate]
    ranges = " and ".join(f"{gate.low:g} to {gate.high:g}" for gate in gates)
    return f"In coincidence with {ranges} {summary.unit}"


def _peaks(net: pl.DataFrame, total: pl.DataFrame, of_all: pl.DataFrame) -> pl.DataFrame:
    """The evident peaks of a net spectrum."""
    spectrum = _filled(net, total) if net.height > MIN_BINS else net.head(0)
    return fit_peaks(spectrum, fwhm=_resolution(of_all)).filter(pl.col("area") > EVIDENT * pl.col("area_unc"))


def _filled(spectrum: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """A net spectrum with the empty bins that pairs without the gate fill: beyond its last peak, too, is background."""
    axis = total.columns[0]
    keys = [name for name in ("board", "channel") if name in spectrum.columns]
    grid = spectrum.select(keys).unique().join(total.select(axis), how="cross") if keys else total.select(axis)
    empty = grid.join(spectrum, on=[*keys, axis], how="anti").with_columns(counts=pl.lit(0.0), variance=pl.lit(0.0))
    return pl.concat([spectrum.select(empty.columns), empty]).sort(*keys, axis)


def _resolution(of_all: pl.DataFrame) -> tuple[float, float] | None:
    """FWHM² = a + b E of the peaks of all pairs together: a gated spectrum has too few counts to tell it by itself."""
    if "centroid_kev" not in of_all.columns:
        return None
    peaks = of_all.filter((pl.col("status") == "ok") & (pl.col("area") > SURE * pl.col("area_unc")))
    if peaks.is_empty():
        return None
    energy, square = peaks["centroid_kev"].to_numpy(), peaks["fwhm_kev"].to_numpy() ** 2
    if peaks.height == 1:
        return 0.0, float(square[0] / energy[0])
    weight = 1 / (2 * peaks["fwhm_kev"] * peaks["fwhm_kev_unc"]).to_numpy()
    slope, offset = np.polyfit(energy, square, 1, w=weight)
    if slope <= 0 or offset + slope * energy.min() / 4 <= 0:
        return 0.0, float(np.average(square / energy, weights=weight))
    return float(offset), float(slope)
