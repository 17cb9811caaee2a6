"""The command `detectors import`: calibrations of other programs in, a detectors.toml out."""

from dataclasses import dataclass

from gammapolars.analysis.summaries import Summary
from gammapolars.commands.detectors.parse import ImportOptions
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.detectors import import_calp


@dataclass(frozen=True, kw_only=True)
class ImportSummary(Summary):
    """The imported calibrations.

    Attributes:
        detectors: each one's `board`, `channel`, `name` and `energy` polynomial (keV).
    """

    detectors: list[dict[str, object]]


def detectors(options: ImportOptions) -> ImportSummary:
    """Make detectors.toml from PeakEasy calibrations."""
    imported = import_calp(options.assignments)
    save_detectors(imported, options.output, overwrite=options.overwrite)
    rows: list[dict[str, object]] = [
        {"board": one.board, "channel": one.channel, "name": one.name, "energy": one.energy} for one in imported
    ]
    return ImportSummary(inputs=tuple(text.partition("=")[2] for text in options.assignments), detectors=rows).saved(
        options.output
    )


def text(summary: ImportSummary) -> list[str]:
    """The summary for people."""
    return [f"{len(summary.detectors)} detectors written to {summary.outputs[0]}"]
