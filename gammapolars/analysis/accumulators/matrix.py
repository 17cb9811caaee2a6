"""The matrix of pairs by their two energies."""

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator
from gammapolars.analysis.accumulators.axes import Quantity, of_pairs
from gammapolars.core.types import Integers
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors
from gammapolars.spectra.tallies import WEIGHTED, Tally

CELL = 2**32
"""A cell's key is its lower place times this and its upper one, which may be below 0."""

BATCH_PAIRS = 1_000_000
"""So many pairs are counted at once, in 0.4 of the time per pair that a tenth of them needs."""

BIN_KEV = 2.0
"""Width of the bins of energy, unless detectors need wider ones."""

BIN_ADC = 16
"""Width of the bins where nothing is calibrated."""


class EnergyMatrix(Accumulator):
    """Pairs within a window by their two energies, or by their two adc values where nothing is calibrated.

    Pairs with weights, as with random windows, are all counted, with these.

    Args:
        window: pairs without weights count if they lie in it.
        detectors: energy calibrations.
        bin_kev: the bins' width.
        bin_adc: the same, where nothing is calibrated.
        sums: whether energies are of several hits each, as add-back makes them.
    """

    def __init__(
        self, window: Window, detectors: Detectors, *, bin_kev: float, bin_adc: int = BIN_ADC, sums: bool = False
    ) -> None:
        self._window = window
        self._sums = sums
        self._calibrated = any(detector.energy for detector in detectors)
        self._detectors = detectors
        self._axes = ("energy_kev_x", "energy_kev_y") if self._calibrated else ("adc_x", "adc_y")
        self._width = bin_kev if self._calibrated else float(bin_adc)
        self._waiting: list[pl.DataFrame] = []
        self._tally = Tally("cell", sums=WEIGHTED)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        low, high = self._window
        if "region" not in pairs.columns and not pairs["dt_ps"].is_between(low, high).all():
            pairs = pairs.filter(pl.col("dt_ps").is_between(low, high))
        self._waiting.append(pairs)
        if sum(part.height for part in self._waiting) >= BATCH_PAIRS:
            self._count()

    def _count(self) -> None:
        """Count the pairs that wait: a slice alone has so few that most of the time would go into queries."""
        if not self._waiting:
            return
        pairs = pl.concat(self._waiting)
        self._waiting = []
        quantity: Quantity = "energy_kev" if self._calibrated else "adc"
        values = [of_pairs(pairs.columns, quantity, self._detectors, side, sums=self._sums) for side in "ab"]
        # Each pair once, at (least, largest), in one key: the matrix is symmetric, and one column groups faster.
        places = [(value / self._width).floor().cast(pl.Int64) for value in values]
        weight = pl.col("weight") if "weight" in pairs.columns else pl.lit(1.0)
        cells = pairs.lazy().select(
            cell=pl.min_horizontal(places) * CELL + pl.max_horizontal(places) + CELL // 2,
            known=places[0] + places[1],
            counts=weight,
            variance=weight * weight,
        )
        self._tally.add(cells.drop_nulls().collect())

    def table(self) -> pl.DataFrame:
        """The symmetric matrix: bin centres of both axes, `counts`, `variance`; filled bins only."""
        x, y = self._axes
        self._count()
        counted = self._tally.summed()
        if counted.is_empty():
            return pl.DataFrame(schema={x: pl.Float64, y: pl.Float64, "counts": pl.Float64, "variance": pl.Float64})
        low, high = _places(counted)
        apart = pl.Series(low != high)
        mirrored = counted.with_columns(cell=pl.Series(high * CELL + low + CELL // 2)).filter(apart)
        # The cells sort as x and y would, in a fraction of the time.
        both = pl.concat([counted, mirrored]).sort("cell")
        centre = {
            axis: pl.Series((place + 0.5) * self._width) for axis, place in zip((x, y), _places(both), strict=True)
        }
        return both.select(**centre, counts="counts", variance="variance")


def _places(table: pl.DataFrame) -> tuple[Integers, Integers]:
    """The bins along both axes of a table's cells."""
    cells = table["cell"].to_numpy()
    return cells // CELL, cells % CELL - CELL // 2
