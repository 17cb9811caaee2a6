"""Spectra of hits whose energies do not follow only from their adc: sums, as add-back makes them, or recorded ones."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.analysis.accumulators.axes import Rows, energy_value
from gammapolars.analysis.accumulators.spectra import SLICE, AdcSpectra
from gammapolars.core.flags import has_any
from gammapolars.detectors import Detectors
from gammapolars.spectra.counting import BIN, Bins, BinTally, count_bins
from gammapolars.streaming.slices import run_of

DETECTOR = ("board", "channel")


class EnergySpectra(Accumulator):
    """Counts of the used hits by detector and bin of energy; by adc value where a hit has no energy.

    Args:
        mask: flags that reject a hit.
        detectors: energy calibrations.
        bin_kev: the bins' width.
        sums: whether energies are of several hits each, as add-back makes them; else a hit's energy is by its
            detector's polynomial, or as it was recorded.
        slice_ps: slices of time get a spectrum each, as for `AdcSpectra`; None: all hits one.
        by_run: whether each run has spectra of its own.
    """

    def __init__(
        self,
        mask: int,
        detectors: Detectors,
        *,
        bin_kev: float,
        sums: bool = False,
        slice_ps: int | None = None,
        by_run: bool = False,
    ) -> None:
        self._mask, self._detectors, self._sums, self._slice_ps = mask, detectors, sums, slice_ps
        own = SLICE if slice_ps else {"run": pl.UInt16()} if by_run else {}
        self._keys = {**own, **dict.fromkeys(DETECTOR, pl.UInt16())}
        self._bins = Bins(bin_kev, adc=False)
        self._tally = BinTally(self._keys, bin_kev)
        self._uncalibrated = AdcSpectra(mask, slice_ps)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, with their energies."""
        if hits.is_empty():
            return
        used = hits.lazy().filter(~has_any(self._mask)) if self._mask else hits.lazy()
        value = energy_value(Rows(hits.columns, self._detectors, self._sums), "")
        keys = {"run": pl.lit(run_of(hits), pl.UInt16)} if "run" in self._keys else {}
        if self._slice_ps:
            keys["time_slice"] = (pl.col("timestamp_ps") // self._slice_ps).cast(pl.Int64)
        rows = used.with_columns(**{BIN: value}).select(*DETECTOR, BIN, **keys).filter(pl.col(BIN).is_not_null())
        self._tally.add(count_bins(rows.collect(), tuple(self._keys), self._bins))
        if "adc" in hits.columns:
            self._uncalibrated.add_hits(hits.filter(value.is_null()))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"energies": self._tally, "uncalibrated": self._uncalibrated}

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `energy_kev` (bin centre) or null, `adc` or null, `counts`, `variance`.

        Before them, of slices, `run` and `time_slice`; of runs, `run`, and then no hits without an energy.
        """
        table = self._tally.total()
        counts = pl.col("counts").cast(pl.Float64)
        energies = {"energy_kev": self._bins.centres(pl.col(BIN)), "adc": pl.lit(None, pl.Float64)}
        in_kev = table.select(*self._keys, **energies, counts=counts, variance=counts) if table.height else None
        if "run" in self._keys and not self._slice_ps:
            schema = {**self._keys, **dict.fromkeys(("energy_kev", "adc", "counts", "variance"), pl.Float64())}
            return pl.DataFrame(schema=schema) if in_kev is None else in_kev
        in_adc = self._uncalibrated.spectra(self._detectors, None)
        return in_adc if in_kev is None else pl.concat([in_kev, in_adc])
