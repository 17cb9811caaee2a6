"""Spectra of all detectors."""

import polars as pl

from gammapolars.calibration import energy_kev, steady_adc
from gammapolars.detectors import Detectors
from gammapolars.flags import has_any
from gammapolars.spectra import dithered, redistributed
from gammapolars.tallies import Tally, count_by


class AdcSpectra:
    """Counts of the used hits by detector and adc value, corrected by `gain_factor` where hits have it."""

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._tally = Tally("board", "channel", "adc")

    def add_hits(self, hits: pl.DataFrame) -> None:
        used = hits.filter(~has_any(self._mask)) if self._mask else hits
        if "gain_factor" in used.columns:
            used = used.with_columns(adc=_corrected())
        self._tally.add(count_by(used, {"board": 16, "channel": 16, "adc": 16}))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def spectra(self, detectors: Detectors, bin_kev: float | None) -> pl.DataFrame:
        """Spectra of all detectors: in bins of energy where they are calibrated, else in bins of adc.

        Args:
            detectors: their energy polynomials.
            bin_kev: the width of bins of energy; None: each adc value is a bin of its own, with its energy beside it.

        Returns:
            `board`, `channel`, `energy_kev` (bin centre) or null, `adc` or null, `counts`, `variance`.
        """
        columns = {"board": pl.UInt16, "channel": pl.UInt16, "energy_kev": pl.Float64, "adc": pl.Float64}
        columns |= {"counts": pl.Float64, "variance": pl.Float64}
        table = self._tally.total()
        if table.is_empty():
            return pl.DataFrame(schema=columns)
        table = table.with_columns(pl.col("counts").cast(pl.Float64))
        if bin_kev is None:
            adc = pl.col("adc").cast(pl.Float64)
            return table.with_columns(adc, energy_kev(detectors), variance=pl.col("counts")).select(*columns)
        in_kev = redistributed(table, detectors, bin_kev=bin_kev).with_columns(adc=pl.lit(None, pl.Float64))
        bare = table.filter(table.select(energy_kev(detectors)).to_series().is_null())
        in_adc = bare.with_columns(
            pl.col("adc").cast(pl.Float64), energy_kev=pl.lit(None, pl.Float64), variance=pl.col("counts")
        )
        return pl.concat([in_kev.select(*columns), in_adc.select(*columns)])


def _corrected() -> pl.Expr:
    """Whole adc values at a steady gain: spread over the step that each stands for before, so that none is left out."""
    spread = steady_adc(("gain_factor",), adc=dithered("adc", pl.col("timestamp_ps"), "channel"))
    return (spread + 0.5).floor().clip(0, 2**16 - 1).cast(pl.UInt16)
