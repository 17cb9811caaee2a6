"""Peaks of the spectra of runs and files: the command `peaks`."""

from dataclasses import dataclass, replace

import polars as pl

from gammapolars.analysis.accounting import HitAccount, Times
from gammapolars.analysis.run_spectra import KEYS, SpectrumSet, area_doubts, fitted
from gammapolars.analysis.summaries import Summary
from gammapolars.commands.peaks.parse import PeaksOptions
from gammapolars.commands.spectra_inputs import spectra_of
from gammapolars.core.errors import UsageError
from gammapolars.core.records import optional
from gammapolars.core.units import parse_numbers
from gammapolars.detectors import named
from gammapolars.identification import peak_kinds, span_of
from gammapolars.io import check_writable, save
from gammapolars.peaks import with_sums

AREAS = ("fit", "sum")
"""Sources of the areas of single peaks."""


@dataclass(frozen=True, kw_only=True)
class PeaksSummary(Summary):
    """Peaks of spectra.

    Attributes:
        account: where every hit went, of runs.
        times: when hits were recorded, of runs.
        least_significance: of a peak, in standard deviations.
        spectra: of each `run` (of several), `board`, `channel` and `name`, the number of `peaks` and of those that are
            `not_ok`, whose fit is not to be trusted.
        peaks: a row for each, as in the table that is written.
    """

    account: HitAccount | None = optional()
    times: Times | None = optional()
    least_significance: float
    spectra: pl.DataFrame
    peaks: pl.DataFrame | None = optional()


def peaks(options: PeaksOptions) -> PeaksSummary:
    """Find and fit the peaks of spectra of runs or files, and write their table."""
    if options.areas not in AREAS:
        raise UsageError(f"--areas takes {' or '.join(AREAS)}, not '{options.areas}'")
    check_writable(options.output, overwrite=options.overwrite, text=True)
    polynomial = parse_numbers(options.calibration, "--calibration", at_least=2) if options.calibration else None
    spectra = spectra_of(
        options.inputs, options, reject=options.reject, spectrum=options.spectrum, calibration=polynomial
    )
    fwhm = parse_numbers(options.fwhm, "--fwhm", at_least=1) if options.fwhm else None
    undecided: list[str] = []
    fits = fitted(spectra, least_significance=options.significance, fwhm=fwhm, warn=undecided.append)
    table = with_sums(spectra.table, fits)
    advice = "give the FWHM of a single line with --fwhm"
    differing = area_doubts(table, spectra) if options.areas == "fit" else []
    warnings = (
        *(f"{doubt}; {advice}" for doubt in undecided),
        *(f"{doubt}; --areas sum uses the sums" for doubt in differing),
    )
    if options.areas == "sum":
        uncertainties = [
            pl.coalesce("sum_unc", name).alias(name) for name in ("area_unc", "area_unc_low", "area_unc_high")
        ]
        table = table.with_columns(pl.coalesce("sum", "area").alias("area"), *uncertainties)
    table = peak_kinds(table.drop("sum", "sum_unc"), span_kev=span_of(spectra.table))
    if len(spectra.runs) == 1:
        table = table.drop("run")
    summary = PeaksSummary(
        **spectra.summary | {"warnings": (*spectra.summary.get("warnings", ()), *warnings)},
        least_significance=options.significance,
        spectra=named(_per_spectrum(table, spectra), spectra.detectors),
    )
    save(
        table.lazy(), options.output, overwrite=options.overwrite, metadata=lambda: spectra.metadata(summary.to_json())
    )
    return replace(summary, peaks=table).saved(options.output)


def _per_spectrum(peaks: pl.DataFrame, spectra: SpectrumSet) -> pl.DataFrame:
    """How many peaks each spectrum has, those whose fit is not to be trusted apart."""
    keys = [name for name in KEYS if name in peaks.columns]
    every = spectra.table.select(keys).unique().sort(keys)
    counts = peaks.group_by(keys).agg(peaks=pl.len(), not_ok=(pl.col("status") != "ok").sum())
    return every.join(counts, on=keys, how="left", maintain_order="left").fill_null(0)
