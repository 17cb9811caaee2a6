"""All that a report shows, in one pass over a run, after a look at its beginning for the prompt peaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import SelectionAccount
from gammapolars.analysis.accumulators import (
    Accumulator,
    HitTally,
    InRegions,
    Matrix,
    PairTally,
    Rates,
    RecordedTime,
    TimeDifferences,
)
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.expected_pairs import check_beginning
from gammapolars.analysis.live_times import noted_warnings, with_noted
from gammapolars.analysis.pair_output import save_pairs
from gammapolars.analysis.passes import PairPass, summarise
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.spectra_counter import spectra_counter, spectra_table
from gammapolars.analysis.summaries import PairSummary
from gammapolars.calibration.timing.prompt_peaks import COLUMNS, prompt_peaks
from gammapolars.coincidences import PairRule
from gammapolars.core import defaults, schema
from gammapolars.core.flags import REMOVED, union
from gammapolars.core.types import Key
from gammapolars.core.units import Window, parse_ps
from gammapolars.corrections import Selection
from gammapolars.detectors import named
from gammapolars.rates import rate_doubts, rates_of, rates_of_used
from gammapolars.report.lines import peak_table
from gammapolars.report.live import matrix_bin_kev
from gammapolars.report.recorded import RecordedRun, recorded_runs, with_names, with_names_in
from gammapolars.spectra import fitting_bin_kev

SENTENCES = ("warnings", "doubts")
"""Fields of an analysis that name detectors in sentences."""


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
        chance_pairs_expected: expected random coincidences among `pairs`: the sum of r_a r_b w T over detector pairs.
        real_time_s: from the first to the last hit, or as the digitizer recorded it (s).
        first_timestamp_ps: time of the first hit (ps).
        last_timestamp_ps: time of the last hit (ps).
        warnings: doubts about the rest, to be read first, one sentence each.
        detectors: `board`, `channel`, `name`, `hits`, `hits_used`, `rate_cps` (of the used hits), `calibrated` (bool).
        true_rates: rates and live times of all hits but fake events and those removed, as `gammapolars rates` gives
            them, with `name`.
        pairs_by_detectors: `board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`, `chance_pairs_expected`; a
            detector pair is listed once, a < b by (board, channel).
        spectra: `board`, `channel`, `name`, `energy_kev` and/or `adc` (bin centre; `energy_kev` only where
            calibrated), `counts`, `variance`, of the used hits. Where a table has both, a row is a bin of
            `energy_kev` unless that is null.
        rates: `board`, `channel`, `name`, `time_s` (bin centre, since the first hit), `width_s`, `counts`,
            `rate_cps`, of all hits that are not removed, rejected or not.
        time_differences: `name_a`, `name_b`, `dt_ns` (bin centre; time of b minus time of a, a < b), `width_ns`,
            `counts`; it reaches to about four times the window, so that the level of random coincidences is seen.
        matrix: `energy_kev_x`, `energy_kev_y` (bin centres; `adc_x`, `adc_y` when nothing is calibrated), `counts`,
            `variance`: every pair within the window as (x, y) and as (y, x), so that it is symmetric; a pair whose two
            energies fall into the same bin, on the diagonal, counts once. With energies: pairs of calibrated detectors.
        matrix_bin: bin width of `matrix` on both axes, in their unit; None: from the distances of its centres.
        peaks: PEAKS of the spectra with `board`, `channel`, `name`, `kind`, `reason`, `nuclide` and `line_kev`, as
            `gammapolars peaks` gives them.
        prompt_peaks: `name_a`, `name_b`, `position_ns`, `fwhm_ns`, both with `_unc`, `sampled_pairs`: the prompt peak
            of each detector pair that shows one, wherever it lies within `search_ps`, the strongest first; where none
            does, that of all together, with an empty `name_b`.
        search_ps: how far from 0 prompt peaks were searched.
        random_windows: intervals of t_b - t_a in which random coincidences were measured, if any (ps).
        removed: `reason`, `name` and `hits`: hits that thresholds, ranges and polygons removed, by their detectors;
            None: there are no such limits.
        hits_damaged: hits that were left out because the file is damaged there.
        hits_out_of_range: hits that were left out because no hit can have their values.
        hits_repeated: hits that were left out because they repeat another one.
        parameters: settings that the results depend on, as a person would write them, for the report's foot.
        summary: the summary of `gammapolars coincidences` for the same run.
        runs: the recorded metadata of each run.
        doubts: about its rates, widths and areas of peaks, one sentence each.
        command_names: of detectors that are named as CoMPASS does, how commands call them.
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
    prompt_peaks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COLUMNS))
    search_ps: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    removed: pl.DataFrame | None = None
    hits_damaged: int = 0
    hits_out_of_range: int = 0
    hits_repeated: int = 0
    summary: PairSummary | None = None
    random_windows: tuple[Window, ...] = ()
    matrix_bin: float | None = None
    true_rates: pl.DataFrame = field(default_factory=pl.DataFrame)
    peaks: pl.DataFrame = field(default_factory=pl.DataFrame)
    runs: tuple[RecordedRun, ...] = ()
    command_names: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def named(self, names: Mapping[str, str]) -> "Analysis":
        """The same with other names of detectors in all tables; commands know them by those that they had.

        Args:
            names: the other name by each name that is to be replaced.
        """
        tables = {one.name: table for one in fields(self) if isinstance(table := getattr(self, one.name), pl.DataFrame)}
        others: dict[str, Any] = {name: with_names(table, names) for name, table in tables.items()}
        others |= {name: tuple(with_names_in(one, names) for one in getattr(self, name)) for name in SENTENCES}
        return replace(self, **others, command_names={other: name for name, other in names.items()})


TIME_DIFFERENCE_WINDOWS = 4
"""Time differences are shown out to this many times the window."""


def analyse(recording: Recording, rule: PairRule, *, pairs_output: Path | None = None) -> Analysis:
    """Everything that a report shows, in one pass over a run; prompt peaks by the first of its pairs.

    Pairs are looked for out to several times the window, so that the time differences show the random ones; only those
    within the window are counted, written (to `pairs_output`, if anywhere) and drawn into the matrix. With random
    windows, random coincidences are subtracted from the matrix, and the pairs carry weights.

    Raises:
        TableError: the run has no adc values.
        TimeOrderError: hits lie too far back in time to be repaired.
    """
    schema.require(recording.runs.hits, schema.HITS, columns=("board", "channel", "timestamp_ps", "flags"))
    reach_ps = max(TIME_DIFFERENCE_WINDOWS * max(rule.window.reach, 1000), rule.reach)
    wide = PairRule(reach_ps, reject=rule.reject)
    check_beginning(recording, wide, TIME_DIFFERENCE_WINDOWS)
    search_ps = max(parse_ps(defaults.SEARCH), reach_ps)
    peaks = prompt_peaks(replace(recording, progress=None), reject=rule.reject, search_ps=search_ps)
    counters = _Counters(recording, rule, reach_ps)
    reading = PairPass(recording, wide, counters.all, TIME_DIFFERENCE_WINDOWS, kept=rule)

    def summary() -> PairSummary:
        return summarise(reading, counters.hits, counters.pairs, rule)

    if pairs_output:
        save_pairs(reading, pairs_output, metadata=lambda: summary().provenance(recording))
    else:
        reading.run()
    return replace(counters.analysis(summary(), reading), prompt_peaks=peaks, search_ps=search_ps)


class _Counters:
    """Counters in the pass over a run, and their results."""

    def __init__(self, recording: Recording, rule: PairRule, reach_ps: int) -> None:
        self._recording, self._rule, self._mask = recording, rule, union(rule.reject)
        self._removed = union(recording.masks("none"))
        detectors = recording.detectors
        self._bin_kev = fitting_bin_kev(detectors)
        self.hits, self.pairs = HitTally(), PairTally(rule.window)
        self._rates, self._intervals, self._recorded = Rates(mask=self._removed), Intervals(), RecordedTime()
        self._spectra = spectra_counter(recording, self._mask, self._bin_kev)
        self._differences = TimeDifferences(reach_ps)
        calibrated, fine_kev = recording.is_calibrated, matrix_bin_kev(detectors)
        self._matrix = Matrix.of_energies(rule.window, detectors, calibrated=calibrated, bin_kev=fine_kev, unlike=True)

    @property
    def all(self) -> list[Accumulator]:
        """The accumulators; those of pairs see the random windows, too, where there are any."""
        regions = self._rule.regions
        of_pairs = [InRegions(one, regions) if regions else one for one in (self.pairs, self._matrix)]
        of_hits = [self._spectra, self._rates, self._differences, self.hits, self._intervals, self._recorded]
        return [*of_hits, *of_pairs]

    def analysis(self, totals: PairSummary, reading: PairPass) -> Analysis:
        """The counts, when the pass is over."""
        recording, rule, hits, doubts = self._recording, self._rule, self.hits, list[str]()
        runs, detectors, by_detector = recording.runs, recording.detectors, hits.by_detector(self._mask)
        every = with_noted(named(rates_of(hits, self._intervals, self._recorded), detectors), runs)
        rates = rates_of_used(every, hits, self._removed)
        peaks = peak_table(spectra_table(self._spectra, detectors, None), detectors, doubts.append)
        doubts += [*rate_doubts(every), *noted_warnings(every)]
        same = ("hits_read", "hits_used", "hits_damaged", "hits_out_of_range", "hits_repeated")
        return Analysis(
            **{name: getattr(totals.account, name) for name in same},
            pairs=totals.of_pairs.pairs,
            chance_pairs_expected=totals.of_pairs.chance_pairs_expected,
            inputs=tuple(file.path.name for file in runs.files),
            rejected={name: hits for name, hits in totals.account.rejected.items() if hits},
            removed=_removed_rows(totals.account.selection),
            window=rule.window,
            random_windows=rule.regions.random if rule.regions else (),
            real_time_s=hits.real_time_s,
            first_timestamp_ps=hits.first_ps or 0,
            last_timestamp_ps=hits.last_ps or 0,
            warnings=(*totals.warnings, *_runs_in_one_file(recording, totals)),
            doubts=tuple(doubts),
            detectors=_detector_rows(by_detector, recording, reading.recorded.seconds()),
            true_rates=rates,
            peaks=peaks,
            runs=recorded_runs(runs, by_detector),
            pairs_by_detectors=totals.of_pairs.pairs_by_detectors,
            spectra=named(spectra_table(self._spectra, detectors, self._bin_kev), detectors),
            rates=named(self._rates.table(), detectors),
            time_differences=self._differences.table(detectors),
            matrix=self._matrix.table(),
            matrix_bin=self._matrix.axes[0].width,
            parameters=_parameters(rule, recording.selection),
            summary=replace(totals, warnings=(*totals.warnings, *doubts)),
        )


def _removed_rows(selection: SelectionAccount | None) -> pl.DataFrame | None:
    """The table of the hits that a selection removed."""
    if selection is None:
        return None
    rows = [
        (reason, name, hits)
        for reason, by_name in selection.by_reason.items()
        for name, hits in by_name.items()
        if hits
    ]
    return pl.DataFrame(rows, {"reason": pl.String, "name": pl.String, "hits": pl.Int64}, orient="row")


def _parameters(rule: PairRule, selection: Selection | None) -> dict[str, str]:
    """The settings as a person would write them."""
    flags = [name for name in rule.reject if name not in REMOVED]
    random = {"random windows": ", ".join(map(str, rule.regions.random))} if rule.regions else {}
    limits = {} if selection is None else selection.limits
    return {"window": str(rule.window), **random, **limits, "rejected flags": ", ".join(flags) or "none"}


def _runs_in_one_file(recording: Recording, totals: PairSummary) -> list[str]:
    """Where one file holds several runs, which are then summed up, in a sentence."""
    number = len(totals.times.runs or ())
    if number < 2 or len(recording.runs.all) > 1:
        return []
    name = recording.runs.all[0].name
    return [f"{name}: contains {number} runs, which are summed here; write each run to its own file to compare them"]


def _detector_rows(by_detector: pl.DataFrame, recording: Recording, recorded_s: Mapping[Key, float]) -> pl.DataFrame:
    """The table of detectors: names, hits, rates of the used hits while recorded, and whether they are calibrated."""
    calibrated = [
        recording.has_energies or recording.detectors.at(board, channel).energy is not None
        for board, channel in by_detector.select("board", "channel").iter_rows()
    ]
    seconds = [recorded_s.get(key) or None for key in by_detector.select("board", "channel").iter_rows()]
    rate = pl.col("hits_used") / pl.Series(seconds, dtype=pl.Float64)
    has_energy = pl.Series(calibrated, dtype=pl.Boolean)
    return named(by_detector, recording.detectors).with_columns(rate_cps=rate, calibrated=has_energy)
