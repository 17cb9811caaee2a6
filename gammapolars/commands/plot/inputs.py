"""Input of `plot`: files with their contents and names, and how they are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.io.contents import kind_of

if TYPE_CHECKING:
    from plotnine import ggplot
    from plotnine.composition import Compose

    from gammapolars.figures.style import FigureStyle

LONGEST = 40
"""Letters of a name in a legend."""


@dataclass(frozen=True)
class Input:
    """One of the things that are drawn.

    Attributes:
        name: as it was given.
        content: its kind.
        label: its name in the legend.
    """

    name: str
    content: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """A figure, and the messages about it.

    Attributes:
        plot: the figure.
        inputs: the files that were read.
        notes: how inputs were rebinned, normalised or subtracted, one phrase each.
        warnings: about the inputs, one sentence each.
        drawn: the name of each curve in the legend, where that is another thing than an input.
    """

    plot: "ggplot | Compose"
    inputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()


Draw = Callable[[list[Input], PlotOptions, "FigureStyle"], Drawing]
"""Functions that draw inputs as a figure of one kind."""


def inputs_of(names: Sequence[str], labels: Sequence[str] | None = None) -> list[Input]:
    """Inputs with their contents, and names that distinguish them.

    Raises:
        InputError: one is missing.
    """
    labels = labels or labels_of(names)
    return [Input(name, kind_of(name), label) for name, label in zip(names, labels, strict=True)]


def labels_of(names: Sequence[str]) -> list[str]:
    """The shortest ends of paths that are all different, as a legend has them."""
    paths = [Path(name) for name in names]
    most = max((len(path.parts) for path in paths), default=1)
    for parts in range(1, most + 1):
        labels = ["/".join((*path.parts[-parts:-1], path.stem if path.suffix else path.name)) for path in paths]
        if len({*labels}) == len(labels):
            return [_short(label) for label in labels] if len({*map(_short, labels)}) == len(labels) else labels
    return [f"{number} {path.name}" for number, path in enumerate(paths, 1)]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"
