"""What dead time costs of true coincidences: against simulated detectors whose true ones are known."""

import json
import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gammapolars.coincidences.dead_time import live_fraction, random_density
from gammapolars.coincidences.hit_intervals import binned, dead_end
from tests.commandline import gammapolars
from tests.deadtimes import US, Detectors, live_part, recorded, true_pairs


@pytest.mark.parametrize("extendable", [False, True])
def test_one_detector_is_alive_as_often_as_it_counts(*, extendable: bool) -> None:
    m = 20_000 * (math.exp(-0.2) if extendable else 1 / 1.2)

    assert live_fraction(m, 10 * US, extendable=extendable) == pytest.approx(m / 20_000)


def test_true_coincidences_leave_both_detectors_dead_at_once() -> None:
    m, tau = 30_000 / 1.27, 9 * US
    alone = random_density((m, m), (tau, tau), 1e-3)
    every = random_density((m, m), (tau, tau), m * 0.9999)
    assert alone
    assert every

    assert alone.both_alive == pytest.approx(1 / 1.27**2, rel=1e-3)  # the product
    assert every.both_alive == pytest.approx(1 / 1.27, rel=0.01)  # one dead time for both


def test_the_end_of_a_dead_time_is_found_within_its_bin() -> None:
    rng = np.random.default_rng(1)
    for dead_ps in (1_000_000, 1_510_000, 9_040_000):
        intervals = dead_ps + rng.exponential(3e7, 200_000)

        found = dead_end(binned(intervals.astype(np.int64)))

        assert abs(found.dead_ps - dead_ps) < 4 * found.unc_ps
        assert found.unc_ps < 0.005 * dead_ps
    assert dead_end(binned(np.zeros(0, np.int64))) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("extendable", [False, True])
@pytest.mark.parametrize("dead_ps", [4 * US, 9 * US, 14 * US])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.6])
def test_true_pairs_without_dead_time(share: float, dead_ps: int, *, extendable: bool) -> None:
    rates, time_s = (30_000.0, 20_000.0), 4.0
    hits = recorded(3, Detectors(rates, share, (dead_ps, dead_ps), extendable), time_s)
    counted, expected = true_pairs(hits), share * min(rates) * time_s

    part, unc, doubt = live_part(hits)

    assert doubt == ""
    assert part is not None
    assert unc is not None
    sigma = math.hypot(math.sqrt(counted) / part, counted * unc / part**2)
    assert abs(counted / part - expected) < 3 * sigma
    assert counted < 0.95 * expected


def test_correlated_dead_times_are_more_than_a_product() -> None:
    hits = recorded(1, Detectors((30_000.0, 20_000.0), 0.6, (9 * US, 9 * US)), 1.5)
    product = (1 / 1.27) * (1 / 1.18)

    part, unc, doubt = live_part(hits)

    assert part == pytest.approx(true_pairs(hits) / (0.6 * 20_000 * 1.5), rel=0.03)
    assert part is not None
    assert part > 1.05 * product
    assert unc is not None
    assert unc < 0.01
    assert doubt == ""


def test_dead_time_that_is_shared_is_reported_and_not_corrected_for() -> None:
    hits = recorded(1, Detectors((30_000.0, 30_000.0), 0.3, (0, 0)), 1.5)
    times, kept, last = hits["timestamp_ps"].to_list(), [], -(10**12)
    for time in times:  # each hit leaves both dead, but for those of the same event
        begins = time - last > 3 * US
        kept.append(begins or time - last < 50_000)
        last = time if begins else last

    part = live_part(hits.filter(pl.Series(kept)))

    assert part.part is not None
    assert part.doubt == "they are dead together, not independently"


def test_rates_that_changed_are_reported_and_not_corrected_for() -> None:
    low = recorded(1, Detectors((10_000.0, 10_000.0), 0.3, (5 * US, 5 * US)), 1.0)
    high = recorded(2, Detectors((40_000.0, 40_000.0), 0.3, (5 * US, 5 * US)), 1.0)
    later = high.with_columns(pl.col("timestamp_ps") + 10**12, pl.col("event") + 10**11)

    assert live_part(pl.concat([low, later])).doubt == "their rates changed"


def test_without_dead_time_nothing_is_known() -> None:
    hits = recorded(1, Detectors((3_000.0, 3_000.0), 0.3, (0, 0)), 0.5)

    assert live_part(hits).part is None


def test_the_command_says_what_dead_time_costs(tmp_path: Path) -> None:
    hits = recorded(1, Detectors((30_000.0, 20_000.0), 0.4, (5 * US, 5 * US)), 1.5)
    table = hits.select("board", "channel", "timestamp_ps", "flags", adc=pl.lit(100, pl.UInt16))
    table.write_parquet(tmp_path / "run.parquet")
    words: list[str | Path] = ["coincidences", tmp_path / "run.parquet", "--window", "100ns", "--overwrite"]
    words += ["-o", tmp_path / "p.parquet"]

    plain = json.loads(gammapolars(*words, "--json").out)
    live = json.loads(gammapolars(*words, "--live", "--json").out)
    text = gammapolars(*words, "--live").out

    true = 0.4 * 20_000 * 1.5
    (row,) = live["pairs_by_detectors"]
    assert abs(live["live_pairs"] - true) < 3 * live["live_pairs_unc"]
    assert row["live_pairs"] == live["live_pairs"]
    net = row["pairs"] - row["chance_pairs_expected"]
    assert live["lost_pairs"] == plain["lost_pairs"] == pytest.approx(live["live_pairs"] - net)
    assert 0.1 * true < plain["lost_pairs"] < 0.25 * true
    assert "live_pairs" not in plain
    assert re.search(r"^[12],\d{3} ± \d+ more true coincidences were lost to dead time$", text, re.MULTILINE)
    assert "true coincidences after dead-time correction" in text


def test_hits_that_were_added_back_are_not_corrected(tmp_path: Path) -> None:
    hits = recorded(1, Detectors((3_000.0, 3_000.0), 0.3, (5 * US, 5 * US)), 0.5)
    table = hits.select("board", "channel", "timestamp_ps", "flags", adc=pl.lit(100, pl.UInt16))
    table.write_parquet(tmp_path / "run.parquet")
    text = "".join(
        f'[[detector]]\nname = "{n}"\nchannel = {n}\nenergy = [0.0, 1.0]\nkind = "{"XY"[n]}"\n' for n in (0, 1)
    )
    (tmp_path / "d.toml").write_text(text)
    words: list[str | Path] = ["coincidences", tmp_path / "run.parquet", "--detectors", tmp_path / "d.toml"]
    words += ["--veto", "Y=10ns"]

    refused = gammapolars(*words, "--live", "-o", tmp_path / "p.parquet")
    done = gammapolars(*words, "-o", tmp_path / "p.parquet", "--json")

    assert "leave out --add-back, --veto and --nearest" in refused.err
    assert json.loads(done.out)["lost_pairs"] is None
