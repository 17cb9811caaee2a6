"""The command `align`: runs in, a detectors.toml with offsets and walk, a figure and a summary out."""

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.calibration.timing import Timing, measure_timing
from gammapolars.commands.align.parse import AlignOptions
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.figure_files import check_figure, drawn
from gammapolars.core.records import optional
from gammapolars.core.units import parse_range
from gammapolars.io.output import check_output, write_bytes


@dataclass(frozen=True, kw_only=True)
class AlignSummary(RunSummary):
    """The results of `align`.

    Attributes:
        detectors: `board`, `channel`, `name`, `group`, whether it is the `reference`, `pairs`, `time_offset_ps`,
            `time_offset_ps_unc`, `time_walk_ps`, `time_walk_ps_unc`, `time_walk_range`, `time_fwhm_ps` and
            `time_fwhm_ps_unc`.
        detector_pairs: `board_a`, `channel_a`, `name_a`, `board_b`, `channel_b`, `name_b`, `pairs`, `prompt_pairs`,
            `position_ps`, `position_ps_unc`, `position_after_ps`, `fwhm_before_ps`, `fwhm_before_ps_unc`,
            `fwhm_after_ps`, `fwhm_after_ps_unc` and `status`.
        covariance_ps2: of the offsets (ps²); null where there is none.
        chi2: of the offsets, by the peaks of all detector pairs; null where these are no more than needed.
        ndf: its degrees of freedom.
        clock_ps: times are multiples of it (ps).
        walk: whether time walk was fitted.
        notes: what was decided on the way, one sentence each.
        clocks: where the peak of two boards could be followed: `board`, `reference`, `rate_ppm`, `rate_ppm_unc`,
            `change_ppm`, `rates` and `moves_ps`.
    """

    detectors: pl.DataFrame
    detector_pairs: pl.DataFrame
    covariance_ps2: list[list[float | None]]
    chi2: float | None
    ndf: int
    clock_ps: int
    walk: bool
    notes: tuple[str, ...]
    clocks: pl.DataFrame | None = optional()


def align(options: AlignOptions, recording: Recording) -> AlignSummary:
    """Measure time offsets, walk and resolutions, and write detectors.toml: all else stays as it was."""
    check_output(options.output, overwrite=options.overwrite)
    check_figure(options.figure, overwrite=options.overwrite)
    timing = measure_timing(
        recording.runs,
        recording.detectors,
        search=options.search,
        reject=options.reject,
        walk=options.walk,
        reference=options.reference,
        energy_kev=parse_range(options.energy, "--energy") if options.energy is not None else None,
        min_energy_kev=options.min_energy,
        keep=options.keep,
        most_hits=options.hits,
        progress=recording.progress,
    )
    data = _drawn(timing, options.figure) if options.figure is not None else b""
    save_detectors(timing.aligned, options.output, overwrite=options.overwrite)
    if options.figure is not None:
        write_bytes(data, options.figure, overwrite=options.overwrite)
    recording = recording.without_detectors()  # the measurement is of other offsets
    return AlignSummary(
        **of_hits(recording, timing.hits, recording.masks(options.reject), timing.warnings, complete=timing.complete),
        detectors=timing.detectors,
        detector_pairs=timing.pairs,
        covariance_ps2=[[None if math.isnan(one) else one for one in row] for row in timing.covariance_ps2],
        chi2=timing.chi2 if timing.ndf else None,
        ndf=timing.ndf,
        clock_ps=timing.clock_ps,
        walk=timing.walk,
        notes=tuple(timing.notes),
        clocks=timing.clocks,
    ).saved(options.output, options.figure)


def _drawn(timing: Timing, path: Path) -> bytes:
    from gammapolars import figures

    return drawn(figures.timing(timing.differences, timing.pairs), path)
