"""Matrices of chosen detectors and quantities: what `matrix` does beyond the symmetric matrix of all energies."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis, exports
from gammapolars.accounting import account, reading_warnings, time_warnings, times
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.drift.correction import correction_of
from gammapolars.errors import UsageError
from gammapolars.figure_files import save_figure
from gammapolars.flags import union
from gammapolars.gates import PolygonGate
from gammapolars.io import Runs
from gammapolars.io.matrix_files import SUFFIXES, save_matrix
from gammapolars.io.output import check_output
from gammapolars.products import HitTally, PairTally
from gammapolars.products.axes import UNITS, Axis, Key, Quantity, Sides
from gammapolars.products.chosen_matrices import HitMatrix, PairMatrix
from gammapolars.provenance import describe
from gammapolars.streaming import batches_of
from gammapolars.units import PS_PER_S, parse_ps

QUANTITIES: dict[str, Quantity] = {"energy": "energy_kev", "adc": "adc", "dt": "dt_ps", "time": "time_s"}
"""What axes are called on the command line."""

DEFAULTS: dict[Quantity, float] = {"energy_kev": 2.0, "adc": 16.0, "dt_ps": 1000.0, "time_s": 10.0}
"""Widths of bins, if none are given: keV, adc values, ps, s."""

FIGURE = ".png"

FEW = 5
"""A run of fewer bins of time than this shows no course."""


@dataclass(frozen=True)
class Choice:
    """What a matrix is to show, as the command line tells it.

    Attributes:
        x: names of detectors or groups on x; none: all.
        y: the same on y.
        axes: such as `energy:energy`, `dt:energy` or `adc:time`: what lies along x, and along y.
        bins: widths of the bins on x and on y, such as `2`, or `1ns` for a time; None: what `bin_kev` or `bin_adc` say.
        ranges: LOW:HIGH of x and of y; None: all of it.
        bin_kev: width of bins of energy.
        bin_adc: width of bins of adc.
        symmetric: whether each pair stands in both orders; None: where x and y are the same.
        polygons: only pairs inside all of these count; in columns of pairs (`adc_a`: of the earlier hit), or of the
            matrix, as `adc_x` and `dt_ps_y`.
    """

    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    axes: str = "energy:energy"
    bins: tuple[str | None, str | None] = (None, None)
    ranges: tuple[str | None, str | None] = (None, None)
    bin_kev: float | None = None
    bin_adc: float | None = None
    symmetric: bool | None = None
    polygons: tuple[PolygonGate, ...] = ()

    def along(self) -> tuple[Axis, Axis]:
        """The two axes.

        Raises:
            UsageError: an unknown quantity, a bin without a width, or an empty range.
        """
        words = self.axes.split(":")
        if len(words) != 2 or any(word not in QUANTITIES for word in words):
            known = ", ".join(QUANTITIES)
            raise UsageError(f"unknown axes '{self.axes}': write X:Y, such as dt:energy, of {known}")
        if words[0] == words[1] and words[0] in ("dt", "time"):
            raise UsageError(f"axes '{self.axes}' show the same twice: take an energy or adc beside the time")
        if {"dt", "time"} <= set(words):
            raise UsageError("a time difference is one of pairs, and time an axis of single hits: take one of them")
        x, y = (self._axis(QUANTITIES[word], *of) for word, *of in zip(words, self.bins, self.ranges, strict=True))
        return x, y

    def _axis(self, quantity: Quantity, width: str | None, wanted: str | None) -> Axis:
        default = {"energy_kev": self.bin_kev, "adc": self.bin_adc}.get(quantity) or DEFAULTS[quantity]
        found = default if width is None else _number(quantity, width)
        if not 0 < found < math.inf:
            raise UsageError(f"a bin must be wider than 0 {UNITS[quantity]}, not {found:g}")
        if wanted is None:
            return Axis(quantity, found)
        low, colon, high = wanted.partition(":")
        ends = (_number(quantity, low), _number(quantity, high)) if colon else (0.0, 0.0)
        if not ends[0] < ends[1]:
            raise UsageError(f"a range is LOW:HIGH, such as 0:3000, not '{wanted}'")
        return Axis(quantity, found, *ends)

    def of(self, detectors: Detectors) -> Sides:
        """The detectors on x and on y.

        Raises:
            UsageError: a name that no detector or group has.
        """
        return Sides(*(frozenset(keys_of(names, detectors)) or None for names in (self.x, self.y)))


def _number(quantity: Quantity, text: str) -> float:
    """A number in an axis' unit; of times with units of their own, too."""
    try:
        found = float(text)
    except ValueError:
        if quantity not in ("dt_ps", "time_s"):
            raise UsageError(f"'{text}' is no number of {UNITS[quantity]}") from None
        picoseconds = parse_ps(text)
        return float(picoseconds) if quantity == "dt_ps" else picoseconds / PS_PER_S
    if not math.isfinite(found):
        raise UsageError(f"'{text}' is no finite number")
    return found


def keys_of(names: Sequence[str], detectors: Detectors) -> list[Key]:
    """The detectors that some names stand for: those of detectors, of groups, or several divided by commas.

    Raises:
        UsageError: a name that no detector or group has.
    """
    found: list[Key] = []
    known = {detector.name for detector in detectors} | {detector.group for detector in detectors}
    for text in names:
        for name in [text] if text in known else text.split(","):
            group = [detector.key for detector in detectors if name and detector.group == name]
            found += group or [detectors.named(name).key]
    return found


def chosen(
    runs: Runs,
    rule: PairRule,
    output: Path,
    choice: Choice,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Write a matrix of chosen detectors and quantities, counted in one pass.

    A pair stands where one of its hits is of an x detector and the other of a y detector, once: where it fits both
    ways, with the lower (board, channel) on x. A symmetric matrix has it with x and y exchanged, too. Time differences
    are those of the hit of y minus x. A matrix with an axis of time is one of single hits, of the x detectors.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        output: as for `save_matrix`, or a figure that ends in .png.
        choice: what is wanted.
        random: windows that hold chance pairs alone, or `auto`: the matrix is then net of chance.
        detectors: names, groups, time offsets and calibrations.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars matrix --json` prints it.
    """
    started = time.perf_counter()
    known = detectors or Detectors()
    x, y = axes = choice.along()
    sides, symmetric = choice.of(known), _symmetric(choice)
    if any(axis.quantity == "energy_kev" for axis in axes) and not any(one.energy for one in known):
        raise UsageError("axes of energy need a calibration: name a detectors.toml that has one, or take axes of adc")
    if output.suffix.lower() not in (*SUFFIXES, FIGURE):
        known_ones = ", ".join((*SUFFIXES, FIGURE))
        raise UsageError(f"{output}: unknown suffix '{output.suffix}': matrices are written to {known_ones}")
    check_output(output, overwrite=overwrite)
    if "time_s" in (x.quantity, y.quantity):
        if random or choice.polygons or choice.y or symmetric:
            raise UsageError("an axis of time is one of single hits: leave out what is about pairs")
        table, summary = _of_hits(runs, rule, x, y, sides, known, progress)
    else:
        if random and "dt_ps" in (x.quantity, y.quantity):
            raise UsageError("an axis of time differences shows chance beside the peak: leave --random out")
        ready = analysis.with_random(runs, rule, random, known)
        made = PairMatrix(x, y, known, window=ready.window, sides=sides, symmetric=symmetric, polygons=choice.polygons)
        table, summary = _of_pairs(runs, ready, made, choice.polygons, known, progress)
    summary |= {"axes": choice.axes, "x": list(choice.x), "y": list(choice.y), "symmetric": symmetric}
    summary |= {"bin_x": x.width, "bin_y": y.width, "units": [UNITS[axis.quantity] for axis in axes]}
    summary |= {
        "channel_0": [_first_centre(table[name], axis) for name, axis in zip(table.columns, axes, strict=False)]
    }
    summary |= {"polygons": [one.name for one in choice.polygons], "counts": float(table["counts"].sum())}
    if output.suffix.lower() == FIGURE:
        from gammapolars import figures

        widths, title = (x.width, y.width), _title(choice)
        drawn = figures.matrix(table) if symmetric else figures.map_of(table, title=title, widths=widths)
        save_figure(drawn, output, overwrite=overwrite)
    else:
        save_matrix(table, output, bin_x=x.width, bin_y=y.width, overwrite=overwrite, metadata=describe(runs, summary))
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def _first_centre(centres: pl.Series, axis: Axis) -> float:
    """The middle of channel 0 in files of channels: of the bin at 0, or of the lowest if some lie below."""
    at_zero = 0.0 if axis.quantity == "dt_ps" else axis.width / 2
    return min(at_zero, float(centres.min())) if len(centres) else at_zero  # type: ignore[arg-type]


def _title(choice: Choice) -> str:
    """Whose pairs or hits a figure shows."""
    x, y = (", ".join(names) or "all detectors" for names in (choice.x, choice.y))
    return f"Hits of {x}" if "time" in choice.axes.split(":") else f"Pairs of {x} (x) and {y} (y)"


def _symmetric(choice: Choice) -> bool:
    """Whether a matrix is to be symmetric; only one of the same quantity in the same bins can be."""
    x, y = choice.along()
    if choice.symmetric is None:
        return x == y and sorted(choice.x) == sorted(choice.y)
    if choice.symmetric and x != y:
        raise UsageError("a symmetric matrix has the same quantity on both axes, in the same bins and range")
    return choice.symmetric


def _of_pairs(
    runs: Runs,
    rule: PairRule,
    made: PairMatrix,
    polygons: Sequence[PolygonGate],
    detectors: Detectors,
    progress: analysis.Progress | None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    hits, pairs = HitTally(), PairTally(rule.window)
    further = any(name.startswith("adc_short") for one in polygons for name in (one.x, one.y))
    reading = analysis.Pass(runs, rule, detectors, progress, [hits, pairs, made], further=further)
    found = reading.pairs()
    for polygon in polygons:
        polygon.check(pl.Schema({**found.collect_schema(), **dict.fromkeys(made.axis_columns, pl.Float64())}))
    for _ in batches_of(found.select(pl.len())):
        pass
    return made.table(), analysis.summarise(reading, hits, pairs)


def _of_hits(
    runs: Runs,
    rule: PairRule,
    x: Axis,
    y: Axis,
    sides: Sides,
    detectors: Detectors,
    progress: analysis.Progress | None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    tally = HitTally()
    made = HitMatrix(x, y, detectors, mask=union(rule.reject), of=sides.x)
    correction = correction_of(detectors, runs)
    exports.count_hits(runs, [tally, made], progress, correction)
    warned = [*reading_warnings(runs), *time_warnings(tally, runs), *(correction.warnings if correction else ())]
    if len(tally.spans) > 1:
        warned.append(
            f"hits of {len(tally.spans)} runs lie over each other, by the clock of each: show one run at a time"
        )
    width_s = next(axis.width for axis in (x, y) if axis.quantity == "time_s")
    if 0 < tally.real_time_s < FEW * width_s:
        option = "--bin-x" if x.quantity == "time_s" else "--bin-y"
        warned.append(
            f"the run lasts {tally.real_time_s:.4g} s, and bins of time are {width_s:g} s wide: "
            f"take narrower ones, such as {option} {tally.real_time_s / 100:.1g}"
        )
    return made.table(), {**account(tally, runs.losses, rule.reject), **times(tally, runs), "warnings": warned}
