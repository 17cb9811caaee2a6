"""Gains that drift: the table of factors that undoes it, for the commands that follow lines through runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.calibration.drift import REACH, Reference, track_drift
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.commands.layout import table
from gammapolars.commands.summaries import head, tail
from gammapolars.core.records import Rows
from gammapolars.io import check_writable, save
from gammapolars.io.output import check_suffix

TABLE = ".parquet"


@dataclass(frozen=True, kw_only=True)
class DriftSummary(RunSummary):
    """How lines moved.

    Attributes:
        lines_kev: the energies of the lines that were followed (keV).
        reference: where the factors bring lines to: calibration, or mean.
        drift_runs: the runs that the table is of: `run`, `files`, `first_timestamp_ps` and `last_timestamp_ps`.
        detectors: `board`, `channel`, `name`, `drift_span_pct`, `gain_unc_pct`, `steps`, and of the best line
            `scatter_pct`, `line_kev`, `fwhm_before_kev` and `fwhm_after_kev`.
        lines: `board`, `channel`, `name`, `line_kev`, `positions`, `failed`, `counts`, `scatter_pct`, `chi2_ndf`,
            `disagreement_pct`, `fwhm_before_kev` and `fwhm_after_kev`.
    """

    lines_kev: tuple[float, ...]
    reference: str
    drift_runs: Rows
    detectors: pl.DataFrame
    lines: pl.DataFrame


def follow(
    recording: Recording,
    output: Path,
    track: Sequence[float],
    *,
    reject: str,
    slice: str | None = None,
    reach: float = REACH,
    reference: Reference = "calibration",
    figure: Path | None = None,
    overwrite: bool = False,
) -> DriftSummary:
    """Track lines through runs, and write the factors that undo the drift of their gains.

    Args:
        recording: the runs and their calibrations.
        output: a Parquet file, for `drift` in detectors.toml; it lists its runs.
        track: energies of lines (keV), as for `track_drift`, and so are the following.
        reject: names of the flags that reject a hit.
        slice: the shortest slice of time.
        reach: largest relative change of the gain.
        reference: where the factors bring lines to.
        figure: a file of a figure; None: no figure.
        overwrite: whether existing outputs are replaced.
    """
    check_suffix(output, "drift tables are", (TABLE,))
    check_writable(output, overwrite=overwrite)
    check_figure(figure, overwrite=overwrite)
    recording = recording.in_adc()
    drift_track = track_drift(
        recording.runs,
        recording.detectors,
        track,
        reject=reject,
        slice=slice,
        reach=reach,
        reference=reference,
        keep=recording.selection.polygons if recording.selection else None,
        progress=recording.progress,
    )
    summary = DriftSummary(
        **of_hits(recording.without_detectors(), drift_track.hits, recording.masks(reject), drift_track.warnings),
        lines_kev=tuple(track),
        reference=reference,
        drift_runs=[run._asdict() for run in drift_track.drift.runs],
        detectors=drift_track.detectors,
        lines=drift_track.lines,
    )
    save(drift_track.drift.table.lazy(), output, overwrite=overwrite, metadata=summary.provenance(recording))
    if figure is not None:
        from gammapolars import figures

        plot = figures.drift(drift_track.positions, drift_track.curves, drift_track.spectra)
        save_figure(plot, figure, overwrite=overwrite)
    return summary.saved(output, figure)


def drift_lines(summary: DriftSummary) -> list[str]:
    """The summary for people."""

    def number(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:,.{digits}f}"

    return [
        *head(summary),
        *table(
            ["detector", "gain drift (%)", "uncertainty (%)", "steps"],
            [
                [row["name"], number(row["drift_span_pct"], 3), number(row["gain_unc_pct"], 4), str(row["steps"])]
                for row in summary.detectors.iter_rows(named=True)
            ],
        ),
        *table(
            ["line", "positions", "left out", "scatter (%)", "FWHM before (keV)", "after"],
            [
                [
                    f"{row['name']}, {row['line_kev']:g} keV",
                    str(row["positions"]),
                    str(row["failed"]),
                    number(row["scatter_pct"], 4),
                    number(row["fwhm_before_kev"], 2),
                    number(row["fwhm_after_kev"], 2),
                ]
                for row in summary.lines.iter_rows(named=True)
            ],
        ),
        *tail(summary),
    ]
