"""Time spectra of pairs of a start and a stop."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.core.schema import DType
from gammapolars.gates import Gate
from gammapolars.lifetimes import time_spectrum
from gammapolars.spectra.tallies import Tally

COLUMNS = {"dt_ps": pl.Int64, "counts": pl.Float64, "variance": pl.Float64, "width_ps": pl.Int64}
SUMS: dict[str, DType] = {"counts": pl.Float64(), "variance": pl.Float64()}


class TimeSpectrum(Accumulator):
    """Pairs of a start and a stop in their gates, by their time difference.

    Args:
        gates: on starts and on stops; None: all of them.
        column: the gated column, `energy_kev` or `adc`.
        bin_ps: width of the bins.
    """

    def __init__(self, gates: tuple[Gate | None, Gate | None], column: str, *, bin_ps: int) -> None:
        self._inside = [
            pl.col(f"{column}_{side}").is_between(gate.low, gate.high)
            for side, gate in zip("ab", gates, strict=True)
            if gate
        ]
        self._bin_ps = bin_ps
        self._counts = Tally("dt_ps", sums=SUMS)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        part = time_spectrum(pairs.lazy().filter(*self._inside), bin_ps=self._bin_ps).collect()
        self._counts.add(part.select("dt_ps", "counts", "variance"))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._counts}

    def table(self) -> pl.DataFrame:
        """`dt_ps` (the bin's first picosecond), `counts`, `variance`, `width_ps`; filled bins only, in order."""
        total = self._counts.total()
        if not total.height:
            return pl.DataFrame(schema=COLUMNS)
        return total.with_columns(width_ps=pl.lit(self._bin_ps, pl.Int64)).select(*COLUMNS)
