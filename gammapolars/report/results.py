"""What one pass over a run finds: small tables and numbers, from which figures and the report are made."""

from dataclasses import dataclass, field

import polars as pl

from gammapolars.analysis.summaries import PairSummary
from gammapolars.calibration.timing import prompt_peaks
from gammapolars.core.units import Window


@dataclass(frozen=True)
class Analysis:
    """One run, summed up.

    A table of bins has one bin width for all its rows. Bins without counts may be left out of `spectra` and `matrix`;
    `rates` and `time_differences` have all of them, so that a bin that is missing is never mistaken for one that is 0.
    `name` is the detector's name in every table.

    Attributes:
        inputs: names of the files that were read.
        hits_read: hits in the files: those used, those rejected by their flags, and those left out.
        hits_used: hits that no flag rejected.
        rejected: rejected hits by flag name; a hit with two flags counts under both.
        window: the coincidence window (ps).
        pairs: hits of two different detectors within the window.
        chance_pairs_expected: how many of `pairs` are expected by chance: the sum of r_a r_b w T over detector pairs.
        real_time_s: from the first to the last hit, or as the digitizer recorded it (s).
        first_timestamp_ps: time of the first hit (ps).
        last_timestamp_ps: time of the last hit (ps).
        warnings: what a reader must know before trusting the rest, one sentence each.
        detectors: `board`, `channel`, `name`, `hits`, `hits_used`, `rate_cps` (of the used hits), `calibrated` (bool).
        pairs_by_detectors: `board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`, `chance_pairs_expected`; a
            detector pair stands once, a < b by (board, channel).
        spectra: `board`, `channel`, `name`, `energy_kev` and/or `adc` (bin centre; `energy_kev` only where
            calibrated), `counts`, `variance`, of the used hits. Where a table has both, a row is a bin of
            `energy_kev` unless that is null.
        rates: `board`, `channel`, `name`, `time_s` (bin centre, since the first hit), `width_s`, `counts`,
            `rate_cps`, of all hits, used or not.
        time_differences: `name_a`, `name_b`, `dt_ns` (bin centre; time of b minus time of a, a < b), `width_ns`,
            `counts`; it reaches to about four times the window, so that the chance level beside the peak is seen.
        matrix: `energy_kev_x`, `energy_kev_y` (bin centres; `adc_x`, `adc_y` when nothing is calibrated), `counts`,
            `variance`: every pair within the window as (x, y) and as (y, x), so that it is symmetric; a pair whose two
            energies fall into the same bin, on the diagonal, counts once. With energies: pairs of calibrated detectors.
        prompt_peaks: `name_a`, `name_b`, `position_ns`, `fwhm_ns`, both with `_unc`, `sampled_pairs`: the prompt peak
            of each detector pair that shows one, wherever it lies within `search_ps`, the strongest first; where none
            does, that of all together, with an empty `name_b`.
        search_ps: how far from 0 prompt peaks were searched.
        random_windows: intervals of t_b - t_a that were taken to hold chance pairs alone, if any (ps).
        hits_damaged: hits that were left out because the file is damaged there.
        hits_out_of_range: hits that were left out because no hit can have their values.
        parameters: settings that the results depend on, as a person would write them, for the report's foot.
        summary: what `gammapolars coincidences` sums up of the same run.
    """

    inputs: tuple[str, ...]
    hits_read: int
    hits_used: int
    rejected: dict[str, int]
    window: Window
    pairs: int
    chance_pairs_expected: float
    real_time_s: float
    first_timestamp_ps: int
    last_timestamp_ps: int
    warnings: tuple[str, ...]
    detectors: pl.DataFrame
    pairs_by_detectors: pl.DataFrame
    spectra: pl.DataFrame
    rates: pl.DataFrame
    time_differences: pl.DataFrame
    matrix: pl.DataFrame
    prompt_peaks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=prompt_peaks.COLUMNS))
    search_ps: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    hits_damaged: int = 0
    hits_out_of_range: int = 0
    summary: PairSummary | None = None
    random_windows: tuple[Window, ...] = ()
