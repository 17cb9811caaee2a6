"""Energy calibrations of the detectors of runs and files: what the command `calibrate` does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from gammapolars import tracking
from gammapolars.analysis import named
from gammapolars.calibration import energy_kev
from gammapolars.calibration.by_hand import Pair
from gammapolars.calibration.result import Calibration, calibrate_peaks
from gammapolars.detectors import Detector, Detectors, format_detectors
from gammapolars.energies import fitted
from gammapolars.errors import CalibrationError, UsageError
from gammapolars.gamma_lines import lines
from gammapolars.gathered import Gathered, from_runs
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.output_folder import check_folder, folder_complete_or_nothing

CLEAR = 5.0
"""Least significance of the peaks that a calibration rests on."""

PARTS = (1, 4, 16, 32, 64)
"""Where a drift smears lines so that none can be told, they are looked for in the first of so many parts of a run."""

Key = tuple[int, int]


@dataclass(frozen=True)
class Wanted:
    """What a calibration is to be made from.

    Attributes:
        lines: of the named sources.
        order: of the polynomials; None: chosen.
        pairs: of adc and energy, given by hand, by detector name or `board/channel`; under "" those for every detector.
        only: the detectors that are to be calibrated; all where it is empty.
    """

    lines: pl.DataFrame
    order: int | None = None
    pairs: Mapping[str, Sequence[Pair]] | None = None
    only: Sequence[str] = ()


def calibrations(spectra: Gathered, wanted: Wanted) -> tuple[list[Calibration], list[str]]:
    """The calibration of each detector that has peaks.

    A detector that is calibrated already is started from that; where its gain has changed too much for that, as if
    nothing were known of it.

    Args:
        spectra: of runs or files.
        wanted: what to calibrate by.

    Returns:
        The calibrations, and warnings of detectors that have none.

    Raises:
        CalibrationError: no detector has peaks, or the peaks of one cannot be told to be lines.
        UsageError: a detector that is asked for has no spectrum.
    """
    keys = _asked(spectra, wanted.only)
    in_adc = replace(spectra, table=spectra.table.with_columns(energy_kev=pl.lit(None, pl.Float64)))
    found, warnings = [], []
    for key in keys:
        of_one = pl.col("board") == key[0], pl.col("channel") == key[1]
        one = replace(in_adc, table=in_adc.table.filter(*of_one))
        detector = spectra.detectors.at(*key)
        table = fitted(one, least_significance=CLEAR)
        if table.filter(pl.col("status") != "failed").is_empty():
            warnings.append(f"{detector.name} shows no peak ({one.table['counts'].sum():,.0f} counts): not calibrated")
            continue
        missing = len(spectra.runs) - one.table["run"].n_unique()
        found.append(_calibration(table, detector, wanted, one.table, missing=missing))
    if not found:
        raise CalibrationError(f"{spectra.runs[0]}: no detector shows a peak: is this the run of a source?")
    return found, warnings


def _asked(spectra: Gathered, only: Sequence[str]) -> list[Key]:
    """The detectors to calibrate."""
    there = spectra.keys()
    if not only:
        return there
    keys = [spectra.detectors.named(name).key for name in only]
    for key, name in zip(keys, only, strict=True):
        if key not in there:
            raise UsageError(f"there are no hits of detector '{name}': leave it out")
    return keys


def _calibration(
    peaks: pl.DataFrame, detector: Detector, wanted: Wanted, spectrum: pl.DataFrame, *, missing: int
) -> Calibration:
    """One detector's calibration; it took no part in `missing` of the runs, whose sources it may not have seen."""
    pairs = None
    if wanted.pairs:
        names = (detector.name, f"{detector.board}/{detector.channel}", "")
        pairs = next((wanted.pairs[name] for name in names if name in wanted.pairs), None)
    filled = spectrum.filter(pl.col("counts") > 0)["adc"]
    adc_range = (float(filled.min() or 0), float(filled.max() or 0))  # type: ignore[arg-type]
    trusted = peaks.filter(pl.col("status") != "failed")

    def calibrated(start: Sequence[float] | None, expected: pl.DataFrame) -> Calibration:
        return calibrate_peaks(
            trusted, expected, detector, order=wanted.order, start=start, pairs=pairs, adc_range=adc_range
        )

    trials: list[tuple[Sequence[float] | None, pl.DataFrame]] = [(None, wanted.lines)]
    if pairs is None:
        trials += [(None, fewer) for fewer in _fewer_sources(wanted.lines, missing=missing)]
        trials = [(detector.energy, wanted.lines), *trials] if detector.energy else trials
    refused = None
    for start, expected in trials:
        try:
            return calibrated(start, expected)
        except CalibrationError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _fewer_sources(expected: pl.DataFrame, *, missing: int) -> Iterator[pl.DataFrame]:
    """The lines without up to so many of the sources: those of runs that a detector took no part in."""
    nuclides = expected["parent"].unique(maintain_order=True).to_list()
    for fewer in range(1, min(missing, len(nuclides) - 1) + 1):
        for kept in combinations(nuclides, len(nuclides) - fewer):
            yield expected.filter(pl.col("parent").is_in(kept))


def lines_of(sources: Sequence[str]) -> pl.DataFrame:
    """The lines of several sources in one table, those of a nuclide once.

    Raises:
        UsageError: a source is none of the table's.
    """
    table = pl.concat([lines(source) for source in sources]).unique(maintain_order=True)
    unc = (pl.col("energy_kev_unc") ** 2 + pl.col("spread_kev") ** 2).sqrt()
    return table.with_columns(energy_kev_unc=unc)


def check_outputs(output: Path, residuals: Path | None, figures: Path | None, *, overwrite: bool) -> None:
    """Raise at once if what `calibrate` writes could not be written later."""
    check_output(output, overwrite=overwrite)
    if residuals:
        check_writable(residuals, overwrite=overwrite)
    if figures:
        check_folder(figures, overwrite=overwrite)


def calibrate(
    spectra: Gathered,
    wanted: Wanted,
    output: Path,
    *,
    residuals: Path | None = None,
    figures: Path | None = None,
    drift: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Calibrate detectors by the lines of sources, and write detectors.toml.

    Detectors of the old file that are not calibrated now stay in it as they were.

    Args:
        spectra: of runs or files.
        wanted: what to calibrate by.
        output: the detectors.toml.
        residuals: a table of the matched lines, in .csv, .parquet or .arrow; None: none.
        figures: a folder for figures of the spectra, the residuals and the widths; None: none.
        drift: the table of drift that detectors.toml shall name, instead of the one that it names.
        overwrite: whether existing outputs are replaced.

    Returns:
        The summary, as `gammapolars calibrate --json` prints it.

    Raises:
        CalibrationError: as for `calibrations`.
    """
    check_outputs(output, residuals, figures, overwrite=overwrite)
    found, warnings = calibrations(spectra, wanted)
    table = pl.concat([one.residuals for one in found])
    known = replace(spectra.detectors, drift=drift or spectra.detectors.drift)
    for one in found:
        known = known.replacing(one.detector)
    summary = {
        **spectra.summary,
        "detectors": [_described(one) for one in found],
        "warnings": [*spectra.summary["warnings"], *warnings, *(text for one in found for text in _doubts(one))],
    }
    if figures:
        _draw(found, spectra, known, figures, overwrite=overwrite)
    if residuals:
        save(table.lazy(), residuals, overwrite=overwrite, metadata=lambda: spectra.metadata(summary))
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        hidden.write_text(format_detectors(known), encoding="utf-8")
    return summary | {"lines": table.to_dicts(), "output": str(output)}


def calibrate_drifting(
    runs: Runs,
    spectra: Gathered,
    wanted: Wanted,
    lines_kev: Sequence[float],
    output: Path,
    *,
    reject: str,
    residuals: Path | None = None,
    figures: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Calibrate detectors whose gains drift: calibrate roughly, follow lines, correct the hits, and calibrate those.

    The factors of the gains become a table beside detectors.toml, which names it, so that every command uses both.

    Args:
        runs: from `open_runs`.
        spectra: of these runs.
        wanted: what to calibrate by.
        lines_kev: energies of the lines that are followed.
        output: the detectors.toml; the table is `NAME.drift.parquet` beside it.
        reject: names of the flags that reject a hit.
        residuals: as for `calibrate`, and so are the following.
        figures: with `drift.png` beside the others.
        overwrite: whether existing outputs are replaced.

    Returns:
        The summary of `calibrate`, with that of `tracking.drift` as `drift`.
    """
    table = output.with_suffix(".drift.parquet")
    check_writable(table, overwrite=overwrite)
    rough = _rough(runs, spectra, wanted, reject)
    known = replace(spectra.detectors, drift=None)
    for one in rough:
        known = known.replacing(one.detector)
    with TemporaryDirectory() as scratch:
        tracked = Path(scratch) / table.name
        figure = Path(scratch) / "drift.png" if figures else None
        told = tracking.drift(runs, tracked, lines_kev, detectors=known, reject=reject, figure=figure)
        corrected = from_runs(runs, replace(known, drift=str(tracked)), reject=reject)
        summary = calibrate(
            corrected, wanted, output, residuals=residuals, figures=figures, drift=table.name, overwrite=overwrite
        )
        for made, final in ((tracked, table), (figure, figures and figures / "drift.png")):
            if made and final:
                with complete_or_nothing(final, overwrite=True) as hidden:
                    hidden.write_bytes(made.read_bytes())
    warnings = [text for text in told["warnings"] if text not in summary["warnings"]]
    return summary | {"warnings": [*summary["warnings"], *warnings], "drift": told | {"outputs": [str(table)]}}


def _rough(runs: Runs, spectra: Gathered, wanted: Wanted, reject: str) -> list[Calibration]:
    """Calibrations to begin with: of all hits, or where a drift smears their lines, of fewer and fewer of the first."""
    hits = int(spectra.summary["hits_read"])
    refused = None
    for part in PARTS:
        first = spectra if part == 1 else from_runs(runs, spectra.detectors, reject=reject, most_hits=hits // part)
        try:
            return calibrations(first, wanted)[0]
        except CalibrationError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _described(one: Calibration) -> dict[str, Any]:
    """A calibration as plain numbers."""
    detector, fit = one.detector, one.energy
    used = one.residuals.filter("used")
    resolution = one.resolution
    return {
        "name": detector.name,
        "board": detector.board,
        "channel": detector.channel,
        "order": fit.order,
        "energy": list(fit.coefficients),
        "energy_covariance": [list(row) for row in fit.covariance],
        "energy_range": list(fit.adc_range),
        "lines_used": used.height,
        "chi2": fit.chi2,
        "ndf": fit.ndf,
        "largest_residual_kev": float(used["residual_kev"].abs().max() or 0.0),  # type: ignore[arg-type]
        "fwhm": list(resolution.coefficients) if resolution else None,
        "evidence": one.match.evidence if one.match.evidence < float("inf") else None,
    }


def _doubts(one: Calibration) -> list[str]:
    """What a reader should know before trusting a calibration."""
    name, doubts = one.detector.name, []
    if one.match.unseen:
        doubts.append(f"{name}: not seen: {', '.join(one.match.unseen)}")
    if one.match.missing:
        doubts.append(f"{name}: no line of {', '.join(one.match.missing)} was found")
    left_out = one.residuals.filter(pl.col("calibrate") & ~pl.col("used"))
    if left_out.height:
        energies = ", ".join(f"{energy:.1f}" for energy in left_out["energy_kev"])
        doubts.append(f"{name}: left out of the fit, for they lie off it: {energies} keV")
    return doubts


def _draw(found: list[Calibration], spectra: Gathered, known: Detectors, folder: Path, *, overwrite: bool) -> None:
    """Spectra with their lines, residuals and widths, as PNG files in a folder."""
    from gammapolars import figures
    from gammapolars.figures.png import png

    matched = pl.concat([one.residuals for one in found])
    keys = [one.detector.key for one in found]
    of_found = pl.any_horizontal(
        ((pl.col("board") == board) & (pl.col("channel") == channel)) for board, channel in keys
    )
    counts = spectra.table.filter(of_found).group_by("board", "channel", "adc").agg(pl.col("counts", "variance").sum())
    in_kev = counts.with_columns(energy_kev(known)).sort("board", "channel", "adc")
    curves = {one.detector.key: one.resolution.coefficients for one in found if one.resolution}
    drawn = {
        "lines.png": figures.calibration(named(in_kev, known), matched),
        "residuals_kev.png": figures.residuals(matched),
        "residuals_sigma.png": figures.residuals(matched, in_sigma=True),
        "resolution.png": figures.resolution(matched, curves),
    }
    with folder_complete_or_nothing(folder, overwrite=overwrite) as partial:
        for name, plot in drawn.items():
            (partial / name).write_bytes(png(plot))
