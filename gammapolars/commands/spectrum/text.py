"""The summary of `spectrum` for people."""

from gammapolars.commands.layout import table
from gammapolars.commands.spectrum.pulse_shapes import PulseShapeSummary
from gammapolars.commands.spectrum.run import SavedPairsSpectrumSummary, SpectrumSummary
from gammapolars.commands.summaries import head, saved_head, tail
from gammapolars.core.units import format_ps


def text(summary: SpectrumSummary | PulseShapeSummary | SavedPairsSpectrumSummary) -> list[str]:
    """The summary of `spectrum` for people."""
    if isinstance(summary, SavedPairsSpectrumSummary):
        rows = [[row["name"], f"{row['counts']:,.6g}"] for row in summary.spectra]
        return [*saved_head(summary), *table(["detector", "counts"], rows), *tail(summary)]

    if isinstance(summary, PulseShapeSummary):
        rows = [[row["name"], f"{row['counts']:,.0f}"] for row in summary.spectra]
        return [*head(summary), *table(["detector", "counts"], rows), *tail(summary)]

    def seconds(value: float | None) -> str:
        return "not known" if value is None else f"{value:,.6g} s"

    slices = []
    if summary.slices and summary.slice_ps:
        slices = [f"{summary.slices:,} slice{'s' if summary.slices > 1 else ''} of {format_ps(summary.slice_ps)}"]
    return [
        *head(summary),
        *table(
            ["detector", "counts", "real time", "live time"],
            [
                [row["name"], f"{row['counts']:,.0f}", seconds(row["real_time_s"]), seconds(row["live_time_s"])]
                for row in summary.spectra
            ],
        ),
        *slices,
        *tail(summary),
    ]
