"""Rows that spectra are made of: hits by time slice, and hits in coincidence with one gate or with two."""

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.quantities import ENERGY
from gammapolars.core.types import Key
from gammapolars.core.units import parse_ps
from gammapolars.detectors import AnyDetector, AnyDetectors, detectors_of, keys_of
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import Background, Gate
from gammapolars.spectra.line_gates import line_gate

PARTNER = ("board", "channel", "adc", "energy_kev")


def slice_width_ps(width: str | int) -> int:
    """The picoseconds of a slice's width.

    Raises:
        UsageError: it is no time, or none above 0.
    """
    width_ps = parse_ps(width) if isinstance(width, str) else width
    if width_ps <= 0:
        raise UsageError(f"a time slice must be longer than 0, not {width}")
    return width_ps


def time_slices(frame: AnyFrame, width: str | int) -> pl.LazyFrame:
    """Hits or pairs with their time slice.

    Slices begin at timestamp 0, the digitizer's start, whatever the first hit's time: slice k holds the times from k
    to k + 1 widths. Each of several runs has its own clock: put both `run` and `time_slice` into `by`.

    Args:
        frame: any table with `timestamp_ps`.
        width: such as `10min`, or in picoseconds.

    Returns:
        The same with `time_slice` (Int64) and `slice_start_ps` (Int64), the slice's first picosecond.
    """
    frame = lazy(frame, "hits")
    width_ps = slice_width_ps(width)
    if "timestamp_ps" not in frame.collect_schema():
        raise TableError("this frame has no column 'timestamp_ps' for time slices")
    number = pl.col("timestamp_ps") // width_ps
    return frame.with_columns(time_slice=number, slice_start_ps=number * width_ps)


def gate(
    pairs: AnyFrame,
    line: float | Gate,
    *,
    width_kev: float | None = None,
    background: Background = (),
    on: str = "energy_kev",
    of: AnyDetector | Sequence[AnyDetector] | None = None,
    detectors: AnyDetectors | None = None,
) -> pl.LazyFrame:
    """The hits in coincidence with a gate: the rows of a gated spectrum.

    With a `Gate`, or a `background`, hits in coincidence with the background are included, and `weight` makes their sum
    net: it is the weight of the gate, times that of the pair where pairs have a `weight` (of prompt and random).
    `gp.spectrum` sums weights by itself. With a number alone nothing is subtracted, and there is a `weight` only where
    pairs have one.

    A pair of which both hits lie in the gate or its background gives two rows, one for each. In spectra these are
    counts of two bins, whose errors are correlated a little; only where both fall into one bin is its variance
    Σ weight² too small. The command `gate` adds up the weights of such two before it squares them.

    Args:
        pairs: a calibrated table of pairs.
        line: a gate with its background, or the middle of one without.
        width_kev: full width of a gate that is given by its middle; the ends belong to it. None: as the command `gate`
            takes it, 2 FWHM of each detector whose resolution `detectors` give, else 6.
        background: stretches next to a line that is given by its middle: `1345:1355`, several of them, or `auto`, as
            for `Gate.around`.
        on: the gated quantity: `energy_kev`, or `adc`.
        of: detectors whose hits may lie in the gate, by themselves, (board, channel), `0/3` or name; None: all.
        detectors: their names and resolutions, or the path of detectors.toml.

    Returns:
        One row per coincident hit, as for hits: `board`, `channel`, `adc` and `energy_kev`, as far as pairs have them;
        `timestamp_ps`, its time; `dt_ps`, its time minus that of the hit in the gate; `run` and `weight`.

    Raises:
        TableError: the pairs are not calibrated.
        UsageError: a gate without a width.
    """
    pairs = lazy(pairs, "pairs")
    keys = None if of is None else keys_of(of, detectors)
    taken = line if isinstance(line, Gate) else _on_line(line, width_kev, background, on, keys, detectors)
    columns = pairs.collect_schema()
    for name in (f"{on}_a", f"{on}_b"):
        if name not in columns:
            raise TableError(f"these pairs have no column '{name}' to gate on: calibrate them first")
    weights = {side: taken.weight(f"{on}_{side}") * _is_one(keys, side) for side in "ab"}
    sides = {
        name: (pl.col(f"{name}_b"), pl.col(f"{name}_a"))
        for name in PARTNER
        if f"{name}_a" in columns and f"{name}_b" in columns
    }
    if {"timestamp_ps", "dt_ps"} <= set(columns):
        time, dt = pl.col("timestamp_ps"), pl.col("dt_ps")
        sides |= {"timestamp_ps": (time + dt, time), "dt_ps": (dt, -dt)}
    if "weight" in columns or isinstance(line, Gate) or taken.background:
        own = pl.col("weight").cast(pl.Float64) if "weight" in columns else pl.lit(1.0)
        sides["weight"] = (weights["a"] * own, weights["b"] * own)
    return single_hits(pairs, sides, [weights[side] != 0 for side in "ab"])


def single_hits(
    table: pl.LazyFrame, values: Mapping[str, Sequence[pl.Expr]], counts: Sequence[pl.Expr]
) -> pl.LazyFrame:
    """A row for each hit of pairs or triples that counts: null and false do not. The columns are by hit."""
    keys = ["run"] if "run" in table.collect_schema() else []
    lists = {name: pl.concat_list(of) for name, of in values.items()}
    return (
        table.filter(pl.any_horizontal(counts))
        .select(*keys, **lists, _counts=pl.concat_list(counts))
        .explode(*lists, "_counts")
        .filter("_counts")
        .drop("_counts")
    )


def _on_line(
    line: float,
    width: float | None,
    background: Background,
    on: str,
    keys: Collection[Key] | None,
    detectors: AnyDetectors | None,
) -> Gate:
    """The gate on a line that is given by its middle; resolutions are known of energies."""
    if width is not None and not 0 < width < float("inf"):
        raise UsageError(f"a gate must be wider than 0 keV, not {width}")
    known = () if detectors is None or on != ENERGY.column else detectors_of(detectors)
    return line_gate(line, width, background, [one for one in known if keys is None or one.key in keys])


def _is_one(keys: Collection[Key] | None, side: str) -> pl.Expr:
    """1 for hits of some detectors, else 0."""
    return pl.lit(1.0) if keys is None else is_one_of(keys, f"_{side}").cast(pl.Float64)


HIT = ("board", "channel", "adc", "energy_kev")


def cube_slice(triples: AnyFrame, first: Gate, second: Gate, *, on: str = "energy_kev") -> pl.LazyFrame:
    """The third hits of triples whose other two lie in two gates: the rows of a doubly gated spectrum.

    Each of the three hits can be the third one; the other two can lie in the gates in both orders. Weights of the two
    gates multiply, so that with background the sum of weights subtracts the background under either line and under
    both: N = Σ w₁ w₂, and its variance Σ (w₁ w₂)². Where a pair of hits fits in both orders (gates that overlap, or one
        in
    the other's background), the weights of both are added up in the one row, as the triple has the third hit once.
    Two equal gates are one choice of two hits, not two.

    A triple can give up to three rows, one for each third hit: counts of different bins of a spectrum, whose errors are
    correlated a little. Only where two fall into one bin is its variance Σ weight² too small. The command `gate` adds
    up the weights of such two before it squares them.

    Args:
        triples: a calibrated table of triples: `energy_kev_a`, `_b`, `_c`; `board`, `channel`, `adc` with the same
            suffixes, `timestamp_ps` (of a), `dt_ab_ps`, `dt_ac_ps`, `run` and `weight`, as far as there are. With the
            weights of `gp.triples(hits, random=…)` random coincidences are subtracted as well.
        first: a gate, with or without background.
        second: the other.
        on: the gated quantity: `energy_kev`, or `adc`.

    Returns:
        One row per third hit: `board`, `channel`, `adc`, `energy_kev`, `timestamp_ps` (its own), `run`, `weight`.

    Raises:
        TableError: the triples are not calibrated.
    """
    triples = lazy(triples, "table")
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
    """The weight of a triple by two gates for each of its hits as the third one, by side: `a`, `b`, `c`."""
    return {third: _weight(third, first, second, on) for third in "abc"}


def _weight(third: str, first: Gate, second: Gate, on: str) -> pl.Expr:
    """The weight of a triple for one of its hits as the third: of both orders of the other two in the gates."""
    others = "abc".replace(third, "")
    orders = list(permutations(others))[: 1 if first == second else 2]
    return pl.sum_horizontal(first.weight(f"{on}_{i}") * second.weight(f"{on}_{j}") for i, j in orders)
