"""The command `plot`: whatever the package writes or reads in, a figure out."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gammapolars.analysis.summaries import Summary
from gammapolars.commands.checks import refuse
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.commands.options import OF_SELECTION
from gammapolars.commands.plot.inputs import inputs_of
from gammapolars.commands.plot.kinds import kind_for
from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.commands.summaries import tail
from gammapolars.core.errors import UsageError
from gammapolars.core.units import parse_range
from gammapolars.io.contents import HITS

if TYPE_CHECKING:
    from gammapolars.figures.style import FigureStyle

SPECTRAL = {"--normalise": "normalise", "--compare": "compare", "--subtract": "subtract"}
"""Options only for figures of spectra."""

NORMALISATIONS = ("none", "live-time", "real-time", "area")
COMPARISONS = ("ratio", "difference")
OVERLAYS = ("file", "run", "detector")

CM = {"cm": 1.0, "mm": 0.1, "in": 2.54}


@dataclass(frozen=True, kw_only=True)
class PlotSummary(Summary):
    """A figure that was drawn.

    Attributes:
        kind: of the figure.
        drawn: what the legend calls each input.
        notes: what was rebinned, normalised or subtracted, one phrase each.
    """

    kind: str
    drawn: tuple[str, ...]
    notes: tuple[str, ...]


def plot(options: PlotOptions) -> PlotSummary:
    """Draw inputs, over each other where they are several.

    Raises:
        UsageError: options that do not go together, or inputs of which there is no such figure.
    """
    check_figure(options.output, overwrite=options.overwrite)
    _check_words(options)
    inputs = inputs_of(options.names)
    name, kind = kind_for(options.kind, inputs)
    if other := [one.name for one in inputs if one.content != HITS]:
        refuse(options, OF_SELECTION, f"{other[0]} contains no single hits")
    if not kind.spectral:
        refuse(options, SPECTRAL | {"--spectrum": "spectrum"}, f"a figure of kind {name} does not show spectra")
        if options.overlay in ("run", "detector"):
            raise UsageError(
                f"a figure of kind {name} always overlays its files: leave --overlay {options.overlay} out"
            )
    if not kind.several:
        refuse(options, {"--overlay": "overlay"}, f"a figure of kind {name} takes a single input")
    drawing = kind.draw(inputs, options, style_of(options))
    save_figure(drawing.plot, options.output, overwrite=options.overwrite)
    return PlotSummary(
        inputs=drawing.inputs,
        warnings=drawing.warnings,
        kind=name,
        drawn=drawing.drawn or tuple(one.label for one in inputs),
        notes=drawing.notes,
    ).saved(options.output)


def text(summary: PlotSummary) -> list[str]:
    """The summary for people."""
    return [f"a figure of kind {summary.kind}", *(f"  {note}" for note in summary.notes), *tail(summary)]


def _check_words(options: PlotOptions) -> None:
    for option, value, words in (
        ("--normalise", options.normalise, NORMALISATIONS),
        ("--compare", options.compare, COMPARISONS),
        ("--overlay", options.overlay, OVERLAYS),
    ):
        if value is not None and value not in words:
            raise UsageError(f"{option} takes {', '.join(words[:-1])} or {words[-1]}, not '{value}'")


def style_of(options: PlotOptions) -> "FigureStyle":
    """How the figure is to look.

    Raises:
        UsageError: an impossible range, size or font.
    """
    from gammapolars.figures.style import THEMES, FigureStyle

    theme = next((theme for theme in THEMES if theme == options.theme), None)
    if theme is None:
        raise UsageError(f"--theme takes {', '.join(THEMES[:-1])} or {THEMES[-1]}, not '{options.theme}'")
    return FigureStyle(
        title=options.title,
        range_x=None if options.range_x is None else parse_range(options.range_x, "--range", example="0:3000"),
        range_y=None if options.range_y is None else parse_range(options.range_y, "--range-y", example="1:1e5"),
        log_x=options.log_x,
        log_y=options.log_y,
        bin=options.bin_width,
        size_cm=None if options.size is None else parse_size(options.size),
        dpi=options.dpi,
        font_size=options.font_size,
        labels=options.labels,
        theme=theme,
    )


def parse_size(text: str) -> tuple[float, float]:
    """Width and height in cm, of a text such as `16cmx9cm`, `6inx4in` or `16x9`, which is in cm.

    Raises:
        UsageError: it is none.
    """
    side = r"\s*([\d.]+)\s*(cm|mm|in)?\s*"
    found = re.fullmatch(f"{side}[x×]{side}", text.lower())
    try:
        if found:
            width, unit_x, height, unit_y = found.groups()
            return float(width) * CM[unit_x or unit_y or "cm"], float(height) * CM[unit_y or unit_x or "cm"]
    except ValueError:
        pass
    raise UsageError(f"--size takes WIDTHxHEIGHT, such as 16cmx9cm, not '{text}'")
