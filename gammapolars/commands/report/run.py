"""The command `report`: a run in, a folder with its page out."""

from typing import Any

from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import PairSummary
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.options import OF_COINCIDENCES
from gammapolars.commands.progress import Progress
from gammapolars.commands.report.parse import ReportOptions
from gammapolars.commands.summaries import removed, saved_head, tasks, warnings
from gammapolars.report import make_report, make_report_of_pairs


def report(options: ReportOptions, recording: Recording) -> PairSummary:
    """Analyse a run in one pass, and write its report."""
    rule = PairRule(options.window, reject=recording.masks(options.reject))
    tell = recording.progress.tell if isinstance(recording.progress, Progress) else lambda _: None
    how: dict[str, Any] = {"random": options.random or (), "overwrite": options.overwrite, "is_live": options.live}
    return make_report(recording, rule, options.output, **how, tell=tell)


def of_pairs(options: ReportOptions, saved: SavedPairs) -> SavedPairsSummary:
    """The report of saved pairs: only results that follow from pairs."""
    names = OF_COINCIDENCES | {"--window": "window"}
    refuse(options, names, f"{saved.name} contains pairs from another command, but no single hits")
    return make_report_of_pairs(saved, options.output, overwrite=options.overwrite, is_live=options.live)


def text(summary: PairSummary | SavedPairsSummary) -> list[str]:
    """The summary for people."""
    if isinstance(summary, SavedPairsSummary):
        return [*saved_head(summary), *warnings(summary), f"open {summary.outputs[0]}"]
    return [
        *warnings(summary),
        *removed(summary.account),
        *tasks(summary),
        f"{summary.of_pairs.pairs:,} pairs; open {summary.outputs[0]}",
    ]
