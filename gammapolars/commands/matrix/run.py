"""The matrices that the command `matrix` writes: of the energies of all pairs, or of other quantities chosen."""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, Matrix, PairTally
from gammapolars.analysis.accumulators.axes import Axis
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import PairCounts, RunSummary, Summary, of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.figure_files import FIGURES, is_figure, save_figure
from gammapolars.commands.given import is_given
from gammapolars.commands.matrix.background import check_factorises, net_of_background
from gammapolars.commands.matrix.choice import axes_of, is_symmetric, sides_of
from gammapolars.commands.matrix.parse import MatrixOptions
from gammapolars.commands.net_matrices import MatrixBackground
from gammapolars.commands.options import OF_COINCIDENCES
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, ENERGY, TIME, TIME_DIFFERENCE
from gammapolars.core.records import Rows, optional
from gammapolars.core.summaries import SharedSummary
from gammapolars.detectors import Detectors
from gammapolars.gates import load_gates
from gammapolars.io.matrix_files import RADWARE_TYPES, SUFFIXES, save_matrix
from gammapolars.io.output import check_output, check_suffix

Written = TypeVar("Written", bound="MatrixResult")

FEW = 5
"""A run of fewer bins of time than this shows no course."""


@dataclass(frozen=True, kw_only=True)
class MatrixResult(Summary):
    """A matrix that was counted.

    Attributes:
        axes: what lies along x and along y, as X:Y.
        x: names of detectors or groups on x; none: all.
        y: the same on y.
        symmetric: whether each pair stands in both orders.
        polygons: names of those that pairs lie in.
        bins: of x and of y, `quantity`, `column`, `unit`, `width`, and `channel_0`, the middle of the first in files of
            channels.
        counts: in all bins.
        background: what was subtracted in two dimensions.
        counts_unc: of such a net sum, with what its bins have in common.
    """

    axes: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    symmetric: bool
    polygons: tuple[str, ...]
    bins: Rows
    counts: float
    background: MatrixBackground | None = optional()
    counts_unc: float | None = optional()


@dataclass(frozen=True, kw_only=True)
class RunPairsSummary(SharedSummary, RunSummary):
    """The input of runs.

    Attributes:
        of_pairs: how many pairs there are, in a matrix of pairs.
    """

    of_pairs: PairCounts | None = optional()


@dataclass(frozen=True, kw_only=True)
class MatrixSummary(MatrixResult, RunPairsSummary):
    """A matrix of the pairs or hits of runs."""


@dataclass(frozen=True, kw_only=True)
class SavedPairsMatrixSummary(MatrixResult, SavedPairsSummary):
    """A matrix of saved pairs."""


def matrix(options: MatrixOptions, recording: Recording) -> MatrixSummary:
    """Write the matrix of two quantities of pairs or hits, counted in one pass; by default of all pairs' energies.

    A pair is counted where one of its hits is of an x detector and the other of a y detector, once: where it fits both
    ways, with the lower (board, channel) on x. A symmetric matrix has it with x and y swapped, too. Time differences
    are those of the hit of y minus x. A matrix with an axis of time, or of the pulse shape against a pulse height, is
    one of single hits, of the x detectors.
    """
    rule, detectors = PairRule(options.window, reject=recording.masks(options.reject)), recording.detectors
    x, y = axes_of(options, detectors, calibrated=recording.is_calibrated)
    recording = recording.along(x.quantity, y.quantity)
    counts = _counter(options, (x, y), detectors, detectors, rule)
    if counts.is_of_pairs:
        if options.random and TIME_DIFFERENCE in (x.quantity, y.quantity):
            raise UsageError(
                "an axis of time differences shows random coincidences next to the peak: leave --random out"
            )
        recording = replace(recording, all_columns=any(polygon.needs_further for polygon in counts.polygons))
        totals = _count_pairs(recording, passes.with_random(recording, rule, options.random or ()), counts)
    else:
        if options.random or counts.polygons or options.y:
            what = "a time axis" if TIME in (x.quantity, y.quantity) else f"a matrix of {options.axes}"
            raise UsageError(
                f"{what} needs single hits, not pairs: choose their detectors with --x, and leave out --y, --random "
                "and --polygon"
            )
        totals = _count_hits(recording, rule, counts)
    table, content = _table(counts, options)
    summary = _with_sides(MatrixSummary(**totals, **content), counts, detectors)
    return _write(summary, table, counts, options, detectors, summary.provenance(recording))


def of_pairs(options: MatrixOptions, saved: SavedPairs) -> SavedPairsMatrixSummary:
    """The same of saved pairs, all or those within a narrower window; less random ones where they have weights."""
    refuse(options, OF_COINCIDENCES, f"{saved.name} contains saved pairs, not single hits")
    saved.require_values()
    x, y = axes_of(options, saved.detectors, calibrated=saved.is_calibrated)
    saved.require_along(x.quantity, y.quantity)
    window = options.window if is_given(options, "window") else None
    pairs = saved.within(window) if window else saved.pairs
    counts = _counter(options, (x, y), saved.detectors, Detectors())  # the pairs have their energies
    _check_polygons(counts, pairs.collect_schema())
    tally = saved.count(counts.add_pairs, *([counts.shapes.add_sides] if counts.shapes else []), pairs=pairs)
    table, content = _table(counts, options)
    doubts = _doubts(counts, saved.detectors)
    of_saved = saved.summary(tally, doubts, energies=ENERGY in (x.quantity, y.quantity), window=window)
    summary = _with_sides(SavedPairsMatrixSummary(**of_saved, **content), counts, saved.detectors)
    return _write(summary, table, counts, options, saved.detectors, saved.provenance(summary))


def _with_sides(summary: Written, counts: Matrix, detectors: Detectors) -> Written:
    """The same, with a warning where two detectors without a common scale are on the two axes."""
    if counts.against is None:
        return summary
    x, y = (detectors.at(*key).name for key in counts.against)
    scale = "their ADC channels are not a common scale"
    told = f"{x} is on x and {y} on y, because {scale}: --symmetric shows both detectors on both axes"
    return replace(summary, warnings=(*summary.warnings, told))


def _counter(
    options: MatrixOptions,
    axes: tuple[Axis, Axis],
    detectors: Detectors,
    calibrations: Detectors,
    rule: PairRule | None = None,
) -> Matrix:
    """The counter of the matrix that is asked for, when it is sure that it can be written.

    Args:
        options: of the command.
        axes: of the matrix.
        detectors: their names.
        calibrations: by which hits get their energies; none: they have them.
        rule: the definition of a pair of hits; None: there are pairs.
    """
    x, y = axes
    counts = Matrix(
        x,
        y,
        calibrations,
        sides=sides_of(options.x or (), options.y or (), detectors),
        symmetric=is_symmetric(options, x, y),
        polygons=load_gates(options.polygon) if options.polygon else (),
        window=rule.window if rule else None,
        mask=rule.mask if rule else 0,
        unlike=options.symmetric is None and x.quantity == ADC and not options.x,
    )
    if options.subtract_background:
        check_factorises(options, counts)
    elif options.peak_region:
        raise UsageError("--peak-region belongs to --subtract-background: add that option")
    check_suffix(options.output, "matrices are", (*_formats(options), *FIGURES))
    check_output(options.output, overwrite=options.overwrite)
    return counts


def _table(counts: Matrix, options: MatrixOptions) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The matrix, net of its background where that is asked for, and its entries in a summary."""
    table, net = counts.table(), dict[str, Any]()
    if options.subtract_background:
        table, unc, background = net_of_background(table, counts, options)
        net = {"background": background, "counts_unc": unc}
    return table, _of_matrix(counts, table, options) | net


def _write(
    summary: Written,
    table: pl.DataFrame,
    counts: Matrix,
    options: MatrixOptions,
    detectors: Detectors,
    origin: dict[str, str],
) -> Written:
    """Write the matrix, or its figure."""
    if is_figure(options.output):
        _draw(table, counts, options, detectors)
    else:
        x, y = counts.axes
        save_matrix(table, options.output, bin_x=x.width, bin_y=y.width, overwrite=options.overwrite, metadata=origin)
    return summary.saved(options.output)


def _formats(options: MatrixOptions) -> tuple[str, ...]:
    """The suffixes of matrices; RadWare's have no room for variances and for negative counts."""
    return tuple(one for one in SUFFIXES if one not in RADWARE_TYPES) if options.subtract_background else SUFFIXES


def _count_pairs(recording: Recording, rule: PairRule, counts: Matrix) -> dict[str, Any]:
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = passes.PairPass(recording, rule, [hits, pairs, counts])
    schema = reading.pairs().collect_schema()
    _check_polygons(counts, schema)
    reading.run()
    summary = vars(passes.summarise(reading, hits, pairs))
    summary = summary | {"warnings": (*summary["warnings"], *_doubts(counts, recording.detectors))}
    return {name: value for name, value in summary.items() if name != "preselection"}


def _doubts(counts: Matrix, detectors: Detectors) -> list[str]:
    """Warnings about pulse shapes that a matrix does not show."""
    return counts.shapes.warnings(detectors) if counts.shapes else []


def _check_polygons(counts: Matrix, schema: pl.Schema) -> None:
    """Raise where polygons are in columns that neither pairs nor the matrix have."""
    for polygon in counts.polygons:
        polygon.check(pl.Schema({**schema, **dict.fromkeys(counts.polygon_columns, pl.Float64())}))


def _count_hits(recording: Recording, rule: PairRule, counts: Matrix) -> dict[str, Any]:
    tally = HitTally()
    count_hits(recording, [tally, counts])
    warnings = _doubts(counts, recording.detectors)
    if len(tally.spans) > 1:
        warnings.append(
            f"hits of {len(tally.spans)} runs are superimposed, each in its own time since the start: show "
            "one run at a time"
        )
    for side, axis in zip("xy", counts.axes, strict=True):
        if axis.quantity == TIME and 0 < tally.real_time_s < FEW * axis.width:
            warnings.append(
                f"the run lasts {tally.real_time_s:.4g} s and time bins are {axis.width:g} s wide: use "
                f"narrower bins, such as --bin-{side} {tally.real_time_s / 100:.1g}"
            )
    return of_hits(recording, tally, rule.reject, warnings)


def _of_matrix(counts: Matrix, table: pl.DataFrame, options: MatrixOptions) -> dict[str, Any]:
    """The entries of a summary on the matrix itself."""
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
        "x": tuple(options.x or ()),
        "y": tuple(options.y or ()),
        "symmetric": counts.symmetric,
        "polygons": tuple(polygon.name for polygon in counts.polygons),
        "bins": bins,
        "counts": float(table["counts"].sum()),
    }


def _draw(table: pl.DataFrame, counts: Matrix, options: MatrixOptions, detectors: Detectors) -> None:
    from gammapolars import figures

    x, y = names = [", ".join(names or ()) or "all detectors" for names in (options.x, options.y)]
    if counts.against:
        names = [detectors.at(*key).name for key in counts.against]
    same = counts.axes[0].quantity == counts.axes[1].quantity
    plot = figures.matrix(
        table,
        title=None if same else f"Pairs of {x} (x) and {y} (y)" if counts.is_of_pairs else f"Hits of {x}",
        symmetric=counts.symmetric,
        widths=(counts.axes[0].width, counts.axes[1].width),
        names=(names[0], names[1]) if same else None,
    )
    save_figure(plot, options.output, overwrite=options.overwrite)
