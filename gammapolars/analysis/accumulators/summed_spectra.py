"""Spectra of hits whose energies are sums, as add-back makes them."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.analysis.accumulators.spectra import AdcSpectra
from gammapolars.core.flags import has_any
from gammapolars.corrections import dithered_energy
from gammapolars.detectors import Detectors
from gammapolars.spectra.counting import BIN, Bins, BinTally, count_bins

DETECTOR = ("board", "channel")


class SummedSpectra(Accumulator):
    """Counts of the used hits by detector and bin of energy; by adc value where a detector is not calibrated.

    Args:
        mask: flags that reject a hit.
        detectors: energy calibrations.
        bin_kev: the bins' width.
    """

    def __init__(self, mask: int, detectors: Detectors, *, bin_kev: float) -> None:
        self._mask, self._detectors = mask, detectors
        self._bins = Bins(bin_kev, adc=False)
        self._tally = BinTally(dict.fromkeys(DETECTOR, pl.UInt16()))
        self._uncalibrated = AdcSpectra(mask)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, with their energies."""
        has_energy = pl.col("energy_kev").is_not_null()
        used = hits.lazy().filter(has_energy & ~has_any(self._mask) if self._mask else has_energy)
        energy = dithered_energy(hits.columns, self._detectors)
        self._tally.add(count_bins(used.select(*DETECTOR, energy.alias(BIN)).collect(), DETECTOR, self._bins))
        self._uncalibrated.add_hits(hits.filter(~has_energy))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"energies": self._tally, "uncalibrated": self._uncalibrated}

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `energy_kev` (bin centre) or null, `adc` or null, `counts`, `variance`."""
        in_adc = self._uncalibrated.spectra(self._detectors, None)
        table = self._tally.total()
        if table.is_empty():
            return in_adc
        counts = pl.col("counts").cast(pl.Float64)
        energies = {"energy_kev": self._bins.centres(pl.col(BIN)), "adc": pl.lit(None, pl.Float64)}
        return pl.concat([table.select(*DETECTOR, **energies, counts=counts, variance=counts), in_adc])
