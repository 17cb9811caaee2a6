"""Timing measured from prompt peaks: searches, fits, least squares, the whole of it on runs with known truth."""

import json
import math
import os
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars import figures
from gammapolars.calibration.timing import solve
from gammapolars.calibration.timing.prompt_fit import fit_peak
from gammapolars.calibration.timing.reading import Histograms
from gammapolars.calibration.timing.sample import Sampler
from gammapolars.calibration.timing.search import densest, least_sigmas
from gammapolars.core.constants import FWHM_PER_SIGMA as FWHM
from gammapolars.core.errors import UsageError
from gammapolars.detectors import Detector, Detectors, format_detectors, load_detectors
from tests.commandline import REPOSITORY, gammapolars
from tests.drawing import daily, examples
from tests.hits import brute_pairs, frame, runs
from tests.timing_runs import LABR_WALK, OFFSETS, described, simulated

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
NA22 = Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root"
ALPHA = Path(FOLDER) / "alpha-si-mcp" / "RAW" / "SDataR_vuoto_3_peaks_81.root"


# The search.


def test_a_peak_is_found_where_it_is_and_how_wide_it_is() -> None:
    rng = np.random.default_rng(1)
    histogram = rng.poisson(3.0, 20_000)
    histogram[12_340:12_348] += rng.poisson(12.0, 8)

    found = densest(histogram)

    assert found.is_clear(100)
    assert found.centre == pytest.approx(12_344, abs=1.0)
    assert found.bins in (4, 8, 16)
    assert found.excess == pytest.approx(96, abs=40)


def test_noise_is_hardly_ever_a_peak() -> None:
    rng = np.random.default_rng(2)
    levels = [0.001, 0.01, 0.1, 1.0, 30.0]

    clear = [densest(rng.poisson(level, 5000)).is_clear() for level in levels for _ in range(100)]

    assert sum(clear) == 0
    assert not densest(np.zeros(100, np.int64)).is_clear()
    assert least_sigmas(10**6) > least_sigmas(1) > 4


@examples(40)
@given(runs(), st.integers(1, 60), st.integers(1, 30))
def test_histograms_hold_all_signed_time_differences(hits: pl.DataFrame, reach: int, bins: int) -> None:
    histograms = Histograms(reach, bins=bins)
    histograms.add_pairs(gp.pairs(hits.lazy(), reach).collect())
    expected: dict[tuple[tuple[int, int], tuple[int, int]], np.ndarray] = {}
    length = 2 * reach // histograms.width_ps
    for a_board, a_channel, _, b_board, b_channel, _, _, dt in brute_pairs(hits, (-reach, reach)):
        a, b = (a_board, a_channel), (b_board, b_channel)
        key, signed = ((a, b), dt) if a < b else ((b, a), -dt)
        place = (signed + reach) // histograms.width_ps
        counts = expected.setdefault(key, np.zeros(length + 1, np.int64))
        counts[place] += 1

    found = dict(histograms.all())

    assert found.keys() == expected.keys()
    for key, counts in expected.items():
        np.testing.assert_array_equal(found[key], counts[:-1])


@examples(40)
@given(runs(), st.lists(st.integers(-60, 60), min_size=6, max_size=6), st.integers(0, 40), st.integers(1, 6))
def test_samples_hold_the_first_pairs_near_each_peak_as_recorded(
    hits: pl.DataFrame, shifts: list[int], half: int, most: int
) -> None:
    keys = [(board, channel) for board in (0, 1) for channel in (0, 1, 2)]
    offsets = dict(zip(keys, shifts, strict=True))
    sampler = Sampler(offsets, dict.fromkeys(combinations(keys, 2), half), most)
    known = Detectors(tuple(Detector(*key, time_offset_ps=offset) for key, offset in offsets.items()))
    aligned = gp.align(hits.lazy(), known).collect()
    near = gp.pairs(aligned.lazy(), half, reorder_ps=200).collect()
    time = dict(zip(hits["adc"], hits["timestamp_ps"], strict=True))
    expected: dict[tuple[tuple[int, int], tuple[int, int]], list[tuple[int, int, int]]] = {}
    for row in near.iter_rows(named=True):
        a, b = (row["board_a"], row["channel_a"], row["adc_a"]), (row["board_b"], row["channel_b"], row["adc_b"])
        a, b = min(a, b), max(a, b)
        expected.setdefault((a[:2], b[:2]), []).append((time[b[2]] - time[a[2]], a[2], b[2]))

    for first in range(0, near.height, 3):
        sampler.add(near[first : first + 3])
    found = sampler.sample() if near.height else None

    gathered: dict[tuple[tuple[int, int], tuple[int, int]], list[tuple[int, int, int]]] = {}
    for number, dt, adc in zip(found.pair, found.dt_ps, found.adc.T, strict=True) if found else ():
        assert found
        ends = tuple(found.keys[place] for place in found.ends[number])
        gathered.setdefault((ends[0], ends[1]), []).append((int(dt), int(adc[0]), int(adc[1])))
    assert gathered == {key: rows[:most] for key, rows in expected.items()}


# Peaks.


@pytest.mark.parametrize("sigma", [300.0, 4000.0, 12_000.0])
@pytest.mark.parametrize("clock", [1, 10_000])
def test_peaks_come_out_whatever_the_clock(sigma: float, clock: int) -> None:
    rng = np.random.default_rng(3)
    true, pulls, widths = 4321.0, [], []
    for _ in range(30):
        start = rng.random(6000) * 1e9
        late = np.concatenate([rng.normal(true, sigma, 4000), rng.uniform(-4e5, 4e5, 2000)])
        dt = (np.floor((start + late) / clock) - np.floor(start / clock)) * clock
        peak = fit_peak(dt, (-4e5, 4e5), (true + 0.7 * sigma, 3 * sigma), clock_ps=clock)
        assert peak
        pulls.append((peak.position_ps - true) / peak.position_ps_unc)
        widths.append(peak.fwhm_ps)

    expected = max(FWHM * math.hypot(sigma, clock / math.sqrt(6)), clock)
    assert np.mean(widths) == pytest.approx(expected, rel=0.06)
    assert abs(np.mean(pulls)) < 0.8
    assert 0.6 < np.std(pulls) < 1.5


def test_a_peak_without_a_core_is_where_its_mean_is() -> None:
    rng = np.random.default_rng(7)
    dt = np.concatenate([rng.integers(2000, 2900, 5000), rng.integers(-20_000, 20_000, 2000)]).astype(np.float64)

    peak = fit_peak(dt, (-20_000.0, 20_000.0), (2300.0, 1000.0))

    assert peak
    assert peak.position_ps == pytest.approx(2450, abs=4 * peak.position_ps_unc)
    assert peak.sigma_ps == pytest.approx(900 / math.sqrt(12), rel=0.05)


def test_a_handful_of_pairs_is_no_peak() -> None:
    assert fit_peak(np.array([0.0, 1.0, 2.0]), (-100.0, 100.0), (0.0, 5.0)) is None


# Least squares.


@examples(50)
@given(st.lists(st.integers(-(10**7), 10**7), min_size=2, max_size=7), st.data())
def test_exact_positions_give_exact_offsets_in_every_group(offsets: list[int], data: st.DataObject) -> None:
    number = len(offsets)
    every = list(combinations(range(number), 2))
    chosen = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    ends = np.array(chosen, np.intp)
    position = np.array([offsets[b] - offsets[a] for a, b in chosen], np.float64)

    found = solve.solve_offsets(ends, position, np.full(len(ends), 10.0), number)

    for a, b in chosen:
        assert found.group[a] == found.group[b] >= 0
        assert found.offset_ps[b] - found.offset_ps[a] == pytest.approx(offsets[b] - offsets[a], abs=1e-3)
    for place in set(range(number)) - set(ends.ravel().tolist()):
        assert found.group[place] == -1
        assert math.isnan(found.offset_ps[place])
    assert len(found.references) == len(set(found.group[found.group >= 0].tolist()))
    assert all(found.offset_ps[place] == 0 for place in found.references)
    assert found.chi2 == pytest.approx(0, abs=1e-3)
    tree = solve.tree_offsets(ends, position, list(range(len(ends))), number)
    assert all(tree[b] - tree[a] == offsets[b] - offsets[a] for a, b in chosen)


def test_the_covariance_of_offsets_is_that_of_repeated_measurements() -> None:
    rng = np.random.default_rng(4)
    ends, unc = np.array(list(combinations(range(4), 2)), np.intp), np.array([5.0, 9.0, 20.0, 7.0, 4.0, 11.0])
    found = [solve.solve_offsets(ends, rng.normal(0, unc), unc, 4, reference=2) for _ in range(1000)]

    measured = np.cov(np.array([one.offset_ps for one in found]).T)

    assert found[0].references == [2]
    usual = np.median([one.covariance for one in found], axis=0)  # where none was scaled up
    np.testing.assert_allclose(measured, usual, atol=0.12 * usual.max())


def test_resolutions_of_three_detectors_come_apart_and_of_two_are_shared() -> None:
    own = np.array([300.0, 400.0, 1000.0])
    ends = np.array([(0, 1), (0, 2), (1, 2)], np.intp)
    widths = np.hypot(own[ends[:, 0]], own[ends[:, 1]])

    three = solve.solve_resolutions(ends, widths, 0.01 * widths, 3)
    two = solve.solve_resolutions(ends[:1], widths[:1], 0.01 * widths[:1], 2)

    np.testing.assert_allclose(three.fwhm_ps, own, rtol=1e-6)
    assert not three.common
    assert (three.unc_ps > 0).all()
    np.testing.assert_allclose(two.fwhm_ps, 500 / math.sqrt(2))
    assert two.common == [0, 1]


# Runs with known truth.


def errors_of(found: gp.Timing, offsets: tuple[int, ...]) -> np.ndarray:
    """By how much offsets against the first detector are off, ps, and how many standard deviations that is."""
    table = found.detectors
    off = table["time_offset_ps"].to_numpy() - (np.array(offsets) - offsets[0])
    return np.stack([off[1:], off[1:] / table["time_offset_ps_unc"].to_numpy()[1:]])


@pytest.mark.parametrize(
    ("kind", "most_ps", "width_ps"),
    daily(1, [("LaBr3", 12, FWHM * 150), ("HPGe", 400, FWHM * math.hypot(8000, 10_000 / 12**0.5))]),
)
def test_offsets_come_out(tmp_path: Path, kind: str, most_ps: int, width_ps: float) -> None:
    run = simulated(tmp_path / "run.parquet", described(kind, OFFSETS), hits=250_000, source="Co-60=20kBq")

    found = gp.measure_timing(run)

    off, pulls = errors_of(found, OFFSETS)
    assert (abs(off) < most_ps).all()
    assert (abs(pulls) < 3.5).all()
    assert not found.walk
    assert found.detectors["reference"].to_list() == [True, False, False, False]
    assert found.clock_ps == (1 if kind == "LaBr3" else 10_000)
    np.testing.assert_allclose(found.detectors["time_fwhm_ps"], width_ps, rtol=0.08)
    assert not found.warnings
    assert found.ndf == 3


@pytest.mark.slow
def test_walk_comes_out_and_peaks_are_as_narrow_as_without_it(tmp_path: Path) -> None:
    run = simulated(
        tmp_path / "run.parquet", described("LaBr3", OFFSETS, LABR_WALK), hits=300_000, source="Co-60=20kBq"
    )

    found = gp.measure_timing(run)

    assert found.walk
    assert (found.pairs["fwhm_before_ps"] > 700).all()
    assert (found.pairs["fwhm_after_ps"] < 1.06 * FWHM * 150 * math.sqrt(2)).all()
    assert (abs(errors_of(found, OFFSETS)[1]) < 3.5).all()
    for row, true in zip(found.detectors.iter_rows(named=True), LABR_WALK, strict=True):
        adc = np.geomspace(row["time_walk_range"][0], row["time_walk_range"][1], 50)
        late = walk_of(found.aligned.at(0, row["channel"]), adc)
        expected = walk_of(Detector(0, 0, time_walk_ps=true), adc)
        assert abs(late - expected).max() < 120  # of 1 to 15 ns
        for value, truth, unc in zip(row["time_walk_ps"], (*true, 0.0), row["time_walk_ps_unc"], strict=False):
            assert abs(value - truth) < 4 * unc


def walk_of(detector: Detector, adc: np.ndarray) -> np.ndarray:
    b = detector.time_walk_ps or ()
    return np.asarray(sum(one * adc ** (-power / 2) for power, one in enumerate(b, 1)))


@pytest.mark.slow
def test_old_offsets_are_where_the_search_begins(tmp_path: Path) -> None:
    run = simulated(tmp_path / "run.parquet", described("LaBr3", OFFSETS), hits=150_000, source="Co-60=20kBq")
    old = described("LaBr3", (500, 1_700, 0, 250_300))

    near = gp.measure_timing(run, old, search="2ns")
    far = gp.measure_timing(run, search="2us", reference="0/3")

    assert near.aligned.at(0, 0).time_offset_ps == 500
    assert near.aligned.at(0, 3).time_offset_ps == pytest.approx(250_500, abs=15)
    assert near.aligned.at(0, 3).kind == "LaBr3"
    assert far.aligned.at(0, 3).time_offset_ps == 0
    assert far.aligned.at(0, 0).time_offset_ps == pytest.approx(-250_000, abs=15)


@pytest.mark.parametrize("hits", [3000, pytest.param(150_000, marks=pytest.mark.slow)])
def test_noise_gives_no_offsets(hits: int, tmp_path: Path) -> None:
    run = simulated(tmp_path / "run.parquet", described("LaBr3", OFFSETS), hits=hits, background_cps=20_000.0)

    with pytest.raises(gp.CalibrationError, match=r"no two of its 4 detectors show a prompt peak within ±10 us"):
        gp.measure_timing(run)


def test_detectors_that_nothing_ties_are_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = []
    for first, second, late in ((0, 1, 3000), (2, 3, -40_000)):
        time = np.sort(rng.integers(10**9, 10**13, 3000))
        rows += [(int(t), first) for t in time] + [(int(t) + late + int(rng.normal(0, 500)), second) for t in time]
    rows += [(int(t), 4) for t in rng.integers(10**9, 10**13, 500)]
    path = tmp_path / "run.parquet"
    frame(sorted(rows)).write_parquet(path)

    found = gp.measure_timing(path)

    assert found.detectors["group"].to_list() == [1, 1, 2, 2, None]
    assert found.detectors["reference"].to_list() == [True, False, True, False, False]
    np.testing.assert_allclose(found.detectors["time_offset_ps"], [0, 3000, 0, -40_000, 0], atol=60)
    assert any("no prompt peak with 0/4" in warning for warning in found.warnings)
    assert any("these groups of detectors are not connected by a prompt peak" in warning for warning in found.warnings)
    assert any("shared equally (each FWHM/√2)" in warning for warning in found.warnings)


@pytest.mark.slow
def test_reading_ends_when_there_are_enough_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    time = np.sort(rng.integers(10**9, 10**13, 2_000_000))
    table = pl.DataFrame({"timestamp_ps": np.concatenate([time, time + rng.integers(0, 900, len(time))])})
    channel = pl.when(pl.int_range(pl.len()) < len(time)).then(0).otherwise(1)
    table = table.select(
        pl.lit(0, pl.UInt16).alias("board"),
        channel.cast(pl.UInt16).alias("channel"),
        "timestamp_ps",
        pl.lit(500, pl.UInt16).alias("adc"),
        pl.lit(0, pl.UInt32).alias("flags"),
    ).sort("timestamp_ps")
    path = tmp_path / "run.parquet"
    table.write_parquet(path)

    found = gp.measure_timing(path, enough=20_000)

    assert not found.complete
    assert int(found.hits.by_detector()["hits"].sum()) < table.height
    assert all(note.endswith("enough pairs") for note in found.notes)
    assert gp.measure_timing(path, most_hits=50_000).pairs["pairs"].sum() < 30_000


# The command.


@pytest.fixture(scope="module")
def labr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labr")
    return simulated(folder / "run.parquet", described("LaBr3", OFFSETS), hits=100_000, source="Co-60=20kBq")


@pytest.mark.usefixtures("built_figures")
def test_the_command_writes_what_it_found_and_keeps_the_rest(labr: Path, tmp_path: Path) -> None:
    old, new, figure = tmp_path / "old.toml", tmp_path / "new.toml", tmp_path / "dt.png"
    known = Detectors(
        (
            Detector(0, 0, "front", energy=(0.0, 0.5), notes="moved on Monday", time_offset_ps=11),
            Detector(0, 9, "spare", time_offset_ps=77, time_walk_ps=(5.0,)),
        )
    )
    old.write_text(
        format_detectors(known).replace("= 77", "= 77   # by hand")
        + '\n[[source]]\nnuclide = "Co-60"\nactivity_bq = 1000\nactivity_bq_unc = 10\nreference_date = 2025-01-01\n'
    )
    words = ("align", labr, "-o", new, "--detectors", old, "--figure", figure)

    done = gammapolars(*words, "--json")
    again = gammapolars(*words)

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    found = load_detectors(new)
    assert (found.at(0, 0).notes, found.at(0, 0).energy, found.at(0, 0).time_offset_ps) == (
        "moved on Monday",
        (0, 0.5),
        11,
    )
    assert found.at(0, 9) == known.at(0, 9)
    assert "time_offset_ps = 77   # by hand" in new.read_text()
    assert found.source("Co-60").nuclide == "Co-60"
    assert found.at(0, 3).time_offset_ps == summary["detectors"][3]["time_offset_ps"]
    assert found.at(0, 3).time_offset_ps == pytest.approx(250_011, abs=15)
    assert summary["hits_read"] == summary["hits_used"] + summary["hits_rejected"]
    assert {row["status"] for row in summary["detector_pairs"]} == {"ok"}
    assert np.array(summary["covariance_ps2"]).shape == (4, 4)
    assert summary["outputs"] == [str(new), str(figure)]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert again.code == 1
    assert "exists" in again.error


def test_no_more_hits_are_read_than_asked_for(labr: Path) -> None:
    every, few = gp.measure_timing(labr), gp.measure_timing(labr, most_hits=50_000)

    assert every.complete
    pairs, first = (int(one.pairs["pairs"].sum()) for one in (every, few))
    assert pairs > 1.8 * first > 0


def test_aligned_hits_make_peaks_at_zero(labr: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.toml"
    done = gammapolars("align", labr, "-o", new)

    assert done.code == 0, done.err
    assert "prompt coincidences" in done.out
    pairs = gp.scan(labr).pipe(gp.align, load_detectors(new)).pipe(gp.pairs, "5ns", start=(0, 0), stop=(0, 3)).collect()
    assert pairs.height > 1000
    assert abs(float(pairs["dt_ps"].median())) < 15  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--search", "0ns"), 2, "longer than 0 s"),
        (("--search", "5"), 2, "no unit"),
        (("--hits", "0"), 2, "at least one hit"),
        (("--energy", "100"), 2, "--energy takes LOW:HIGH"),
        (("--energy", "100:900"), 2, "no detector is calibrated"),
        (("--reference", "front"), 2, "unknown detector 'front'"),
        (("--figure", "dt.jpg"), 2, "figures are written to .png"),
        (("--hits", "20"), 1, "no two of its"),
    ],
)
def test_wrong_words_are_told(labr: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = gammapolars("align", labr, "-o", tmp_path / "new.toml", *words)

    assert done.code == code
    assert said in done.error
    assert not (tmp_path / "new.toml").exists()


def test_a_gate_on_energy_takes_only_such_hits(labr: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.toml"
    known = Detectors(tuple(Detector(0, channel, energy=(0.0, 0.5)) for channel in range(4)))
    old.write_text(format_detectors(known))

    done = gammapolars("align", labr, "-o", tmp_path / "new.toml", "--detectors", old, "--energy", "300:1400", "--json")
    every = gammapolars("align", labr, "-o", tmp_path / "all.toml", "--detectors", old, "--json")

    gated, free = (sum(row["pairs"] for row in json.loads(one.out)["detector_pairs"]) for one in (done, every))
    hits = gp.scan(labr).filter(pl.col("adc").is_between(600, 2800))
    expected = gp.pairs(gp.align(hits, described("", OFFSETS)), "1ns").collect().height
    assert expected == pytest.approx(gated, rel=0.02)
    assert gated < 0.8 * free


def test_the_figure_shows_the_strongest_pairs(labr: Path) -> None:
    found = gp.measure_timing(labr)

    plot = figures.timing(found.differences, found.pairs)

    assert plot.data["facet"].n_unique() == 6
    nothing = figures.timing(found.differences.clear(), found.pairs.clear())
    assert [type(layer.geom).__name__ for layer in nothing.layers] == ["geom_text"]


# Recorded runs.


@pytest.mark.slow
@recorded
def test_sodium_between_two_scintillators() -> None:
    found = gp.measure_timing(NA22)

    row = found.pairs.row(0, named=True)
    assert row["position_ps"] == pytest.approx(-300, abs=120)
    assert row["fwhm_after_ps"] == pytest.approx(6200, abs=250)
    assert found.aligned.at(0, 5).time_offset_ps == pytest.approx(-300, abs=120)


@recorded
def test_a_peak_microseconds_away_is_found_and_brought_home(tmp_path: Path) -> None:
    new = tmp_path / "new.toml"
    done = gammapolars("align", ALPHA, "-o", new, "--json")
    assert done.code == 0, done.err
    row = json.loads(done.out)["detector_pairs"][0]
    assert row["position_ps"] == pytest.approx(3_892_000, abs=1500)
    assert row["fwhm_after_ps"] >= 4000  # the clock's step

    paired = gammapolars(
        "coincidences", ALPHA, "--detectors", new, "--window", "100ns", "-o", tmp_path / "pairs.parquet", "--json"
    )

    assert json.loads(paired.out)["pairs"] == pytest.approx(2237, abs=3)


# Longer statistics.


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LaBr3", "HPGe"])
def test_pulls_of_offsets_are_normal(tmp_path: Path, kind: str) -> None:
    pulls = []
    for seed in range(20):
        run = simulated(
            tmp_path / "run.parquet", described(kind, OFFSETS), hits=200_000, seed=seed, source="Co-60=20kBq"
        )
        pulls.append(errors_of(gp.measure_timing(run), OFFSETS)[1])

    assert abs(np.mean(pulls)) < 0.65  # they share a reference: the mean's own spread is 0.18
    assert 0.7 < np.std(pulls) < 1.35


@pytest.mark.slow
def test_pulls_of_walk_are_normal(tmp_path: Path) -> None:
    walks = ((6e5,), (9e5, 2e6), (3e5,), (5e5, 1e6))
    pulls, offsets = [], []
    for seed in range(10):
        known = described("HPGe", OFFSETS, walks)
        run = simulated(tmp_path / "run.parquet", known, hits=300_000, seed=seed, source="Co-60=20kBq")
        found = gp.measure_timing(run, walk=True)
        offsets.append(errors_of(found, OFFSETS)[1])
        for row, true in zip(found.detectors.iter_rows(named=True), walks, strict=True):
            pulls += [
                (value - truth) / unc
                for value, truth, unc in zip(row["time_walk_ps"], (*true, 0.0), row["time_walk_ps_unc"], strict=False)
            ]

    assert abs(np.mean(offsets)) < 0.9
    assert 0.6 < np.std(offsets) < 1.5
    assert 0.75 < np.std(pulls) < 1.3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most_ps"), [("LaBr3", 8), ("HPGe", 250)])
def test_offsets_at_a_hundred_thousand_pairs(tmp_path: Path, kind: str, most_ps: int) -> None:
    run = simulated(tmp_path / "run.parquet", described(kind, OFFSETS), hits=1_500_000, source="Co-60=20kBq")

    found = gp.measure_timing(run)

    assert found.detectors["pairs"].min() > 100_000  # type: ignore[operator]
    off, pulls = errors_of(found, OFFSETS)
    assert (abs(off) < most_ps).all()
    assert (abs(pulls) < 3.5).all()


def test_hits_instead_of_a_run_are_refused() -> None:
    hits: Any = gp.scan(REPOSITORY / "data" / "co60-four-hpge.root")

    with pytest.raises(UsageError, match="give file names instead of hits"):
        gp.measure_timing(hits)
