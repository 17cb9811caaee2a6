"""Peaks of the spectra of runs and files: what the command `peaks` does."""

from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.passes import named
from gammapolars.analysis.run_spectra import KEYS, Gathered, fitted
from gammapolars.core.defaults import LEAST_SIGNIFICANCE
from gammapolars.io import check_writable, save


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
