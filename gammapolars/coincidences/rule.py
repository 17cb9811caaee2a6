"""Conditions for two hits to be a coincidence, and the pairs of one slice of hits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.partners import follower_counts, near_rows, taken
from gammapolars.coincidences.regions import Clock, Regions, both_windows, regions_of
from gammapolars.core import defaults, schema
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import has_any, parse_reject, union
from gammapolars.core.types import Integers, Key, Mask
from gammapolars.core.units import Window, format_ps, parse_window
from gammapolars.core.wording import setting
from gammapolars.detectors import AnyDetector, key_of
from gammapolars.detectors.hits import is_of
from gammapolars.streaming.slices import Slice


def both_sides(columns: Iterable[str]) -> list[str]:
    """The columns of hits that a pair has twice: board, channel and adc first, then the others."""
    names = list(columns)
    first = [name for name in ("board", "channel", "adc", "energy_kev") if name in names]
    return first + [name for name in names if name not in {*first, "timestamp_ps", "flags", "run", "_row"}]


def common(columns: Iterable[str]) -> list[str]:
    """The columns of hits that both hits of a pair have the same: their run, where there are several."""
    return ["run"] if "run" in columns else []


def b_is_lower() -> pl.Expr:
    """Whether b is of the lower (board, channel)."""
    return (pl.col("board_b") < pl.col("board_a")) | (
        (pl.col("board_b") == pl.col("board_a")) & (pl.col("channel_b") < pl.col("channel_a"))
    )


def swapped(names: Iterable[str], where: pl.Expr) -> list[pl.Expr]:
    """Columns of both hits, named without their side, with a and b swapped in some pairs."""
    return [
        pl.when(where).then(pl.col(f"{name}_{other}")).otherwise(pl.col(f"{name}_{side}")).alias(f"{name}_{side}")
        for side, other in ("ab", "ba")
        for name in names
    ]


PART_PAIRS = 4_000_000
"""A burst of hits is worked off in parts of about this many candidate pairs, to bound memory."""


AnyWindow = str | int | tuple[int, int]


@dataclass(frozen=True, eq=False)
class Condition:
    """Conditions on a hit; they are equal where their expressions are."""

    expression: pl.Expr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self.expression.meta.eq(other.expression)

    def __hash__(self) -> int:
        return hash(str(self.expression))


@dataclass(frozen=True, init=False)
class PairRule:
    """Conditions for two hits to be a coincidence: the window, the flags that disqualify, and the detectors asked for.

    Attributes:
        window: the closed (prompt) window for `dt_ps`.
        reject: the masks of the flags that disqualify a hit, by flag name.
        start: the detector of a, as (board, channel); None: a is the earlier hit, and dt is not signed.
        stop: the detector of b.
        random: further windows, away from the first, whose pairs show how many are random.
        clock: steps of the detectors' clocks, where they are known.
        nearest: whether each start pairs only with the nearest stop in the window, instead of with all.
        gates: conditions of starts and of stops, where each start pairs with the nearest stop; None: all may.
    """

    window: Window
    reject: dict[str, int] = field(hash=False)
    start: Key | None
    stop: Key | None
    random: tuple[Window, ...]
    clock: Mapping[Key, Clock] = field(hash=False)
    nearest: bool
    gates: tuple[Condition | None, Condition | None]

    def __init__(
        self,
        window: AnyWindow = defaults.WINDOW,
        *,
        reject: str | int | Mapping[str, int] = defaults.REJECT,
        start: AnyDetector | None = None,
        stop: AnyDetector | None = None,
        random: str | Sequence[AnyWindow] = (),
        clock: Mapping[Key, Clock] | None = None,
        nearest: bool = False,
        gates: tuple[Condition | None, Condition | None] = (None, None),
    ) -> None:
        """Windows and flags may be given as text, and detectors as they are written in detectors.toml.

        Raises:
            UsageError: an invalid window, flag or detector, or parts that do not go together.
        """
        windows = [random] if isinstance(random, str) else random
        values = {
            "window": parse_window(window),
            "reject": dict(reject) if isinstance(reject, Mapping) else parse_reject(reject),
            "start": None if start is None else key_of(start),
            "stop": None if stop is None else key_of(stop),
            "random": tuple(parse_window(one) for one in windows),
            "clock": dict(clock or {}),
            "nearest": nearest,
            "gates": gates,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check(window)

    def _check(self, window: AnyWindow) -> None:
        if (self.start is None) != (self.stop is None):
            raise UsageError("start and stop detectors go together: give both or neither")
        if self.start and self.start == self.stop:
            raise UsageError("start and stop are the same detector, but two hits of one detector are never a pair")
        if not self.start and self.window.high < 0:
            raise UsageError(f"window '{window}' is below 0, but without a start detector dt is never negative")
        if not self.start and self.window.low < 0 and self.window.low != -self.window.high:
            raise UsageError(
                f"window '{window}' begins below 0, but without a start detector dt is never negative: give "
                f"start and stop, or write {format_ps(self.window.high)}"
            )
        if self.nearest and not self.start:
            both = setting("--start and --stop", "start and stop")
            raise UsageError(f"the nearest stop needs a start: give both detectors with {both}")
        if self.nearest and self.random:
            without = setting("--nearest", "nearest")
            raise UsageError(f"the nearest stop cannot be counted in random windows: use all pairs, without {without}")
        assert self.regions or not self.random  # which raises if windows are impossible

    def with_random(self, random: str | Sequence[AnyWindow], clock: Mapping[Key, Clock] | None = None) -> "PairRule":
        """The same rule with random windows."""
        return replace(self, random=random, clock=clock)  # type: ignore[arg-type]  # texts are parsed

    def of_nearest_in(self, gates: tuple[pl.Expr | None, pl.Expr | None]) -> "PairRule":
        """The same rule for the nearest stop in a gate of each start in a gate: other hits do not hide it."""
        start, stop = (None if gate is None else Condition(gate) for gate in gates)
        return replace(self, random=(), nearest=True, gates=(start, stop))

    @cached_property
    def mask(self) -> int:
        """All bits that disqualify a hit."""
        return union(self.reject)

    @cached_property
    def regions(self) -> Regions | None:
        """Prompt and random windows, where there are random ones."""
        if not self.random:
            return None
        return regions_of(self.window, self.random, signed=self.start is not None, clock=self.clock)

    @property
    def reach(self) -> int:
        """The largest |dt| that any of its windows holds."""
        return max(self.window.reach, self.regions.reach if self.regions else 0)

    @property
    def width_ps(self) -> int:
        """The total width in which two detectors' random pairs fall, whichever of the two is the earlier."""
        low, high = self.window
        return high - low if self.start else 2 * (high - max(low, 0))

    def windows(self, a: Key, b: Key) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
        """The prompt and the random windows of two detectors, as intervals of t_b - t_a."""
        signed = self.start is not None
        prompt, random = both_windows(self.window, signed=signed), self.regions.random if self.regions else ()
        if signed and (self.start, self.stop) == (b, a):
            return tuple(Window(-high, -low) for low, high in prompt), tuple(
                Window(-high, -low) for low, high in random
            )
        return prompt, random

    @property
    def detectors(self) -> tuple[Key, Key] | None:
        """Start and stop, if the rule is for these two only."""
        return (self.start, self.stop) if self.start and self.stop else None

    def require(self, hits: pl.LazyFrame) -> pl.Schema:
        """The schema of a table of hits, checked for the columns needed."""
        needed = ["board", "channel", "timestamp_ps", *(["flags"] if self.mask else [])]
        return schema.require(hits, schema.HITS, columns=tuple(needed))

    def schema(self, columns: pl.Schema, *, weighted: bool = False) -> pl.Schema:
        """The columns of the pairs, from those of the hits; with region and weight, if there are random windows."""
        sides = {f"{name}_{side}": columns[name] for side in "ab" for name in both_sides(columns)}
        times = {"timestamp_ps": pl.Int64(), "dt_ps": pl.Int64()}
        regions = {"region": schema.REGION, "weight": pl.Float64()} if weighted or self.regions else {}
        return pl.Schema(sides | times | {name: columns[name] for name in common(columns)} | regions)

    def columns_for(self, names: list[str], columns: pl.Schema) -> list[str]:
        """The columns of hits from which those columns of pairs are made."""
        needed = {"board", "channel", "timestamp_ps", "flags", "run"} | {name[:-2] for name in names}
        return [name for name in columns if name in needed]

    def pairs_in(self, part: Slice) -> Iterator[pl.DataFrame]:
        """The pairs whose earlier hit is a slice's own, in bounded parts; or those of its own starts."""
        if self.nearest:
            yield self.nearest_in(part)
            return
        rows, near = self._near(part.hits)
        first, end = np.searchsorted(rows, [part.first, part.end]).tolist()
        partners = follower_counts(near["timestamp_ps"].to_numpy(), first, end, self.reach)
        for low, high in _parts(partners):
            yield self._pairs_of(near, first + low, partners[low:high])

    def nearest_in(self, part: Slice) -> pl.DataFrame:
        """For each of a slice's own start hits the nearest stop hit in the window."""
        assert self.start
        assert self.stop
        time = pl.col("timestamp_ps")
        good = part.hits.lazy().filter(~has_any(self.mask)) if self.mask else part.hits.lazy()
        first_ps, last_ps = (part.hits["timestamp_ps"][row] for row in (part.first, part.end - 1))
        starts = part.own.lazy().filter(~has_any(self.mask)) if self.mask else part.own.lazy()
        of_start, of_stop = (pl.lit(value=True) if gate is None else gate.expression for gate in self.gates)
        starts = starts.filter(is_of(self.start) & of_start)
        reach = self.window.reach
        stops = good.filter(is_of(self.stop) & of_stop & time.is_between(first_ps - reach, last_ps + reach))
        names = both_sides(part.hits.columns)
        left = starts.select(*(pl.col(name).alias(f"{name}_a") for name in names), time, *common(part.hits.columns))
        right = stops.select(*(pl.col(name).alias(f"{name}_b") for name in names), _time_b=time)
        nearest = [
            left.with_columns(_key=time + edge)
            .join_asof(right, left_on="_key", right_on="_time_b", strategy=strategy)
            .select(pl.int_range(pl.len()).alias("_start"), *left.collect_schema(), *right.collect_schema())
            for strategy, edge in self._searches()
        ]
        dt = pl.col("_time_b") - time
        return (
            pl.concat(nearest)
            .with_columns(dt_ps=dt)
            .filter(pl.col("dt_ps").is_between(*self.window))
            .sort("_start", pl.col("dt_ps").abs(), -pl.col("dt_ps"), maintain_order=True)
            .unique("_start", keep="first", maintain_order=True)
            .select(*self.schema(part.hits.schema))
            .collect()
        )

    def _searches(self) -> list[tuple[Literal["forward", "backward"], int]]:
        """Where to look from for the smallest |dt| in the window, and in which direction."""
        low, high = self.window
        if low > 0:
            return [("forward", low)]
        if high < 0:
            return [("backward", high)]
        return [("forward", 0), ("backward", 0)]

    def _near(self, hits: pl.DataFrame) -> tuple[Integers, pl.DataFrame]:
        """The hits that may pair: those with a neighbour within reach, not rejected, of a detector asked for.

        Distance to the direct neighbours is judged first, with rejected hits still there: it can only keep too many,
        and most hits fall at once.

        Returns:
            Their rows, ascending, and the columns that pairs have.
        """
        rows = near_rows(hits["timestamp_ps"], self.reach)
        if self.mask:
            rows = _chosen(rows, taken(hits["flags"], rows) & self.mask == 0)
        if self.start and self.stop:
            ends = {name: taken(hits[name], rows) for name in ("board", "channel")}
            rows = _chosen(rows, _is_of(self.start, **ends) | _is_of(self.stop, **ends))
        names = ["timestamp_ps", *both_sides(hits.columns), *common(hits.columns)]
        return rows, pl.DataFrame([taken(hits[name], rows) for name in names])

    def _pairs_of(self, near: pl.DataFrame, first: int, partners: Integers) -> pl.DataFrame:
        """The pairs of the hits from row `first` on, each with as many later hits as `partners` says."""
        i, j = _candidates(near, first, partners)
        times, later = (taken(near["timestamp_ps"], rows).to_numpy() for rows in (i, j))
        dt = later - times
        is_swapped = self._is_swapped(near, i, j, dt)
        if self.start:
            times, dt = np.where(is_swapped, later, times), np.where(is_swapped, -dt, dt)
        rows = {"a": np.where(is_swapped, j, i), "b": np.where(is_swapped, i, j)}
        sides = [
            taken(near[name], rows[side]).alias(f"{name}_{side}") for side in "ab" for name in both_sides(near.columns)
        ]
        shared = [taken(near[name], i) for name in common(near.columns)]
        pairs = pl.DataFrame([*sides, pl.Series("timestamp_ps", times), pl.Series("dt_ps", dt), *shared])
        if self.regions:
            return self.regions.weighted(pairs.lazy()).select(*self.schema(near.schema)).collect()
        low, high = self.window
        if len(dt) and (dt.min() < low or dt.max() > high):
            return pairs.filter(pl.Series((dt >= low) & (dt <= high)))
        return pairs

    def _is_swapped(self, near: pl.DataFrame, i: Integers, j: Integers, dt: Integers) -> Mask:
        """Which pairs have the later hit as a: where it is the start, or at equal times of the lower detector."""
        is_swapped = np.zeros(len(dt), np.bool_)
        rows = np.arange(len(dt)) if self.start else np.flatnonzero(dt == 0)
        earlier, later = ({name: taken(near[name], of[rows]) for name in ("board", "channel")} for of in (i, j))
        if self.start:
            swapped_rows = _is_of(self.start, **later)
        else:
            same_board = later["board"] == earlier["board"]
            swapped_rows = (later["board"] < earlier["board"]) | same_board & (later["channel"] < earlier["channel"])
        is_swapped[_chosen(rows, swapped_rows)] = True
        return is_swapped


def _is_of(key: Key, board: pl.Series, channel: pl.Series) -> pl.Series:
    """Which hits are of a detector."""
    return (board == key[0]) & (channel == key[1])


def _chosen(rows: Integers, where: pl.Series) -> Integers:
    """Those of some rows for which a condition holds; null does not."""
    return rows if where.all() and not where.null_count() else pl.Series(rows).filter(where).to_numpy()


def _candidates(near: pl.DataFrame, first: int, partners: Integers) -> tuple[Integers, Integers]:
    """The rows of the earlier and of the later hit of pairs within reach, of different detectors."""
    i = np.repeat(np.arange(first, first + len(partners)), partners)
    j = i + np.arange(1, len(i) + 1) - np.repeat(np.cumsum(partners) - partners, partners)
    channel, board = ([taken(near[name], rows) for rows in (i, j)] for name in ("channel", "board"))
    differ = (channel[0] != channel[1]) | (board[0] != board[1])
    return _chosen(i, differ), _chosen(j, differ)


def _parts(partners: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Cut rows into stretches of about PART_PAIRS candidate pairs each, one row at the least."""
    total = np.cumsum(partners)
    first = 0
    while first < len(partners):
        done = total[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(total, done + PART_PAIRS, side="right")))
        yield first, last
        first = last
