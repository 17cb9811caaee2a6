"""A user's query over a run, its result streamed to a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import typer

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import ENDS, SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import Summary, of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.given import is_given
from gammapolars.commands.query import queries
from gammapolars.commands.query.parse import QueryOptions
from gammapolars.commands.summaries import warnings
from gammapolars.core.errors import GammapolarsError, InputError, QueryError, UsageError
from gammapolars.core.records import Part, Rows, entries, optional
from gammapolars.core.schema import HITS
from gammapolars.core.units import Window
from gammapolars.corrections import calibrate
from gammapolars.io import save
from gammapolars.io.pairs import ADVICE
from gammapolars.streaming.slices import lazy_frame


@dataclass(frozen=True, kw_only=True)
class QueryAccount(Part):
    """The account of hits and their times; null where a query chose by itself which hits to read, and how often.

    Attributes:
        hits_read: hits in the files.
        hits_used: hits that no flag rejected.
        hits_rejected: hits that some flag rejected.
        rejected: hits by flag name.
        hits_damaged: hits left out because the file is damaged there.
        hits_out_of_range: hits left out because no hit can have their values.
        hits_repeated: hits left out because they repeat another one, where those are to be dropped.
        left_out: where hits were left out: `file`, `what` is wrong there, `hits`, and the `kind`.
        real_time_s: from the first hit to the last (s).
        first_timestamp_ps: of the first hit (ps).
        last_timestamp_ps: of the last hit (ps).
        runs: where there are several, each one's number, name, hits and times.
    """

    hits_read: int | None = None
    hits_used: int | None = None
    hits_rejected: int | None = None
    rejected: dict[str, int] | None = None
    hits_damaged: int
    hits_out_of_range: int
    hits_repeated: int
    left_out: Rows
    real_time_s: float | None = None
    first_timestamp_ps: int | None = None
    last_timestamp_ps: int | None = None
    runs: Rows | None = optional()


@dataclass(frozen=True, kw_only=True)
class QuerySummary(Summary):
    """The results of a query.

    Attributes:
        query: its name.
        arguments: of the query, by name.
        window_ps: of the pairs, [low, high], if it takes any (ps).
        account: what was read.
    """

    query: str
    arguments: dict[str, Any]
    window_ps: Window
    account: QueryAccount


@dataclass(frozen=True, kw_only=True)
class SavedPairsQuerySummary(SavedPairsSummary):
    """The results of a query of saved pairs.

    Attributes:
        query: its name.
        arguments: of the query, by name.
    """

    query: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class QueryHelp(Summary):
    """The description of a query.

    Attributes:
        query: its name.
        path: of its file.
        description: its first words.
        parameters: `name`, `type`, whether it is `required`, and its `default`.
        takes_pairs: whether it takes the run's pairs.
    """

    query: str
    path: str
    description: str
    parameters: Rows
    takes_pairs: bool


def query(options: QueryOptions) -> QuerySummary | SavedPairsQuerySummary | QueryHelp:
    """Run a user's query over a run's hits, or say what it does where no run is named."""
    own = queries.load(queries.find(options.name))
    files, further_words = queries.split_arguments(options.runs or [], options.words)
    if not files:
        rows = [
            {
                "name": one.name,
                "type": one.type.__name__,
                "required": one.required,
                "default": None if one.required else one.default,
            }
            for one in own.parameters
        ]
        return QueryHelp(
            query=own.name,
            path=str(own.path),
            description=own.description,
            parameters=rows,
            takes_pairs=own.takes_pairs,
        )
    arguments = queries.parse_arguments(own, further_words)
    if options.output is None:
        raise typer.BadParameter("a query needs an output file: add -o result.parquet")
    with options.saved_pairs(files) as saved:
        if saved:
            return _of_pairs(own, arguments, saved, options)
    rule = PairRule(options.window, reject=options.reject)
    recording = Recording(options.open(files), options.known, all_columns=True, many_pairs=options.many_pairs)
    return _run(own, arguments, recording, rule, options.output, overwrite=options.overwrite)


def _of_pairs(
    query: queries.Query, arguments: dict[str, Any], saved: SavedPairs, options: QueryOptions
) -> SavedPairsQuerySummary:
    """Run a query over saved pairs, with energies where these or the detectors have them."""
    assert options.output is not None
    refuse(options, {"--reject": "reject"}, f"{saved.name} contains saved pairs, not single hits")
    if not query.takes_pairs:
        raise UsageError(f"{saved.name} contains pairs, but query '{query.name}' takes single hits: {ADVICE}")
    window = options.window if is_given(options, "window") else None
    pairs = saved.within(window, saved.files.pairs) if window else saved.files.pairs
    if not saved.files.has_energies:
        pairs = calibrate(pairs, saved.detectors)
    tally = saved.count(pairs=pairs.select(*ENDS, *(["region"] if "region" in pairs.collect_schema() else [])))
    summary = SavedPairsQuerySummary(**saved.summary(tally, window=window), query=query.name, arguments=arguments)
    result = query.run(_no_hits(saved), pairs, arguments)
    _save(query, result, options.output, lambda: saved.provenance(summary), overwrite=options.overwrite)
    return summary.saved(options.output)


def _no_hits(saved: SavedPairs) -> pl.LazyFrame:
    """Hits that a query of saved pairs must not ask for."""

    def batches(_: list[str]) -> Iterator[pl.DataFrame]:
        raise InputError(f"{saved.name} contains pairs, but the query also reads single hits: {ADVICE}")

    return lazy_frame(pl.Schema(HITS.columns | {"energy_kev": pl.Float64}), batches)


def _run(
    query: queries.Query,
    arguments: dict[str, Any],
    recording: Recording,
    rule: PairRule,
    output: Path,
    *,
    overwrite: bool,
) -> QuerySummary:
    """Run a query over hits, calibrated where detectors are, and stream its result to a file."""
    detectors, tally = recording.detectors, HitTally()
    one_pass = passes.PairPass(recording, rule, [tally])
    pairs = one_pass.pairs() if query.takes_pairs else None
    if pairs is not None and not len(detectors):
        pairs = calibrate(pairs, detectors)  # energies that are null, rather than a column that is missing
    result = query.run(calibrate(recording.hits, detectors), pairs, arguments)

    def summary() -> QuerySummary:
        shared = of_hits(recording, tally, rule.reject, complete=query.takes_pairs)
        read = entries(shared.pop("account")) | entries(shared.pop("times"))
        # A query may read only some hits, or read them twice: each is counted once only where it takes pairs.
        values = read if query.takes_pairs else {name: read[name] for name in LOST}
        return QuerySummary(
            **shared, query=query.name, arguments=arguments, window_ps=rule.window, account=QueryAccount(**values)
        )

    _save(query, result, output, lambda: summary().provenance(recording), overwrite=overwrite)
    return summary().saved(output)


def _save(
    query: queries.Query, result: pl.LazyFrame, output: Path, origin: Callable[[], dict[str, str]], *, overwrite: bool
) -> None:
    """Stream the result of a query to a file.

    Raises:
        QueryError: it cannot be computed.
    """
    try:
        save(result, output, overwrite=overwrite, metadata=origin)
    except GammapolarsError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise QueryError(f"{query.path}: the query cannot be computed: {reason}") from error


LOST = ("hits_damaged", "hits_out_of_range", "hits_repeated", "left_out")


def text(summary: QuerySummary | SavedPairsQuerySummary | QueryHelp) -> list[str]:
    """The output of a query, or its description and parameters."""
    if not isinstance(summary, QueryHelp):
        return [f"query '{summary.query}' written to {summary.outputs[0]}", *warnings(summary)]
    lines = [f"{summary.query} ({summary.path})", "", summary.description, ""]
    for row in summary.parameters:
        default = "needed" if row["required"] else f"default {row['default']!r}"
        lines.append(f"  --{row['name'].replace('_', '-')} {row['type'].upper()}  ({default})")
    if summary.takes_pairs:
        lines.append("  reads the pairs of the run: --window, --reject and --detectors apply")
    return "\n".join(lines).rstrip().split("\n")
