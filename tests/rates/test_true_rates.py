"""True rates from the times between hits, against simulated truth."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis.accumulators import HitTally, RecordedTime
from gammapolars.analysis.accumulators.intervals import BINS, PER_OCTAVE, Intervals, bins_of
from gammapolars.core.flags import FLAGS
from gammapolars.rates.hits import rates_of
from gammapolars.rates.intervals import TrueRate, _agree
from tests.commandline import REPOSITORY, gammapolars


def counted(seed: int, rate_cps: float, dead_ps: int, hits: int, *, paralysable: bool = False) -> pl.DataFrame:
    """What a detector with dead time counts of a Poisson process."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1e12 / rate_cps, hits)).astype(np.int64)
    kept, free = [], 0
    for time in times.tolist():
        if time >= free:
            kept.append(time)
        if time >= free or paralysable:
            free = time + dead_ps
    return hits_at(np.array(kept, np.int64))


def hits_at(times: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Hits of one detector."""
    return pl.DataFrame({"timestamp_ps": times}).select(
        board=pl.lit(0, pl.UInt16),
        channel=pl.lit(3, pl.UInt16),
        timestamp_ps=pl.col("timestamp_ps").cast(pl.Int64),
        adc=pl.lit(100, pl.UInt16),
        flags=pl.lit(0, pl.UInt32),
    )


@pytest.mark.parametrize("paralysable", [False, True])
@pytest.mark.parametrize(("rate_cps", "dead_ps"), [(10_000, 1_000_000), (30_000, 10_000_000), (100_000, 5_000_000)])
def test_the_true_rate_is_found_behind_the_dead_time(rate_cps: float, dead_ps: int, paralysable: bool) -> None:
    hits = counted(1, rate_cps, dead_ps, 200_000, paralysable=paralysable)

    row = gp.true_rates(hits.lazy()).collect().row(0, named=True)

    assert row["exponential"]
    assert abs(row["true_rate_cps"] - rate_cps) < 3.5 * row["true_rate_cps_unc"]
    assert row["true_rate_cps_unc"] < 0.01 * rate_cps
    assert row["hits"] == hits.height
    assert row["shortest_interval_ps"] >= dead_ps
    if not paralysable:
        assert abs(row["dead_time_ps"] - dead_ps) < 4 * row["dead_time_ps_unc"]
        assert abs(row["live_fraction"] - 1 / (1 + rate_cps * dead_ps * 1e-12)) < 4 * row["live_fraction_unc"]


@pytest.mark.parametrize("spread_ps", [pytest.param(0, marks=pytest.mark.slow), 3_000_000, 10_000_000])
def test_pulls_are_normal(spread_ps: int) -> None:
    """Of a dead time of 4 µs, and of dead times from 4 to 7 and to 14 µs, that no hit prolongs."""
    dead_ps = 4_000_000 + spread_ps / 2
    truth = {
        "rate_cps": 1 / (1 / 50_000 + 1e-12 * dead_ps),
        "true_rate_cps": 50_000,
        "live_fraction": 1 / (1 + 50_000e-12 * dead_ps),
        "dead_time_ps": dead_ps,
    }
    pulls: dict[str, list[float]] = {name: [] for name in truth}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        waits = rng.exponential(1e12 / 50_000, 20_000) + rng.uniform(4_000_000, 4_000_001 + spread_ps, 20_000)
        hits = hits_at(np.cumsum(waits).astype(np.int64))
        row = gp.true_rates(hits.lazy()).collect().row(0, named=True)
        for name, true in truth.items():
            pulls[name].append((row[name] - true) / row[f"{name}_unc"])

    for of in pulls.values():
        assert abs(np.mean(of)) < 4 / math.sqrt(30)
        assert 0.65 < np.std(of) < 1.5


def test_fake_events_are_no_hits() -> None:
    hits = counted(1, 50_000, 4_000_000, 20_000)
    marks = hits_at(np.arange(1, 20, dtype=np.int64) * 10**10 + 1).with_columns(flags=pl.lit(0x8, pl.UInt32))
    saturated = hits.with_columns(flags=pl.lit(0x80, pl.UInt32))

    mixed = pl.concat([hits, marks]).sort("timestamp_ps")

    assert gp.true_rates(mixed.lazy()).collect().equals(gp.true_rates(hits.lazy()).collect())
    assert gp.true_rates(saturated.lazy()).collect().equals(gp.true_rates(hits.lazy()).collect())


def test_a_detector_that_ends_early_has_the_rate_of_its_own_time(tmp_path: Path) -> None:
    """As in a run of which each channel has as many hits."""
    slow, fast = counted(1, 10_000, 10**6, 20_000), counted(2, 40_000, 10**6, 20_000)
    both = pl.concat([slow, fast.with_columns(channel=pl.lit(4, pl.UInt16))]).sort("timestamp_ps")
    gp.save(both.lazy(), tmp_path / "run.parquet")

    summary = json.loads(gammapolars("rates", tmp_path / "run.parquet", "--json").out)

    for row, rate_cps in zip(summary["detectors"], (10_000, 40_000), strict=True):
        counted_cps = 1 / (1 / rate_cps + 1e-6)
        assert abs(row["rate_cps"] - counted_cps) < 4 * row["rate_cps_unc"]
        assert abs(row["true_rate_cps"] - rate_cps) < 4 * row["true_rate_cps_unc"]
        assert abs(row["live_fraction"] - counted_cps / rate_cps) < 4 * row["live_fraction_unc"]
    (warning,) = summary["warnings"]
    assert warning.startswith("0/4 has no hits for 1.49")
    assert "while other detectors have hits (after 49" in warning


def test_a_rate_that_changes_is_told() -> None:
    early, late = counted(1, 50_000, 10**6, 50_000), counted(2, 2_000, 10**6, 50_000)
    end = early["timestamp_ps"][-1]
    hits = pl.concat([early, late.with_columns(pl.col("timestamp_ps") + end)])

    assert not gp.true_rates(hits.lazy()).collect()["exponential"][0]


def test_few_hits_have_no_rate() -> None:
    row = gp.true_rates(counted(1, 1000, 10, 50).lazy()).collect().row(0, named=True)

    assert row["hits"] == 50
    assert row["true_rate_cps"] is None


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 2)), max_size=60), st.integers(1, 20))
def test_intervals_are_those_of_each_detector_whatever_the_slices(rows: list[tuple[int, int]], size: int) -> None:
    table = sorted(rows)
    hits = pl.DataFrame(
        {
            "board": [0] * len(table),
            "channel": [channel for _, channel in table],
            "timestamp_ps": [time for time, _ in table],
        },
        {"board": pl.UInt16, "channel": pl.UInt16, "timestamp_ps": pl.Int64},
    )
    found = Intervals()
    for part in hits.iter_slices(size):
        found.add_hits(part)

    for channel in range(3):
        times = [time for time, of in table if of == channel]
        apart = [late - early for early, late in pairwise(times)]
        assert found.counts.get((0, channel), np.zeros(1)).sum() == len(apart)
        assert found.sums_ps.get((0, channel), np.zeros(1)).sum() == sum(apart)
        assert found.shortest_ps.get((0, channel)) == min(apart, default=None)


def near_an_edge(place: tuple[int, int]) -> int:
    """A time near a bin's edge or a power of 2, ps."""
    bin_number, off = place
    return max(round(math.pow(2, bin_number / PER_OCTAVE)) + off, 0)


@given(
    st.lists(
        st.integers(0, 2**62) | st.tuples(st.integers(0, BINS + PER_OCTAVE), st.integers(-3, 3)).map(near_an_edge),
        max_size=50,
    )
)
def test_the_bin_of_an_interval_is_by_its_logarithm(times: list[int]) -> None:
    intervals = np.array(times, np.int64)
    logarithm = np.floor(np.log2(np.maximum(intervals, 1)) * PER_OCTAVE)

    assert bins_of(intervals).tolist() == np.clip(logarithm, 0, BINS - 1).tolist()


def test_intervals_of_many_detectors_are_those_of_each() -> None:
    """More than a few detectors are grouped; fake events are none of their hits."""
    times = np.arange(400) ** 2
    hits = pl.DataFrame(
        {"board": times % 3, "channel": np.arange(400) % 40, "timestamp_ps": times, "flags": np.arange(400) % 7 == 0},
        {"board": pl.UInt16, "channel": pl.UInt16, "timestamp_ps": pl.Int64, "flags": pl.UInt32},
    ).with_columns(pl.col("flags") * FLAGS["fake_event"])
    found = Intervals()
    for part in hits.iter_slices(150):
        found.add_hits(part)

    detections = hits.filter(pl.col("flags") == 0)
    apart = detections.group_by("board", "channel").agg(pl.col("timestamp_ps").diff().drop_nulls().cast(pl.Float64))
    expected = {(board, channel): sum(times) for board, channel, times in apart.iter_rows() if times}
    assert {key: sums.sum() for key, sums in found.sums_ps.items()} == expected
    assert found.shortest_ps == {(board, channel): min(times) for board, channel, times in apart.iter_rows() if times}


def test_rates_of_the_same_counts_are_the_same_again() -> None:
    """Gaps are taken out of what was counted each time anew."""
    hits = counted(4, 20_000, 0, 20_000).with_columns(flags=pl.lit(0, pl.UInt32))
    late = pl.col("timestamp_ps") + 10**13
    table = pl.concat([hits, hits.with_columns(timestamp_ps=late)])
    tally, intervals, recorded = HitTally(), Intervals(), RecordedTime()
    for one in (tally, intervals, recorded):
        one.add_hits(table)

    first, second = (rates_of(tally, intervals, recorded) for _ in range(2))

    assert first["missing_s"][0] == pytest.approx(9, abs=0.1)
    assert first["rate_cps"][0] == pytest.approx(20_000, rel=0.03)
    assert_frame_equal(first, second)


def test_the_command_tells_rates(tmp_path: Path) -> None:
    gp.save(counted(3, 80_000, 3_000_000, 50_000).lazy(), tmp_path / "run.parquet")

    done = gammapolars("rates", tmp_path / "run.parquet", "-o", tmp_path / "rates.csv", "--json")

    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["detectors"]
    assert abs(row["true_rate_cps"] - 80_000) < 4 * row["true_rate_cps_unc"]
    assert pl.read_csv(tmp_path / "rates.csv")["true_rate_cps"][0] == row["true_rate_cps"]
    text = gammapolars("rates", tmp_path / "run.parquet").out
    assert "live %" in text
    assert " ± " in text


def test_rates_are_not_written_to_root(tmp_path: Path) -> None:
    done = gammapolars("rates", REPOSITORY / "data" / "co60-four-hpge.root", "-o", tmp_path / "rates.root")

    assert done.code == 2
    assert "written to .parquet, .arrow, .csv" in done.error


@pytest.mark.parametrize(("apart_cps", "agree"), [(19.0, True), (21.0, False), (-19.0, True), (-21.0, False)])
def test_a_rate_agrees_with_that_above_a_later_cut_within_the_difference_of_their_variances(
    apart_cps: float, agree: bool
) -> None:
    """The later one is of a part of the same intervals: 3 (12² - 10²)^½ = 19.9."""
    rate = TrueRate(1000.0, 10.0, 1e6, 10_000, 18.0, 18, 0.9, 0.01, 1e6, 1e4, exponential=True)

    assert _agree(rate, rate._replace(rate_cps=1000.0 + apart_cps, rate_cps_unc=12.0)) is agree


def test_gaps_are_no_time_in_which_a_detector_was_recorded(tmp_path: Path) -> None:
    """Of three stretches with 89 s and 66 s between them, rates and live fractions are those of the stretches."""
    stretches = [counted(seed, 30_000, 1_000_000, 60_000)["timestamp_ps"].to_numpy() for seed in (1, 2, 3)]
    times = np.concatenate([of + begin * 10**12 for of, begin in zip(stretches, (0, 91, 159), strict=True)])
    gp.save(hits_at(times).lazy(), tmp_path / "run.parquet")

    done = gammapolars("rates", tmp_path / "run.parquet", "--json")

    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["detectors"]
    seconds = sum(int(of[-1]) - int(of[0]) for of in stretches) / 1e12
    assert row["real_time_s"] == pytest.approx(seconds, abs=1e-3)
    assert row["missing_s"] == pytest.approx((int(times[-1]) - int(times[0])) / 1e12 - seconds, abs=1e-3)
    assert abs(row["rate_cps"] - len(times) / seconds) < 0.01 * row["rate_cps_unc"]
    assert row["rate_cps_unc"] < 0.005 * row["rate_cps"]
    assert abs(row["true_rate_cps"] - 30_000) < 4 * row["true_rate_cps_unc"]
    assert abs(row["live_fraction"] - 1 / 1.03) < 4 * row["live_fraction_unc"]
    assert abs(row["dead_time_ps"] - 1_000_000) < 4 * row["dead_time_ps_unc"]
    (warning,) = json.loads(done.out)["warnings"]
    assert re.match(r"no detector has hits for 89\.\d+ s from 1\.9\d+ s, 66\.\d+ s from 92\.9\d+ s after", warning)


def test_hits_recorded_twice_are_live_for_longer_than_can_be(tmp_path: Path) -> None:
    once = counted(4, 20_000, 1_000_000, 50_000)["timestamp_ps"].to_numpy()
    gp.save(hits_at(np.sort(np.concatenate([once, once]))).lazy(), tmp_path / "run.parquet")

    done = gammapolars("rates", tmp_path / "run.parquet", "--json")

    warnings = json.loads(done.out)["warnings"]
    assert any("which is impossible" in warning for warning in warnings), warnings


def test_what_run_info_notes_stands_beside(tmp_path: Path) -> None:
    gp.save(counted(5, 20_000, 1_000_000, 50_000).lazy(), tmp_path / "run.parquet")
    folder = tmp_path / "noted"
    (folder / "RAW").mkdir(parents=True)
    gp.save(gp.scan(tmp_path / "run.parquet"), folder / "RAW" / "DataR_noted.root")
    (folder / "run.info").write_text("id=noted\nboard.0-14-292.3.icr=20400\nboard.0-14-292.3.ocr=25000\n")

    done = gammapolars("rates", folder, "--json")

    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["detectors"]
    assert (row["noted_icr_cps"], row["noted_ocr_cps"], row["noted_live_fraction"]) == (20400.0, 25000.0, None)
    assert any("25,000 (OCR)" in warning for warning in json.loads(done.out)["warnings"])
    assert "recorded ICR" in gammapolars("rates", folder).out


def test_a_dead_time_below_zero_is_said_to_be_too_short(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(5).exponential(1e12 / 50, 2000)).astype(np.int64)
    hits_at(times).write_parquet(tmp_path / "run.parquet")

    done = gammapolars("rates", tmp_path / "run.parquet")

    assert re.search(r"^  0/3 .* -[\d.]+ ± ", done.out, re.MULTILINE)
    assert "0/3: the dead time is too short to be measured: it fluctuates about 0" in done.out
