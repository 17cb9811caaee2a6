"""Net spectra of the partners of a line."""

from collections.abc import Sequence

import polars as pl

from gammapolars.gates import Gate
from gammapolars.spectra import gate as partners
from gammapolars.spectra.selections import is_one_of
from gammapolars.tallies import WEIGHTED, Tally

Key = tuple[int, int]

BY = ["board", "channel"]


class GatedSpectra:
    """Spectra of the partners of hits in a gate, by detector and summed, net of the gate's background and of chance.

    A pair with both hits in the gate, or in its background, gives two partners. Where these fall into one bin, their
    weights are added before they are squared: they are one observation.

    Args:
        gate: in the quantity that is gated.
        of: detectors whose hits may lie in the gate; None: all.
        calibrated: whether energies are gated and binned, in keV; else adc values.
        width: of the bins, keV, or whole adc values.
    """

    def __init__(self, gate: Gate, of: Sequence[Key] | None, *, calibrated: bool, width: float) -> None:
        self._gate, self._of, self._width = gate, of, width
        self.axis = "energy_kev" if calibrated else "adc"
        self._tally = Tally(*BY, "bin", sums=WEIGHTED)
        self._all = Tally("bin")
        self._both = Tally("bin", sums={"variance": pl.Float64})

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        rows = pairs.lazy().pipe(partners, self._gate, on=self.axis, of=self._of)
        place = self._bin(self.axis)
        weight = pl.col("weight")
        counted = rows.drop_nulls(self.axis).group_by(*BY, bin=place)
        self._tally.add(counted.agg(counts=weight.sum(), variance=(weight**2).sum()).collect())
        for side in "ab":
            every = pairs.lazy().select(bin=self._bin(f"{self.axis}_{side}")).drop_nulls()
            self._all.add(every.group_by("bin").agg(counts=pl.len()).collect())
        taken = {side: self._weight(side, pairs.columns) for side in "ab"}
        both = pairs.lazy().filter((taken["a"] != 0) & (taken["b"] != 0))
        both = both.filter(self._bin(f"{self.axis}_a") == self._bin(f"{self.axis}_b"))
        product = 2 * taken["a"] * taken["b"]
        self._both.add(both.group_by(bin=self._bin(f"{self.axis}_a")).agg(variance=product.sum()).collect())

    def _weight(self, side: str, columns: Sequence[str]) -> pl.Expr:
        """What a pair weighs with its hit of one side in the gate."""
        weight = self._gate.weight(f"{self.axis}_{side}") * (pl.col("weight") if "weight" in columns else 1.0)
        if self._of is None:
            return weight
        return pl.when(is_one_of(self._of, f"_{side}")).then(weight).otherwise(0.0)

    def _bin(self, column: str) -> pl.Expr:
        value = pl.col(column).cast(pl.Float64) + (0.0 if self.axis == "energy_kev" else 0.5)
        return (value / self._width).floor().cast(pl.Int64)

    def _centres(self) -> pl.Expr:
        centre = (pl.col("bin") + 0.5) * self._width
        return centre if self.axis == "energy_kev" else centre - 0.5

    def total(self) -> pl.DataFrame:
        """`energy_kev` or `adc` (bin centre), `counts`, `variance`: of all hits of all pairs, without any gate."""
        table = self._all.total()
        if table.is_empty():
            return pl.DataFrame(schema=dict.fromkeys((self.axis, "counts", "variance"), pl.Float64))
        counts = pl.col("counts").cast(pl.Float64)
        return table.sort("bin").select(self._centres().alias(self.axis), counts, variance=counts)

    def by_detector(self) -> pl.DataFrame:
        """`board`, `channel`, `energy_kev` or `adc` (bin centre), `counts`, `variance`: of each partner detector."""
        table = self._tally.total()
        if table.is_empty():
            numbers = {"board": pl.UInt16, "channel": pl.UInt16}
            return pl.DataFrame(schema=numbers | dict.fromkeys((self.axis, "counts", "variance"), pl.Float64))
        return table.select(*BY, self._centres().alias(self.axis), "counts", "variance")

    def summed(self) -> pl.DataFrame:
        """The same of all partner detectors together, without their numbers."""
        table = self._tally.total()
        if table.is_empty():
            return self.by_detector().drop(BY)
        total = table.group_by("bin").agg(pl.col("counts", "variance").sum())
        both = self._both.total()
        if both.height:
            more = pl.col("variance") + pl.col("_more").fill_null(0.0)
            total = total.join(both.rename({"variance": "_more"}), on="bin", how="left").with_columns(variance=more)
        return total.sort("bin").select(self._centres().alias(self.axis), "counts", "variance")
