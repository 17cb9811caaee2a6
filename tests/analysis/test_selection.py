"""Hits below thresholds in a pass: they are neither added back nor veto, and leave detectors dead all the same."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given

import gammapolars as gp
from gammapolars.analysis.accumulators import AdcSpectra, HitTally, PairTally, RecordedTime
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.gain_correction import correct_drift
from gammapolars.analysis.passes import PairPass, count_hits, summarise
from gammapolars.analysis.preselection import Preselection
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import PairSummary
from gammapolars.coincidences import PairRule
from gammapolars.core.flags import REMOVED, union
from gammapolars.core.schema import DRIFT
from gammapolars.core.units import Window
from gammapolars.corrections import Selection, select_hits
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import open_runs
from gammapolars.rates import rates_of, rates_of_used
from gammapolars.streaming.slices import slices
from tests import deadtimes
from tests.drawing import examples
from tests.hits import SIZES, in_batches, runs

CLOVER = Detectors(
    (
        Detector(0, 0, "A1", (1.0, 0.5), group="A", kind="HPGe", threshold_adc=10),
        Detector(0, 1, "A2", (-1.0, 0.25), group="A", kind="HPGe", range_kev=(0, 5)),
        Detector(0, 2, "shield", (0.0, 1.0), group="A", kind="BGO", threshold_adc=5),
        Detector(1, 0, "B", (0.0, 0.5)),
    )
)
MARKS = union(REMOVED)


@examples(60)
@given(runs(), SIZES)
def test_removed_hits_pass_add_back_and_vetoes_by(hits: pl.DataFrame, rows: int) -> None:
    hits = hits.filter(~((pl.col("board") == 1) & (pl.col("channel") > 0))).sort("timestamp_ps", maintain_order=True)
    selection = Selection.of(CLOVER)
    assert selection
    preselection = Preselection(CLOVER, add_back="20ps", vetoes=["BGO=15ps"])
    kept, marked = selection.kept(hits), selection.marked(hits)

    alone = [*preselection.passed(slices(in_batches(kept, rows), 0))]
    taken = preselection.account()
    among = [*preselection.passed(slices(in_batches(marked, rows), 0), removed=MARKS)]

    found = pl.concat(among) if among else None
    if found is None:
        assert hits.is_empty()
        return
    used = found.filter(~((pl.col("flags") & MARKS) != 0))
    order = ["timestamp_ps", "adc"]
    assert used.sort(order).equals(pl.concat(alone).sort(order) if alone else used.clear())
    assert preselection.account() == taken
    removed = found.filter((pl.col("flags") & MARKS) != 0)
    assert sorted(removed["adc"]) == sorted(marked.filter((pl.col("flags") & MARKS) != 0)["adc"])
    assert found["timestamp_ps"].is_sorted()


HALF = 1000
"""An adc below which half of the hits lie."""


def with_adc(hits: pl.DataFrame, seed: int) -> pl.DataFrame:
    adc = np.random.default_rng(seed + 1000).integers(0, 2 * HALF, hits.height).astype(np.uint16)
    return hits.with_columns(adc=pl.Series(adc)).select("board", "channel", "timestamp_ps", "adc", "flags", "event")


def pair_summary(hits: pl.DataFrame, path: Path, window: str) -> PairSummary:
    """The summary of the pairs of hits above the threshold, as `coincidences` gives it."""
    hits.drop("event").write_parquet(path)
    known = Detectors(tuple(Detector(*key, threshold_adc=HALF) for key in (deadtimes.A, deadtimes.B)))
    recording = Recording(open_runs(path), known, selection=Selection.of(known))
    rule = PairRule(window, reject=recording.masks("none"))
    tally, pairs = HitTally(), PairTally(rule.window)
    reading = PairPass(recording, rule, [tally, pairs])
    reading.run()
    return summarise(reading, tally, pairs)


US = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("extendable", [False, True])
@pytest.mark.parametrize("window_us", [2, 30])
def test_random_and_lost_pairs_above_a_threshold_are_right(tmp_path: Path, window_us: int, extendable: bool) -> None:
    """Detectors that are dead for 20 % of the time, with half of their hits below the threshold."""
    detectors = deadtimes.Detectors((30_000.0, 25_000.0), 0.4, (8 * US, 8 * US), extendable)
    time_s, seeds = 3.0, 12
    pulls, live_pulls = [], []
    for seed in range(seeds):
        hits = with_adc(deadtimes.recorded(seed, detectors, time_s), seed)
        used = hits.filter(pl.col("adc") >= HALF)
        summary = pair_summary(hits, tmp_path / f"{seed}.parquet", f"{window_us}us").of_pairs
        counted = deadtimes.random_pairs(used, 0, window_us * US)
        expected, unc = summary.chance_pairs_expected, summary.chance_pairs_expected_unc
        pulls.append((counted - expected) / math.sqrt(expected + unc**2))
        true = deadtimes.true_pairs(used)
        assert summary.lost_pairs is not None
        assert summary.lost_pairs_unc is not None
        events = detectors.share * min(detectors.rates_cps) * time_s / 4  # both hits are above the threshold
        live_pulls.append((true + summary.lost_pairs - events) / math.hypot(summary.lost_pairs_unc, math.sqrt(events)))
    for of in (pulls, live_pulls):
        assert abs(np.mean(of)) < 4 / math.sqrt(seeds)
        assert np.std(of) < 1.8
    live = summary.pairs_by_detectors["live_fraction"][0]
    assert live < 0.75


def test_a_threshold_changes_no_live_fraction(tmp_path: Path) -> None:
    hits = with_adc(deadtimes.recorded(5, deadtimes.Detectors(dead_ps=(8 * US, 8 * US)), 1.0), 5)
    all_hits = hits.with_columns(adc=pl.lit(HALF, pl.UInt16))

    half, whole = (
        pair_summary(table, tmp_path / f"{name}.parquet", "30us").of_pairs
        for name, table in (("half", hits), ("whole", all_hits))
    )

    live = [one.pairs_by_detectors["live_fraction"][0] for one in (half, whole)]
    assert live[0] == pytest.approx(live[1], rel=0.01)
    ratio = half.chance_pairs_expected / whole.chance_pairs_expected
    assert ratio == pytest.approx(0.25, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("extendable", [False, True])
def test_true_rates_above_a_threshold_are_right(tmp_path: Path, extendable: bool) -> None:
    detectors = deadtimes.Detectors((30_000.0, 25_000.0), 0.0, (8 * US, 8 * US), extendable)
    pulls, seeds = [], 40
    known = Detectors((Detector(0, 0, threshold_adc=HALF), Detector(0, 1)))
    for seed in range(seeds):
        hits = with_adc(deadtimes.recorded(seed, detectors, 0.5), seed)
        hits.drop("event").write_parquet(tmp_path / f"{seed}.parquet")
        recording = Recording(open_runs(tmp_path / f"{seed}.parquet"), selection=Selection.of(known))
        tally, intervals, recorded = HitTally(), Intervals(), RecordedTime()
        count_hits(recording, [tally, intervals, recorded])
        every = rates_of(tally, intervals, recorded)
        table = rates_of_used(every, tally, union(recording.masks("none")))

        one, other = table.rows(named=True)
        assert one["hits"] == hits.filter((pl.col("channel") == 0) & (pl.col("adc") >= HALF)).height
        assert other == every.row(1, named=True)
        assert one["live_fraction"] == every["live_fraction"][0]
        pulls.append((one["true_rate_cps"] - 15_000) / one["true_rate_cps_unc"])
    assert abs(np.mean(pulls)) < 4 / math.sqrt(seeds)
    assert 0.6 < np.std(pulls) < 1.5


def test_without_limits_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No column, no expression and no call more, and the same hits as they come."""
    hits = with_adc(deadtimes.recorded(5, deadtimes.Detectors(), 0.01), 5).drop("event")
    hits.write_parquet(tmp_path / "hits.parquet")
    known = Detectors((Detector(0, 0, energy=(0.0, 1.0)),))
    recording = Recording(open_runs(tmp_path / "hits.parquet"), known, selection=Selection.of(known))

    def called(*_: object) -> None:
        raise AssertionError

    for name in ("marked", "kept", "needed", "check"):
        monkeypatch.setattr(Selection, name, called)
    assert recording.selection is None
    assert recording.masks("pile_up") == recording.masks(0x8000) == {"pile_up": 0x8000}
    assert recording.hits.explain() == recording.runs.hits.select(hits.columns).explain()
    assert pl.concat(recording.frames()).equals(hits)
    assert recording.used(hits) is hits


def test_energies_are_corrected_for_drift_wherever_hits_are_selected(tmp_path: Path) -> None:
    """Also where a command measures without offsets and calibrations, such as `rates` and `align`."""
    hits = with_adc(deadtimes.recorded(5, deadtimes.Detectors(), 0.1), 5).drop("event")
    hits.write_parquet(tmp_path / "hits.parquet")
    end = int(hits["timestamp_ps"][-1])
    knots = [(1, 0, channel, time, factor, 0.0) for channel in (0, 1) for time, factor in ((0, 1.0), (end, 1.2))]
    drift = pl.DataFrame(knots, dict(DRIFT.columns), orient="row")
    drift.write_parquet(tmp_path / "drift.parquet")
    ends = (Detector(0, 0, energy=(0.0, 1.0), threshold_kev=HALF), Detector(0, 1, energy=(0.0, 1.0)))
    known = Detectors(ends, drift="drift.parquet", folder=tmp_path)
    recording = Recording(open_runs(tmp_path / "hits.parquet"), known, selection=Selection.of(known))
    factor = 1 + 0.2 * pl.col("timestamp_ps") / end
    expected = hits.filter((pl.col("channel") == 1) | (pl.col("adc") * factor >= HALF))

    bare = recording.without_detectors()
    by_clock = pl.concat(bare.frames_by_clock())

    columns = hits.columns
    assert expected.height > hits.filter((pl.col("channel") == 1) | (pl.col("adc") >= HALF)).height + 100
    assert pl.concat(recording.frames()).select(columns).equals(expected)
    assert recording.hits.select("adc").collect().equals(expected.select("adc"))
    assert bare.used(by_clock).select(columns).equals(expected)
    assert select_hits(correct_drift(hits.lazy(), drift), known).select(columns).collect().equals(expected)
    in_adc = recording.in_adc()
    assert in_adc.gain_correction is not None, "detectors.toml names it"
    assert in_adc.without_detectors().gain_correction is None


def test_removed_hits_take_no_part_even_where_nobody_asks(tmp_path: Path) -> None:
    """A command that forgets the selection in its rule, or in the mask of a counter, gets no hit that was removed."""
    hits = with_adc(deadtimes.recorded(5, deadtimes.Detectors(), 0.1), 5)
    hits.drop("event").write_parquet(tmp_path / "hits.parquet")
    known = Detectors((Detector(0, 0, threshold_adc=HALF), Detector(0, 1, threshold_adc=HALF)))
    recording = Recording(open_runs(tmp_path / "hits.parquet"), known, selection=Selection.of(known))
    tally, pairs, spectra, singles = HitTally(), PairTally(Window(0, US)), AdcSpectra(0), AdcSpectra(0)
    reading = PairPass(recording, PairRule("1us", reject="none"), [tally, pairs, spectra])

    table = reading.pairs().collect()
    count_hits(recording, [singles])

    used = hits.filter(pl.col("adc") >= HALF)
    assert table.filter((pl.col("adc_a") < HALF) | (pl.col("adc_b") < HALF)).is_empty()
    assert table.height == gp.pairs(used.drop("event").lazy(), "1us", reject="none").collect().height
    assert sum(tally.marked_by(MARKS).values()) == hits.height - used.height, "they are counted"
    for of in (spectra, singles):
        assert of.spectra(Detectors(), None)["counts"].sum() == used.height
    summary = summarise(reading, tally, pairs, PairRule("1us", reject="none"))
    assert summary.account.hits_used == used.height
