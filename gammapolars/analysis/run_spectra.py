"""Spectra to be analysed: read from files of spectra, or counted from the hits of runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accumulators import EnergySpectra, HitTally, RunSpectra
from gammapolars.analysis.live_times import measurements_of
from gammapolars.analysis.passes import count_hits
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import of_hits
from gammapolars.core.defaults import LEAST_SIGNIFICANCE, REJECT
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.provenance import describe, describe_files
from gammapolars.io.spectra.measurement import Measurement, polynomial, require_variance
from gammapolars.io.spectrum_files import holds_spectra, read_spectra
from gammapolars.peaks import difference, fit_peaks, width_doubts
from gammapolars.spectra import fitting_bin_kev

KEYS = {"run": pl.UInt16, "board": pl.UInt16, "channel": pl.UInt16}


@dataclass(frozen=True)
class SpectrumSet:
    """The spectra of some detectors in some runs.

    Attributes:
        table: `run` (from 1), `board`, `channel`, `adc`, `energy_kev` (null where not calibrated), `counts`,
            `variance`.
        runs: the name of each run, in their order.
        detectors: names and calibrations.
        measurements: times and titles by run and detector, as far as they are known.
        summary: the input, as a `Summary` takes it: inputs, warnings, and of runs the account and times of hits.
        metadata: provenance, for outputs.
    """

    table: pl.DataFrame
    runs: tuple[str, ...]
    detectors: Detectors
    measurements: dict[tuple[int, int, int], Measurement] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    metadata: Callable[[dict[str, Any]], dict[str, str]] = field(default=lambda _: {})

    def keys(self) -> list[Key]:
        """The detectors that there are spectra of."""
        return [
            (int(b), int(c)) for b, c in self.table.select("board", "channel").unique().sort("board", "channel").rows()
        ]


def are_spectra(names: Sequence[str], spectrum: str | None) -> bool:
    """Whether inputs are files of spectra, rather than runs.

    Args:
        names: of the inputs.
        spectrum: the name of a spectrum in a file, if one is asked for.

    Raises:
        UsageError: some are, and some are not.
    """
    files = [name for name in names if holds_spectra(Path(name), named=spectrum is not None)]
    if files and len(files) < len(names):
        other = next(name for name in names if name not in files)
        raise UsageError(f"{files[0]} is a spectrum and {other} is not: analyse spectra and runs separately")
    return bool(files)


def from_files(
    names: Sequence[str],
    detectors: Detectors,
    *,
    spectrum: str | None = None,
    calibration: Sequence[float] | None = None,
) -> SpectrumSet:
    """Spectra from files; each file is a run of its own.

    Args:
        names: of the files.
        detectors: names and calibrations; where they have none, the calibration stored in a file is used.
        spectrum: which one, of files that hold several; None: all of them.
        calibration: an energy polynomial (keV, lowest order first) that holds for all of them instead.

    Raises:
        InputError: a file is missing or damaged, has no such spectrum, or one whose counts scatter nobody knows how.
    """
    parts, measurements, warnings = [], {}, []
    for run, name in enumerate(names, 1):
        for (board, channel), one in read_spectra(Path(name), spectrum).items():
            require_variance(one.table, Path(name))
            if _are_fractions(one.table):
                warnings.append(
                    f"{name}: its counts are not whole numbers and have no variances: uncertainties assume "
                    "Poisson statistics of these numbers, which is wrong for counts per second"
                )
            measurement = one.measurement
            warnings += [f"{name}: {warning}" for warning in measurement.warnings]
            energy = tuple(calibration) if calibration else detectors.at(board, channel).energy or measurement.energy
            measurements[run, board, channel] = replace(measurement, energy=energy)
            key = (
                pl.lit(number, dtype).alias(name)
                for number, (name, dtype) in zip((run, board, channel), KEYS.items(), strict=True)
            )
            parts.append(_calibrated(one.table, energy).with_columns(key))
    table = pl.concat(parts).select(*KEYS, "adc", "energy_kev", "counts", "variance")
    return SpectrumSet(
        table,
        tuple(Path(name).name for name in names),
        detectors,
        measurements,
        {"inputs": tuple(names), "warnings": tuple(dict.fromkeys(warnings))},
        lambda summary: describe_files([Path(name) for name in names], summary),
    )


def _are_fractions(table: pl.DataFrame) -> bool:
    """Whether numbers taken for counts, which are their own variances, are rates or other fractions."""
    counts = table["counts"]
    return bool((counts != counts.round()).any() and (counts == table["variance"]).all())


def _calibrated(table: pl.DataFrame, energy: Sequence[float] | None) -> pl.DataFrame:
    """A spectrum with adc and energy; if it is only in keV, bins are numbered."""
    if "adc" not in table.columns:
        return table.select(pl.lit(None, pl.Float64).alias("adc"), "energy_kev", "counts", "variance")
    if energy is not None:
        table = table.with_columns(energy_kev=pl.Series(polynomial(energy, table["adc"].to_numpy())))
    elif "energy_kev" not in table.columns:
        table = table.with_columns(energy_kev=pl.lit(None, pl.Float64))
    return table.select("adc", "energy_kev", "counts", "variance")


def from_runs(recording: Recording, *, reject: str = REJECT, calibration: Sequence[float] | None = None) -> SpectrumSet:
    """Spectra of the used hits of runs, by run and detector, counted in one pass.

    Args:
        recording: the runs with their detectors.
        reject: names of the flags that reject a hit.
        calibration: an energy polynomial (keV, lowest order first) that holds for all detectors instead.
    """
    runs, detectors, masks = recording.runs, recording.detectors, recording.masks(reject)
    if not recording.has_energies:
        recording.require_adc("counted by ADC channel")
    tally, adc = HitTally(), RunSpectra(union(masks))
    energies = EnergySpectra(union(masks), detectors, bin_kev=fitting_bin_kev(detectors), by_run=True)
    by_energy = recording.has_energies and not calibration
    count_hits(recording, [tally, energies if by_energy else adc])
    table = energies.table() if by_energy else adc.table()
    if calibration:
        kev = pl.Series("energy_kev", polynomial(calibration, table["adc"].to_numpy()))
        table = table.with_columns(kev)
    elif not by_energy:
        table = table.with_columns(energy_kev(detectors))
    summary = of_hits(recording, tally, masks)
    measurements = measurements_of(runs, tally, detectors)
    names = _names_of_runs(runs, tally)
    by_run = {
        (run, *key): _of_one_run(of, tally, run) for run in range(1, len(names) + 1) for key, of in measurements.items()
    }
    return SpectrumSet(
        table.select(*KEYS, "adc", "energy_kev", "counts", "variance"),
        names,
        detectors,
        by_run,
        summary,
        lambda whole: describe(runs, whole),
    )


def _names_of_runs(runs: Runs, tally: HitTally) -> tuple[str, ...]:
    """The name of each run, by its number from 1 on; one file may hold several."""
    numbers = max(tally.spans, default=1)
    if len(runs.all) > 1 or numbers == 1:
        return tuple(run.name for run in runs.all)
    return tuple(f"{runs.all[0].name}, run {number}" for number in range(1, numbers + 1))


def _of_one_run(measurement: Measurement, tally: HitTally, run: int) -> Measurement:
    """The metadata of a detector in one of several runs: its real time. The live time noted is that of them all."""
    if len(tally.spans) < 2:
        return measurement
    first, last = tally.spans.get(run, (0, 0))
    return replace(measurement, real_time_s=(last - first) / PS_PER_S, live_time_s=None)


def fitted(
    spectra: SpectrumSet,
    *,
    least_significance: float = LEAST_SIGNIFICANCE,
    fwhm: Sequence[float] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> pl.DataFrame:
    """The peaks of all spectra, each with the width model of its own detector where that is known.

    Args:
        spectra: of runs or files.
        least_significance: of a peak that is kept.
        fwhm: coefficients of FWHM² for all spectra instead: of keV, or of channels where one is not calibrated.
        warn: called with a warning about a spectrum whose widths are not clear.

    Returns:
        A table of peaks with `run`, `board`, `channel`; regions are numbered throughout.
    """
    parts: list[pl.DataFrame] = []
    regions = 0
    for part in spectra.table.partition_by(list(KEYS), maintain_order=True):
        run, board, channel = part.select(list(KEYS)).row(0)
        detector = spectra.detectors.at(board, channel)
        with width_doubts() as doubts:
            peaks = _fitted_peaks(part, fwhm or None, detector.fwhm, least_significance)
        where = f"{spectra.runs[run - 1]}, {detector.name}" if spectra.runs else detector.name
        for doubt in doubts:
            warn(f"{where}: {doubt}")
        parts.append(peaks.with_columns(pl.col("region") + regions))
        regions += peaks["region"].n_unique()
    return pl.concat(parts, how="diagonal") if parts else fit_peaks(spectra.table)


def _fitted_peaks(
    part: pl.DataFrame, fwhm: Sequence[float] | None, own: Sequence[float] | None, least: float
) -> pl.DataFrame:
    """The peaks of one spectrum, with a width that is given, or else its detector's."""
    calibrated = part["energy_kev"].null_count() == 0
    if fwhm and not calibrated:
        # In units of which one is a channel.
        peaks = fit_peaks(part.with_columns(energy_kev="adc"), fwhm=fwhm, least_significance=least)
        return peaks.drop([name for name in peaks.columns if "_kev" in name])
    empty = [name for name in ("adc", "energy_kev") if part[name].null_count()]
    return fit_peaks(part.drop(empty), fwhm=fwhm or (own if calibrated else None), least_significance=least)


def area_doubts(peaks: pl.DataFrame, spectra: SpectrumSet) -> list[str]:
    """Where isolated strong peaks of a spectrum have other areas by fits than by sums of counts, one sentence each.

    Args:
        peaks: of `fitted`, with the sums of `with_sums`.
        spectra: that they are of.
    """
    doubts = []
    for key, part in peaks.group_by(list(KEYS), maintain_order=True):
        run, board, channel = (int(str(value)) for value in key)
        if (found := difference(part)) is not None:
            where = f"{spectra.runs[run - 1]}: " if len(spectra.runs) > 1 else ""
            name = spectra.detectors.at(board, channel).name
            side = "below" if found.part < 0 else "above"
            doubts.append(
                f"{where}{name}: the fitted areas of {found.peaks} isolated strong peaks are "
                f"{abs(found.part):.1%} {side} the background-subtracted sums of their counts (± "
                f"{found.unc:.1%}): the fit does not describe the shape of these peaks"
            )
    return doubts
