"""The steps of an experiment, in words."""

from collections.abc import Iterator
from typing import Any

from gammapolars.commands.run.run import ExperimentSummary

WARNING = "Warning: "


def text(summary: ExperimentSummary) -> list[str]:
    """The summary for people."""
    lines = [line for row in summary.steps for line in _of_step(row, summary.texts.get(row["name"], []))]
    if all(row["status"] in ("up_to_date", "kept") for row in summary.steps):
        lines.append("nothing to do: every step is up to date")
    return [*lines, *(f"{WARNING}{warning}" for warning in summary.warnings)]


def _of_step(row: dict[str, Any], lines: list[str]) -> Iterator[str]:
    """One step, with what its command has to say; warnings come last, each once."""
    match row["status"]:
        case "done":
            yield f"{row['name']}: done ({row['reason']})"
        case "would_run":
            yield f"{row['name']}: would be done ({row['reason']})"
        case "kept":
            yield f"{row['name']}: kept ({row['reason']})"
        case _:
            yield f"{row['name']}: up to date"
    yield from (f"  {line}" for line in lines if not line.startswith(WARNING))
