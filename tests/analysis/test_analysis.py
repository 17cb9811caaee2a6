"""One pass over a run: every hit accounted for, every pair counted, and products that agree with each other."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from gammapolars.analysis import recording
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.chance import by_detectors
from gammapolars.analysis.passes import PairPass
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule, chance_pairs, pairs
from gammapolars.commands.coincidences.parse import CoincidencesOptions
from gammapolars.commands.coincidences.run import coincidences
from gammapolars.core.errors import GammapolarsError, TableError, TimeOrderError
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import Runs, open_runs
from gammapolars.report.analyse import Analysis, analyse
from gammapolars.streaming.slices import slices
from tests.drawing import examples
from tests.hits import (
    BAD,
    PAIR_COLUMNS,
    PILE_UP,
    SATURATION,
    Key,
    brute_pairs,
    counted,
    frame,
    pair_rows,
    runs,
    times,
)

CALIBRATED = Detectors(
    (
        Detector(0, 0, "left", energy=(0.0, 2.0), time_offset_ps=20),
        Detector(0, 1, "right", energy=(1.0, 3.0)),
        Detector(7, 7, "silent", energy=(0.0, 1.0)),
    )
)


def in_file(folder: Path, hits: pl.DataFrame, *, reorder_ps: int = 2000) -> Runs:
    hits.write_parquet(folder / "run.parquet")
    return open_runs(folder / "run.parquet", reorder_ps=reorder_ps)


def poisson(rates_cps: dict[Key, float], real_time_s: float, seed: int = 1) -> pl.DataFrame:
    """Hits of uncorrelated detectors."""
    rng = np.random.default_rng(seed)
    rows = []
    for (board, channel), rate in rates_cps.items():
        at = rng.integers(0, int(real_time_s * 1e12), rng.poisson(rate * real_time_s)) // 4000 * 4000
        flags = rng.choice([0, 0, 0, 0, 0, 0, 0, 0, SATURATION, PILE_UP], at.size)
        rows += list(
            zip(at.tolist(), [channel] * at.size, [board] * at.size, [100] * at.size, flags.tolist(), strict=True)
        )
    return frame(sorted(rows))


def aligned(hits: pl.DataFrame, detectors: Detectors) -> pl.DataFrame:
    """The same hits with the detectors' offsets subtracted one by one."""
    rows = hits.iter_rows(named=True)
    moved = [row["timestamp_ps"] - detectors.at(row["board"], row["channel"]).time_offset_ps for row in rows]
    return hits.with_columns(timestamp_ps=pl.Series(moved, dtype=pl.Int64))


ANY_FOLDER = examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY_FOLDER
@given(
    hits=runs(disorder=60), window=st.integers(0, 60), known=st.booleans(), slice_hits=st.sampled_from([1, 7, 10**6])
)
def test_an_analysis_accounts_for_every_hit_and_every_pair(
    tmp_path: Path, hits: pl.DataFrame, window: int, known: bool, slice_hits: int
) -> None:
    detectors = CALIBRATED if known else Detectors()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "slices", partial(slices, slice_hits=slice_hits))
        found = analyse(Recording(in_file(tmp_path, hits), detectors), PairRule(window))

    rejected = hits.filter((pl.col("flags") & BAD) != 0)
    expected = brute_pairs(aligned(hits, detectors), (0, window))
    assert found.hits_read == hits.height
    assert found.hits_read == found.hits_used + rejected.height
    flagged = {"saturation": 0x480, "pile_up": PILE_UP, "fake_event": 0x8}
    counts = {name: hits.filter((pl.col("flags") & mask) != 0).height for name, mask in flagged.items()}
    assert found.rejected == {name: count for name, count in counts.items() if count}
    assert found.detectors["hits"].sum() == found.hits_read
    assert found.detectors["hits_used"].sum() == found.hits_used
    assert found.spectra["counts"].sum() == pytest.approx(found.hits_used)
    assert found.pairs == len(expected) == found.pairs_by_detectors["pairs"].sum()
    ends = [tuple(sorted([pair[0:2], pair[3:5]])) for pair in expected]
    rows = found.pairs_by_detectors.select("board_a", "channel_a", "board_b", "channel_b", "pairs").iter_rows()
    assert {((a, b), (c, d)): count for a, b, c, d, count in rows if count} == counted(ends)
    assert found.chance_pairs_expected == pytest.approx(found.pairs_by_detectors["chance_pairs_expected"].sum())
    if hits.height:
        at = times(aligned(hits, detectors))
        assert (found.first_timestamp_ps, found.last_timestamp_ps) == (min(at), max(at))
        assert found.real_time_s == pytest.approx((max(at) - min(at)) / 1e12)


def test_the_matrix_holds_the_calibrated_pairs_within_the_window_once(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 3000, (0, 1): 2000, (1, 0): 1000}, 1.0)

    found = analyse(Recording(in_file(tmp_path, hits, reorder_ps=10**9), CALIBRATED), PairRule("10us"))

    expected = pair_rows(pairs(aligned(hits, CALIBRATED).sort("timestamp_ps").lazy(), "10us"))
    both = [pair for pair in expected if {pair[0:2], pair[3:5]} == {(0, 0), (0, 1)}]
    upper = found.matrix.filter(pl.col("energy_kev_x") <= pl.col("energy_kev_y"))
    assert len(both) > 30
    assert upper["counts"].sum() == len(both)
    assert found.pairs == len(expected)


def test_time_differences_reach_beyond_the_window_and_pairs_do_not(tmp_path: Path) -> None:
    hits = frame([(0, 0), (100_000, 1), (10**7, 0), (10**7 + 700_000, 1), (10**8, 0), (10**8 + 2_000_000, 1)])

    found = analyse(Recording(in_file(tmp_path, hits)), PairRule("250ns"))

    assert found.pairs == 1
    assert found.time_differences["counts"].sum() == 2
    assert found.matrix.filter(pl.col("adc_x") <= pl.col("adc_y"))["counts"].sum() == 1


def test_uncorrelated_detectors_make_the_pairs_that_chance_expects_and_no_prompt_peak(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 70_000, (0, 1): 60_000, (1, 0): 40_000}, 1.0)

    found = analyse(Recording(in_file(tmp_path, hits)), PairRule("250ns"))

    table = found.pairs_by_detectors
    assert table.height == 3
    # The window is closed at both ends, so that on a clock of 4 ns it is one step wider than 500 ns.
    expected = table["chance_pairs_expected"] * 504 / 500
    pulls = ((table["pairs"] - expected) / expected.sqrt()).to_list()
    assert all(abs(pull) < 4 for pull in pulls), pulls
    inner = found.time_differences.filter(pl.col("dt_ns").abs() < 900)
    per_bin = inner.group_by("name_a", "name_b").agg(
        chi2=((pl.col("counts") - pl.col("counts").mean()) ** 2 / pl.col("counts").mean()).mean()
    )
    assert per_bin["chi2"].is_between(0.7, 1.3).all()


def test_chance_is_expected_for_the_detectors_that_the_rule_admits(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 2000, (0, 1): 1000, (1, 0): 500}, 1.0)
    rule = PairRule("-1us:3us", start=(0, 1), stop=(1, 0))
    tally, pair_tally = HitTally(), PairTally(rule.window)
    run = in_file(tmp_path, hits)

    reading = PairPass(Recording(run), rule, [tally, pair_tally])
    made = reading.pairs().collect()
    found = by_detectors(pair_tally, rule, Detectors(), reading.expectation())

    used = {row[:2]: row[3] for row in tally.by_detector(BAD).iter_rows()}
    (row,) = found.to_dicts()
    assert (row["name_a"], row["name_b"], row["pairs"]) == ("0/1", "1/0", made.height)
    assert row["chance_pairs_expected"] == pytest.approx(
        chance_pairs(used[0, 1], used[1, 0], 4_000_000, tally.real_time_s)
    )


# The pass itself


def test_a_pass_gives_the_calibrated_pairs_of_the_aligned_hits(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 2000, (0, 1): 2000, (1, 0): 500}, 1.0)
    moved = aligned(hits, CALIBRATED).sort("timestamp_ps", maintain_order=True)

    found = PairPass(Recording(in_file(tmp_path, hits), CALIBRATED), PairRule("10us")).pairs().collect()

    expected = calibrate(pairs(moved.lazy(), "10us"), CALIBRATED).collect()
    assert found.select(sorted(found.columns)).equals(expected.select(sorted(expected.columns)))
    assert found.height > 50


def test_without_detectors_pairs_have_no_energies(tmp_path: Path) -> None:
    made = PairPass(Recording(in_file(tmp_path, frame([(0, 0), (1, 1)]))), PairRule("1ns")).pairs()

    assert set(made.collect_schema()) == set(PAIR_COLUMNS)
    assert pair_rows(made) == [(0, 0, 0, 0, 1, 0, 0, 1)]


def test_nothing_is_counted_before_the_pairs_are_collected(tmp_path: Path) -> None:
    tally = HitTally()

    made = PairPass(Recording(in_file(tmp_path, frame([(0, 0), (1, 1)]))), PairRule("1ns"), [tally]).pairs()

    assert tally.by_flags().is_empty()
    made.select("dt_ps").collect()
    assert tally.by_flags()["counts"].sum() == 2


def test_a_projection_or_filter_of_the_pairs_does_not_change_what_is_counted(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 2000, (0, 1): 2000}, 1.0)
    run = in_file(tmp_path, hits)
    counts = []
    for query in ("all", "projected", "filtered"):
        tally = PairTally(PairRule("100us").window)
        made = PairPass(Recording(run, CALIBRATED), PairRule("100us"), [tally]).pairs()
        shaped = {"all": made, "projected": made.select("dt_ps"), "filtered": made.filter(pl.col("adc_a") > 10**4)}
        shaped[query].collect()
        counts.append(tally.counts())

    assert counts[0]
    assert counts[0] == counts[1] == counts[2]


def test_progress_is_told_and_ends_with_all_hits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "slices", partial(slices, slice_hits=1000))
    told: list[int] = []
    hits = poisson({(0, 0): 5000, (0, 1): 5000}, 1.0)

    PairPass(Recording(in_file(tmp_path, hits), progress=told.append), PairRule("1ns")).pairs().collect()

    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1] == hits.height


def test_hits_out_of_order_are_reported_with_the_run(tmp_path: Path) -> None:
    run = in_file(tmp_path, frame([(1000, 0), (0, 1)]), reorder_ps=10)

    with pytest.raises(TimeOrderError, match=r"run\.parquet: times are out of order: hit 2 is 1 ns earlier"):
        analyse(Recording(run), PairRule("1ns"))


def test_the_offsets_of_detectors_widen_the_reorder_buffer(tmp_path: Path) -> None:
    detectors = Detectors((Detector(0, 0, time_offset_ps=10**6), Detector(0, 1, time_offset_ps=-(10**6))))
    run = in_file(tmp_path, frame([(0, 1), (1, 0), (10, 1), (2 * 10**6, 0)]), reorder_ps=0)

    assert PairPass(Recording(run, detectors), PairRule("1us")).pairs().collect()["dt_ps"].to_list() == [0, 10]


# Records


def test_an_empty_run_has_an_analysis_with_a_warning(tmp_path: Path) -> None:
    found = analyse(Recording(in_file(tmp_path, frame([])), CALIBRATED), PairRule("1ns"))

    assert (found.hits_read, found.pairs, found.real_time_s) == (0, 0, 0.0)
    assert found.warnings == ("the run contains no hits",)
    assert isinstance(found, Analysis)


def test_warnings_name_what_a_reader_must_know(tmp_path: Path) -> None:
    hits = frame([(0, 0), (1, 2), (2, 1, 0, 0, PILE_UP)])

    found = analyse(Recording(in_file(tmp_path, hits), CALIBRATED), PairRule("1ns"))

    assert len(found.warnings) == 4
    assert "33.3 % of the hits have the flag pile_up" in found.warnings[0]
    assert "no energy calibration for 0/2" in found.warnings[1]
    assert "no hits in silent" in found.warnings[2]
    assert "all hits of right are rejected by their flags" in found.warnings[3]


def test_names_stand_beside_numbers(tmp_path: Path) -> None:
    found = analyse(Recording(in_file(tmp_path, frame([(0, 0), (1, 1), (2, 5, 1)])), CALIBRATED), PairRule("1ns"))

    assert found.detectors["name"].to_list() == ["left", "right", "1/5"]
    assert found.detectors["calibrated"].to_list() == [True, True, False]
    assert found.pairs_by_detectors.select("name_a", "name_b").rows() == [
        ("left", "right"),
        ("left", "1/5"),
        ("right", "1/5"),
    ]
    assert dict(found.spectra.select("channel", "name").unique().iter_rows()) == {0: "left", 1: "right", 5: "1/5"}


def test_a_run_without_adc_values_cannot_be_analysed(tmp_path: Path) -> None:
    run = in_file(tmp_path, frame([(0, 0)]).drop("adc"))

    with pytest.raises(GammapolarsError, match="hits without adc values cannot be counted by ADC channel") as raised:
        analyse(Recording(run), PairRule("1ns"))
    assert isinstance(raised.value, TableError)


def test_pairs_are_written_in_the_same_pass(tmp_path: Path) -> None:
    hits = poisson({(0, 0): 2000, (0, 1): 2000}, 1.0)

    found = analyse(Recording(in_file(tmp_path, hits)), PairRule("10us"), pairs_output=tmp_path / "pairs.parquet")

    written = pl.read_parquet(tmp_path / "pairs.parquet")
    assert written.height == found.pairs > 10
    assert (written["dt_ps"] <= 10_000_000).all()


@pytest.mark.parametrize("options", [{}, {"start": (0, 0), "stop": (0, 1)}])
def test_the_summary_of_coincidences_accounts_for_every_hit(tmp_path: Path, options: dict[str, Any]) -> None:
    hits = poisson({(0, 0): 2000, (0, 1): 2000, (1, 0): 1000}, 1.0)
    ends: dict[str, Any] = {name: f"{board}/{channel}" for name, (board, channel) in options.items()}
    asked = CoincidencesOptions(names=[], output=tmp_path / "pairs.parquet", window="10us", **ends)

    summary = coincidences(asked, Recording(in_file(tmp_path, hits)))

    written = pl.read_parquet(tmp_path / "pairs.parquet")
    account = summary.account
    assert account.hits_read == hits.height
    assert account.hits_read - account.hits_used == sum(account.rejected.values())
    assert summary.of_pairs.pairs == written.height == summary.of_pairs.pairs_by_detectors["pairs"].sum()
    assert written.height > 30
    assert written.equals(pairs(hits.lazy(), "10us", **options).collect())
    assert summary.of_pairs.chance_pairs_expected == pytest.approx(written.height, rel=0.5)
