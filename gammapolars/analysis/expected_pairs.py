"""The expected number of pairs, from a sample of hits, so that hopeless requests end before they begin."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.core.digits import rounded
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import has_any
from gammapolars.core.types import Integers
from gammapolars.core.units import PS_PER_S, PS_PER_UNIT, Window
from gammapolars.core.wording import setting
from gammapolars.corrections import align
from gammapolars.detectors.hits import is_of
from gammapolars.io.order import ORDER_COLUMNS
from gammapolars.streaming.slices import Slice

MOST_PER_HIT = 10
MOST_PAIRS = 10**10
"""More pairs than this, for each hit or in all, are more than anybody can look at: an hour's work, 200 GB."""

FIRST_HITS = 100_000
"""This many hits are looked at before the pass begins."""

SAMPLED_HITS = 5_000
"""This many hits give the number of pairs to 2 %, where there are a few of each."""


@dataclass(frozen=True)
class Sample:
    """Hits that may be paired, and a sample of them.

    Attributes:
        times: (n,) of stops, or of all, ps, ascending.
        chosen: (m,) times of some starts, or of some of all.
        weight: pairs in all for each pair of the chosen hits.
        hits: how many hits take part.
    """

    times: Integers
    chosen: Integers
    weight: float
    hits: int

    def pairs(self, windows: Iterable[Window]) -> float:
        """How many pairs there are in some windows of dt."""
        inside = 0
        for low, high in windows:
            behind = np.searchsorted(self.times, self.chosen + high, side="right")
            inside += int((behind - np.searchsorted(self.times, self.chosen + low, side="left")).sum())
        return self.weight * inside


def checked(
    parts: Iterable[Slice], recording: Recording, rule: PairRule, shown: int = 1, *, begins: bool = True
) -> Iterator[Slice]:
    """The same slices; hopeless requests are refused at the first, and a slice by itself that is as bad.

    Args:
        parts: of the recording.
        recording: the data to read; its size gives how many pairs there are in all.
        rule: the definition of a pair.
        shown: how many times wider than the window that the user named that of the rule is.
        begins: whether the first of them is the first of the recording.

    Raises:
        UsageError: there are too many pairs; it names the window that would fit, if any does.
    """
    rule = recording.masked(rule)
    windows = _windows(rule)
    for number, part in enumerate(parts):
        at_most = _at_most(part.own, rule).pairs(windows)
        is_first = begins and number == 0
        size = sum(file.size_bytes for file in recording.runs.files) if is_first else 0
        if is_first and _are_too_many(at_most / max(part.own.height, 1), max(size, part.own.height)):
            _check_first(_sample(part.own, rule), recording, rule, windows, shown)
        elif at_most > MOST_PAIRS and (sample := _sample(part.own, rule)).pairs(windows) > MOST_PAIRS:
            raise _too_many(sample, sample.hits, rule, windows, shown)
        yield part


def _are_too_many(per_hit: float, hits: int) -> bool:
    return per_hit > MOST_PER_HIT or per_hit * hits > MOST_PAIRS


def check_beginning(recording: Recording, rule: PairRule, shown: int = 1) -> None:
    """The same check by the first hits of a recording, for code that looks at those before the pass begins.

    Raises:
        UsageError: there are too many pairs.
    """
    if recording.many_pairs:
        return
    rule = recording.masked(rule)
    names = [name for name in recording.recorded.collect_schema() if name in (*ORDER_COLUMNS, "adc", "run")]
    with recording.runs.naming_errors():
        if recording.selection:
            first = recording.marked_hits.select(names).head(FIRST_HITS).collect()
        else:
            first = align(recording.recorded.select(names).head(FIRST_HITS), recording.detectors).collect()
    if first.height:
        of_run = first if "run" not in names else first.filter(pl.col("run") == first["run"][0])
        _check_first(_sample(of_run.sort("timestamp_ps"), rule), recording, rule, _windows(rule), shown)


def _windows(rule: PairRule) -> tuple[Window, ...]:
    """All windows of dt in which pairs count: both signs, where either hit may be the earlier."""
    if rule.regions:
        return (*rule.regions.prompt, *rule.regions.random)
    low, high = rule.window
    if rule.start or low < 0:
        return (rule.window,)
    return (Window(-high, -low), rule.window) if low else (Window(-high, high),)


def _sample(hits: pl.DataFrame, rule: PairRule) -> Sample:
    """A sample of hits, without rejected ones and those of other detectors."""
    names = ("board", "channel", "timestamp_ps", *(("flags",) if rule.mask else ()))
    used = hits.lazy().select(names)
    used = used.filter(~has_any(rule.mask)) if rule.mask else used
    if rule.start and rule.stop:
        both = used.with_columns(start=is_of(rule.start), stop=is_of(rule.stop)).collect()
        starts, stops = (both.filter(end)["timestamp_ps"].to_numpy() for end in ("start", "stop"))
        return _sample_of(stops, starts, 1.0, len(starts) + len(stops))
    table = used.collect()
    times = table["timestamp_ps"].to_numpy()
    counts = table.group_by("board", "channel").len()["len"].to_numpy() / max(table.height, 1)
    # Each pair is found from both of its hits, and two hits of one detector are none.
    return _sample_of(times, times, 0.5 * (1 - float((counts**2).sum())), table.height)


def _at_most(hits: pl.DataFrame, rule: PairRule) -> Sample:
    """A sample of all hits, whatever their flags and detectors: it costs next to nothing."""
    times = hits["timestamp_ps"].to_numpy()
    return _sample_of(times, times, 1.0 if rule.start else 0.5, hits.height)


def _sample_of(times: Integers, starts: Integers, weight: float, hits: int) -> Sample:
    chosen = starts[:: max(len(starts) // SAMPLED_HITS, 1)]
    return Sample(times, chosen, weight * len(starts) / max(len(chosen), 1), hits)


def _check_first(sample: Sample, recording: Recording, rule: PairRule, windows: Sequence[Window], shown: int) -> None:
    """Raise where the first hits predict too many pairs."""
    per_hit, total = sample.pairs(windows) / max(sample.hits, 1), sample.hits
    # A hit takes a byte at least, wherever it is stored: small files need not be counted.
    if _are_too_many(per_hit, sum(file.size_bytes for file in recording.runs.files)):
        total = max(recording.runs.count() or 0, total)
    if _are_too_many(per_hit, total):
        raise _too_many(sample, total, rule, windows, shown)


def _too_many(sample: Sample, hits: int, rule: PairRule, windows: Sequence[Window], shown: int) -> UsageError:
    """The message about too many pairs."""
    per_hit = sample.pairs(windows) / sample.hits
    said = (
        f"about {rounded(per_hit * hits, 2)} pairs are expected, {rounded(per_hit)} per hit, more than the "
        f"limit of {MOST_PER_HIT} per hit or 10^10 in total"
    )
    goes_on = f"({setting('--many-pairs', 'many_pairs=True')} continues anyway)"
    if (still := _still_clock(sample)) and any(low <= 0 <= high for low, high in windows):
        return UsageError(f"{said}: {still}, and no window stays below it {goes_on}")
    factor = _fitting(sample, hits, windows)
    if rule.regions:
        return UsageError(
            f"{said}: windows narrower by a factor of {rounded(1 / factor, 2)} would stay below it {goes_on}"
        )
    low, high = (int(end * factor / shown) for end in rule.window)
    fits = _short(high) if low == -high else f"{_short(low)}:{_short(high)}"
    narrower = setting(f"--window {fits}", f'window="{fits}"')
    return UsageError(f"{said}: {narrower} would stay below it {goes_on}")


def still_clock(hits: pl.DataFrame) -> str:
    """A clause, where hits in time order have so many others at their own time that times do not distinguish them."""
    times = hits["timestamp_ps"].to_numpy()
    return _still_clock(_sample_of(times, times, 0.5, len(times))) if len(times) else ""


def _still_clock(sample: Sample) -> str:
    if sample.pairs([Window(0, 0)]) <= MOST_PER_HIT * sample.hits:
        return ""
    place = np.searchsorted(sample.times, sample.chosen, side="right")
    place -= np.searchsorted(sample.times, sample.chosen, side="left")
    worst = int(place.argmax())
    return (
        f"the clock stopped, or its steps are far too long: {place[worst]:,} hits have the time "
        f"{sample.chosen[worst] / PS_PER_S:.12g} s"
    )


def _fitting(sample: Sample, hits: int, windows: Sequence[Window]) -> float:
    """How much narrower windows must be, in steps of two figures."""
    factor = 1.0
    while True:
        narrower = [Window(int(low * factor), int(high * factor)) for low, high in windows]
        per_hit = sample.pairs(narrower) / sample.hits
        excess = max(per_hit / MOST_PER_HIT, per_hit * hits / MOST_PAIRS)
        if excess <= 1 or factor < 1e-15:
            return factor
        factor = _rounded_down(factor / max(excess, 1.1))


def _rounded_down(value: float) -> float:
    power = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / power) * power


def _short(time_ps: int) -> str:
    """A time as options have it, in whole numbers of two figures or so."""
    for unit in ("s", "ms", "us", "ns"):
        if abs(time_ps) >= PS_PER_UNIT[unit]:
            return f"{time_ps / PS_PER_UNIT[unit]:.3g}{unit}"
    return f"{time_ps}ps"
