"""The text of `gammapolars query`."""

from gammapolars.commands.query.records import QueryHelp, QueryList, QuerySummary, SavedPairsQuerySummary
from gammapolars.commands.query_files import QUERIES
from gammapolars.commands.summaries import warnings
from gammapolars.core.records import Rows


def text(summary: QuerySummary | SavedPairsQuerySummary | QueryHelp | QueryList) -> list[str]:
    """The output of a query, its description and parameters, or the list of all queries."""
    if isinstance(summary, QueryList):
        return _listed(summary)
    if isinstance(summary, QueryHelp):
        return [*_explained(summary), *warnings(summary)]
    return [f"query '{summary.query}' written to {' and '.join(summary.outputs)}", *warnings(summary)]


def _explained(summary: QueryHelp) -> list[str]:
    lines = [f"{summary.query} ({summary.path})", "", *summary.description.split("\n"), ""]
    for row in summary.parameters:
        default = "needed" if row["required"] else f"default {row['default']!r}"
        meaning = f"  {row['description']}" if row["description"] else ""
        lines.append(f"  --{row['name'].replace('_', '-')} {row['type'].upper()}  ({default}){meaning}")
    if summary.takes_pairs:
        lines.append("  reads the pairs of the run: --window, --random, --reject and --detectors apply")
    return "\n".join(lines).rstrip().split("\n")


def _listed(summary: QueryList) -> list[str]:
    """Names and first lines, in two parts."""
    width = max((len(row["name"]) for row in summary.queries), default=0)
    own = [row for row in summary.queries if not row["is_shipped"]]
    shipped = [row for row in summary.queries if row["is_shipped"]]
    lines = [*_part(f"In the folder {QUERIES}/:", own, width), *_part("With gammapolars:", shipped, width)]
    return [*lines, *warnings(summary), "gammapolars query NAME --help describes a query and its options."]


def _part(title: str, rows: Rows, width: int) -> list[str]:
    each = (f"  {row['name'].ljust(width)}  {row['description']}".rstrip() for row in rows)
    return [title, *each, ""] if rows else []
