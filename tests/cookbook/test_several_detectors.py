"""Queries about detectors together, on simulated hits of known cascades, half-life, scattering and cross-talk."""

from collections import Counter
from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given

from gammapolars.core.errors import UsageError
from tests.brute import FAKE, brute_events, detectors_of
from tests.commandline import REPOSITORY, gammapolars_process
from tests.cookbook.kitchen import chi2, cooked, hits, piled_up, pull, recorded, rows, served
from tests.hits import BAD, PILE_UP, runs

NS, US, S = 1000, 10**6, 10**12


def test_triples_of_a_cascade_add_up_to_its_level(rng: np.random.Generator) -> None:
    starts = US * np.arange(300)
    energies = rng.choice([400.0, 150.0], (3, 300)) + np.array([[0.0], [200.0], [400.0]])
    parts = [hits(starts + 10 * NS * k, k, energy_kev=energies[k]) for k in range(3)]
    parts[2] = parts[2].with_columns(flags=pl.Series(PILE_UP * (np.arange(300) % 10 == 0)).cast(pl.UInt32))
    later = [hits(starts + 300 * NS, 3, energy_kev=400.0)]

    found = served("triple_sums", recorded(*parts, *later), "--window", "100ns")
    above = served("triple_sums", recorded(*parts, *later), "--window", "100ns", "--least-kev", "300")

    used = np.arange(300) % 10 > 0
    expected = Counter((energies[:, used].sum(axis=0) + 0.5).tolist())
    assert dict(found.select("energy_kev", "counts").iter_rows()) == expected
    assert found["variance"].to_list() == found["counts"].to_list()
    least = (energies.min(axis=0) >= 300) & used
    assert above["counts"].sum() == least.sum()
    assert above["energy_kev"].max() == 1800.5


def test_random_triples_are_subtracted(rng: np.random.Generator) -> None:
    times = rng.uniform(0, 2 * S // 1000, (3, 3000))

    run = recorded(*(hits(times[k], k, energy_kev=500.0) for k in range(3)))
    plain = served("triple_sums", run, "--window", "200ns")
    net = served("triple_sums", run, "--window", "200ns", "--random-windows", "400ns:3us")

    assert plain["counts"][0] > 100
    assert abs(net["counts"][0]) < 3.5 * net["variance"][0] ** 0.5


@pytest.fixture
def delayed(rng: np.random.Generator) -> pl.DataFrame:
    """356 keV, 81 keV with a half-life of 6.3 ns after it, both also without the other, all smeared by 0.5 ns."""
    number = 4000
    fed = np.cumsum(rng.exponential(2 * US, number))
    left = fed + rng.exponential(6300 / log(2), number)
    alone = rng.uniform(0, fed[-1], (2, number))
    times = np.concatenate([fed, left, *alone]) + rng.normal(0, 500, 4 * number)
    kev = np.concatenate([np.full(number, line) for line in (356.0, 81.0, 356.0, 81.0)])
    return hits(times, rng.integers(0, 4, 4 * number), energy_kev=kev + rng.normal(0, 1, 4 * number))


def test_a_half_life_follows_from_the_delay_of_the_second_gamma_ray(delayed: pl.DataFrame) -> None:
    run = recorded(delayed)

    [found] = served("isomer", run, "--window", "60ns", "--bin-ps", "1000").to_dicts()

    assert abs(pull(found, "half_life_ns", 6.3)) < 3.5
    assert found["half_life_ns_unc"] < 0.3
    assert found["upper_limit_ns"] is None
    assert found["chi2"] < 1.4 * found["ndf"]
    assert found["chance_per_ns"] == pytest.approx(8000**2 * 12 / 16 / 8e6, rel=0.1)
    assert found["direction"] == "stop after start"


def test_gates_that_overlap_have_no_order() -> None:
    with pytest.raises(UsageError, match="must not overlap"):
        cooked("isomer", pl.DataFrame({"dt_ps": [1]}), feeding=356.0, decay=350.0)


@given(table=runs())
def test_multiplicity_and_sum_are_those_of_events(table: pl.DataFrame) -> None:
    known = pl.when(pl.col("channel") < 2).then(pl.col("adc") * 10.0)

    found = cooked("multiplicity_sums", table.with_columns(energy_kev=known), window="40ps", reject=BAD, bin_kev=50)

    expected: Counter[tuple[int, float]] = Counter()
    for event in brute_events(table.iter_rows(named=True), 40, "first"):
        if all(hit["channel"] < 2 for hit in event):
            expected[len(detectors_of(event)), sum(hit["adc"] for hit in event) * 10 // 50 * 50 + 25] += 1
    assert {(multiplicity, kev): counts for multiplicity, kev, counts, _ in found.iter_rows()} == expected


@given(table=runs())
def test_hits_in_anticoincidence_have_no_company(table: pl.DataFrame) -> None:
    calibrated = table.with_columns(energy_kev=pl.col("adc").cast(pl.Float64))

    found = cooked("anticoincidence", calibrated, window="40ps", reject=BAD)

    alone = [
        (hit["board"], hit["channel"], hit["adc"] + 0.5, float(len(detectors_of(event)) == 1))
        for event in brute_events(table.iter_rows(named=True), 40, "last", FAKE)
        for hit in event
        if not hit["flags"] & BAD
    ]
    assert found.select("board", "channel", "energy_kev", "counts").rows() == sorted(alone)
    assert found["all_counts"].to_list() == [1.0] * len(alone)


def test_a_shield_suppresses_the_continuum_and_not_the_peak(rng: np.random.Generator) -> None:
    number = 40_000
    starts = np.cumsum(rng.exponential(10 * US, number))
    in_peak = rng.random(number) < 0.2
    kev = np.where(in_peak, 662.0, rng.uniform(0, 470, number))
    scattered = ~in_peak & (rng.random(number) < 0.7)
    germanium = hits(starts, 0, energy_kev=kev)
    shield = hits(starts[scattered] + 30 * NS, 1, energy_kev=200.0, flags=PILE_UP)
    spoilt = piled_up(hits(starts + 5 * US, 0, energy_kev=300.0))
    toml = recorded(germanium, shield, spoilt).with_name("detectors.toml")
    toml.write_text('[[detector]]\nboard = 0\nchannel = 0\n[[detector]]\nboard = 0\nchannel = 1\nkind = "BGO"\n')

    found = served("compton_suppression", "run.parquet", "--detectors", toml, "--window", "100ns", "--bin-kev", "47")

    assert found["channel"].unique().to_list() == [0]
    assert found["all_counts"].sum() == number
    continuum = found.filter(pl.col("energy_kev") < 470).to_dicts()
    assert 0.2 < chi2([pull(row, "suppression", 1 / 0.3) for row in continuum]) < 2.2
    [peak] = found.filter(pl.col("energy_kev") > 600).to_dicts()
    lost = 1 - np.exp(-2 * 100 * NS * scattered.sum() / starts[-1])
    assert peak["suppression"] == pytest.approx(1 / (1 - lost), abs=0.005)
    assert peak["counts"] == pytest.approx(peak["variance"])


def test_cross_talk_is_a_small_share_of_a_large_pulse(rng: np.random.Generator) -> None:
    number = 20_000
    starts = np.cumsum(rng.exponential(20 * US, number))
    adc = rng.integers(500, 16000, number)
    heard = rng.random(number) < 0.2
    loud, echo = hits(starts, 0, adc=adc), hits(starts[heard] + 10 * NS, 1, adc=adc[heard] * 0.03)
    apart = hits(rng.uniform(0, starts[-1], 40_000), 1, adc=rng.integers(5, 400, 40_000))
    scattered = hits(starts + 20 * NS, 2, adc=adc * rng.uniform(0.2, 1, number))

    found = served("cross_talk", recorded(loud, echo, apart, scattered), "--window", "50ns", "--random", "200ns:1us")

    [row] = rows(found, channel_from=0, channel_to=1)
    assert abs(pull(row, "probability", 0.2)) < 3.5
    assert row["probability_unc"] < 0.01
    assert row["ratio"] == pytest.approx(0.03, abs=0.001)
    assert row["ratio_spread"] < 0.005
    for none in rows(found, channel_from=0, channel_to=2):  # random coincidences, which are subtracted
        assert abs(pull(none, "probability", 0)) < 4
    assert rows(found, channel_from=2, channel_to=1)[0]["probability"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.slow
def test_a_query_serves_a_process_of_its_own(delayed: pl.DataFrame) -> None:
    run = recorded(delayed)
    query = REPOSITORY / "queries" / "isomer.py"

    lines = ("--feeding", "81", "--decay", "356")  # the wrong way round
    done = gammapolars_process(
        "query", query, run, "--window", "60ns", "--bin-ps", "1000", *lines, "-o", "isomer.csv", cwd=run.parent
    )

    assert done.code == 0, done.err
    [found] = pl.read_csv(run.with_name("isomer.csv")).to_dicts()
    assert abs(pull(found, "half_life_ns", 6.3)) < 3.5
    assert found["direction"] == "start after stop"
