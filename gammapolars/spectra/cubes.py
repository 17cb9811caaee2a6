"""Slices of a cube: the third energy of triples of which two lie in gates."""

from itertools import permutations

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.gates import Gate
from gammapolars.spectra.selections import single_hits

HIT = ("board", "channel", "adc", "energy_kev")


def cube_slice(triples: pl.LazyFrame, first: Gate, second: Gate, *, on: str = "energy_kev") -> pl.LazyFrame:
    """The third hits of triples whose other two lie in two gates: what a doubly gated spectrum is made of.

    Each of the three hits can be the third one; the other two can lie in the gates in both orders. Weights of the two
    gates multiply, so that with background the sum of weights is net of all that one or both gates hold by chance:
    N = Σ w₁ w₂, and its variance Σ (w₁ w₂)². Where a pair of hits fits in both orders (gates that overlap, or one in
    the other's background), the weights of both are added up in the one row, as the triple has the third hit once.
    Two equal gates are one choice of two hits, not two.

    A triple can give up to three rows, one for each third hit: counts of different bins of a spectrum, whose errors are
    correlated a little. Only where two fall into one bin is its variance Σ weight² too small. The command `gate` adds
    up the weights of such two before it squares them.

    Args:
        triples: a calibrated table of triples: `energy_kev_a`, `_b`, `_c`; `board`, `channel`, `adc` with the same
            suffixes, `timestamp_ps` (of a), `dt_ab_ps`, `dt_ac_ps`, `run` and `weight`, as far as there are. With the
            weights of `gp.triples(hits, random=…)` the result is net of chance as well.
        first: a gate, with or without background.
        second: the other.
        on: what is gated: `energy_kev`, or `adc`.

    Returns:
        One row a third hit: `board`, `channel`, `adc`, `energy_kev`, `timestamp_ps` (its own), `run`, `weight`.

    Raises:
        TableError: the triples are not calibrated.
    """
    columns = triples.collect_schema()
    for side in "abc":
        if f"{on}_{side}" not in columns:
            raise TableError(f"these triples have no column '{on}_{side}' to gate on: calibrate them first")
    own = pl.col("weight").cast(pl.Float64) if "weight" in columns else pl.lit(1.0)
    weights = weights_of_thirds(first, second, on)
    values = {name: [pl.col(f"{name}_{third}") for third in "abc"] for name in HIT if f"{name}_c" in columns}
    if {"timestamp_ps", "dt_ab_ps", "dt_ac_ps"} <= set(columns):
        time = pl.col("timestamp_ps")
        values["timestamp_ps"] = [time, time + pl.col("dt_ab_ps"), time + pl.col("dt_ac_ps")]
    values["weight"] = [weights[third] * own for third in "abc"]
    return single_hits(triples, values, [weight != 0 for weight in values["weight"]])


def weights_of_thirds(first: Gate, second: Gate, on: str = "energy_kev") -> dict[str, pl.Expr]:
    """What a triple weighs by two gates for each of its hits as the third one, by side: `a`, `b`, `c`."""
    return {third: _weight(third, first, second, on) for third in "abc"}


def _weight(third: str, first: Gate, second: Gate, on: str) -> pl.Expr:
    """The weight of a triple for one of its hits as the third: of both orders of the other two in the gates."""
    others = "abc".replace(third, "")
    orders = list(permutations(others))[: 1 if first == second else 2]
    return pl.sum_horizontal(first.weight(f"{on}_{i}") * second.weight(f"{on}_{j}") for i, j in orders)
