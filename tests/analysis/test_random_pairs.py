"""How many random coincidences are expected: where data are missing, rates change, or detectors are dead."""

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.analysis.accumulators import CloseHits, PairTally, RecordedTime, recorded_time
from gammapolars.analysis.chance import by_detectors, chance_warnings
from gammapolars.analysis.gaps import gap_warnings
from gammapolars.analysis.random_pairs import Expectation, Expected
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.dead_time import random_density
from gammapolars.coincidences.hit_intervals import binned, dead_time, extendable_log_odds
from gammapolars.coincidences.sample import random_windows
from tests.deadtimes import NS, US, A, B, Detectors, expected, random_pairs, recorded
from tests.hits import in_batches

S = 10**12
DETECTORS = gp.Detectors()


def in_stretches(seed: int, stretches: list[tuple[float, float, float, float]]) -> pl.DataFrame:
    """Hits at random: of each stretch its begin and end (s), and the rates of two detectors in it (1/s)."""
    rng = np.random.default_rng(seed)
    parts = [
        pl.DataFrame(
            {"timestamp_ps": rng.integers(int(begin * S), int(end * S), rng.poisson(rate * (end - begin)))}
        ).with_columns(board=pl.lit(0, pl.UInt16), channel=pl.lit(channel, pl.UInt16), flags=pl.lit(0, pl.UInt32))
        for begin, end, *rates in stretches
        for channel, rate in enumerate(rates)
    ]
    hits = pl.concat(parts).sort("timestamp_ps")
    event = pl.int_range(pl.len())
    return hits.with_columns(event=event)


def run_time(hits: pl.DataFrame) -> RecordedTime:
    found = RecordedTime()
    for batch in in_batches(hits, 5_000):
        found.add_hits(batch)
    return found


@pytest.mark.parametrize(
    ("stretches", "gaps_a", "gaps_b"),
    [
        ([(0, 4, 5e3, 4e3), (90, 94, 5e3, 4e3), (160, 163, 5e3, 4e3)], [(4, 90), (94, 160)], [(4, 90), (94, 160)]),
        ([(0, 4, 5e3, 4e3), (4, 8, 5e3, 0), (8, 9, 5e3, 4e3)], [], [(4, 8)]),
        ([(0, 4, 5e3, 4e3), (4, 9, 0, 4e3)], [(4, 9)], []),
        ([(0, 2, 0, 4e3), (2, 4, 5e3, 4e3), (4, 6, 5e3, 0)], [(0, 2)], [(4, 6)]),
        ([(0, 1, 2e4, 1e4), (1, 9, 1e3, 500)], [], []),
        ([(0, 60, 0.1, 1e3)], [], []),
    ],
    ids=["of the run", "of a detector", "ends early", "begin late and end early", "other rates", "rare hits"],
)  # fmt: skip
def test_gaps_are_found_and_random_pairs_are_those_of_the_common_time(
    stretches: list[tuple[float, float, float, float]],
    gaps_a: list[tuple[float, float]],
    gaps_b: list[tuple[float, float]],
) -> None:
    hits = in_stretches(3, stretches)
    truth = sum(a * b * (end - begin) for begin, end, a, b in stretches) * 40e-6

    (times,) = run_time(hits).of_runs().values()
    found = expected(hits, "20us")

    assert times.gaps[A] / S == pytest.approx(np.array(gaps_a).reshape(-1, 2), abs=0.02)
    assert times.gaps[B] / S == pytest.approx(np.array(gaps_b).reshape(-1, 2), abs=0.02)
    common = sum(end - begin for begin, end, a, b in stretches if a and b)
    assert times.live_ps(A, B)[-1] / S == pytest.approx(common, abs=0.03)
    assert found.pairs == pytest.approx(truth, rel=0.05 if truth > 1 else 1.0)
    assert abs(random_pairs(hits, 0, 20 * US) - found.pairs) < 4 * math.sqrt(max(truth, 1.0))


def test_gaps_of_all_detectors_are_gaps_of_the_run() -> None:
    hits = in_stretches(4, [(0, 1, 5e3, 4e3), (1, 2, 5e3, 0), (2, 3, 0, 0), (3, 4, 0, 4e3), (4, 5, 5e3, 4e3)])

    (times,) = run_time(hits).of_runs().values()

    assert times.common_gaps() / S == pytest.approx(np.array([[2.0, 3.0]]), abs=0.01)


CASES = {
    "as counted": Detectors(share=0.4),
    "none": Detectors(share=0.0),
    "extendable": Detectors(share=0.6, dead_ps=(10 * US, 10 * US), extendable=True),
    "unequal": Detectors((40_000.0, 15_000.0), 0.8, (5 * US, 2 * US)),
    "short": Detectors(share=0.5, dead_ps=(100 * NS, 100 * NS)),
}


@pytest.mark.parametrize("name", CASES)
def test_random_pairs_within_the_dead_time_are_expected(name: str) -> None:
    detectors, dead_ps = CASES[name], min(CASES[name].dead_ps)
    hits = recorded(11, detectors, 4.0)
    within, beyond = 2 * dead_ps // 5, 6 * max(detectors.dead_ps)

    inside = expected(hits, f"{within}ps")
    outside = expected(hits, "1ps", f"{beyond}ps:{2 * beyond}ps")

    counted = random_pairs(hits, 0, within), random_pairs(hits, beyond, 2 * beyond)
    for number, (pairs, unc) in zip(counted, (inside, outside), strict=True):
        assert abs(number - pairs) < 4 * math.sqrt(pairs + unc**2)
    rates = (hits.filter(channel=channel).height / 4.0 for channel in (0, 1))
    naive = math.prod(rates) * 4.0 * 2e-12 * within
    assert inside.pairs / naive == pytest.approx(1 - detectors.share, abs=0.15) or name == "unequal"


def test_rejected_hits_leave_detectors_dead_too() -> None:
    hits = recorded(12, Detectors(share=0.6), 4.0)
    bad = np.random.default_rng(12).random(hits.height) < 0.3
    hits = hits.with_columns(flags=pl.Series(np.where(bad, 0x400, 0), dtype=pl.UInt32))

    found = expected(hits, "400ns", mask=0x400)

    counted = random_pairs(hits.filter(pl.col("flags") == 0), 0, 400_000)
    assert abs(counted - found.pairs) < 4 * math.sqrt(found.pairs + found.unc**2)
    assert found.pairs == pytest.approx(counted, rel=0.15)


def test_random_windows_beyond_the_dead_time_hold_too_many() -> None:
    hits = recorded(13, Detectors(share=0.5), 3.0)
    counted, close = RecordedTime(), CloseHits()
    counted.add_hits(hits)
    close.add_hits(hits)

    within = Expectation(PairRule("100ns", random="300ns:900ns"), counted, close).excess(A, B)
    beyond = Expectation(PairRule("100ns", random="2us:5us"), counted, close).excess(A, B)
    turned = Expectation(PairRule("-100ns:50ns", random="2us:5us", start=B, stop=A), counted, close).excess(A, B)

    assert within == pytest.approx(1.0, abs=0.02)
    assert beyond == pytest.approx(2.0, abs=0.1)
    assert turned == pytest.approx(beyond, rel=0.02)


def test_the_density_of_random_pairs_is_that_of_the_rates_where_nothing_correlates() -> None:
    assert random_density((1e4, 1e4), (1e6, 1e6), 0.0) is None
    assert random_density((1e4, 1e4), (0.0, 0.0), 1e3) is None
    assert random_density((1e6, 1e4), (1e6, 1e6), 1e3) is None
    found = random_density((100.0, 100.0), (1e6, 1e6), 30.0)
    assert found
    assert found.width_ps([(-1e5, 1e5)]) == pytest.approx(2e5 * 0.7, rel=1e-3)
    assert found.width_ps([(2e6, 3e6)]) == pytest.approx(1e6, rel=1e-3)
    assert found.width_ps([(-2e6, -5e5), (5e5, 2e6)]) == pytest.approx(2 * (1e6 + 0.5e6 * 0.7), rel=1e-3)


@pytest.mark.parametrize("extendable", [False, True])
def test_the_kind_of_dead_time_shows_in_the_times_between_hits(extendable: bool) -> None:
    hits = recorded(14, Detectors((50_000.0, 10_000.0), 0.0, (3 * US, 3 * US), extendable), 4.0)
    counts = binned(np.diff(hits.filter(channel=0)["timestamp_ps"].to_numpy()))

    odds = extendable_log_odds(counts, hits.filter(channel=0).height / 4.0)

    assert (odds > 3) if extendable else (odds < -3)
    assert dead_time(counts).dead_ps == pytest.approx(3 * US, rel=0.02)


def test_a_few_times_that_are_too_short_do_not_hide_the_dead_time() -> None:
    times = recorded(15, Detectors((30_000.0, 10_000.0), 0.0), 4.0).filter(channel=0)["timestamp_ps"].to_numpy()
    noisy = np.sort(np.concatenate([times, times[::2000] + 40 * NS]))

    found = dead_time(binned(np.diff(noisy)))
    assert found.dead_ps == pytest.approx(US, rel=0.03)
    assert found.probability > 0.999
    assert dead_time(binned(np.diff(times[:10]))) == (0.0, 0.0)


@pytest.mark.parametrize(("share", "dead_ps"), [(0.5, 2 * US), (0.05, 2 * US), (0.0, 2 * US)])
def test_random_windows_are_found_within_the_dead_time(share: float, dead_ps: int) -> None:
    """Also where few hits are correlated, so that the step at its end is not seen."""
    hits = recorded(16, Detectors(share=share, dead_ps=(dead_ps, dead_ps)), 2.0)

    found = random_windows(hits.drop("event"), PairRule("100ns", reject="none"))
    wide = random_windows(hits.drop("event"), PairRule("1500ns", reject="none"))

    assert all(200 * NS <= window.low < window.high <= dead_ps for window in found)
    assert all(window.high > dead_ps for window in wide)  # there is no room within


def test_the_longest_intervals_are_found_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_time, "LONGEST", 5)
    rng = np.random.default_rng(7)
    hits = in_stretches(7, [(0, 1, 6e4, 2e4), (1.5, 2, 6e4, 50), (2.1, 2.6, 300, 2e4)])
    hits = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") // 10_000 * 10_000)
    found = RecordedTime()

    for begin, end in pairwise([0, *sorted(rng.integers(0, hits.height, 60).tolist()), hits.height]):
        found.add_hits(hits[begin:end])

    for key in (A, B):
        times = hits.filter(channel=key[1])["timestamp_ps"].to_numpy()
        assert found.longest_ps(1)[key] == sorted(np.diff(times).tolist(), reverse=True)[:5]
        counts = found.of_runs()[1].counts[key]
        assert counts.sum() == len(times)


def check(hits: pl.DataFrame, within_ps: int) -> Expected:
    """The expectation in a window, which agrees with the random pairs that are there."""
    found, counted = expected(hits, f"{within_ps}ps"), random_pairs(hits, 0, within_ps)
    assert abs(counted - found.pairs) < 4 * math.sqrt(found.pairs + found.unc**2), (counted, found)
    return found


def test_the_share_of_true_coincidences_is_that_of_the_time_together() -> None:
    hits = recorded(17, Detectors(share=0.6, dead_ps=(3 * US // 2, 3 * US // 2)), 4.0)
    time = pl.col("timestamp_ps")

    check(hits.filter((pl.col("channel") == 0) | ~time.is_between(S, 2 * S)), 500 * NS)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_changing_rates_are_no_true_coincidences(share: float) -> None:
    hits = recorded(18, Detectors((60_000.0, 60_000.0), share), 4.0)
    _, event = np.unique(hits["event"].to_numpy(), return_inverse=True)  # hits of one event stay or go together
    draws = np.random.default_rng(18).random(int(event.max()) + 1)[event]
    falling = hits.filter(pl.Series(draws) < (-pl.col("timestamp_ps") / (1.2 * S)).exp())

    check(falling, 500 * NS)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_no_dead_time_is_made_up_where_hits_are_few(share: float) -> None:
    """The shortest of few times between hits is not much longer than none."""
    hits = recorded(20, Detectors((1_500.0, 1_500.0), share, (0, 0)), 60.0)

    found = check(hits, 500 * NS)

    naive = math.prod(hits.filter(channel=channel).height for channel in (0, 1)) / 60.0 * 1e-6
    assert abs(found.pairs - naive) < 3 * found.unc + 0.02 * naive


@pytest.mark.slow
def test_a_pulsed_beam_with_more_gaps_than_are_kept_is_told() -> None:
    hits = in_stretches(21, [(0.02 * n, 0.02 * n + 0.001, 1e5, 1e5) for n in range(1200)])

    found = expected(hits, "1us")

    assert found.unc == found.pairs > 0
    (warning,) = gap_warnings(run_time(hits), DETECTORS)
    assert warning.startswith("0/0, 0/1: more gaps than can be tracked")
    few = run_time(in_stretches(21, [(0.02 * n, 0.02 * n + 0.001, 1e5, 1e5) for n in range(500)]))
    assert few.seconds()[A] == pytest.approx(0.5, rel=0.05)


def test_advice_on_random_windows_names_one_that_has_room() -> None:
    hits = recorded(22, Detectors(share=0.5, dead_ps=(3 * US // 2, 3 * US // 2)), 3.0)
    counted, close = RecordedTime(), CloseHits()
    counted.add_hits(hits)
    close.add_hits(hits)

    def warning(window: str) -> str:
        rule = PairRule(window, random="4us:6us")
        pairs = PairTally(rule.window)
        expectation = Expectation(rule, counted, close)
        table = by_detectors(pairs, rule, DETECTORS, expectation)
        return next(text for text in chance_warnings(table, rule, expectation) if "times as many" in text)

    assert 'random="200ns:1.4' in warning("100ns")
    assert "no window fits within that dead time (1.4" in warning("1us")


@pytest.mark.slow
def test_many_detectors_take_no_time() -> None:
    rng = np.random.default_rng(23)
    hits = in_stretches(23, [(0, 1, 4e3, 0)]).with_columns(
        channel=pl.Series(rng.integers(0, 3000, in_stretches(23, [(0, 1, 4e3, 0)]).height), dtype=pl.UInt16)
    )
    counted, close = RecordedTime(), CloseHits()
    counted.add_hits(hits)
    close.add_hits(hits)
    rule = PairRule("10us")
    pairs = PairTally(rule.window)
    pairs.add_pairs(gp.pairs(hits.with_columns(adc=pl.lit(1, pl.UInt16)).lazy(), "10us").collect())

    table = by_detectors(pairs, rule, DETECTORS, Expectation(rule, counted, close))

    assert table.height == table.filter(pl.col("pairs") > 0).height > 100
    one = table.row(0, named=True)
    numbers = [hits.filter(channel=one[f"channel_{side}"]).height for side in "ab"]
    assert one["chance_pairs_expected"] == pytest.approx(math.prod(numbers) * 20e-6, rel=0.01)
