"""All pairs of hits that are in memory already, beside SQL windows and a join on the nearest time."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import duckdb
import pandas as pd
import polars as pl

import gammapolars as gp
from tests.benchmarks.agreement import DisagreementError, agree
from tests.benchmarks.files import WINDOW_PS, Plan
from tests.benchmarks.measure import Outcome, faster, in_turn
from tests.benchmarks.opponent import REJECT

TARGET = 10.0
THREADS = 2

COLUMNS = ["board", "channel", "timestamp_ps", "adc"]

BY_TIME = "ORDER BY timestamp_ps"
AS_STORED = ""
"""Not defined by SQL, but DuckDB then keeps the table's order and need not sort."""


def in_memory(plan: Plan) -> list[Outcome]:
    """Our pairs beside one detector pair by pandas, and beside DuckDB's.

    One against one, DuckDB last: what comes after it finds the machine's memory in disorder and is slowed down by it.
    """
    hits = gp.scan(plan.run()).collect()
    return [*beside_pandas(plan, hits), *beside_duckdb(plan, hits)]


def beside_pandas(plan: Plan, hits: pl.DataFrame) -> list[Outcome]:
    frame = hits.to_pandas()
    channels = hits["channel"].unique().sort().to_list()
    both = list(combinations(channels, 2))
    for start, stop in both:
        check_nearest(hits, frame, start, stop)
    return [
        _beside(plan, hits, "pandas.merge_asof, one detector pair", lambda: nearest(frame, *both[0]), TARGET),
        _beside(
            plan,
            hits,
            f"pandas.merge_asof, all {len(both)} detector pairs",
            lambda: [nearest(frame, start, stop) for start, stop in both],
            None,
        ),
    ]


def beside_duckdb(plan: Plan, hits: pl.DataFrame) -> list[Outcome]:
    arrow = hits.to_arrow()
    outcomes = []
    for order, label, least in (
        (BY_TIME, "DuckDB, lead() OVER (ORDER BY time)", TARGET),
        (AS_STORED, "DuckDB, lead() OVER (), unsorted", None),
    ):
        with duckdb.connect(config={"threads": THREADS}) as database:
            database.register("hits", arrow)
            search = partial(sql_pairs, database, order)
            agree(our_pairs(hits), search(), "DuckDB")
            outcomes.append(_beside(plan, hits, label, search, least))
    return outcomes


def _beside(
    plan: Plan, hits: pl.DataFrame, label: str, contestant: Callable[[], object], least: float | None
) -> Outcome:
    contestants = {"all pairs of hits in memory": lambda: our_pairs(hits), label: contestant}
    ours, theirs = in_turn(plan.repeat, contestants)
    return faster(f"{plan.hits / 1e6:g}M hits", ours, theirs, least)


def our_pairs(hits: pl.DataFrame) -> pl.DataFrame:
    return hits.lazy().pipe(gp.pairs, WINDOW_PS).collect()


def sql_pairs(database: duckdb.DuckDBPyConnection, order: str) -> pl.DataFrame:
    """All pairs by windows: one pass for several leads at once, then the pairs of each; more leads if those had some.

    Of the forms tried this is the fastest: a query for each lead sorts the hits again each time.
    """
    leads = 4
    while True:
        columns = ", ".join(
            f"lead(board, {k}) OVER w AS board_{k}, lead(channel, {k}) OVER w AS channel_{k}, "
            f"lead(adc, {k}) OVER w AS adc_{k}, lead(timestamp_ps, {k}) OVER w - timestamp_ps AS dt_{k}"
            for k in range(1, leads + 1)
        )
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE near AS SELECT * FROM (SELECT board, channel, adc, timestamp_ps, {columns} "
            f"FROM hits WHERE flags & {REJECT} = 0 WINDOW w AS ({order})) WHERE dt_1 <= {WINDOW_PS}"
        )
        more = database.execute(f"SELECT count(*) FROM near WHERE dt_{leads} <= {WINDOW_PS}").fetchall()
        if more == [(0,)]:
            break
        leads *= 2
    union = " UNION ALL ".join(
        f"SELECT board AS board_a, channel AS channel_a, adc AS adc_a, board_{k} AS board_b, channel_{k} AS channel_b, "
        f"adc_{k} AS adc_b, timestamp_ps, dt_{k} AS dt_ps FROM near "
        f"WHERE dt_{k} <= {WINDOW_PS} AND (board_{k} <> board OR channel_{k} <> channel)"
        for k in range(1, leads + 1)
    )
    found: pl.DataFrame = database.sql(union).pl()
    return found


def nearest(hits: Any, start: int, stop: int) -> Any:
    """For each hit of one channel the nearest of another, by pandas."""
    good = hits["flags"] & REJECT == 0
    left, right = (hits.loc[good & (hits["channel"] == channel), COLUMNS] for channel in (start, stop))
    right = right.assign(time_b=right["timestamp_ps"])
    found = pd.merge_asof(
        left, right, on="timestamp_ps", tolerance=WINDOW_PS, direction="nearest", suffixes=("_a", "_b")
    )
    return found.dropna(subset="time_b")


def check_nearest(hits: pl.DataFrame, frame: Any, start: int, stop: int) -> None:
    """Raise if pandas finds other nearest hits than we do."""
    ours = hits.lazy().pipe(gp.nearest, (0, start), (0, stop), WINDOW_PS).collect()
    theirs = nearest(frame, start, stop)
    apart = (theirs["time_b"] - theirs["timestamp_ps"]).abs().sum()
    if (len(ours), ours["dt_ps"].abs().sum()) != (len(theirs), int(apart)):
        raise DisagreementError(f"gammapolars and pandas differ: {len(ours)} and {len(theirs)} nearest hits")
