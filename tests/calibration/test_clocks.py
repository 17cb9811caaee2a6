"""Clocks of boards that drift apart: rates measured from moving prompt peaks, written, and corrected everywhere."""

import json
import os
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars import simulate
from gammapolars.calibration.timing import lines, measure
from gammapolars.calibration.timing.clock_fit import ClockFit, Knots, Moves, fit_clocks
from gammapolars.calibration.timing.follow import Follower
from gammapolars.calibration.timing.lines import Band, find_line
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.detectors import BoardClock, Detector, Detectors, format_detectors, load_detectors
from gammapolars.io import open_runs
from gammapolars.io.provenance import detectors_of
from tests.commandline import gammapolars
from tests.drawing import daily, repetitions
from tests.hits import frame
from tests.timing_runs import steady, swinging, two_clocks

CASES = os.environ.get("GAMMAPOLARS_CASES", "")
NONE = np.zeros(0, np.int64)


def saved(hits: pl.DataFrame, folder: Path, name: str = "run.parquet") -> Path:
    hits.write_parquet(folder / name)
    return folder / name


def true_pairs(run: Path, detectors: Detectors, window: str = "50ns") -> int:
    pairs = gp.scan(run).pipe(gp.align, detectors).pipe(gp.pairs, window)
    return int(pairs.select(pl.len()).collect().item())


# Lines among points.


def test_a_line_is_found_among_chance_pairs() -> None:
    rng = np.random.default_rng(1)
    time, chance = 2.0 * rng.random(20), 2.0 * rng.random(400)
    dt = np.concatenate([4e5 + 3e6 * time + rng.normal(0, 5000, 20), (2 * rng.random(400) - 1) * (1e6 + 1e7 * chance)])

    line = find_line(np.concatenate([time, chance]), dt, Band(1e6, 1e7, 2.0, 100.0), chance=1e-9)

    assert line is not None
    assert abs(line.slope - 3e6) < 5 * line.slope_unc < 30_000
    assert abs(float(line.at(0.0)) - 4e5) < 10_000
    assert 3000 < line.sigma_ps < 8000


def test_chance_pairs_make_no_line() -> None:
    rng = np.random.default_rng(2)
    band = Band(1e6, 1e7, 2.0, 20_000.0)

    found = []
    for _ in range(20):
        time = 2.0 * rng.random(200)
        found.append(find_line(time, (2 * rng.random(200) - 1) * (1e6 + 1e7 * time), band, chance=1e-6))

    assert found == [None] * 20


# Rates.


def fit(hits: pl.DataFrame, *, boards: int = 2, number: int | None = None) -> ClockFit:
    """The rates of clocks against that of board 0."""
    followers = [Follower(pair, 10**7) for pair in combinations(range(boards), 2)]
    columns = [hits[name].to_numpy() for name in ("board", "channel", "timestamp_ps")]
    for follower in followers:
        follower.add(*columns)
        follower.add(NONE, NONE, NONE, end=True)
    return fit_clocks([Moves(1, one.boards, one.stretches) for one in followers if one.stretches], 0, number=number)


def test_hits_that_come_in_parts_are_followed_as_in_one() -> None:
    hits = two_clocks({1: steady(-20.0)}, chance_cps=100.0, offset_ps=-4e6)
    parts = Follower((0, 1), 10**7)

    for first in range(0, hits.height, 700):
        parts.add(*(hits[first : first + 700][name].to_numpy() for name in ("board", "channel", "timestamp_ps")))
    parts.add(NONE, NONE, NONE, end=True)

    found = fit_clocks([Moves(1, (0, 1), parts.stretches)], 0)
    assert found.rates == pytest.approx(fit(hits).rates, rel=1e-6)
    assert parts.lost_s is None
    assert sum(len(one.time_ps) for one in parts.stretches) > 2800


@pytest.mark.parametrize("ppm", daily(3, [-50.0, 0.0, 0.001, -1.0, 20.0, 50.0]))
def test_pulls_of_constant_rates_are_normal(ppm: float) -> None:
    number = repetitions(20)
    pulls = []
    for seed in range(number):
        found = fit(two_clocks({1: steady(ppm)}, seconds=30, chance_cps=100.0, seed=seed))
        assert found.knots.number == 1
        share = ppm * 1e6 / (1 + ppm * 1e-6)
        pulls.append((found.rates[0, 0] - share) / np.sqrt(found.covariance[0, 0, 0, 0]))

    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(number)
    assert 0.4 < np.std(pulls) < 1.7


@pytest.mark.slow
def test_pulls_of_the_mean_of_a_swinging_rate_are_normal() -> None:
    pulls = []
    for seed in range(number := repetitions(12)):
        clock = swinging(3.0, 0.5, 100.0)
        found = fit(two_clocks({1: clock}, chance_cps=100.0, true_cps=100.0, seed=seed))
        assert found.knots.number > 4
        first, last, _ = found.knots
        ends = found.knots.basis(np.array([first, last]))
        mean = ends[1] - ends[0]
        # The rate is that of recorded time: the true time at which the clock shows it.
        truth = np.diff([float(clock(np.array([end * (1 - 3e-6)]))[0]) for end in (first, last)])[0]
        pulls.append((mean @ found.rates[0] - truth) / np.sqrt(mean @ found.covariance[0, :, 0] @ mean))

    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(number) + 0.3
    assert 0.3 < np.std(pulls) < 1.8


def test_integrals_of_triangles_are_those_of_a_straight_rate() -> None:
    knots, rates = Knots(2.0, 8.0, 4), np.array([1.0, 3.0, 2.0, 5.0])
    times = np.array([0.0, 1.0, 2.0, 3.0, 5.5, 8.0, 11.0])
    fine = np.linspace(0.0, 11.0, 110_001)
    rate = np.interp(fine, [2.0, 4.0, 6.0, 8.0], rates)
    integral = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(fine))])

    assert knots.basis(times) @ rates == pytest.approx(np.interp(times, fine, integral), abs=1e-6)


# The whole of it.


def rows(timing: gp.Timing) -> list[dict[str, Any]]:
    assert timing.clocks is not None
    return timing.clocks.to_dicts()


MEMBERS: dict[str, dict[str, Any]] = {
    "5 ppm, nothing else": {},
    "slow, chance, steps of 10 ns, 7 us late": {
        "ppm": -35.0, "chance_cps": 300.0, "step_ps": 10_000, "offset_ps": 7e6, "seed": 2
    },
    "sharp, few among many": {"ppm": 90.0, "true_cps": 10.0, "chance_cps": 200.0, "sigma_ps": 300.0, "seed": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", daily(1, MEMBERS))
def test_drifting_clocks_are_measured_written_and_corrected(name: str, tmp_path: Path) -> None:
    member = {"ppm": 5.0, **MEMBERS[name]}
    ppm = member.pop("ppm")
    hits = two_clocks({1: steady(ppm)}, **member)
    run, new = saved(hits, tmp_path), tmp_path / "new.toml"
    window = f"{max(10 * member.get('sigma_ps', 5000.0), 20_000):.0f}ps"

    done = gammapolars("align", run, "-o", new, "--json")
    pairs = gammapolars(
        "coincidences", run, "--detectors", new, "-o", tmp_path / "p.parquet", "--window", window, "--json"
    )
    again = gammapolars("align", run, "--detectors", new, "-o", new, "--overwrite", "--json")

    assert done.code == pairs.code == again.code == 0, done.err + pairs.err + again.err
    clock = json.loads(done.out)["clocks"][1]
    assert clock["board"] == 1
    assert clock["rate_ppm"] == pytest.approx(ppm, abs=4 * clock["rate_ppm_unc"])
    assert clock["rate_ppm_unc"] < 2e-5
    expected = member.get("true_cps", 30.0) * 100
    by_chance = json.loads(pairs.out)["chance_pairs_expected"]
    assert json.loads(pairs.out)["pairs"] - by_chance == pytest.approx(expected, abs=4 * expected**0.5)
    residual = json.loads(again.out)["clocks"][1]
    assert abs(residual["change_ppm"]) < 2 * residual["rate_ppm_unc"]
    assert load_detectors(new).clocks == (BoardClock(1, clock["rate_ppm"]),)


@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of cases")
def test_all_pairs_of_the_recorded_case_are_found(tmp_path: Path) -> None:
    run = Path(CASES) / "10_drift_5ppm.parquet"

    found = gp.measure_timing(run)

    assert found.aligned.clocks[0].rate_ppm == pytest.approx(5.0, abs=2e-5)
    assert true_pairs(run, found.aligned) == 3000


def test_a_clock_that_changes_slowly_is_followed(tmp_path: Path) -> None:
    run = saved(two_clocks({1: swinging(5.0, 0.5, 100.0)}, true_cps=60.0, chance_cps=60.0), tmp_path)
    truth = 60 * 100

    found = gp.measure_timing(run)

    clock = found.aligned.clocks[0]
    assert len(clock.rates) > 8
    assert clock.rate_range_s is not None
    assert min(clock.rates) == pytest.approx(4.5, abs=0.03)
    assert max(clock.rates) == pytest.approx(5.5, abs=0.03)
    assert true_pairs(run, found.aligned, "25ns") == pytest.approx(truth, abs=4 * truth**0.5)
    peak = found.pairs.row(0, named=True)
    assert peak["fwhm_before_ps"] == pytest.approx(2.3548 * 5000, rel=0.08)
    assert any("is fast by 4." in note for note in found.notes)


@pytest.mark.parametrize("boards", [2, 3])
def test_clocks_that_do_not_drift_are_left_alone(boards: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved(two_clocks({}, chance_cps=200.0, boards=boards, offset_ps=3e6, true_cps=60.0), tmp_path)

    found = gp.measure_timing(run)

    assert found.aligned.clocks == ()
    assert "clock" not in format_detectors(found.aligned)
    for row in rows(found)[1:]:
        assert abs(row["change_ppm"]) < 4 * row["rate_ppm_unc"]
        assert row["rate_ppm"] == 0
    monkeypatch.setattr(measure, "measure_clocks", lambda *_: None)
    before = gp.measure_timing(run)
    assert before.clocks is None
    assert found.aligned == before.aligned
    assert found.detectors.equals(before.detectors)
    assert found.pairs.equals(before.pairs)
    assert (found.covariance_ps2, found.notes, found.warnings) == (before.covariance_ps2, before.notes, before.warnings)


@pytest.mark.slow
def test_three_boards_are_solved_together_and_the_same_clock_has_one_rate(tmp_path: Path) -> None:
    drift = {1: steady(5.0), 2: steady(5.0), 3: steady(-3.0)}
    run = saved(two_clocks(drift, boards=4, channels=2, true_cps=200.0, seconds=60, chance_cps=50.0), tmp_path)

    found = gp.measure_timing(run)

    rates = {clock.board: clock.rate_ppm for clock in found.aligned.clocks}
    assert rates[1] == rates[2] == pytest.approx(5.0, abs=3e-5)
    assert rates[3] == pytest.approx(-3.0, abs=3e-5)
    assert 0 not in rates
    assert true_pairs(run, found.aligned) == pytest.approx(12_000, abs=500)
    own = [row["change_ppm"] for row in rows(found)]
    assert own[1] != own[2]


def test_the_reference_is_the_board_of_the_reference_detector(tmp_path: Path) -> None:
    run = saved(two_clocks({0: steady(8.0)}), tmp_path)

    found = gp.measure_timing(run, Detectors((Detector(1, 0, "upper"),)), reference="upper")

    assert [clock.board for clock in found.aligned.clocks] == [0]
    assert found.aligned.clocks[0].rate_ppm == pytest.approx(8.0, abs=2e-5)


def test_a_run_that_begins_late_has_the_offset_of_time_zero(tmp_path: Path) -> None:
    drift = {1: lambda seconds: 20e6 * (seconds - 1000)}  # set right when the run begins
    run = saved(two_clocks(drift, start_s=1000.0, chance_cps=100.0), tmp_path)

    found = gp.measure_timing(run)

    late = found.detectors.row(1, named=True)
    assert late["time_offset_ps"] == pytest.approx(-20e9, abs=4 * late["time_offset_ps_unc"] + 0.5e6)
    assert late["time_offset_ps_unc"] > 1000  # a rate that is uncertain moves it far from the run
    assert true_pairs(run, found.aligned) == pytest.approx(3000, abs=250)


def test_pulls_of_offsets_count_the_uncertainty_of_rates(tmp_path: Path) -> None:
    pulls = []
    for seed in range(number := repetitions(12)):
        run = saved(two_clocks({1: steady(5.0)}, seconds=20, seed=seed, offset_ps=12_000.0), tmp_path)
        late = gp.measure_timing(run).detectors.row(1, named=True)
        pulls.append((late["time_offset_ps"] - 12_000) / late["time_offset_ps_unc"])

    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(number)
    assert 0.3 < np.std(pulls) < 1.8


def test_a_peak_is_found_again_behind_a_gap(tmp_path: Path) -> None:
    hits = two_clocks({1: steady(5.0)}, chance_cps=30.0, seconds=400)
    run = saved(hits.filter(~pl.col("timestamp_ps").is_between(10 * 10**12, 300 * 10**12)), tmp_path)

    found = gp.measure_timing(run)

    assert rows(found)[1]["rate_ppm"] == pytest.approx(5.0, abs=3e-6)
    assert rows(found)[1]["rate_ppm_unc"] < 1.5e-6  # of 400 s, and not of 10


def test_offsets_that_lie_far_off_are_found_as_far_as_the_search_goes(tmp_path: Path) -> None:
    run = saved(two_clocks({1: steady(5.0)}, start_s=20.0), tmp_path)  # 100 us when the run begins

    found = gp.measure_timing(run, search="200us")

    assert found.aligned.clocks[0].rate_ppm == pytest.approx(5.0, abs=3e-5)
    assert true_pairs(run, found.aligned) > 2900


def test_several_runs_have_one_rate(tmp_path: Path) -> None:
    runs = [saved(two_clocks({1: steady(5.0)}, seconds=40, seed=seed), tmp_path, f"{seed}.parquet") for seed in (1, 2)]

    found = gp.measure_timing(open_runs(*runs, apart=True))

    assert found.aligned.clocks[0].rate_ppm == pytest.approx(5.0, abs=3e-5)
    assert found.warnings == (
        "time_fwhm_ps of 0/0, 1/0: with two detectors only their combined time resolution can be measured; it was "
        "shared equally (each FWHM/√2)",
    )


def test_runs_whose_rates_differ_still_have_moving_peaks_and_say_so(tmp_path: Path) -> None:
    drifts = (steady(5.0), steady(5.01))
    hits = [two_clocks({1: drift}, seconds=40, seed=seed) for seed, drift in enumerate(drifts)]
    runs = [saved(table, tmp_path, f"{number}.parquet") for number, table in enumerate(hits)]

    found = gp.measure_timing(open_runs(*runs, apart=True))

    assert any(
        "still move by about" in warning and "align each run separately" in warning for warning in found.warnings
    )


def test_detectors_of_one_board_cannot_have_clocks_of_their_own(tmp_path: Path) -> None:
    hits = two_clocks({1: steady(5.0)}).with_columns(channel="board", board=pl.lit(0, pl.UInt16))

    with pytest.raises(
        CalibrationError, match=r"the peak of 0/0 and 0/1 moves by 5 ppm, 49\d us in all: .* its own board"
    ):
        gp.measure_timing(saved(hits, tmp_path))


def test_a_rate_beyond_what_is_searched_is_named_in_the_error(tmp_path: Path) -> None:
    run = saved(two_clocks({1: steady(300.0)}, seconds=20), tmp_path)

    with pytest.raises(CalibrationError, match="nor one that moves by up to 100 ppm"):
        gp.measure_timing(run)


# Everywhere.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of drifting clocks and its detectors; and the same, corrected by hand, with detectors without clocks."""
    folder = tmp_path_factory.mktemp("drifting")
    hits = two_clocks({1: steady(5.0)}, channels=2, chance_cps=100.0, seconds=50, true_cps=100.0)
    rng = np.random.default_rng(5)
    hits = hits.with_columns(adc=pl.Series(rng.choice([1173, 1332], hits.height).astype(np.uint16)))
    every = tuple(
        Detector(board, channel, energy=(0.5, 1.0), kind="HPGe" if channel else "LaBr3", group=f"{channel}")
        for board in (0, 1)
        for channel in (0, 1)
    )
    clock = BoardClock(1, 5.0)
    (folder / "clocks.toml").write_text(format_detectors(Detectors(every, clocks=(clock,))))
    (folder / "plain.toml").write_text(format_detectors(Detectors(every)))
    hits.write_parquet(folder / "drifting.parquet")
    shifts = [clock.shift_ps(time) if board else 0 for board, time in hits.select("board", "timestamp_ps").iter_rows()]
    corrected = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - pl.Series(shifts))
    corrected.sort("timestamp_ps", maintain_order=True).write_parquet(folder / "corrected.parquet")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "coincidences -o OUT.parquet",
        "coincidences --random auto -o OUT.parquet",
        "coincidences --add-back 50ns -o OUT.parquet",
        "coincidences --veto LaBr3=50ns -o OUT.parquet",
        "coincidences --start 0/0 --stop 1/1 --nearest -o OUT.parquet",
        "gate --on 1332.5 --width 4 -o OUT.csv",
        "gate --on 1332.5 --and 1173.5 --width 4 -o OUT.csv",
        "events --window 50ns --min-multiplicity 2 -o OUT.parquet",
        "matrix -o OUT.parquet",
        pytest.param("lifetime --start 0/0 --stop 1/0 --window -100ns:100ns -o OUT.csv", marks=pytest.mark.slow),
        pytest.param("report -o OUT", marks=pytest.mark.slow),
    ],
)
def test_every_command_corrects_clocks_as_if_they_had_been_right(words: str, folder: Path, tmp_path: Path) -> None:
    results = []
    for run, known in (("drifting", "clocks"), ("corrected", "plain")):
        command, *others = words.split()
        others = [word.replace("OUT", str(tmp_path / run)) for word in others]
        done = gammapolars(
            command, folder / f"{run}.parquet", "--detectors", folder / f"{known}.toml", *others, "--json"
        )
        assert done.code == 0, done.err
        results.append(json.loads(done.out))

    own = ("inputs", "outputs", "elapsed_s", "hits_per_s", "first_timestamp_ps", "last_timestamp_ps")
    first, second = ({key: value for key, value in one.items() if key not in own} for one in results)
    assert first.keys() == second.keys()
    for key in first.keys() - {"warnings"}:
        assert first[key] == second[key], key


def test_files_of_single_boards_are_merged_by_corrected_times(folder: Path, tmp_path: Path) -> None:
    hits = pl.read_parquet(folder / "drifting.parquet")
    files = [saved(part, tmp_path, f"{number}.parquet") for number, part in enumerate(hits.partition_by("board"))]
    words = ("--detectors", folder / "clocks.toml", "--window", "100ns", "--json")

    whole = gammapolars("coincidences", folder / "drifting.parquet", *words, "-o", tmp_path / "whole.parquet")
    apart = gammapolars("coincidences", *files, *words, "-o", tmp_path / "apart.parquet")

    assert whole.code == apart.code == 0, whole.err + apart.err
    assert pl.read_parquet(tmp_path / "apart.parquet").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    assert json.loads(whole.out)["pairs"] > 4000


def test_outputs_carry_the_clocks_that_they_were_made_with(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text("[[clock]]\nboard = 1\nrate_ppm = 5.0\n")
    words = ("coincidences", folder / "drifting.parquet", "--detectors", tmp_path / "alone.toml")

    done = gammapolars(*words, "-o", tmp_path / "p.parquet")

    assert done.code == 0, done.err
    assert detectors_of(tmp_path / "p.parquet").clocks == (BoardClock(1, 5.0),)


def test_align_says_in_words_what_it_found_and_keeps_what_was_written(tmp_path: Path) -> None:
    run, old = saved(two_clocks({1: steady(-5.0)}, seconds=30), tmp_path), tmp_path / "d.toml"
    old.write_text(
        "# mine\n[[detector]]\nchannel = 0   # upstream\n\n[[clock]]  # crystal\nboard = 1\nrate_ppm = 1 # guess\n"
    )

    done = gammapolars("align", run, "--detectors", old, "-o", old, "--overwrite")

    assert done.code == 0, done.err
    assert "the clock of board 1 is slow by" in done.out
    assert "change (ppm)" in done.out
    text = old.read_text()
    assert text.startswith("# mine\n[[detector]]\n")
    assert "# upstream" in text
    assert " # guess" in text
    assert load_detectors(old).clocks[0].rate_ppm == pytest.approx(-5.0, abs=1e-4)


def test_rates_that_are_used_beyond_their_times_are_warned_of(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("[[clock]]\nboard = 1\nrate_ppm = [5.0, 5.0]\nrate_range_s = [0.0, 20.0]\n")

    done = gammapolars(
        "coincidences", folder / "drifting.parquet", "--detectors", tmp_path / "d.toml", "-o", tmp_path / "p.csv"
    )

    assert "the clock rates of board 1 are known up to 20 s, but hits continue to 49.9" in done.out + done.err


def test_a_reset_of_drifting_clocks_is_warned_of(folder: Path, tmp_path: Path) -> None:
    hits = pl.read_parquet(folder / "drifting.parquet").head(2000)
    again = hits.with_columns(flags=pl.when(pl.int_range(hits.height) == 0).then(0x4).otherwise(0).cast(pl.UInt32))
    run = saved(pl.concat([hits, again]), tmp_path)

    done = gammapolars("coincidences", run, "--detectors", folder / "clocks.toml", "-o", tmp_path / "p.csv")

    assert done.code == 0, done.err
    assert "the clock corrections of detectors.toml assume that clocks continue after the timestamp reset" in done.out


def test_runs_of_drifting_clocks_are_not_simulated() -> None:
    with pytest.raises(UsageError, match=r"leave \[\[clock\]\] out"):
        simulate.around_source(Detectors((Detector(0, 0),), clocks=(BoardClock(0, 1.0),)))


@pytest.mark.slow
def test_walk_is_fitted_behind_the_correction_of_clocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    hits = two_clocks({1: steady(5.0)}, true_cps=300.0, sigma_ps=1000.0, seed=4)
    adc = rng.integers(100, 4000, hits.height)
    walk = np.where(hits["board"].to_numpy() == 0, 60_000, 100_000) / np.sqrt(adc)
    moved = hits["timestamp_ps"] + pl.Series(np.rint(walk).astype(np.int64))
    run = saved(
        hits.with_columns(adc=pl.Series(adc.astype(np.uint16)), timestamp_ps=moved).sort("timestamp_ps"), tmp_path
    )

    found = gp.measure_timing(run, walk=True)

    assert rows(found)[1]["rate_ppm"] == pytest.approx(5.0, abs=2e-5)
    known = found.aligned
    pairs = gp.scan(run).pipe(gp.align, known).pipe(gp.pairs, "8ns", start=(0, 0), stop=(1, 0)).collect()
    assert pairs.height == pytest.approx(30_000, abs=700)
    assert float(pairs["dt_ps"].std()) == pytest.approx(1000, rel=0.03)  # type: ignore[arg-type]
    assert float(pairs["dt_ps"].mean()) == pytest.approx(0, abs=60)  # type: ignore[arg-type]


@pytest.mark.parametrize("length_ps", [0, 10, 10**6, 10**15])
@pytest.mark.parametrize("hits", [5, 50])
def test_runs_that_tell_nothing_of_clocks_give_no_rates(length_ps: int, hits: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(hits + length_ps % 7)
    times = np.repeat((rng.random(hits) * length_ps).astype(np.int64), 3)
    boards, channels = rng.integers(0, 3, (2, len(times)))
    rows = zip(times.tolist(), channels.tolist(), boards.tolist(), strict=True)
    run = saved(frame((time, channel, board, 1) for time, channel, board in rows).sort("timestamp_ps"), tmp_path)

    try:
        found = gp.measure_timing(run)
    except CalibrationError:
        return

    assert found.aligned.clocks == ()


@pytest.mark.parametrize(("points", "bins"), [(1, 2), (7, 3), (40, 200), (500, 30)])
def test_the_fullest_line_is_the_same_whichever_way_points_are_counted(points: int, bins: int) -> None:
    rng = np.random.default_rng(points)
    for _ in range(20):
        place = np.floor(rng.uniform(-0.2 * bins, 1.2 * bins, (9, points)))
        counts = [
            [int(((row == low) | (row == low + 1) & (low + 1 < bins)).sum()) for low in range(bins)] for row in place
        ]
        inside = bool(((place >= 0) & (place < bins)).any())

        sparse, dense = lines.fullest_of_sparse(place.copy(), bins), lines.fullest_of_dense(place.copy(), bins)

        assert sparse == dense
        assert sparse[0] == np.max(counts)
        assert not inside or counts[sparse[1]][sparse[2]] == sparse[0]
