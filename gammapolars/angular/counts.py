"""Net coincidences of two lines by detector pair, and net counts of each line by detector: small tables that add up."""

from collections.abc import Iterable

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.schema import Table, floats
from gammapolars.gates import Gate

SLICE = ("run", "time_slice")
"""Columns that a table may have in addition to its detectors: counts by run and slice of time."""

ENDS = ("board_1", "channel_1", "board_2", "channel_2")

COUNTS = Table(
    "angular counts",
    {
        **dict.fromkeys(ENDS, pl.UInt16),
        **floats("coincidences", "variance", "random", "random_variance"),
        **floats("covariance_random", "covariance_1", "covariance_2"),
    },
    {"run": pl.UInt16, "time_slice": pl.Int64},
)
"""One row for each two detectors in one order: gate 1 in the first, gate 2 in the second; see `angular_counts`."""

SINGLES = Table(
    "angular singles",
    {
        "board": pl.UInt16,
        "channel": pl.UInt16,
        **floats("counts_1", "variance_1", "counts_2", "variance_2", "covariance"),
    },
    {"run": pl.UInt16, "time_slice": pl.Int64},
)
"""One row per detector: net counts of both lines, with variances and covariance."""

WEIGHTS = ("w_1", "w_2", "weight", "random")
"""Weights of counted pairs or hits: by both gates, by the window, and whether that is a random one."""


def angular_counts(pairs: AnyFrame, gate_1: Gate, gate_2: Gate, *, by: Iterable[str] = ()) -> pl.LazyFrame:
    """Net coincidences of two lines for each detector pair, and for each order of it.

    A pair weighs `weight` × w1(E) × w2(E), where `weight` is that of its window (1 where pairs have none) and w1, w2
    are the weights of the gates: the sum has random coincidences and background subtracted, the sum of squares is its
    variance. The two orders, gate 1 in one detector and gate 2 in the other or the reverse, stay apart, as efficiencies
    differ.

    Args:
        pairs: a calibrated table of pairs.
        gate_1: on one line, in keV.
        gate_2: on the other.
        by: further columns to count by, such as `run` and `time_slice`.

    Returns:
        A lazy table, a row for each detector pair and order with counts in the gates: `board_1`, `channel_1`,
        `board_2`, `channel_2`; `coincidences` and their `variance`; `random`, the pairs in random windows net of
        background, their `random_variance` and `covariance_random` with the coincidences; `covariance_1` and
        `covariance_2`, of the coincidences with the counts of line 1 and line 2 in these detectors.

    Raises:
        TableError: the pairs are not calibrated, or lack a column to count by.
        UsageError: the gates overlap: a pair would count in both orders.
    """
    pairs = lazy(pairs, "pairs")
    return net_pairs(pairs_by_weight(pairs, gate_1, gate_2, by=by))


def pairs_by_weight(pairs: pl.LazyFrame, gate_1: Gate, gate_2: Gate, *, by: Iterable[str] = ()) -> pl.LazyFrame:
    """The pairs of `angular_counts` in whole numbers, which add up exactly: `by`, `ENDS`, `WEIGHTS` and `counts`."""
    check_gates(gate_1, gate_2)
    keys = list(by)
    columns = pairs.collect_schema()
    ends = [f"{name}_{side}" for side in "ab" for name in ("board", "channel")]
    _check_columns(columns, [*ends, "energy_kev_a", "energy_kev_b", *keys], "pairs")
    region = pl.col("weight") if "weight" in columns else pl.lit(1.0)
    random = (pl.col("region") == "random") if "region" in columns else pl.lit(value=False)
    weights = {f"w_{s}{n}": gate.weight(f"energy_kev_{s}") for n, gate in ((1, gate_1), (2, gate_2)) for s in "ab"}
    in_orders = {
        f"{name}_{gate}": pl.concat_list(*(f"{name}_{side}{gate if name == 'w' else ''}" for side in sides))
        for name in ("board", "channel", "w")
        for gate, sides in ((1, "ab"), (2, "ba"))
    }
    return (
        pairs.select(*keys, *ends, **weights, weight=region.cast(pl.Float64), random=random)
        .filter(((pl.col("w_a1") * pl.col("w_b2")) != 0) | ((pl.col("w_b1") * pl.col("w_a2")) != 0))
        .select(*keys, "weight", "random", **in_orders)
        .explode(*in_orders)
        .filter(pl.col("w_1") * pl.col("w_2") != 0)
        .group_by(*keys, *ENDS, *WEIGHTS)
        .agg(counts=pl.len())
    )


def net_pairs(counts: pl.LazyFrame) -> pl.LazyFrame:
    """The table of `angular_counts` from that of `pairs_by_weight`."""
    n, w1, w2, region, random = (pl.col(name) for name in ("counts", *WEIGHTS))
    both = w1 * w2
    sums = {
        "coincidences": region * both,
        "variance": (region * both).pow(2),
        "random": pl.when(random).then(both),
        "random_variance": pl.when(random).then(both.pow(2)),
        "covariance_random": pl.when(random).then(region * both.pow(2)),
        "covariance_1": region * both * w1,
        "covariance_2": region * both * w2,
    }
    return _weighted_sums(counts, {name: n * value for name, value in sums.items()}).filter(
        (pl.col("variance") != 0) | (pl.col("random_variance") != 0)
    )


def _weighted_sums(counts: pl.LazyFrame, values: dict[str, pl.Expr]) -> pl.LazyFrame:
    """Sums of values over the weights of a table of counts, sorted: those of one row are added up in one order."""
    names = counts.collect_schema().names()
    keys = [name for name in names if name not in (*WEIGHTS, "counts")]
    ordered = counts.sort([name for name in names if name != "counts"])
    return ordered.group_by(keys, maintain_order=True).agg(value.sum().alias(name) for name, value in values.items())


def _check_columns(columns: pl.Schema, names: Iterable[str], what: str) -> None:
    for name in names:
        if name not in columns:
            hint = ": calibrate them first" if name.startswith("energy") else ""
            raise TableError(f"these {what} have no column '{name}'{hint}")


def check_gates(gate_1: Gate, gate_2: Gate) -> None:
    """Raise a UsageError where gates overlap, so that one hit can be in both."""
    if gate_1.low <= gate_2.high and gate_2.low <= gate_1.high:
        raise UsageError(
            f"the gates {gate_1.low:g} to {gate_1.high:g} and {gate_2.low:g} to {gate_2.high:g} keV "
            "overlap: use narrower gates on two different lines"
        )


def angular_singles(hits: AnyFrame, gate_1: Gate, gate_2: Gate, *, by: Iterable[str] = ()) -> pl.LazyFrame:
    """Net counts of two lines in each detector, for the expected uncorrelated coincidences.

    Args:
        hits: a calibrated table of hits, without those that were rejected before pairing.
        gate_1: on one line, in keV, as for `angular_counts`.
        gate_2: on the other.
        by: further columns to count by, such as `run` and `time_slice`.

    Returns:
        A lazy table, one row per detector: `board`, `channel`, `counts_1`, `variance_1`, `counts_2`, `variance_2` and
        their `covariance`, which is that of hits in the background of both.

    Raises:
        TableError: the hits are not calibrated, or lack a column to count by.
    """
    hits = lazy(hits, "hits")
    return net_hits(hits_by_weight(hits, gate_1, gate_2, by=by))


def hits_by_weight(hits: pl.LazyFrame, gate_1: Gate, gate_2: Gate, *, by: Iterable[str] = ()) -> pl.LazyFrame:
    """The hits of `angular_singles` in whole numbers: `by`, `board`, `channel`, `w_1`, `w_2`, `counts`."""
    keys = [*by, "board", "channel"]
    _check_columns(hits.collect_schema(), [*keys, "energy_kev"], "hits")
    return (
        hits.select(*keys, w_1=gate_1.weight("energy_kev"), w_2=gate_2.weight("energy_kev"))
        .filter((pl.col("w_1") != 0) | (pl.col("w_2") != 0))
        .group_by(*keys, "w_1", "w_2")
        .agg(counts=pl.len())
    )


def net_hits(counts: pl.LazyFrame) -> pl.LazyFrame:
    """The table of `angular_singles` from that of `hits_by_weight`."""
    n, w1, w2 = pl.col("counts"), pl.col("w_1"), pl.col("w_2")
    sums = {
        "counts_1": n * w1,
        "variance_1": n * w1.pow(2),
        "counts_2": n * w2,
        "variance_2": n * w2.pow(2),
        "covariance": n * w1 * w2,
    }
    return _weighted_sums(counts, sums)


def sums_of(table: Table) -> list[str]:
    """The columns of a table of counts that add up."""
    return [name for name, dtype in table.columns.items() if dtype == pl.Float64]
