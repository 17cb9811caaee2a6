"""The matrix of pairs by their two energies."""

import polars as pl

from gammapolars.calibration import energy_kev, steady_adc
from gammapolars.detectors import Detectors
from gammapolars.dithering import dithered
from gammapolars.spectra import mirrored
from gammapolars.tallies import Tally
from gammapolars.units import Window


class EnergyMatrix:
    """Pairs within a window by their two energies, or by their two adc values where nothing is calibrated."""

    def __init__(self, window: Window, detectors: Detectors, *, bin_kev: float, bin_adc: int = 16) -> None:
        self._window = window
        self._calibrated = any(detector.energy for detector in detectors)
        self._detectors = detectors
        self._axes = ("energy_kev_x", "energy_kev_y") if self._calibrated else ("adc_x", "adc_y")
        self._width = bin_kev if self._calibrated else float(bin_adc)
        self._tally = Tally("x", "y")

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        time_a = pl.col("timestamp_ps")
        times = {"a": time_a, "b": time_a + pl.col("dt_ps")}
        raw = {side: dithered(f"adc_{side}", times[side], f"channel_{side}", f"board_{side}") for side in "ab"}
        adc = {side: steady_adc(pairs.columns, f"_{side}", adc=raw[side]) for side in "ab"}
        values = [energy_kev(self._detectors, f"_{s}", adc=adc[s]) if self._calibrated else adc[s] for s in "ab"]
        places = {axis: (value / self._width).floor().cast(pl.Int32) for axis, value in zip("xy", values, strict=True)}
        counted = (
            pairs.lazy()
            .filter(pl.col("dt_ps").is_between(*self._window))
            .select(**places)
            .drop_nulls()
            .group_by("x", "y")
            .agg(counts=pl.len())
        )
        self._tally.add(counted.collect())

    def table(self) -> pl.DataFrame:
        """The symmetric matrix: bin centres of both axes, `counts`, `variance`; filled bins only."""
        x, y = self._axes
        counted = self._tally.total()
        if counted.is_empty():
            return pl.DataFrame(schema={x: pl.Float64, y: pl.Float64, "counts": pl.Float64, "variance": pl.Float64})
        centres = {axis: (pl.col(place) + 0.5) * self._width for axis, place in ((x, "x"), (y, "y"))}
        return (
            counted.lazy()
            .select(**centres, counts=pl.col("counts").cast(pl.Float64))
            .pipe(mirrored, x, y)
            .with_columns(variance=pl.col("counts"))
            .sort(x, y)
            .collect()
        )
