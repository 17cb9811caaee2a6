"""The matrices that the command `matrix` writes: the symmetric one of all energies, and those of chosen quantities."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import EnergyMatrix, HitTally, PairTally
from gammapolars.analysis.accumulators.axes import UNITS, Axis, Sides
from gammapolars.analysis.accumulators.chosen_matrices import HitMatrix, PairMatrix
from gammapolars.analysis.accumulators.matrix import BIN_ADC, BIN_KEV
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import check_bins
from gammapolars.commands.figure_files import FIGURE, save_figure
from gammapolars.commands.matrix.choice import Choice
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.gates import PolygonGate
from gammapolars.io import Runs
from gammapolars.io.matrix_files import SUFFIXES, save_matrix
from gammapolars.io.output import check_output, check_suffix
from gammapolars.io.provenance import describe
from gammapolars.spectra import fitting_bin_kev
from gammapolars.streaming.slices import batches_of

FEW = 5
"""A run of fewer bins of time than this shows no course."""


def symmetric(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    bin_kev: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the symmetric matrix of the energies of a run's pairs; of their adc values, if nothing is calibrated.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        output: as for `save_matrix`, or a figure that ends in .png.
        random: windows that hold chance pairs alone, or `auto`: the matrix is then net of chance.
        detectors: time offsets and energy calibrations.
        bin_kev: the bins' width; None: 2 keV, or what the coarsest detector needs.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars matrix --json` prints it.
    """
    started = time.perf_counter()
    known = detectors or Detectors()
    check_bins(bin_kev, known)
    _check_matrix_output(output, overwrite=overwrite)
    width_kev = fitting_bin_kev(known, least_kev=BIN_KEV) if bin_kev is None else bin_kev
    ready = passes.with_random(Recording(runs, known), rule, random)
    made = EnergyMatrix(ready.window, known, bin_kev=width_kev)
    table, summary = _of_pairs(runs, ready, made, known, progress)
    in_kev = "energy_kev_x" in table.columns
    axis = Axis("energy_kev", width_kev) if in_kev else Axis("adc", BIN_ADC)
    summary |= {
        "bin_kev": width_kev if in_kev else None,
        "bin_adc": None if in_kev else BIN_ADC,
        "channel_0": _first_centre(table.to_series(0), axis),
        "counts": float(table["counts"].sum()),
    }
    if output.suffix.lower() == FIGURE:
        from gammapolars import figures

        save_figure(figures.matrix(table), output, overwrite=overwrite)
    else:
        metadata = describe(runs, summary)
        save_matrix(table, output, bin_kev=width_kev, bin_adc=BIN_ADC, overwrite=overwrite, metadata=metadata)
    return _done(summary, started, output)


def chosen(
    runs: Runs,
    rule: PairRule,
    output: Path,
    choice: Choice,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
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
    sides, both_orders = choice.of(known), choice.is_symmetric()
    if any(axis.quantity == "energy_kev" for axis in axes) and not any(one.energy for one in known):
        raise UsageError("axes of energy need a calibration: name a detectors.toml that has one, or take axes of adc")
    _check_matrix_output(output, overwrite=overwrite)
    if "time_s" in (x.quantity, y.quantity):
        if random or choice.polygons or choice.y or both_orders:
            raise UsageError("an axis of time is one of single hits: leave out what is about pairs")
        table, summary = _of_hits(runs, rule, x, y, sides, known, progress)
    else:
        if random and "dt_ps" in (x.quantity, y.quantity):
            raise UsageError("an axis of time differences shows chance beside the peak: leave --random out")
        ready = passes.with_random(Recording(runs, known), rule, random)
        made = PairMatrix(
            x, y, known, window=ready.window, sides=sides, symmetric=both_orders, polygons=choice.polygons
        )
        table, summary = _of_pairs(runs, ready, made, known, progress, choice.polygons, made.axis_columns)
    summary |= {"axes": choice.axes, "x": list(choice.x), "y": list(choice.y), "symmetric": both_orders}
    summary |= {"bin_x": x.width, "bin_y": y.width, "units": [UNITS[axis.quantity] for axis in axes]}
    summary |= {
        "channel_0": [_first_centre(table[name], axis) for name, axis in zip(table.columns, axes, strict=False)]
    }
    summary |= {"polygons": [one.name for one in choice.polygons], "counts": float(table["counts"].sum())}
    if output.suffix.lower() == FIGURE:
        from gammapolars import figures

        widths, title = (x.width, y.width), _title(choice)
        drawn = figures.matrix(table) if both_orders else figures.map_of(table, title=title, widths=widths)
        save_figure(drawn, output, overwrite=overwrite)
    else:
        save_matrix(table, output, bin_x=x.width, bin_y=y.width, overwrite=overwrite, metadata=describe(runs, summary))
    return _done(summary, started, output)


def _check_matrix_output(output: Path, *, overwrite: bool) -> None:
    check_suffix(output, "matrices are", (*SUFFIXES, FIGURE))
    check_output(output, overwrite=overwrite)


def _done(summary: dict[str, Any], started: float, output: Path) -> dict[str, Any]:
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


def _of_pairs(
    runs: Runs,
    rule: PairRule,
    made: EnergyMatrix | PairMatrix,
    detectors: Detectors,
    progress: Progress | None,
    polygons: Sequence[PolygonGate] = (),
    axes: Sequence[str] = (),
) -> tuple[pl.DataFrame, dict[str, Any]]:
    hits, pairs = HitTally(), PairTally(rule.window)
    further = any(polygon.needs_further for polygon in polygons)
    reading = passes.PairPass(Recording(runs, detectors, progress, all_columns=further), rule, [hits, pairs, made])
    found = reading.pairs()
    for polygon in polygons:
        polygon.check(pl.Schema({**found.collect_schema(), **dict.fromkeys(axes, pl.Float64())}))
    for _ in batches_of(found.select(pl.len())):
        pass
    return made.table(), passes.summarise(reading, hits, pairs)


def _of_hits(
    runs: Runs,
    rule: PairRule,
    x: Axis,
    y: Axis,
    sides: Sides,
    detectors: Detectors,
    progress: Progress | None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    tally = HitTally()
    made = HitMatrix(x, y, detectors, mask=union(rule.reject), of=sides.x)
    recording = Recording(runs, detectors, progress)
    count_hits(recording, [tally, made])
    warned = [*reading_warnings(runs), *time_warnings(tally, runs), *recording.warnings]
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
