"""The matrices that the command `matrix` writes: of the energies of all pairs, or of what is chosen."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import HitTally, Matrix, PairTally
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.figure_files import FIGURE, save_figure
from gammapolars.commands.matrix.choice import Choice
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import TIME, TIME_DIFFERENCE
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.matrix_files import SUFFIXES, save_matrix
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.provenance import describe

FEW = 5
"""A run of fewer bins of time than this shows no course."""


def matrix(
    runs: Runs,
    rule: PairRule,
    output: Path,
    choice: Choice | None = None,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the matrix of two quantities of pairs or hits, counted in one pass; by default of all pairs' energies.

    A pair stands where one of its hits is of an x detector and the other of a y detector, once: where it fits both
    ways, with the lower (board, channel) on x. A symmetric matrix has it with x and y swapped, too. Time differences
    are those of the hit of y minus x. A matrix with an axis of time is one of single hits, of the x detectors.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        output: as for `save_matrix`, or a figure that ends in .png.
        choice: detectors, axes and bins; None: the symmetric matrix of energies, or of adc if nothing is calibrated.
        random: windows that hold chance pairs alone, or `auto`: the matrix is then net of chance.
        detectors: names, groups, time offsets and calibrations.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars matrix --json` prints it.
    """
    started = time.perf_counter()
    choice, detectors = choice or Choice(), detectors or Detectors()
    x, y = choice.along(detectors)
    options: dict[str, Any] = {"sides": choice.sides(detectors), "symmetric": choice.is_symmetric(x, y)}
    check_suffix(output, "matrices are", (*SUFFIXES, FIGURE))
    check_output(output, overwrite=overwrite)
    further = any(polygon.needs_further for polygon in choice.polygons)
    recording = Recording(runs, detectors, progress, all_columns=further)
    quantities = x.quantity, y.quantity
    if TIME in quantities:
        if random or choice.polygons or choice.y:
            raise UsageError("an axis of time is one of single hits: leave out what is about pairs")
        counts = Matrix(x, y, detectors, mask=rule.mask, **options)
        summary = _count_hits(recording, rule, counts)
    else:
        if random and TIME_DIFFERENCE in quantities:
            raise UsageError("an axis of time differences shows chance beside the peak: leave --random out")
        rule = passes.with_random(recording, rule, random)
        counts = Matrix(x, y, detectors, window=rule.window, polygons=choice.polygons, **options)
        summary = _count_pairs(recording, rule, counts, choice)
    table = counts.table()
    summary |= _of_matrix(counts, table, choice)
    if output.suffix.lower() == FIGURE:
        _draw(table, output, counts, choice, overwrite=overwrite)
    else:
        save_matrix(table, output, bin_x=x.width, bin_y=y.width, overwrite=overwrite, metadata=describe(runs, summary))
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def _count_pairs(recording: Recording, rule: PairRule, counts: Matrix, choice: Choice) -> dict[str, Any]:
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = passes.PairPass(recording, rule, [hits, pairs, counts])
    schema = reading.pairs().collect_schema()
    for polygon in choice.polygons:
        polygon.check(pl.Schema({**schema, **dict.fromkeys(counts.polygon_columns, pl.Float64())}))
    reading.run()
    return passes.summarise(reading, hits, pairs)


def _count_hits(recording: Recording, rule: PairRule, counts: Matrix) -> dict[str, Any]:
    tally, runs = HitTally(), recording.runs
    count_hits(recording, [tally, counts])
    warnings = [*reading_warnings(runs), *time_warnings(tally, runs), *recording.warnings]
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
    return {**account(tally, runs.losses, rule.reject), **times(tally, runs), "warnings": warnings}


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
        "x": list(choice.x),
        "y": list(choice.y),
        "symmetric": counts.symmetric,
        "polygons": [polygon.name for polygon in choice.polygons],
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
