"""Queries about each detector by itself, on hits of known dead time, after-pulses, bursts, gain drift and shape."""

from math import exp

import numpy as np
import polars as pl
import pytest

from tests.brute import FAKE
from tests.cookbook.kitchen import chi2, hits, piled_up, pull, recorded, rows, served
from tests.hits import PILE_UP

US, MS, S = 10**6, 10**9, 10**12


def test_dead_times_are_where_the_rate_rises(rng: np.random.Generator) -> None:
    rate, number = 2e4, 40_000
    dead_us = np.where(rng.random(number) < 0.4, 2.0, 6.0)
    waits = rng.exponential(S / rate, (2, number))
    fixed, mixed = np.cumsum(3 * US + waits[0]), np.cumsum(dead_us * US + waits[1])
    run = recorded(hits(fixed, 0, flags=PILE_UP * (rng.random(number) < 0.3)), hits(mixed, 1), name="first")
    later = recorded(hits(fixed + 5 * US, 0), name="second")

    found = served("dead_times", run, later, "--apart", "--range-us", "40", "--bin-us", "1")

    assert found["run"].unique().to_list() == [1, 2]
    for number_of_run in (1, 2):
        of_fixed = rows(found, channel=0, run=number_of_run)
        assert [row["since_us"] for row in of_fixed] == list(range(3, 40))  # pile-up makes the detector dead as well
        assert 0.4 < chi2([pull(row, "rate_cps", rate) for row in of_fixed]) < 2
    of_mixed = rows(found, channel=1)
    assert of_mixed[0]["since_us"] == 2

    def still(us: float) -> float:
        """The part of the intervals that are longer."""
        return sum(part * exp(-rate * max(us - dead, 0) / 1e6) for part, dead in ((0.4, 2), (0.6, 6)))

    pulls = [
        pull(row, "alive", -np.log(still(row["since_us"] + 1) / still(row["since_us"])) / rate * 1e6)
        for row in of_mixed
    ]
    assert 0.4 < chi2(pulls) < 2
    assert of_mixed[1]["alive"] == pytest.approx(0.4, abs=0.05)


def test_after_pulses_are_counted_and_timed(rng: np.random.Generator) -> None:
    first = np.cumsum(US + rng.exponential(S / 1e4, 100_000))
    fired = first[rng.random(len(first)) < 0.05]
    late = fired + US + rng.exponential(1.5 * US, len(fired))
    slow = hits(first[0] + 50 * US * np.arange(30), 2)
    run = recorded(hits(first, 0), piled_up(hits(late, 0)), hits(first + 20, 1), slow)

    found = served("after_pulses", run)

    noisy, quiet, few = found.to_dicts()
    assert (few["counts"], few["probability_unc"] > 0.02, few["delay_us"]) == (0, True, None)
    assert quiet["delay_us_unc"] is None
    assert abs(pull(noisy, "probability", len(late) / (len(late) + len(first)))) < 3.5
    assert noisy["probability_unc"] < 0.002
    assert abs(pull(noisy, "delay_us", 2.5)) < 3.5
    assert abs(pull(quiet, "probability", 0)) < 3.5


def test_bursts_are_found_and_nothing_else(rng: np.random.Generator) -> None:
    steady = np.sort(rng.uniform(0, 100 * S, 100_000))
    rare = np.sort(rng.uniform(0, 100 * S, 50))
    noise = rng.uniform(31.51 * S, 31.53 * S, 300)
    run = recorded(
        *(hits(steady, 0, adc=5000), hits(noise, 0, adc=30, flags=PILE_UP)),
        *(hits(rare, 1, adc=700), hits(70 * S + US * np.arange(9), 1, adc=30)),
        hits(np.full(5000, 50 * S) + np.arange(5000), 2, flags=FAKE),
    )

    found = served("bursts", run)

    assert found.select("channel", "time_s").rows() == [(0, pytest.approx(31.55)), (1, pytest.approx(70.05))]
    counts = np.sum((steady >= 31.5 * S) & (steady < 31.6 * S))
    loud, short = found.to_dicts()
    assert loud["counts"] == 300 + counts
    assert loud["expected"] == pytest.approx(100, abs=4)
    assert loud["mean_adc"] == pytest.approx((300 * 30 + counts * 5000) / (300 + counts))
    assert loud["usual_adc"] == 5000
    assert short["expected"] < 0.1
    assert short["significance"] > 8


def test_a_line_is_followed_as_the_gain_drifts(rng: np.random.Generator) -> None:
    slope, number = 2e-4, 10_000  # keV/s
    time = np.sort(rng.uniform(0, 6000 * S, number))
    beside = np.sort(rng.uniform(0, 6000 * S, number))
    line = hits(time, 0, energy_kev=1460.8 + slope * time / S + rng.normal(0, 1, number))
    flat = hits(beside, 0, energy_kev=rng.uniform(1400, 1520, number))
    spoilt = piled_up(hits(time, 0, energy_kev=1455.0))
    without = hits(beside, 1, energy_kev=rng.uniform(1400, 1520, number))

    found = served("gain_drift", recorded(line, flat, spoilt, without), "--minutes", "10")

    shifts = rows(found, channel=0)
    assert len(shifts) == 10
    assert 0.2 < chi2([pull(row, "shift_kev", slope * row["time_s"]) for row in shifts]) < 2.2
    assert 0.02 < shifts[0]["shift_kev_unc"] < 0.2
    for row in shifts:
        assert row["gain_factor"] * (1460.8 + row["shift_kev"]) == pytest.approx(1460.8)
        assert abs(row["counts"] - number / 10) < 5 * row["variance"] ** 0.5
    assert found.filter(channel=1)["shift_kev"].null_count() == 10


def test_rates_count_the_hits_that_carry_each_flag(rng: np.random.Generator) -> None:
    time = np.sort(rng.uniform(3 * S, 37 * S, 3000))
    flags = rng.choice([0, PILE_UP, FAKE, 0x80 | PILE_UP, 0x4000], 3000)
    channel = rng.integers(0, 2, 3000)
    run = recorded(hits(time, channel, flags=flags), name="first")
    later = recorded(hits(time[:100], 0), name="second")

    found = served("flagged_rates", run, later, "--apart")

    assert found.filter(run=1).height == 8
    first, last = np.rint(time).astype(int)[[0, -1]]
    for row in rows(found, run=1):
        number = row["time_s"] // 10
        begin, end = max(number * 10 * S, first), min((number + 1) * 10 * S, last)
        inside = (channel == row["channel"]) & (np.rint(time) // (10 * S) == number)
        good = np.sum(inside & (flags & (PILE_UP | FAKE | 0x80) == 0))
        assert row["width_s"] == pytest.approx((end - begin) / S)
        assert (row["counts"], row["used"]) == (np.sum(inside), good)
        assert row["pile_up"] == np.sum(inside & (flags & PILE_UP > 0))
        assert row["saturation"] == np.sum(inside & (flags & 0x80 > 0))
        assert row["rate_cps"] == pytest.approx(row["counts"] / row["width_s"])
        assert row["rate_cps_unc"] == pytest.approx(row["counts"] ** 0.5 / row["width_s"])
    assert rows(found, run=2)[0]["counts"] == 100


def shaped(rng: np.random.Generator, number: int, psd: float, sigma: float, channel: int) -> pl.DataFrame:
    """Hits with pulse shapes around some value."""
    adc = rng.integers(2000, 12000, number)
    short = adc * (1 - rng.normal(psd, sigma, number))
    return hits(np.sort(rng.uniform(0, S, number)), channel, adc=adc, adc_short=short)


def test_the_figure_of_merit_is_that_of_the_two_peaks(rng: np.random.Generator) -> None:
    gammas, neutrons = shaped(rng, 20_000, 0.12, 0.015, 0), shaped(rng, 3000, 0.25, 0.02, 0)
    spoilt, alone = piled_up(shaped(rng, 9000, 0.18, 0.02, 0)), shaped(rng, 2000, 0.12, 0.015, 1)
    low = hits(np.arange(5000), 0, adc=500, adc_short=400)

    both, one = served("neutron_gamma", recorded(gammas, neutrons, spoilt, alone, low)).to_dicts()

    assert abs(pull(both, "fom", 0.13 / 2.35482 / 0.035)) < 3.5
    assert both["fom_unc"] < 0.03
    assert abs(pull(both, "counts_1", 20_000)) < 0.5  # of a given number, which does not scatter
    assert abs(pull(both, "counts_2", 3000)) < 0.5
    assert abs(pull(both, "psd_2", 0.25)) < 3.5
    assert one["fom"] is None


def test_minutes_of_two_runs_are_not_summed() -> None:
    run = recorded(hits(S * np.arange(90), 0), name="first")
    later = recorded(hits(S * np.arange(30), 0), name="second")

    found = served("rates_by_minute", run, later, "--apart")

    assert found.select("run", "minute", "counts").rows() == [(1, 0, 60), (2, 0, 30), (1, 1, 30)]
