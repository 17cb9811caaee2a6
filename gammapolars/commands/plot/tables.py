"""Figures of tables that commands wrote: peaks, lifetimes, angular correlations, drift, and efficiencies."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from gammapolars.commands.checks import refuse
from gammapolars.commands.plot.inputs import Draw, Drawing, Input
from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.detectors import named
from gammapolars.io.contents import scan_table

if TYPE_CHECKING:
    from gammapolars.figures.style import FigureStyle


def _table(inputs: Sequence[Input], options: PlotOptions) -> pl.DataFrame:
    """The one table that is drawn, with the names of its detectors."""
    refuse(options, {"--window": "window", "--reject": "reject"}, f"{inputs[0].name} is a table, and no run")
    table = scan_table(Path(inputs[0].name)).collect()
    has_detectors = {"board", "channel"} <= set(table.columns)
    return (
        named(table, options.known) if has_detectors and ("name" not in table.columns or options.detectors) else table
    )


def of_table(word: str) -> Draw:
    """What draws a saved table: the function of this name in the module of this name in `figures/`.

    Args:
        word: the name; the function takes the table, and `style`.
    """

    def draw(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
        figure = getattr(import_module(f"gammapolars.figures.{word}"), word)
        return Drawing(figure(_table(inputs, options), style=style), (inputs[0].name,))

    return draw
