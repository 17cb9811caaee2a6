"""The matrices that the command `matrix` writes: of the energies of all pairs, or of what is chosen."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, Matrix, PairTally
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import PairCounts, RunSummary, of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.figure_files import FIGURE, save_figure
from gammapolars.commands.matrix.choice import Choice
from gammapolars.commands.matrix.parse import MatrixOptions
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import TIME, TIME_DIFFERENCE
from gammapolars.core.records import Rows, optional
from gammapolars.gates import load_gates
from gammapolars.io.matrix_files import SUFFIXES, save_matrix
from gammapolars.io.output import check_output, check_suffix

FEW = 5
"""A run of fewer bins of time than this shows no course."""


@dataclass(frozen=True, kw_only=True)
class MatrixSummary(RunSummary):
    """A matrix that was counted.

    Attributes:
        of_pairs: how many pairs there are, in a matrix of pairs.
        axes: what lies along x and along y, as X:Y.
        x: names of detectors or groups on x; none: all.
        y: the same on y.
        symmetric: whether each pair stands in both orders.
        polygons: names of those that pairs lie in.
        bins: of x and of y, `quantity`, `column`, `unit`, `width`, and `channel_0`, the middle of the first in files of
            channels.
        counts: in all bins.
    """

    of_pairs: PairCounts | None = optional()
    axes: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    symmetric: bool
    polygons: tuple[str, ...]
    bins: Rows
    counts: float


def matrix(options: MatrixOptions, recording: Recording) -> MatrixSummary:
    """Write the matrix of two quantities of pairs or hits, counted in one pass; by default of all pairs' energies.

    A pair stands where one of its hits is of an x detector and the other of a y detector, once: where it fits both
    ways, with the lower (board, channel) on x. A symmetric matrix has it with x and y swapped, too. Time differences
    are those of the hit of y minus x. A matrix with an axis of time is one of single hits, of the x detectors.
    """
    rule, choice, detectors = PairRule(options.window, reject=options.reject), _choice(options), recording.detectors
    x, y = choice.along(detectors)
    shared: dict[str, Any] = {"sides": choice.sides(detectors), "symmetric": choice.is_symmetric(x, y)}
    check_suffix(options.output, "matrices are", (*SUFFIXES, FIGURE))
    check_output(options.output, overwrite=options.overwrite)
    quantities = x.quantity, y.quantity
    if TIME in quantities:
        if options.random or choice.polygons or choice.y:
            raise UsageError("an axis of time is one of single hits: leave out what is about pairs")
        counts = Matrix(x, y, detectors, mask=rule.mask, **shared)
        found = _count_hits(recording, rule, counts)
    else:
        if options.random and TIME_DIFFERENCE in quantities:
            raise UsageError("an axis of time differences shows chance beside the peak: leave --random out")
        recording = replace(recording, all_columns=any(polygon.needs_further for polygon in choice.polygons))
        rule = passes.with_random(recording, rule, options.random or ())
        counts = Matrix(x, y, detectors, window=rule.window, polygons=choice.polygons, **shared)
        found = _count_pairs(recording, rule, counts, choice)
    table = counts.table()
    summary = MatrixSummary(**found, **_of_matrix(counts, table, choice))
    if options.output.suffix.lower() == FIGURE:
        _draw(table, options.output, counts, choice, overwrite=options.overwrite)
    else:
        metadata = summary.provenance(recording)
        save_matrix(table, options.output, bin_x=x.width, bin_y=y.width, overwrite=options.overwrite, metadata=metadata)
    return summary.saved(options.output)


def _choice(options: MatrixOptions) -> Choice:
    return Choice(
        x=tuple(options.x or ()),
        y=tuple(options.y or ()),
        axes=options.axes,
        bins=(options.bin_x, options.bin_y),
        ranges=(options.range_x, options.range_y),
        bin_kev=options.bin_kev,
        bin_adc=options.bin_adc,
        symmetric=options.symmetric,
        polygons=load_gates(options.polygon) if options.polygon else (),
    )


def _count_pairs(recording: Recording, rule: PairRule, counts: Matrix, choice: Choice) -> dict[str, Any]:
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = passes.PairPass(recording, rule, [hits, pairs, counts])
    schema = reading.pairs().collect_schema()
    for polygon in choice.polygons:
        polygon.check(pl.Schema({**schema, **dict.fromkeys(counts.polygon_columns, pl.Float64())}))
    reading.run()
    found = vars(passes.summarise(reading, hits, pairs))
    return {name: value for name, value in found.items() if name != "preselection"}


def _count_hits(recording: Recording, rule: PairRule, counts: Matrix) -> dict[str, Any]:
    tally = HitTally()
    count_hits(recording, [tally, counts])
    warnings = []
    if len(tally.spans) > 1:
        warnings.append(
            f"hits of {len(tally.spans)} runs lie over each other, by the clock of each: show one run at a time"
        )
    side, width_s = next(
        (side, axis.width) for side, axis in zip("xy", counts.axes, strict=True) if axis.quantity == TIME
    )
    if 0 < tally.real_time_s < FEW * width_s:
        warnings.append(
            f"the run lasts {tally.real_time_s:.4g} s, and bins of time are {width_s:g} s wide: "
            f"take narrower ones, such as --bin-{side} {tally.real_time_s / 100:.1g}"
        )
    return of_hits(recording, tally, rule.reject, warnings)


def _of_matrix(counts: Matrix, table: pl.DataFrame, choice: Choice) -> dict[str, Any]:
    """What a summary says of the matrix itself."""
    bins = [
        {
            "quantity": axis.quantity.word,
            "column": column,
            "unit": axis.quantity.unit,
            "width": axis.width,
            "channel_0": axis.first_centre(table[column]),
        }
        for axis, column in zip(counts.axes, counts.columns, strict=True)
    ]
    return {
        "axes": ":".join(axis.quantity.word for axis in counts.axes),
        "x": choice.x,
        "y": choice.y,
        "symmetric": counts.symmetric,
        "polygons": tuple(polygon.name for polygon in choice.polygons),
        "bins": bins,
        "counts": float(table["counts"].sum()),
    }


def _draw(table: pl.DataFrame, output: Path, counts: Matrix, choice: Choice, *, overwrite: bool) -> None:
    from gammapolars import figures

    x, y = (", ".join(names) or "all detectors" for names in (choice.x, choice.y))
    title = f"Pairs of {x} (x) and {y} (y)" if counts.is_of_pairs else f"Hits of {x}"
    widths = counts.axes[0].width, counts.axes[1].width
    drawn = figures.matrix(table) if counts.symmetric else figures.map_of(table, title=title, widths=widths)
    save_figure(drawn, output, overwrite=overwrite)
