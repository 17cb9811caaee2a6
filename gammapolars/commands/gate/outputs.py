"""Outputs of the command `gate`: a net spectrum, its fitted peaks and a figure."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.commands.checks import is_energy
from gammapolars.commands.figure_files import FIGURES, check_figure, is_figure, save_figure
from gammapolars.commands.gate.cascades import cascades_of
from gammapolars.commands.gate.counts import GateSummary, NetCounts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.commands.gated_peaks import gated_peaks
from gammapolars.core.errors import UsageError
from gammapolars.gamma_lines.coincident_lines import nuclides_named
from gammapolars.io import WRITERS, check_writable, save
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import FORMATS, save_spectrum


def check(options: GateOptions) -> None:
    """Raise before any work if one of the files could not be written.

    Raises:
        InputError: cascades are asked for, and paceENSDF is not installed.
        UsageError: an unknown suffix, or a nuclide that ENSDF does not have.
        OutputError: one exists already.
    """
    if options.cascade:
        if not is_energy(options.unit, "gates"):
            raise UsageError("cascades need energies: leave --cascade or --unit adc out")
        nuclides_named(options.cascade)
    check_suffix(options.output, "gated spectra are", dict.fromkeys((*WRITERS, *FORMATS, *FIGURES)))
    check_output(options.output, overwrite=options.overwrite)
    if options.peaks is not None:
        check_writable(options.peaks, overwrite=options.overwrite, text=True)
    check_figure(options.figure, overwrite=options.overwrite)


def write(counts: NetCounts, options: GateOptions) -> GateSummary:
    """Fit the peaks of a net spectrum, and write all files.

    Returns:
        The summary, with the peaks and the names of outputs.
    """
    net, total, summary, texts = counts
    if net.is_empty():
        empty = f"{summary.gate.low:g} to {summary.gate.high:g} {summary.unit}"
        summary = replace(summary, warnings=(*summary.warnings, f"no pair has a hit in the gate {empty}"))
    peaks = gated_peaks(net, total)
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
