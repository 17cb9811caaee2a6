"""A query over a run or saved pairs, its result streamed to a file."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import typer

from gammapolars.analysis.passes import with_random
from gammapolars.analysis.preselection import preselection_of
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import ENDS, SavedPairs
from gammapolars.analysis.summaries import of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.given import is_given
from gammapolars.commands.options import OF_COINCIDENCES
from gammapolars.commands.query import outputs, queries
from gammapolars.commands.query.columns import MissingColumns, missing_columns
from gammapolars.commands.query.inputs import RunTables, SavedTables
from gammapolars.commands.query.own_options import Asked
from gammapolars.commands.query.parse import QueryOptions
from gammapolars.commands.query.records import (
    QueryAccount,
    QueryHelp,
    QueryList,
    QuerySummary,
    SavedPairsQuerySummary,
)
from gammapolars.commands.query_files import query_files, replaces_shipped
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.records import Rows, entries
from gammapolars.detectors import Detectors
from gammapolars.io.pairs import ADVICE

LOST = ("hits_damaged", "hits_out_of_range", "hits_repeated", "left_out")

PAIRING = {"--random": "random", "--many-pairs": "many_pairs"}
SELECTIONS = {"--add-back": "add_back", "--veto": "veto"}


def query(options: QueryOptions) -> QuerySummary | SavedPairsQuerySummary | QueryHelp | QueryList:
    """Run a query, or say what it does where no run is named, or list all where no query is."""
    if options.name is None:
        return _list()
    asked = options.asked or Asked.of(queries.load(queries.find(options.name)), {})  # where parsing could not load it
    if not options.runs:
        return _help(asked.query)
    if not options.output:
        raise typer.BadParameter("a query needs an output file: add -o result.parquet")
    if missing := [one.flag for one in asked.query.parameters if one.name not in asked.values]:
        raise UsageError(f"query '{asked.query.name}' needs {missing[0]}")
    outputs.check(options.output, overwrite=options.overwrite)
    with options.saved_pairs(options.runs) as saved:
        if saved:
            return _of_pairs(asked, saved, options)
    with options.recording(options.runs) as recording:
        return _of_run(asked, recording, options)


def _list() -> QueryList:
    files = list(query_files())
    rows: Rows = [
        {"name": one.name, "description": one.summary, "path": str(one.path), "is_shipped": one.is_shipped}
        for one in files
    ]
    notes = [note for one in files for note in _replaced(one.path)]
    return QueryList(queries=rows, warnings=tuple(notes))


def _help(own: queries.Query) -> QueryHelp:
    rows = [
        {
            "name": one.name,
            "type": one.type_name,
            "required": one.required,
            "default": None if one.required else str(one.default) if isinstance(one.default, Path) else one.default,
            "description": one.meaning,
        }
        for one in own.parameters
    ]
    return QueryHelp(
        query=own.name,
        path=str(own.path),
        description=own.description,
        parameters=rows,
        takes_pairs=own.takes_pairs,
        warnings=tuple(_replaced(own.path)),
    )


def _replaced(path: Path) -> list[str]:
    """Where a user's query is used in place of one that comes with the package."""
    return [f"{path} is used in place of the query of gammapolars with this name"] if replaces_shipped(path) else []


def _settings(own: queries.Query, detectors: Detectors, options: QueryOptions) -> dict[str, Any]:
    """What the query asks to know of the command's options; others must not be given in vain.

    Raises:
        UsageError: some are.
    """
    if not own.takes_pairs:
        refuse(options, PAIRING, f"query '{own.name}' takes no pairs")
        for name in ("window", "reject"):
            if name not in own.signature.settings:
                refuse(options, {f"--{name}": name}, f"query '{own.name}' takes all hits, and no pairs")
    rule = PairRule(options.window, reject=options.reject)
    known = {"detectors": detectors, "window": options.window, "reject": union(rule.reject)}
    return {name: known[name] for name in own.signature.settings}


def _plan(asked: Asked, tables: RunTables | SavedTables, settings: dict[str, Any]) -> pl.LazyFrame:
    """The result of a query, whose columns are all there."""
    own = asked.query
    taken = {name: getattr(tables, name)() for name in (own.signature.first, *own.signature.tables)}
    result = own.run(taken.get("hits"), taken.get("pairs"), asked.values | settings)
    try:
        result.collect_schema()
    except Exception as error:
        raise own.failed("the query cannot be computed", error, named=False) from error
    return result


def _arguments(asked: Asked) -> dict[str, Any]:
    """The values of options for JSON."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in asked.values.items()}


def _of_pairs(asked: Asked, saved: SavedPairs, options: QueryOptions) -> SavedPairsQuerySummary:
    """Run a query over saved pairs, with energies where these or the detectors have them."""
    own = asked.query
    assert options.output
    refuse(options, OF_COINCIDENCES | SELECTIONS, f"{saved.name} contains saved pairs, not single hits")
    if not own.takes_pairs:
        raise UsageError(f"{saved.name} contains pairs, but query '{own.name}' takes single hits: {ADVICE}")
    window = options.window if is_given(options, "window") else None
    tables = SavedTables(saved, window)
    missing = missing_columns(saved.name, saved.files.columns, options.detectors, calibrated=saved.is_calibrated)
    with missing.explained(own):
        result = _plan(asked, tables, _settings(own, saved.detectors, options))
    columns = [name for name in tables.all.collect_schema() if name in (*ENDS, "region")]
    tally = saved.count(pairs=tables.all.select(columns))

    def summary() -> SavedPairsQuerySummary:
        shared = saved.summary(tally, (*_replaced(own.path), *tables.warnings), window=window)
        return SavedPairsQuerySummary(**shared, query=own.name, arguments=_arguments(asked))

    def origin() -> dict[str, str]:
        return saved.provenance(summary())

    with missing.explained(own):
        outputs.write(own, result, options.output, origin, saved.detectors, overwrite=options.overwrite)
    return summary().saved(*options.output)


def _of_run(asked: Asked, recording: Recording, options: QueryOptions) -> QuerySummary:
    """Run a query over a run, and stream its result to a file."""
    own, output = asked.query, options.output
    assert output
    settings = _settings(own, recording.detectors, options)
    recording.all_columns = True
    rule = PairRule(options.window, reject=recording.masks(options.reject))
    rule = with_random(recording, rule, options.random or ())
    preselection = partial(preselection_of, recording.detectors, options.add_back, options.veto)
    tables = RunTables(recording, rule, preselection)
    missing = _missing(tables, options)
    with missing.explained(own):
        result = _plan(asked, tables, settings)

        def origin() -> dict[str, str]:
            return _summary(asked, tables).provenance(recording)

        outputs.write(own, result, output, origin, recording.detectors, overwrite=options.overwrite)
    return _summary(asked, tables).saved(*output)


def _missing(tables: RunTables, options: QueryOptions) -> MissingColumns:
    recording = tables.recording
    return missing_columns(tables.name, recording.schema, options.detectors, calibrated=recording.is_calibrated)


def _removed(own: queries.Query, tables: RunTables) -> list[str]:
    """A sentence where thresholds or polygons keep hits from a query that gets hits."""
    if tables.recording.selection is None or "hits" not in (own.signature.first, *own.signature.tables):
        return []
    return [
        "hits below thresholds, above ranges or outside polygons are not among the hits of the query, although "
        "detectors are dead after them, too"
    ]


def _summary(asked: Asked, tables: RunTables) -> QuerySummary:
    """What was read, when it has been read: of hits that a query chose by itself, how many is not known."""
    rule, preselection = tables.rule, tables.counted
    seen = preselection.read if preselection else None
    further = (*_replaced(asked.query.path), *_removed(asked.query, tables), *tables.warnings)
    shared = of_hits(tables.recording, tables.tally, rule.reject, further, seen=seen, complete=tables.is_read)
    account, selection = shared.pop("account"), tables.recording.selection
    read = entries(replace(account, selection=None)) | entries(shared.pop("times"))
    values = read if tables.is_read else {name: read[name] for name in LOST}
    if tables.is_read:
        values |= {"selection": account.selection}
    elif selection:
        values |= {"min_energy_kev": selection.min_energy_kev, "keep": selection.keep}
    return QuerySummary(
        **shared,
        query=asked.query.name,
        arguments=_arguments(asked),
        window_ps=rule.window,
        random_ps=tuple(rule.regions.random) if rule.regions else None,
        account=QueryAccount(**values),
        preselection=preselection.account() if preselection else None,
    )
