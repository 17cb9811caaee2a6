"""Spectra of all detectors."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable, State
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import has_any
from gammapolars.core.units import format_ps
from gammapolars.corrections import dithered_adc, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.spectra import rebinned
from gammapolars.spectra.tallies import Histogram, Tally, count_by
from gammapolars.streaming.slices import run_of

MAX_BINS = 20_000_000
"""Spectra of slices of time with more filled bins than this, half a gigabyte, are not counted on."""

ADC_KEYS = ("board", "channel", "adc")

SLICE = {"run": pl.UInt16(), "time_slice": pl.Int64()}


class AdcSpectra(Accumulator):
    """Counts of the used hits by detector and adc value; by slice of time too, where one is given.

    The adc is corrected by `gain_factor` where hits have it.

    Memory holds detectors × channels in arrays, or of slices of time one row for each filled bin: at most slices ×
    detectors × channels, and at most one a hit.

    Args:
        mask: flags that reject a hit.
        slice_ps: slices of time get a spectrum each; None: all hits one. Slice k holds the timestamps from k to k + 1
            widths, by each run's own clock.
    """

    def __init__(self, mask: int, slice_ps: int | None = None) -> None:
        self._mask = mask
        self._slice_ps = slice_ps
        self._counts, self._rejected = Histogram(*ADC_KEYS), Histogram(*ADC_KEYS)
        self._of_slices = Tally(*SLICE, *ADC_KEYS)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run.

        Raises:
            UsageError: slices so short that their spectra would outgrow the memory.
        """
        hits = in_channels(hits)
        if not self._slice_ps and "gain_factor" not in hits.columns:
            # Rejected hits are few: counting them and all is faster than copying the used ones.
            self._counts.add(hits)
            if self._mask:
                self._rejected.add(hits, np.flatnonzero(hits["flags"].to_numpy() & self._mask))
            return
        used = _used(hits, self._mask)
        if not self._slice_ps:
            self._counts.add(used)
            return
        if used.is_empty():
            return
        run = run_of(used)
        slices = used["timestamp_ps"] // self._slice_ps
        first, last = int(slices.min()), int(slices.max())  # type: ignore[arg-type]
        if last - first < 2**16:
            rows = used.with_columns(time_slice=(slices - first).cast(pl.UInt16))
            counts = count_by(rows, ("time_slice", *ADC_KEYS))
        else:
            counts = used.with_columns(time_slice=slices - first).group_by("time_slice", *ADC_KEYS).agg(counts=pl.len())
        self._of_slices.add(
            counts.with_columns(run=pl.lit(run, pl.UInt16), time_slice=pl.col("time_slice").cast(pl.Int64) + first)
        )
        self._check_size()

    def _check_size(self) -> None:
        if self._slice_ps and self._of_slices.rows > MAX_BINS:
            raise UsageError(
                f"slices of {format_ps(self._slice_ps)} make spectra of more than {MAX_BINS // 10**6} "
                "million bins: use longer slices"
            )

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._counts, "rejected": self._rejected, "slices": self._of_slices}

    def merge(self, state: State) -> None:
        super().merge(state)
        self._check_size()

    def spectra(self, detectors: Detectors, bin_kev: float | None) -> pl.DataFrame:
        """Spectra of all detectors: in bins of energy where they are calibrated, else in bins of adc.

        Args:
            detectors: their energy polynomials.
            bin_kev: the width of bins of energy; None: each adc value is a bin of its own, with its energy next to it.

        Returns:
            `board`, `channel`, `energy_kev` (bin centre) or null, `adc` or null, `counts`, `variance`; before them, of
            slices, `run` and `time_slice`.
        """
        columns: dict[str, pl.DataType] = {
            **(SLICE if self._slice_ps else {}),
            "board": pl.UInt16(),
            "channel": pl.UInt16(),
        }
        columns |= dict.fromkeys(("energy_kev", "adc", "counts", "variance"), pl.Float64())
        table = self._used_counts()
        if table.is_empty():
            return pl.DataFrame(schema=columns)
        table = table.with_columns(pl.col("counts").cast(pl.Float64))
        if bin_kev is None:
            adc = pl.col("adc").cast(pl.Float64)
            return table.with_columns(adc, energy_kev(detectors), variance=pl.col("counts")).select(*columns)
        in_kev = rebinned(table, detectors, bin_kev=bin_kev).with_columns(adc=pl.lit(None, pl.Float64))
        uncalibrated = table.filter(table.select(energy_kev(detectors)).to_series().is_null())
        in_adc = uncalibrated.with_columns(
            pl.col("adc").cast(pl.Float64), energy_kev=pl.lit(None, pl.Float64), variance=pl.col("counts")
        )
        return pl.concat([in_kev.select(*columns), in_adc.select(*columns)])

    def _used_counts(self) -> pl.DataFrame:
        """The counts so far, less the rejected hits in them."""
        if self._slice_ps:
            return self._of_slices.total()
        table, rejected = self._counts.total(), self._rejected.total()
        if rejected.is_empty():
            return table
        less = rejected.select(*ADC_KEYS, _less="counts")
        left = pl.col("counts") - pl.col("_less").fill_null(0)
        joined = table.join(less, on=list(ADC_KEYS), how="left", maintain_order="left")
        return joined.select(*ADC_KEYS, counts=left).filter(pl.col("counts") > 0)


class RunSpectra(Accumulator):
    """Counts of the used hits by run, detector and adc value.

    Args:
        mask: flags that reject a hit.
    """

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._tally = Tally("run", "board", "channel", "adc")

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        used = _used(in_channels(hits), self._mask)
        if used.is_empty():
            return
        run = run_of(used)
        counts = count_by(used, ADC_KEYS)
        self._tally.add(counts.with_columns(run=pl.lit(run, pl.UInt16)))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"counts": self._tally}

    def table(self) -> pl.DataFrame:
        """`run`, `board`, `channel` u16, `adc`, `counts`, `variance` f64: every adc value that there is."""
        schema = {"run": pl.UInt16, "board": pl.UInt16, "channel": pl.UInt16, "adc": pl.Float64, "counts": pl.Float64}
        table = self._tally.total()
        if table.is_empty():
            table = pl.DataFrame(schema=schema)
        return table.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).with_columns(variance="counts")


def in_channels(hits: pl.DataFrame) -> pl.DataFrame:
    """Hits with adc values that are real numbers rounded to whole channels: n holds those from n - ½ to n + ½."""
    if "gain_factor" in hits.columns or not hits.schema["adc"].is_float():
        return hits
    return hits.with_columns((pl.col("adc") + 0.5).floor().cast(pl.Int64))


def _used(hits: pl.DataFrame, mask: int) -> pl.DataFrame:
    """The hits without any of the flags, their adc as it would be at a steady gain."""
    used = hits.filter(~has_any(mask)) if mask else hits
    return used.with_columns(adc=_corrected(used.schema)) if "gain_factor" in used.columns else used


def _corrected(columns: pl.Schema) -> pl.Expr:
    """Whole adc values at a steady gain: dithered over the step that each represents, so that none is left out."""
    whole = (dithered_adc(columns) + 0.5).floor()
    return whole.clip(0, 2**16 - 1).cast(pl.UInt16) if columns["adc"] == pl.UInt16 else whole.cast(pl.Int64)
