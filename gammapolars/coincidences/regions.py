"""Prompt and random windows: in which a pair lies, what it weighs there, and how many random pairs to expect."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.schema import REGION
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S, Window, format_ps

FINE = 1000
"""A clock with this many steps in the narrowest window is taken for one without steps."""

UNKNOWN = (-1, 0), (-1, 1)
"""Two detectors with unknown clocks."""

SIDES = ["board_a", "channel_a", "board_b", "channel_b"]


class Clock(NamedTuple):
    """The clock of one detector: its timestamps are `phase_ps` + n `step_ps`."""

    step_ps: int
    phase_ps: int


@dataclass(frozen=True)
class Regions:
    """Prompt and random windows of the time differences of two detectors.

    Attributes:
        prompt: as intervals of dt = t_b - t_a that do not overlap, ascending: both signs, where either detector may be
            the earlier.
        random: the same of the random windows.
        signed: whether a is the start and dt has a sign; otherwise a is the earlier hit.
        clock: of the detectors whose steps are known.
    """

    prompt: tuple[Window, ...]
    random: tuple[Window, ...]
    signed: bool
    clock: Mapping[Key, Clock] = field(default_factory=dict)

    @property
    def reach(self) -> int:
        """The largest |dt| of a pair in any window."""
        return max(window.reach for window in (*self.prompt, *self.random))

    def scale(self, a: Key, b: Key) -> float:
        """Prompt pairs for which one pair of two detectors in a random window counts: s = w_prompt / w_random."""
        width = self.width(self.random, a, b)
        if not width:
            step = format_ps(math.gcd(self.clock[a].step_ps, self.clock[b].step_ps))
            raise UsageError(f"the random windows are narrower than the clock step of {step}: widen them")
        return self.width(self.prompt, a, b) / width

    def width(self, windows: Sequence[Window], a: Key, b: Key) -> float:
        """How much of the time differences some windows hold, ps.

        Times of a clock differ by whole steps: a closed window holds the steps from its one end to the other, both
        included, each of which represents the differences that are rounded to it. So a window of ±20 ns on a clock of
        10 ns is 50 ns wide.
        """
        narrowest = min(plain_width_ps(part) for part in (self.prompt, self.random))
        return stepped_width_ps(windows, self.clock.get(a), self.clock.get(b), narrowest)

    def weighted(self, pairs: pl.LazyFrame) -> pl.LazyFrame:
        """The pairs that lie in a window, with `region` and `weight`; of pairs with `dt_ps` as they come out."""
        dt = pl.col("dt_ps")
        inside = {
            name: pl.any_horizontal(*(dt.is_between(*window) for window in windows))
            for name, windows in (("prompt", self.prompt), ("random", self.random))
        }
        in_windows = (
            pairs.with_columns(_prompt=inside["prompt"])
            .filter(pl.col("_prompt") | inside["random"])
            .with_columns(region=pl.when("_prompt").then(pl.lit("prompt", REGION)).otherwise(pl.lit("random", REGION)))
        )
        if not self._has_steps():
            weight = pl.when("_prompt").then(1.0).otherwise(-self.scale(*UNKNOWN))
            return in_windows.with_columns(weight=weight).drop("_prompt")
        keys = sorted(self.clock)
        rows = [(*a, *b, -self.scale(a, b)) for a in keys for b in keys if a != b]
        schema = dict.fromkeys(SIDES, pl.UInt16) | {"_scale": pl.Float64}
        scales = pl.LazyFrame(rows, schema, orient="row")
        plain = -self.scale(*UNKNOWN)
        weight = pl.when("_prompt").then(1.0).otherwise(pl.col("_scale").fill_null(plain))
        joined = in_windows.join(scales, on=SIDES, how="left", maintain_order="left")
        return joined.with_columns(weight=weight).drop("_prompt", "_scale")

    def _has_steps(self) -> bool:
        """Whether the steps of any two clocks are too coarse to be left out of account."""
        plain = self.scale(*UNKNOWN)
        keys = sorted(self.clock)
        return any(self.scale(a, b) != plain for a in keys for b in keys if a != b)


def plain_width_ps(windows: Sequence[Window]) -> float:
    """The width of some windows together."""
    return sum(high - low for low, high in windows)


def stepped_width_ps(windows: Sequence[Window], a: Clock | None, b: Clock | None, narrowest_ps: float) -> float:
    """How much of the time differences some windows hold, in whole steps of the clocks of two detectors.

    Args:
        windows: of t_b - t_a, closed.
        a: the clock of one, if it is known.
        b: that of the other.
        narrowest_ps: with many steps in this width, they do not matter.
    """
    if a is None or b is None:
        return plain_width_ps(windows)
    step = math.gcd(a.step_ps, b.step_ps)
    if step * FINE <= narrowest_ps:
        return plain_width_ps(windows)
    phase = (b.phase_ps - a.phase_ps) % step
    return step * sum((high - phase) // step + (phase - low) // step + 1 for low, high in windows)


def both_windows(window: Window, *, signed: bool) -> tuple[Window, ...]:
    """A prompt window as intervals of dt that has a sign."""
    return (window,) if signed else _both_sides(Window(max(window.low, 0), window.high))


def regions_of(window: Window, random: Sequence[Window], *, signed: bool, clock: Mapping[Key, Clock]) -> Regions:
    """Prompt and random windows as intervals of dt.

    Args:
        window: the prompt window.
        random: windows of dt if it is signed; else of |dt|, whatever the sign that they are written with.
        signed: whether there are start and stop.
        clock: steps of the detectors' clocks.

    Raises:
        UsageError: a random window is empty, or reaches into the prompt window.
    """
    prompt = both_windows(window, signed=signed)
    intervals = [part for one in random for part in ((one,) if signed else _both_sides(_folded(one)))]
    merged = _merged(intervals)
    for part in merged:
        if part.low == part.high:
            raise UsageError(f"random window '{part}' has no width: write LOW:HIGH, such as 1us:3us")
        if any(part.low <= of_prompt.high and part.high >= of_prompt.low for of_prompt in prompt):
            raise UsageError(f"random window {part} overlaps the window {window}: move it outside, as in 1us:3us")
    return Regions(prompt, tuple(merged), signed, clock)


def _folded(window: Window) -> Window:
    """The |dt| of a window that lies on one side of 0; one that holds 0 is left as it is, up to its end."""
    low, high = window
    if high <= 0:
        return Window(-high, -low)
    return Window(max(low, 0), max(high, -low))


def _both_sides(window: Window) -> tuple[Window, ...]:
    low, high = window
    return (Window(-high, high),) if low <= 0 else (Window(-high, -low), window)


def _merged(windows: Sequence[Window]) -> list[Window]:
    """Windows in order, those that overlap or touch as one."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.low <= merged[-1].high:
            merged[-1] = Window(merged[-1].low, max(merged[-1].high, window.high))
        else:
            merged.append(window)
    assert all(one.high < other.low for one, other in pairwise(merged))
    return merged


def chance_pairs(hits_a: int, hits_b: int, width_ps: float, real_time_s: float) -> float:
    """Expected number of random pairs of two uncorrelated detectors: N = r_a r_b w T.

    Args:
        hits_a: hits of one detector in the time T.
        hits_b: hits of the other.
        width_ps: the window's total width w in picoseconds: 2 W for |dt| ≤ W.
        real_time_s: T in seconds.
    """
    return hits_a * hits_b * (width_ps / PS_PER_S) / real_time_s if real_time_s > 0 else 0.0


def nearest_chance_pairs(starts: float, pairs: float, covered: float) -> float:
    """Number of starts without a true coincidence that found a random stop, where each takes the nearest in a window.

    A start without a true coincidence finds some stop with probability P: N_0 P of N_0 such starts
    do, and N_0 (1 - P) find none. The latter number is starts minus pairs, because a start with a true coincidence
    always finds a stop. So there are N = (starts - pairs) P / (1 - P) random pairs; without true coincidences this is
    N = starts P. In addition, some starts with a true coincidence take a random stop that is nearer.

    Args:
        starts: hits of the start detector.
        pairs: how many of them found a stop.
        covered: P, the part of the time in which a start would find a stop: for a stop detector that counts at random,
            with the rate r_b, 1 - exp(-r_b w) in a window of the width w; less than r_b w, since one stop is enough.
            In a window shorter than the dead time of the stop detector it is r_b w again, since there is no second one.

    Returns:
        The number; if stops cover all of the time, all pairs, since all can then be random.
    """
    return (starts - pairs) * covered / (1 - covered) if covered < 1 else pairs
