"""The quantities along the axes of spectra and matrices: one record each, for all that name, bin, store or draw them.

How their values follow from hits and pairs is in `analysis/accumulators/axes.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from gammapolars.core.units import PS_PER_UNIT


@dataclass(frozen=True)
class Quantity:
    """A quantity on an axis.

    Attributes:
        word: its name on the command line.
        column: its column in spectra; in matrices, followed by `_x` or `_y`.
        unit: of the column.
        bin: width of the bins in this unit, unless another is asked for.
        title: of axes in files of histograms.
        label: of axes in figures, without the unit.
        drawn_unit: the unit in figures.
        definition: in labels of axes, of a quantity without a unit.
        of_pairs: whether pairs have it.
        of_hits: whether single hits have it.
        of_same_hit: whether next to another quantity of hits it is that of the same hit, not of the pair's other one.
        centred: whether 0 is the middle of a bin, instead of an edge.
        needs: columns of hits without which it does not exist.
        range: of the bins, unless another is asked for; None: that of the values.
    """

    word: str
    column: str
    unit: str
    bin: float
    title: str
    label: str
    drawn_unit: str
    definition: str = ""
    of_pairs: bool = True
    of_hits: bool = True
    of_same_hit: bool = False
    centred: bool = False
    needs: tuple[str, ...] = ()
    range: tuple[float, float] | None = None

    def axis_title(self, further: str = "") -> str:
        """Labels of axes in figures, such as `Energy x (keV)`; ADC channels need no unit, ratios have a definition."""
        title = f"{self.label}{further}"
        if self.definition:
            return f"{title}, {self.definition}"
        return title if self == ADC else f"{title} ({self.drawn_unit})"

    def drawn(self, width: float) -> str:
        """The width of a bin in figures, such as `2 keV`."""
        return f"{width:.4g} {self.drawn_unit}".rstrip()

    @property
    def drawn_scale(self) -> float:
        """How many of the units in figures one of the column is."""
        return PS_PER_UNIT.get(self.unit, 1) / PS_PER_UNIT.get(self.drawn_unit, 1)


ENERGY = Quantity("energy", "energy_kev", "keV", 2.0, "energy (keV)", "Energy", "keV")
ADC = Quantity("adc", "adc", "adc", 16.0, "adc", "ADC channel", "ADC channels", needs=("adc",))
TIME_DIFFERENCE = Quantity(
    "dt", "dt_ps", "ps", 1000.0, "time difference (ps)", "Time difference, y − x", "ns", of_hits=False, centred=True
)
TIME = Quantity("time", "time_s", "s", 10.0, "time (s)", "Time", "s", of_pairs=False)

PSD = Quantity(
    "psd",
    "psd",
    "psd",
    0.005,
    "pulse shape (long - short)/long",
    "Pulse shape",
    "",
    definition="(long − short)/long",
    of_same_hit=True,
    needs=("adc", "adc_short"),
    range=(-0.2, 1.2),
)

QUANTITIES = (ENERGY, ADC, TIME_DIFFERENCE, TIME, PSD)
"""All of them; where a table has columns of several, its axis is of the first."""

PULSE_HEIGHTS = (ENERGY, ADC)
"""Quantities that have peaks at the energies of photons."""

BY_WORD = {quantity.word: quantity for quantity in QUANTITIES}
BY_COLUMN = {quantity.column: quantity for quantity in QUANTITIES}


def are_of_pairs(x: Quantity, y: Quantity) -> bool:
    """Whether a matrix of two quantities is one of pairs; else it is one of single hits, such as energy against psd."""
    of_same_hit = x != y and x.of_hits and y.of_hits and (x.of_same_hit or y.of_same_hit)
    return x.of_pairs and y.of_pairs and not of_same_hit


def axis_columns(columns: Collection[str]) -> tuple[str, str] | None:
    """The columns of a matrix' two axes; None if one has none."""
    axes = [next((f"{name}_{side}" for name in BY_COLUMN if f"{name}_{side}" in columns), "") for side in "xy"]
    return (axes[0], axes[1]) if all(axes) else None
