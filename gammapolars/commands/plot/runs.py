"""Figures of runs and pairs: matrices, time differences and rates; or of tables of these."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from gammapolars.analysis.accumulators import HitTally, Matrix, PairTally, PulseShapes, Rates, TimeDifferences
from gammapolars.analysis.accumulators.axes import Axis
from gammapolars.analysis.accumulators.matrix import energy_axis
from gammapolars.analysis.passes import PairPass, count_hits, summarise
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs
from gammapolars.analysis.summaries import of_hits
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.given import is_given
from gammapolars.commands.plot.inputs import Drawing, Input
from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.flags import union
from gammapolars.core.quantities import ADC, PSD, Quantity
from gammapolars.detectors import Detectors, named
from gammapolars.io.contents import HITS, MATRIX, PAIRS, scan_table
from gammapolars.io.matrix_files import scan_matrix
from gammapolars.streaming.slices import batches_of

if TYPE_CHECKING:
    from gammapolars.figures.style import FigureStyle

MOST_BINS = 20_000_000
"""A stored matrix of more filled bins is not drawn."""


class _Counted(NamedTuple):
    """The input of a figure.

    Attributes:
        inputs: files.
        warnings: about the input.
        detectors: names and calibrations.
    """

    inputs: tuple[str, ...]
    warnings: tuple[str, ...]
    detectors: Detectors


def matrix(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """A matrix as it is stored, or that of the energies of all pairs; of adc values where nothing is calibrated.

    Two detectors without a calibration have channels of different gain: one is drawn against the other.
    """
    from gammapolars.figures import plot

    (one,) = inputs
    if one.content == MATRIX:
        refuse(options, {"--window": "window"}, f"{one.name} is a stored matrix")
        stored = scan_matrix(one.name)
        if stored.select(pl.len()).collect().item() > MOST_BINS:
            raise InputError(f"{one.name}: has more than {MOST_BINS // 10**6} million filled bins: use wider bins")
        return Drawing(plot.matrix(stored, style=style), (one.name,))
    counts = _Matrices(options)
    read = _over_pairs(one, options, counts)
    chosen = counts.chosen()
    names = tuple(read.detectors.at(*key).name for key in counts.keys) if not chosen.symmetric else None
    widths = chosen.axes[0].width, chosen.axes[1].width
    figure = plot.matrix(
        chosen.table(),
        symmetric=chosen.symmetric,
        widths=widths,
        names=(names[0], names[1]) if names else None,
        style=style,
    )
    return Drawing(figure, read.inputs, warnings=read.warnings)


def _over_pairs(one: Input, options: PlotOptions, counts: "_Matrices") -> _Counted:
    """Let matrices count the pairs of a run, or those that were saved."""
    if one.content == HITS:
        with options.recording([one.name]) as recording:
            known = recording.detectors
            counts.begin(known, known, calibrated=recording.is_calibrated)
            return _of_run(recording, PairRule(options.window, reject=recording.masks(options.reject)), counts.add)
    with options.saved_pairs([one.name]) as saved:
        assert saved
        saved.require_values()
        counts.begin(saved.detectors, Detectors(), calibrated=saved.is_calibrated)
        pairs = saved.within(options.window) if is_given(options, "window") else saved.pairs
        summary = saved.summary(saved.count(counts.add, pairs=pairs), energies=saved.is_calibrated)
        return _Counted(summary["inputs"], summary["warnings"], saved.detectors)


def _of_run(recording: Recording, rule: PairRule, add: Callable[[pl.DataFrame], None]) -> _Counted:
    """Let something count the pairs of a run."""
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = PairPass(recording, rule, [hits, pairs])
    for batch in batches_of(reading.pairs()):
        add(batch)
    summary = summarise(reading, hits, pairs)
    return _Counted(summary.inputs, summary.warnings, recording.detectors)


class _Matrices:
    """The matrix of all pairs, and of channels also that of the detectors with lower numbers against the others."""

    def __init__(self, options: PlotOptions) -> None:
        self._bin, self.keys = options.bin_width, list[tuple[int, int]]()
        self._counts: list[Matrix] = []

    def begin(self, detectors: Detectors, calibrations: Detectors, *, calibrated: bool) -> None:
        """Choose the axes, when it is known whether there are energies."""
        width = self._bin or ADC.bin
        axis = energy_axis(detectors, self._bin, calibrated=True) if calibrated else Axis(ADC, width)
        self._counts = [Matrix(axis, axis, calibrations, symmetric=True)]
        if not calibrated:
            self._counts.append(Matrix(axis, axis, calibrations))

    def add(self, pairs: pl.DataFrame) -> None:
        """Count some pairs."""
        for counts in self._counts:
            counts.add_pairs(pairs)
        if len(self.keys) <= len(self._counts) == 2:
            seen = [pairs.select(f"board{side}", f"channel{side}").unique().rows() for side in ("_a", "_b")]
            self.keys = sorted({*self.keys, *((int(b), int(c)) for ends in seen for b, c in ends)})

    def chosen(self) -> Matrix:
        """One detector against the other where there are two without a calibration, else the symmetric matrix."""
        return self._counts[-1] if len(self.keys) == 2 else self._counts[0]


def time_differences(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """Histograms of the time differences of each two detectors."""
    from gammapolars.figures import plot

    tables, read = [], []
    for one in inputs:
        if one.content in (HITS, PAIRS):
            table, counted = _counted_differences(one, options)
            read.append(counted)
        else:
            table = scan_table(Path(one.name)).collect()
            read.append(_Counted((one.name,), (), Detectors()))
        tables.append(table.with_columns(pl.lit(one.label).alias("input")))
    frame = pl.concat(tables, how="diagonal_relaxed")
    if len({*frame["width_ns"].round(6)}) > 1:
        raise UsageError("the time differences have bins of different widths: count them again with the same window")
    overlay = "input" if len(inputs) > 1 else None
    return Drawing(plot.time_differences(frame, overlay=overlay, style=style), *_said(read))


def _counted_differences(one: Input, options: PlotOptions) -> tuple[pl.DataFrame, _Counted]:
    """The time differences of a run within the window that is looked for, or of saved pairs within theirs."""
    if one.content == HITS:
        with options.recording([one.name]) as recording:
            rule = PairRule(options.window, reject=recording.masks(options.reject))
            counts = TimeDifferences(max(rule.window.reach, 1))
            read = _of_run(recording, rule, counts.add_pairs)
            return counts.table(recording.detectors), read
    with options.saved_pairs([one.name]) as saved:
        assert saved
        pairs = _prompt_pairs(saved, options)
        reach = saved.files.window.reach if saved.files.window else _largest_ps(pairs)
        differences = TimeDifferences(max(reach, 1))
        summary = saved.summary(saved.count(differences.add_pairs, pairs=pairs), energies=False)
        return differences.table(saved.detectors), _Counted(summary["inputs"], summary["warnings"], saved.detectors)


def _prompt_pairs(saved: SavedPairs, options: PlotOptions) -> pl.LazyFrame:
    pairs = saved.within(options.window) if is_given(options, "window") else saved.pairs
    return pairs.filter(pl.col("region") == "prompt") if "region" in saved.files.columns else pairs


def _largest_ps(pairs: pl.LazyFrame) -> int:
    """The largest time difference, up or down."""
    batches = batches_of(pairs.select(pl.col("dt_ps").abs()))
    return max((int(batch["dt_ps"].max() or 0) for batch in batches if batch.height), default=0)  # type: ignore[arg-type]


def rates(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """Rates of all hits over time, by detector."""
    from gammapolars.figures import plot

    refuse(options, {"--window": "window"}, "a figure of rates needs no pairs")
    frame, overlay, read = _of_inputs(inputs, options, lambda recording: Rates(mask=union(recording.masks("none"))))
    return Drawing(plot.rates(frame, overlay=overlay, style=style), *_said(read))


def pulse_shapes(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """Distributions of the pulse shape of used hits, by detector."""
    from gammapolars.figures import plot

    refuse(options, {"--window": "window"}, "a figure of pulse shapes needs no pairs")
    assert PSD.range
    axis = Axis(PSD, style.bin or PSD.bin, *PSD.range)
    frame, overlay, read = _of_inputs(
        inputs, options, lambda recording: PulseShapes(axis, union(recording.masks(options.reject))), PSD
    )
    return Drawing(plot.pulse_shapes(frame, overlay=overlay, style=style), *_said(read))


def _of_inputs(
    inputs: list[Input],
    options: PlotOptions,
    counter: Callable[[Recording], Rates | PulseShapes],
    *quantities: Quantity,
) -> tuple[pl.DataFrame, str | None, list[_Counted]]:
    """The tables of several inputs, and the column that distinguishes them; counted of runs, or as they were saved.

    Args:
        inputs: runs, and tables.
        options: of the command.
        counter: makes what counts the hits of a run.
        quantities: that its hits must have.
    """
    tables, read = [], []
    for one in inputs:
        table, of_one = _of_input(one, options, counter, quantities)
        tables.append(table.with_columns(pl.lit(one.label).alias("input")))
        read.append(of_one)
    return pl.concat(tables, how="diagonal_relaxed"), "input" if len(inputs) > 1 else None, read


def _of_input(
    one: Input,
    options: PlotOptions,
    counter: Callable[[Recording], Rates | PulseShapes],
    quantities: Sequence[Quantity],
) -> tuple[pl.DataFrame, _Counted]:
    if one.content != HITS:
        return scan_table(Path(one.name)).collect(), _Counted((one.name,), (), Detectors())
    with options.recording([one.name]) as opened:
        recording, hits = opened.along(*quantities), HitTally()
        counts = counter(recording)
        count_hits(recording, [hits, counts])
        doubts = counts.warnings(recording.detectors) if isinstance(counts, PulseShapes) else []
        summary = of_hits(recording, hits, {}, doubts)
        table = named(counts.table(), recording.detectors)
    return table, _Counted(summary["inputs"], summary["warnings"], recording.detectors)


def _said(read: Sequence[_Counted]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The files of a figure, no notes, and the warnings."""
    warnings = dict.fromkeys(warning for of in read for warning in of.warnings)
    return tuple(name for of in read for name in of.inputs), (), tuple(warnings)
