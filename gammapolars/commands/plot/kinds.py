"""The figures that `plot` draws, one row each: their input, and the function that draws them.

A new figure of a saved table is a file in `figures/` with a function of its name, and a row here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gammapolars.commands.plot import runs, spectra
from gammapolars.commands.plot.inputs import Draw, Input
from gammapolars.commands.plot.tables import efficiency, of_table
from gammapolars.core.errors import UsageError
from gammapolars.io.contents import DETECTORS, HITS, MATRIX, PAIRS, SPECTRA


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure.

    Attributes:
        draw: makes it of inputs.
        of: contents of files that it can be made of.
        several: whether several inputs are drawn over each other.
        spectral: whether inputs can be normalised, compared and net of a background.
        usual: of which of these it is the figure that is drawn where no other is named.
    """

    draw: Draw
    of: tuple[str, ...]
    usual: tuple[str, ...]
    several: bool = False
    spectral: bool = False


KINDS: Mapping[str, FigureKind] = {
    "spectrum": FigureKind(spectra.draw, (HITS, SPECTRA, PAIRS), (HITS, SPECTRA), several=True, spectral=True),
    "matrix": FigureKind(runs.matrix, (HITS, PAIRS, MATRIX), (PAIRS, MATRIX)),
    "time-differences": FigureKind(
        runs.time_differences, (HITS, PAIRS, "time differences"), ("time differences",), several=True
    ),
    "rates": FigureKind(runs.rates, (HITS, "rates"), ("rates",), several=True),
    "pulse-shapes": FigureKind(runs.pulse_shapes, (HITS, "pulse shapes"), ("pulse shapes",), several=True),
    "peaks": FigureKind(of_table("peaks"), ("peaks",), ("peaks",)),
    "lifetime": FigureKind(of_table("lifetime"), ("lifetime",), ("lifetime",)),
    "angular": FigureKind(of_table("angular"), ("angular correlation",), ("angular correlation",)),
    "drift": FigureKind(of_table("drift"), ("drift",), ("drift",)),
    "efficiency": FigureKind(efficiency, (DETECTORS,), (DETECTORS,), several=True),
}
"""By their words on the command line."""


def kind_for(word: str | None, inputs: list[Input]) -> tuple[str, FigureKind]:
    """The figure that is asked for, or that suits the inputs.

    Raises:
        UsageError: an unknown one, or inputs that it cannot be made of, or of different contents.
    """
    if word is not None and word not in KINDS:
        raise UsageError(f"unknown kind '{word}' of figure: it is one of {', '.join(KINDS)}")
    first = inputs[0]
    usual = next((name for name, kind in KINDS.items() if first.content in kind.usual), None)
    name = word or usual
    if name is None:
        drawn = ", ".join(dict.fromkeys(content for kind in KINDS.values() for content in kind.of))
        raise UsageError(f"{first.name}: contains {first.content}, which cannot be drawn: figures exist for {drawn}")
    kind = KINDS[name]
    for one in inputs:
        if one.content not in kind.of:
            raise UsageError(
                f"{one.name}: contains {one.content}, but a figure of kind {name} needs {' or '.join(kind.of)}"
            )
    if len(inputs) > 1 and not kind.several:
        raise UsageError(f"a figure of kind {name} takes a single input: leave {inputs[1].name} out")
    return name, kind
