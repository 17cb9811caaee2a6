"""Spectra of the hits that pairs consist of."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.corrections import gain_corrected_adc
from gammapolars.spectra.bins import check_count, quotient
from gammapolars.spectra.weighted_tallies import WeightedTally, count_by_weight

KEYS = ["board", "channel", "bin"]


class PairedSpectra(Accumulator):
    """Spectra of both hits of pairs by detector, each hit once for each pair that it is in; net by the pairs' weights.

    Args:
        bin_kev: width of bins of energy; None: a bin for each adc value.
    """

    def __init__(self, bin_kev: float | None) -> None:
        self._bin_kev = bin_kev
        self._counts = WeightedTally(*KEYS)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Count some pairs.

        Raises:
            UsageError: bins so narrow that there are too many.
        """
        own = pl.col("weight").cast(pl.Float64) if "weight" in pairs.columns else pl.lit(1.0)
        for side in ("_a", "_b"):
            keys = [pl.col(f"{name}{side}").alias(name) for name in ("board", "channel")]
            hits = pairs.select(*keys, bin=self._bin(pairs.columns, side), w=own).drop_nulls()
            self._counts.add(count_by_weight(hits.filter(pl.col("w") != 0), KEYS, "w"))
        if self._bin_kev:
            check_count(self._counts.rows, self._bin_kev)

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._counts}

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `energy_kev` or `adc` (bin centre), `counts`, `variance`; filled bins only, in order."""
        total, axis = self._counts.total(), "energy_kev" if self._bin_kev else "adc"
        if not total.height:
            schema = {"board": pl.UInt16, "channel": pl.UInt16}
            return pl.DataFrame(schema=schema | dict.fromkeys((axis, "counts", "variance"), pl.Float64))
        number = pl.col("bin").cast(pl.Float64)
        centre = (number + 0.5) * self._bin_kev if self._bin_kev else number
        return total.select("board", "channel", centre.alias(axis), "counts", "variance")

    def _bin(self, columns: list[str], side: str) -> pl.Expr:
        if self._bin_kev:
            return quotient(pl.col(f"energy_kev{side}"), self._bin_kev).floor().cast(pl.Int64, strict=False)
        adc = gain_corrected_adc(columns, side).cast(pl.Float64)
        return (adc + 0.5).floor().cast(pl.Int64, strict=False)
