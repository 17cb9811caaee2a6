"""Peaks of the spectra of runs and files: what the command `peaks` does."""

from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import named
from gammapolars.defaults import LEAST_SIGNIFICANCE
from gammapolars.gathered import KEYS, Gathered
from gammapolars.io import check_writable, save
from gammapolars.peaks import fit_peaks


def fitted(spectra: Gathered, *, least_significance: float = LEAST_SIGNIFICANCE) -> pl.DataFrame:
    """The peaks of all spectra, each with the width model of its own detector where that is known.

    Args:
        spectra: of runs or files.
        least_significance: of a peak that is kept.

    Returns:
        A table of peaks with `run`, `board`, `channel`; regions are numbered throughout.
    """
    parts: list[pl.DataFrame] = []
    regions = 0
    for part in spectra.table.partition_by(list(KEYS), maintain_order=True):
        detector = spectra.detectors.at(*part.select("board", "channel").row(0))
        calibrated = part["energy_kev"].null_count() == 0
        empty = [name for name in ("adc", "energy_kev") if part[name].null_count()]
        fwhm = detector.fwhm if calibrated else None
        found = fit_peaks(part.drop(empty), fwhm=fwhm, least_significance=least_significance)
        parts.append(found.with_columns(pl.col("region") + regions))
        regions += found["region"].n_unique()
    return pl.concat(parts, how="diagonal") if parts else fit_peaks(spectra.table)


def peaks(
    spectra: Gathered,
    output: Path,
    *,
    least_significance: float = LEAST_SIGNIFICANCE,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Find and fit the peaks of spectra, and write their table.

    Args:
        spectra: of runs or files.
        output: ends in .csv, .parquet or .arrow.
        least_significance: of a peak that is kept.
        overwrite: whether an existing output is replaced.

    Returns:
        The summary, as `gammapolars peaks --json` prints it.
    """
    check_writable(output, overwrite=overwrite, text=True)
    found = fitted(spectra, least_significance=least_significance)
    if len(spectra.runs) == 1:
        found = found.drop("run")
    summary = {
        **spectra.summary,
        "least_significance": least_significance,
        "peaks": found.height,
        "spectra": named(_per_spectrum(found, spectra), spectra.detectors).to_dicts(),
    }
    save(found.lazy(), output, overwrite=overwrite, metadata=lambda: spectra.metadata(summary))
    return summary | {"table": found.to_dicts(), "output": str(output)}


def _per_spectrum(peaks: pl.DataFrame, spectra: Gathered) -> pl.DataFrame:
    """How many peaks each spectrum has, those whose fit is not to be trusted apart."""
    keys = [name for name in KEYS if name in peaks.columns]
    every = spectra.table.select(keys).unique().sort(keys)
    counted = peaks.group_by(keys).agg(peaks=pl.len(), not_ok=(pl.col("status") != "ok").sum())
    return every.join(counted, on=keys, how="left", maintain_order="left").fill_null(0)
