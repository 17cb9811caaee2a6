"""The matrix of pairs by their two energies."""

import polars as pl

from gammapolars.detectors import Detectors
from gammapolars.products.axes import Quantity, counted_within, of_pairs
from gammapolars.spectra.weights import sums
from gammapolars.tallies import WEIGHTED, Tally
from gammapolars.units import Window

CELL = 2**32
"""A cell's key is its lower place times this and its upper one, which may be below 0."""


BATCH_PAIRS = 250_000
"""So many pairs are counted at once."""

BIN_ADC = 16
"""Width of the bins where nothing is calibrated."""


class EnergyMatrix:
    """Pairs within a window by their two energies, or by their two adc values where nothing is calibrated.

    Pairs with weights, as with random windows, are all counted, with these.
    """

    def __init__(self, window: Window, detectors: Detectors, *, bin_kev: float, bin_adc: int = BIN_ADC) -> None:
        self._window = window
        self._calibrated = any(detector.energy for detector in detectors)
        self._detectors = detectors
        self._axes = ("energy_kev_x", "energy_kev_y") if self._calibrated else ("adc_x", "adc_y")
        self._width = bin_kev if self._calibrated else float(bin_adc)
        self._waiting: list[pl.DataFrame] = []
        self._tally = Tally("cell", sums=WEIGHTED)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        self._waiting.append(pairs.filter(counted_within(pairs.columns, self._window)))
        if sum(part.height for part in self._waiting) >= BATCH_PAIRS:
            self._count()

    def _count(self) -> None:
        """Count the pairs that wait: a slice alone has so few that most of the time would go into queries."""
        if not self._waiting:
            return
        pairs = pl.concat(self._waiting)
        self._waiting = []
        quantity: Quantity = "energy_kev" if self._calibrated else "adc"
        values = [of_pairs(pairs.columns, quantity, self._detectors, side) for side in "ab"]
        # Each pair once, at (least, largest), in one key: the matrix is symmetric, and one column groups faster.
        places = [(value / self._width).floor().cast(pl.Int64) for value in values]
        weight = ["weight"] if "weight" in pairs.columns else []
        counted = (
            pairs.lazy()
            .select(
                *weight,
                cell=pl.min_horizontal(places) * CELL + pl.max_horizontal(places) + CELL // 2,
                known=places[0] + places[1],
            )
            .drop_nulls()
            .group_by("cell")
            .agg(**sums("weight" if weight else None))
        )
        self._tally.add(counted.collect())

    def table(self) -> pl.DataFrame:
        """The symmetric matrix: bin centres of both axes, `counts`, `variance`; filled bins only."""
        x, y = self._axes
        self._count()
        counted = self._tally.total()
        if counted.is_empty():
            return pl.DataFrame(schema={x: pl.Float64, y: pl.Float64, "counts": pl.Float64, "variance": pl.Float64})
        low, high = pl.col("cell") // CELL, pl.col("cell") % CELL - CELL // 2
        half = counted.select("counts", "variance", x=low, y=high)
        mirrored = half.filter(pl.col("x") != pl.col("y")).select("counts", "variance", x="y", y="x")
        centre = {axis: (pl.col(place) + 0.5) * self._width for axis, place in ((x, "x"), (y, "y"))}
        whole = pl.concat([half, mirrored]).sort("x", "y")
        return whole.select(**centre, counts="counts", variance="variance")
