"""Figures of tables that commands wrote: peaks, lifetimes, angular correlations, drift, and efficiencies."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gammapolars.activities import EfficiencyCurve
from gammapolars.commands.checks import refuse
from gammapolars.commands.plot.inputs import Draw, Drawing, Input
from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.core.errors import UsageError
from gammapolars.detectors import load_detectors, named
from gammapolars.io.contents import scan_table

if TYPE_CHECKING:
    from gammapolars.figures.style import FigureStyle

STEPS = 200
RANGE_KEV = (50.0, 3000.0)
"""Where an efficiency is drawn that was fitted to no range that is known."""


def _table(inputs: Sequence[Input], options: PlotOptions) -> pl.DataFrame:
    """The one table that is drawn, with the names of its detectors."""
    refuse(options, {"--window": "window", "--reject": "reject"}, f"{inputs[0].name} is a table, not a run")
    table = scan_table(Path(inputs[0].name)).collect()
    has_detectors = {"board", "channel"} <= set(table.columns)
    return (
        named(table, options.known) if has_detectors and ("name" not in table.columns or options.detectors) else table
    )


def of_table(word: str) -> Draw:
    """The function that draws a saved table: that of this name in the module of this name in `figures/`.

    Args:
        word: the name; the function takes the table, and `style`.
    """

    def draw(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
        figure = getattr(import_module(f"gammapolars.figures.{word}"), word)
        return Drawing(figure(_table(inputs, options), style=style), (inputs[0].name,))

    return draw


def efficiency(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """The efficiency curves that files of detectors hold.

    Raises:
        UsageError: they hold none.
    """
    from gammapolars.figures import plot

    refuse(options, {"--window": "window", "--reject": "reject"}, f"{inputs[0].name} describes detectors, not a run")
    bands = []
    for one in inputs:
        for detector in load_detectors(Path(one.name)):
            if detector.efficiency is None:
                continue
            low, high = detector.efficiency_range or RANGE_KEV
            label = f"{one.label}, {detector.name}" if len(inputs) > 1 else detector.name
            band = EfficiencyCurve.of(detector).band(np.geomspace(low, high, STEPS).tolist())
            bands.append(band.with_columns(name=pl.lit(label)))
    if not bands:
        raise UsageError(f"{inputs[0].name}: no detector has an efficiency: fit one with gammapolars efficiency")
    figure = plot.efficiency(None, pl.concat(bands), style=style)
    return Drawing(figure, tuple(one.name for one in inputs))
