"""Prompt and random pairs: regions, weights, and net counts without bias."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import clocks, random_windows
from gammapolars.core.units import Window
from tests.commandline import gammapolars
from tests.validation.chance import chance

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")

SECONDS = 10**12


def hits_of(rows: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """Hits from (timestamp_ps, channel), in time order."""
    table = sorted(rows)
    return pl.DataFrame(
        {
            "board": [0] * len(table),
            "channel": [channel for _, channel in table],
            "timestamp_ps": [time for time, _ in table],
            "adc": [100 + channel for _, channel in table],
            "flags": [0] * len(table),
        },
        gp.HITS.columns,
    )


def poisson(seed: int, rates: Sequence[float], seconds: float, *, tick_ps: int = 1) -> pl.DataFrame:
    """Uncorrelated hits of channels 0, 1, … at some rates."""
    rng = np.random.default_rng(seed)
    parts = []
    for channel, rate in enumerate(rates):
        count = rng.poisson(rate * seconds)
        times = np.sort(rng.integers(0, round(seconds * SECONDS), count)) // tick_ps * tick_ps
        parts.append(pl.DataFrame({"timestamp_ps": times, "channel": np.full(count, channel, np.uint16)}))
    rest = {"board": pl.lit(0, pl.UInt16), "adc": pl.col("channel") * 100 + 50, "flags": pl.lit(0, pl.UInt32)}
    return pl.concat(parts).sort("timestamp_ps").with_columns(**rest).select(*gp.HITS.columns).cast(gp.HITS.columns)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), max_size=40),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(21, 80), st.integers(1, 40)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([1, 3, 1000]),
)
def test_regions_are_those_of_every_two_hits(
    rows: list[tuple[int, int]], half: int, wide: list[tuple[int, int]], signed: bool, slice_hits: int
) -> None:
    hits = hits_of(rows)
    windows = [(low, low + width) for low, width in wide]
    ends = {"start": (0, 2), "stop": (0, 0)} if signed else {}

    found = gp.pairs(hits.lazy(), half, random=windows, slice_hits=slice_hits, **ends).collect()  # type: ignore[arg-type]

    expected = []
    for place, (t, c) in enumerate(sorted(rows)):
        for u, d in sorted(rows)[place + 1 :]:
            if c == d or (signed and {c, d} != {0, 2}):
                continue
            dt = u - t if not signed or c == 2 else t - u
            in_random = any(low <= dt <= high for low, high in windows)
            if abs(dt) <= half or in_random:
                expected.append((dt, "prompt" if abs(dt) <= half else "random"))
    assert sorted(found.select("dt_ps", pl.col("region").cast(pl.String)).rows()) == sorted(expected)


def test_weights_are_the_windows_widths() -> None:
    hits = hits_of([(0, 0), (5_001, 1), (35_003, 2)]).lazy()

    found = gp.pairs(hits, "10ns", random=["20ns:40ns", "-70ns:-60ns"]).collect()

    assert found["region"].to_list() == ["prompt", "random", "random"]
    # 20 ns of either sign against 2 × (20 + 10) ns.
    assert found["weight"].to_list() == pytest.approx([1, -1 / 3, -1 / 3])


def test_with_start_and_stop_random_windows_have_a_sign() -> None:
    hits = hits_of([(0, 1), (30_003, 0), (60_001, 1)]).lazy()

    found = gp.pairs(hits, "10ns", random="20ns:40ns", start=(0, 0), stop=(0, 1)).collect()

    assert found.select("dt_ps", "weight").rows() == [(29_998, -1.0)]


@pytest.mark.parametrize(
    ("window", "random", "message"),
    [
        ("250ns", "200ns:1us", "overlaps the window"),
        ("250ns", "1us", "overlaps the window"),
        ("250ns", "3us:1us", "is empty"),
        ("250ns", "1us:1us", "has no width"),
        ("250ns", "soon", "is not a time"),
    ],
)
def test_random_windows_that_cannot_be_are_refused_at_once(window: str, random: str, message: str) -> None:
    with pytest.raises(gp.UsageError, match=message):
        gp.pairs(hits_of([]).lazy(), window, random=random)


@given(
    st.integers(2, 40),
    st.integers(0, 39),
    st.integers(0, 39),
    st.integers(0, 100),
    st.integers(101, 200),
    st.integers(1, 150),
)
def test_widths_count_the_steps_of_the_clocks(step: int, a: int, b: int, half: int, low: int, width: int) -> None:
    from gammapolars.coincidences.regions import Clock, regions_of

    clock = {(0, 0): Clock(step, a % step), (0, 1): Clock(2 * step, b % step)}
    regions = regions_of(Window(-half, half), [Window(low, low + width)], signed=False, clock=clock)

    steps = [(b - a) % step + n * step for n in range(-500, 500)]
    prompt = sum(abs(dt) <= half for dt in steps)
    random = sum(low <= abs(dt) <= low + width for dt in steps)
    assert regions.width(regions.prompt, (0, 0), (0, 1)) == step * prompt
    assert regions.width(regions.random, (0, 0), (0, 1)) == step * random


def test_clocks_are_told_from_timestamps() -> None:
    hits = poisson(1, [2000, 2000], 1, tick_ps=4000)
    moved = hits.with_columns(pl.col("timestamp_ps") + pl.col("channel").cast(pl.Int64) * 1500)

    assert clocks(moved) == {(0, 0): (4000, 0), (0, 1): (4000, 1500)}


@pytest.mark.parametrize(("tick_ps", "window"), [(1, "100ns"), (10_000, "20ns"), (8_000, "20ns")])
def test_net_counts_of_uncorrelated_detectors_are_zero(tick_ps: int, window: str) -> None:
    pulls = []
    for seed in range(20):
        hits = poisson(seed, [20_000, 30_000, 10_000], 1, tick_ps=tick_ps)
        weight = gp.pairs(hits.lazy(), window, random="500ns:3us").collect()["weight"]
        pulls.append(float(weight.sum()) / math.sqrt(float((weight**2).sum())))

    assert abs(np.mean(pulls)) < 4 / math.sqrt(20)
    assert 0.6 < np.std(pulls) < 1.5


def test_auto_begins_where_only_chance_is_left() -> None:
    rng = np.random.default_rng(5)
    hits = poisson(5, [50_000, 50_000], 4)
    starts = hits.filter(pl.col("channel") == 0).gather_every(10)
    delay = rng.exponential(150_000, starts.height).astype(np.int64)  # 150 ns
    stops = starts.with_columns(pl.col("timestamp_ps") + pl.Series(delay), channel=pl.lit(1, pl.UInt16))
    run = pl.concat([hits, stops]).sort("timestamp_ps")

    (found,) = random_windows(run, PairRule("50ns"))

    assert 400_000 <= found.low <= 1_500_000
    assert found.low + 100_000 <= found.high <= 2_000_000
    net = gp.pairs(run.lazy(), "1us", random="auto").collect()
    assert float(net["weight"].sum()) == pytest.approx(
        starts.height, abs=5 * math.sqrt(float((net["weight"] ** 2).sum()))
    )


def test_auto_of_a_delay_on_one_side_takes_the_other_from_the_window_on() -> None:
    rng = np.random.default_rng(6)
    hits = poisson(6, [50_000, 50_000], 4)
    starts = hits.filter(pl.col("channel") == 0).gather_every(4)
    delay = rng.exponential(500_000, starts.height).astype(np.int64)
    stops = starts.with_columns(pl.col("timestamp_ps") + pl.Series(delay), channel=pl.lit(1, pl.UInt16))
    run = pl.concat([hits, stops]).sort("timestamp_ps")

    found = random_windows(run, PairRule("-50ns:50ns", start=(0, 0), stop=(0, 1)))

    assert any(window.low >= -2_000_000 and window.high == -105_000 for window in found)
    assert all(window.high < 0 or window.low > 1_500_000 for window in found)


def test_auto_says_where_nothing_is_flat() -> None:
    rng = np.random.default_rng(7)
    times = np.repeat(np.arange(20_000) * 400_000, 2) + rng.integers(0, 20_000, 40_000)  # bunches, 400 ns apart
    hits = hits_of([(int(time), place % 2) for place, time in enumerate(times)])

    with pytest.raises(gp.UsageError, match="not flat anywhere"):
        gp.pairs(hits.lazy(), "10ns", random="auto").collect()


def summary_of(*words: str | Path) -> dict[str, Any]:
    done = gammapolars("coincidences", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def run_file(folder: Path, hits: pl.DataFrame) -> Path:
    gp.save(hits.lazy(), folder / "run.parquet")
    return folder / "run.parquet"


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv", ".root"])
def test_regions_and_weights_come_back_from_files(tmp_path: Path, suffix: str) -> None:
    made = gp.pairs(poisson(3, [20_000, 20_000], 1).lazy(), "500ns", random="1us:3us")

    gp.save(made, tmp_path / f"pairs{suffix}")

    assert (
        gp.scan_pairs(tmp_path / f"pairs{suffix}")
        .select(made.collect_schema().names())
        .collect()
        .equals(made.collect())
    )


def test_the_summary_tells_net_pairs(tmp_path: Path) -> None:
    run = run_file(tmp_path, poisson(4, [50_000, 20_000, 1000], 1))

    summary = summary_of(run, "-o", tmp_path / "p.parquet", "--window", "500ns", "--random", "1us:3us")

    saved = gp.scan_pairs(tmp_path / "p.parquet").collect()
    weight = saved["weight"]
    assert summary["random_ps"] == [[-3_000_000, -1_000_000], [1_000_000, 3_000_000]]
    assert summary["pairs"] == saved.filter(pl.col("region") == "prompt").height
    assert summary["random_pairs"] == saved.filter(pl.col("region") == "random").height
    assert summary["net_pairs"] == pytest.approx(weight.sum())
    assert summary["net_pairs_unc"] == pytest.approx(math.sqrt((weight**2).sum()))
    assert summary["chance_pairs"] == pytest.approx(summary["random_pairs"] / 4)
    assert abs(summary["net_pairs"]) < 4 * summary["net_pairs_unc"]
    assert abs(summary["random_pairs"] - 4 * summary["chance_pairs_expected"]) < 5 * math.sqrt(summary["random_pairs"])
    assert summary["warnings"] == []
    for row in summary["pairs_by_detectors"]:
        of_both = saved.filter(channel_a=row["channel_a"], channel_b=row["channel_b"]).height
        of_both += saved.filter(channel_a=row["channel_b"], channel_b=row["channel_a"]).height
        assert row["pairs"] + row["random_pairs"] == of_both
        assert row["net_pairs"] == pytest.approx(row["pairs"] - row["random_pairs"] / 4)


def test_rates_that_change_are_expected(tmp_path: Path) -> None:
    early = poisson(8, [50_000, 50_000], 0.5)
    late = poisson(9, [500, 500], 1.5).with_columns(pl.col("timestamp_ps") + SECONDS // 2)
    run = run_file(tmp_path, pl.concat([early, late]))

    summary = summary_of(run, "-o", tmp_path / "p.parquet", "--window", "500ns", "--random", "1us:3us")

    assert summary["warnings"] == []
    assert summary["random_pairs_expected"] == pytest.approx(5e4**2 * 0.5 * 4e-6, rel=0.03)  # not a quarter of that
    assert abs(summary["random_pairs"] - summary["random_pairs_expected"]) < 4 * math.sqrt(summary["random_pairs"])
    assert abs(summary["net_pairs"]) < 4 * summary["net_pairs_unc"]


def test_auto_beside_other_windows_is_refused(tmp_path: Path) -> None:
    run = run_file(tmp_path, poisson(4, [1000, 1000], 1))
    options = ["--random", "auto", "--random", "1us:2us"]

    done = gammapolars("coincidences", run, "-o", tmp_path / "pairs.parquet", *options)

    assert done.code == 2
    assert "do not give others as well" in done.error
    assert not (tmp_path / "pairs.parquet").exists()


@pytest.mark.usefixtures("built_figures")
def test_the_matrix_command_is_net_of_chance(tmp_path: Path) -> None:
    run = Path(__file__).parents[2] / "data" / "co60-four-hpge.root"
    words: list[str | Path] = [
        "--detectors",
        run.with_name("detectors.toml"),
        "--random",
        "500ns:4us",
        "--bin-kev",
        "100",
        "--json",
    ]

    done = gammapolars("matrix", run, *words, "-o", tmp_path / "net.parquet")
    drawn = gammapolars("matrix", run, *words, "-o", tmp_path / "net.png")
    histogram = gammapolars("matrix", run, *words, "-o", tmp_path / "net.root")

    assert (done.code, drawn.code, histogram.code) == (0, 0, 0), done.err + drawn.err + histogram.err
    net, summary = pl.read_parquet(tmp_path / "net.parquet"), json.loads(done.out)
    once = net.filter(pl.col("energy_kev_x") <= pl.col("energy_kev_y"))
    assert once["counts"].sum() == pytest.approx(summary["net_pairs"])
    assert net["counts"].min() < 0  # type: ignore[operator]
    import uproot

    with uproot.open(tmp_path / "net.root") as file:
        (name,) = file.keys(cycle=False, filter_classname="TH2*")
        assert file[name].values().sum() == pytest.approx(net["counts"].sum())
        assert file[name].variances().sum() == pytest.approx(net["variance"].sum())


@recorded
def test_net_pairs_of_recorded_na22_are_those_of_the_side_bands_by_hand(tmp_path: Path) -> None:
    options: list[str | Path] = ["-o", tmp_path / "p.parquet", "--window", "100ns", "--random", "100001ps:250ns"]

    summary = summary_of(Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root", *options)

    # By hand: 37,858 pairs within 100 ns; 38,595 - 37,858 in the 300 ns between 100 and 250 ns on both sides.
    assert summary["pairs"] == 37_858
    assert summary["random_pairs"] == 38_595 - 37_858
    assert summary["net_pairs"] == pytest.approx(37_858 - 737 * 200 / 300, abs=0.01)
    assert summary["net_pairs"] == pytest.approx(37_350, abs=summary["net_pairs_unc"])
    assert summary["chance_pairs"] / 10 == pytest.approx(49, abs=2)  # a 20 ns part


@recorded
def test_auto_on_recorded_na22_agrees_with_the_side_bands(tmp_path: Path) -> None:
    options: list[str | Path] = ["-o", tmp_path / "p.parquet", "--window", "100ns", "--random", "auto"]

    summary = summary_of(Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root", *options)

    assert summary["net_pairs"] == pytest.approx(37_350, abs=summary["net_pairs_unc"])


@pytest.mark.slow
def test_nothing_is_left_of_runs_without_true_coincidences() -> None:
    """A part of `python -m tests.validation --only chance`, with limits as wide as fewer runs need."""
    found = {check.what.partition(",")[0]: check.value for check in chance(30).checks}

    assert abs(found["mean pull of net pairs"]) < 4 / math.sqrt(30)
    assert 0.6 < found["width of the pulls of net pairs"] < 1.45
    assert abs(found["mean pull of net counts of matrix bins"]) < 4 / math.sqrt(180)
    assert 0.85 < found["width of the pulls of net counts of matrix bins"] < 1.15
    assert abs(found["net pairs of all runs together"]) < 4
    assert found["least net counts of a bin in a run"] < 0
