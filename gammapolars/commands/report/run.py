"""What the command `report` does: a run in, a folder with its page out."""

from typing import Any

from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import PairSummary
from gammapolars.coincidences import PairRule
from gammapolars.commands.progress import Progress
from gammapolars.commands.report.parse import ReportOptions
from gammapolars.commands.summaries import warnings
from gammapolars.report import make_report


def report(options: ReportOptions, recording: Recording) -> PairSummary:
    """Analyse a run in one pass, and write its report."""
    rule = PairRule(options.window, reject=options.reject)
    tell = recording.progress.tell if isinstance(recording.progress, Progress) else lambda _: None
    how: dict[str, Any] = {"random": options.random or (), "overwrite": options.overwrite, "is_live": options.live}
    return make_report(recording, rule, options.output, **how, tell=tell)


def text(summary: PairSummary) -> list[str]:
    """The summary for people."""
    return [*warnings(summary), f"{summary.of_pairs.pairs:,} pairs; open {summary.outputs[0]}"]
