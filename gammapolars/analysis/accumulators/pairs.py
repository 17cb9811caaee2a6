"""Pairs by their detectors and time difference, and those in prompt and random windows."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable, State
from gammapolars.coincidences.regions import Regions
from gammapolars.coincidences.rule import b_is_lower, swapped
from gammapolars.core.types import Key
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors
from gammapolars.spectra.tallies import Histogram

ENDS = ("board_a", "channel_a", "board_b", "channel_b")


class PairTally(Accumulator):
    """Pairs within a window by their two detectors, and next to them those in random windows."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._prompt, self._random = Histogram(*ENDS), Histogram(*ENDS)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        low, high = self._window
        dt = pairs["dt_ps"].to_numpy()
        prompt = (dt >= low) & (dt <= high)
        if "region" in pairs.columns:
            random = (pairs["region"] == "random").to_numpy()
            self._random.add(pairs, np.flatnonzero(random))
            prompt &= ~random
        self._prompt.add(pairs, np.flatnonzero(prompt))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"prompt": self._prompt, "random": self._random}

    def counts(self) -> dict[tuple[Key, Key], int]:
        """Pairs by (detector, detector), the lower (board, channel) first."""
        return _by_detectors(self._prompt)

    def random_counts(self) -> dict[tuple[Key, Key], int]:
        """The same of the pairs in random windows."""
        return _by_detectors(self._random)


def _by_detectors(tally: Histogram) -> dict[tuple[Key, Key], int]:
    counts: dict[tuple[Key, Key], int] = {}
    for row in tally.total().iter_rows(named=True):
        ends = sorted([(row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])])
        key = (ends[0], ends[1])
        counts[key] = counts.get(key, 0) + row["counts"]
    return counts


class InRegions(Accumulator):
    """An accumulator that sees only pairs in the prompt and random windows, with their region and weight."""

    def __init__(self, accumulator: Accumulator, regions: Regions) -> None:
        self._accumulator, self._regions = accumulator, regions

    def add_hits(self, hits: pl.DataFrame) -> None:
        self._accumulator.add_hits(hits)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        self._accumulator.add_pairs(self._regions.weighted(pairs.lazy()).collect())

    def parts(self) -> Mapping[str, Mergeable]:
        return {"in_regions": self._accumulator}


Numbers = npt.NDArray[Any]

MAX_NS_STEPS = 200_000


class TimeDifferences(Accumulator):
    """Pairs by detectors and time difference, in nanoseconds or coarser."""

    def __init__(self, reach_ps: int, *, bins: int = 1200) -> None:
        self._reach_ps = reach_ps
        self._bins = bins
        # 1 ns lets the clock's own steps be seen later; where that is too fine, steps hold whole numbers of any usual
        # clock's steps (2, 4, 5, 8, 10 or 16 ns), so that they compare.
        self._step_ps = 1000 if reach_ps <= MAX_NS_STEPS * 1000 else -(-reach_ps // MAX_NS_STEPS // 80_000) * 80_000
        self._reach_steps = -(-reach_ps // self._step_ps)  # added to a step, so that none is below 0
        self._counts = Histogram(*ENDS, "step")
        self._clock_ps = 0

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        if pairs.is_empty():
            return
        dt = pairs["dt_ps"].to_numpy()
        if not self._clock_ps or (dt % self._clock_ps).any():
            self._clock_ps = int(np.gcd(self._clock_ps, np.gcd.reduce(dt)))
        is_swapped = _b_is_lower(*(pairs[name].to_numpy() for name in ENDS))
        steps = np.where(is_swapped, -dt, dt) // self._step_ps + self._reach_steps
        self._counts.add(pl.DataFrame([*(pairs[name] for name in ENDS), pl.Series("step", steps)]))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._counts}

    def state(self) -> State:
        return super().state() | {"clock_ps": self._clock_ps}

    def merge(self, state: State) -> None:
        super().merge(state)
        self._clock_ps = math.gcd(self._clock_ps, state["clock_ps"])

    def _total(self) -> pl.DataFrame:
        """`board_a`, `channel_a`, `board_b`, `channel_b`, `step`, `counts`, where a is the lower detector."""
        counts = self._counts.total()
        if counts.is_empty():
            return counts
        ends = swapped(("board", "channel"), b_is_lower())
        return counts.with_columns(pl.col("step") - self._reach_steps, *ends)

    def table(self, detectors: Detectors) -> pl.DataFrame:
        """`name_a`, `name_b`, `dt_ns` (bin centre; time of b minus time of a, a < b), `width_ns`, `counts`: all bins.

        Bins hold a whole number of clock steps each, so that their contents compare.
        """
        schema = {"name_a": pl.String, "name_b": pl.String, "dt_ns": pl.Float64, "width_ns": pl.Float64}
        counts = self._total()
        if counts.is_empty():
            return pl.DataFrame(schema=schema | {"counts": pl.UInt64})
        # Bins of an odd number of units, so that one is centred on 0; the unit is a clock step where those are seen.
        has_clock = self._clock_ps >= self._step_ps and self._clock_ps % self._step_ps == 0
        unit = self._clock_ps // self._step_ps if has_clock else 1
        per_bin = 2 * (self._reach_ps // self._step_ps // unit // self._bins) + 1
        width_ns = per_bin * unit * self._step_ps / 1000
        centre_ns = (pl.col("bin") + (0.0 if has_clock else 0.5 / per_bin)) * width_ns
        place = (pl.col("step") // unit + per_bin // 2) // per_bin
        keys = list(ENDS)
        half = int(self._reach_ps / 1000 / width_ns)
        every = pl.DataFrame({"bin": range(-half, half + 1)}, {"bin": pl.Int64})
        bins = counts.with_columns(bin=place).group_by(*keys, "bin").agg(pl.col("counts").sum())
        ends = bins.select(keys).unique().sort(keys)
        names = ends.with_columns(
            pl.Series(
                f"name_{side}",
                [detectors.at(*key).name for key in ends.select(f"board_{side}", f"channel_{side}").iter_rows()],
                pl.String,
            )
            for side in "ab"
        )
        return (
            names.join(every, how="cross")
            .join(bins, on=[*keys, "bin"], how="left")
            .with_columns(pl.col("counts").fill_null(0), dt_ns=centre_ns, width_ns=width_ns)
            .sort(*keys, "bin")
            .select(*schema, "counts")
        )


def _b_is_lower(board_a: Numbers, channel_a: Numbers, board_b: Numbers, channel_b: Numbers) -> npt.NDArray[np.bool_]:
    """As `b_is_lower`, without a query."""
    lower: npt.NDArray[np.bool_] = (board_b < board_a) | ((board_b == board_a) & (channel_b < channel_a))
    return lower
