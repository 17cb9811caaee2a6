"""Distributions of the pulse shape of each detector's hits, as `spectrum --axis psd` writes them."""

from dataclasses import dataclass

import polars as pl

from gammapolars.analysis.accumulators import HitTally, PulseShapes
from gammapolars.analysis.accumulators.axes import Axis
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.figure_files import FIGURES, is_figure, save_figure
from gammapolars.commands.spectrum.parse import SpectrumOptions
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import PSD
from gammapolars.core.records import Rows
from gammapolars.core.summaries import SharedSummary
from gammapolars.detectors import named
from gammapolars.io import save
from gammapolars.io.output import check_output, check_suffix
from gammapolars.spectra.bins import check_width

OF_ENERGIES = {
    "--bin-kev": "bin_kev",
    "--slice": "slice_width",
    "--unit": "unit",
    "--per-second": "per_second",
    "--format": "format",
}
"""Options that distributions of the pulse shape do not have."""

TABLES = (".parquet", ".arrow", ".csv")


@dataclass(frozen=True, kw_only=True)
class PulseShapeSummary(SharedSummary, RunSummary):
    """Distributions of the pulse shape that were counted.

    Attributes:
        bin_psd: width of the bins.
        spectra: of each detector `board`, `channel`, `name` and `counts`.
    """

    bin_psd: float
    spectra: Rows


def pulse_shapes(options: SpectrumOptions, recording: Recording) -> PulseShapeSummary:
    """Write the distribution of each detector's used hits over their pulse shape.

    Raises:
        TableError: the run has no charges of a short gate.
        UsageError: an option that only works for energies.
    """
    refuse(options, OF_ENERGIES, "--axis psd counts pulse shapes, not energies")
    recording = recording.along(PSD)
    width = PSD.bin if options.bin_psd is None else options.bin_psd
    check_width(width)
    check_suffix(options.output, "distributions of the pulse shape are", (*TABLES, *FIGURES))
    check_output(options.output, overwrite=options.overwrite)
    rule = PairRule(defaults.WINDOW, reject=recording.masks(options.reject))
    assert PSD.range
    tally, shapes = HitTally(), PulseShapes(Axis(PSD, width, *PSD.range), rule.mask)
    count_hits(recording, [tally, shapes])
    detectors, table = recording.detectors, shapes.table()
    sums = table.group_by("board", "channel", maintain_order=True).agg(pl.col("counts").sum())
    summary = PulseShapeSummary(
        **of_hits(recording, tally, rule.reject, shapes.warnings(detectors)),
        bin_psd=width,
        spectra=[
            {"board": board, "channel": channel, "name": detectors.at(board, channel).name, "counts": counts}
            for board, channel, counts in sums.iter_rows()
        ],
    )
    if is_figure(options.output):
        from gammapolars.figures.pulse_shapes import pulse_shapes as figure

        save_figure(figure(named(table, detectors)), options.output, overwrite=options.overwrite)
    else:
        metadata = summary.provenance(recording)
        save(named(table, detectors).lazy(), options.output, overwrite=options.overwrite, metadata=metadata)
    return summary.saved(options.output)


def check_axis(options: SpectrumOptions) -> None:
    """Raise for options of the pulse shape without its axis, or an unknown axis."""
    if options.axis not in ("energy", "psd"):
        raise UsageError(f"unknown axis '{options.axis}': spectra are counted over energy or psd")
    if options.axis != "psd" and options.bin_psd is not None:
        raise UsageError("--bin-psd is the bin width of pulse shapes: add --axis psd, or leave it out")
