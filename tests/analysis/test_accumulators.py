"""What is counted in one pass, against counting hit by hit and pair by pair."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.analysis.accumulators import (
    Accumulator,
    AdcSpectra,
    EnergySpectra,
    HitTally,
    Matrix,
    PairTally,
    Rates,
    TimeDifferences,
)
from gammapolars.analysis.accumulators import hits as hits_module
from gammapolars.analysis.accumulators import rates as rates_module
from gammapolars.analysis.accumulators.rates import SHOWN_TIME_BINS
from gammapolars.coincidences import pairs
from gammapolars.core.schema import HITS, MATRIX, PAIRS, SPECTRUM, require
from gammapolars.core.units import PS_PER_S, Window
from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detector, Detectors
from gammapolars.spectra import dithered, matrix
from tests.drawing import examples
from tests.hits import (
    BAD,
    FINE_TIMESTAMP,
    PILE_UP,
    SATURATION,
    SIZES,
    Key,
    brute_pairs,
    counted,
    frame,
    in_batches,
    runs,
)

P = TypeVar("P", bound=Accumulator)

CALIBRATED = Detectors(
    (Detector(0, 0, "left", energy=(0.3, 1.7)), Detector(0, 1, energy=(-2.0, 0.9, 1e-3)), Detector(1, 1, "right")),
)


def fed(product: P, *, hits: Iterable[pl.DataFrame] = (), pairs: Iterable[pl.DataFrame] = ()) -> P:
    """A product that has taken these parts."""
    for part in hits:
        product.add_hits(part)
    for part in pairs:
        product.add_pairs(part)
    return product


def pairs_of(rows: Iterable[tuple[Key, Key, int]]) -> pl.DataFrame:
    """Pairs of (detector a, detector b, dt), with running adc values and times."""
    table = [(*a, place % 500, *b, place % 300, 1000 * place, dt) for place, (a, b, dt) in enumerate(rows)]
    return pl.DataFrame(table, dict(PAIRS.columns), orient="row")


# Hits


@examples(60)
@given(runs(), SIZES, st.sampled_from([0, BAD, PILE_UP]))
def test_each_hit_is_counted_once_and_used_unless_it_carries_a_rejecting_flag(
    hits: pl.DataFrame, rows: int, mask: int
) -> None:
    tally = fed(HitTally(), hits=in_batches(hits, rows))

    found = tally.by_detector(mask)

    rejected = hits.filter((pl.col("flags") & mask) != 0)
    assert found["hits"].sum() == hits.height
    assert found["hits"].sum() == found["hits_used"].sum() + rejected.height
    keys = hits.select("board", "channel").rows()
    assert {row[:2]: row[2] for row in found.iter_rows()} == counted(keys)
    used = hits.filter((pl.col("flags") & mask) == 0).select("board", "channel").rows()
    assert {row[:2]: row[3] for row in found.iter_rows() if row[3]} == counted(used)
    assert found.equals(found.sort("board", "channel"))
    assert tally.by_flags().select("board", "channel", "flags").is_unique().all()


@pytest.mark.parametrize("rare", [0.0, 0.02, 0.5], ids=lambda share: f"{share:.0%} unusual")
@pytest.mark.parametrize("detectors", [1, 4, 16, 40])
@pytest.mark.parametrize("few", [0, 5, 1000])
def test_counting_by_comparing_gives_what_counting_one_by_one_gives(
    detectors: int, rare: float, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits_module, "FEW_ROWS", few)
    monkeypatch.setattr(hits_module, "FEW_KEYS", few)
    rng = np.random.default_rng(detectors)
    size = 6000
    # Half of the detectors are silent in the first third; the usual flags change in the last.
    channel = rng.integers(0, detectors, size) // np.where(np.arange(size) < size // 3, 2, 1)
    usual = np.where(np.arange(size) < 2 * size // 3, FINE_TIMESTAMP, 0)
    flags = np.where(rng.random(size) < rare, rng.choice([SATURATION, PILE_UP, PILE_UP | FINE_TIMESTAMP], size), usual)
    hits = frame([(row, 0, int(channel[row]), 0, int(flags[row])) for row in range(size)])
    keys = ["board", "channel", "flags"]
    expected = hits.group_by(keys).agg(counts=pl.len().cast(pl.UInt64)).sort(keys)

    tally = fed(HitTally(), hits=in_batches(hits, 500))

    assert tally.by_flags().equals(expected)


def test_a_hit_with_two_flags_counts_under_both_and_flags_that_none_carries_are_left_out() -> None:
    tally = fed(
        HitTally(),
        hits=[frame([(0, 0, 0, 0, SATURATION | PILE_UP), (1, 0, 0, 0, PILE_UP), (2, 0, 0, 0, FINE_TIMESTAMP), (3,)])],
    )

    assert tally.with_flags({"saturation": 0x480, "pile_up": PILE_UP, "fake_event": 0x8}) == {
        "saturation": 1,
        "pile_up": 2,
    }


def test_the_real_time_reaches_from_the_first_hit_to_the_last() -> None:
    tally = fed(HitTally(), hits=[frame([(-PS_PER_S,), (0,)]), frame([]), frame([(2 * PS_PER_S,)])])

    assert (tally.first_ps, tally.last_ps, tally.real_time_s) == (-PS_PER_S, 2 * PS_PER_S, 3.0)


def test_a_run_without_hits_has_no_detectors_and_no_time() -> None:
    tally = fed(HitTally(), hits=[frame([])])

    assert tally.real_time_s == 0.0
    assert tally.by_detector(BAD).rows() == []
    assert tally.by_flags().schema == {
        "board": pl.UInt16,
        "channel": pl.UInt16,
        "flags": pl.UInt32,
        "counts": pl.UInt64,
    }
    assert tally.with_flags({"pile_up": PILE_UP}) == {}


# Pairs


@examples(60)
@given(runs(), SIZES, st.integers(0, 60))
def test_pairs_within_the_window_are_counted_by_their_detectors(hits: pl.DataFrame, rows: int, within: int) -> None:
    wide = pairs(hits.lazy(), 100).collect()

    found = fed(PairTally(Window(-within, within)), pairs=in_batches(wide, rows)).counts()

    ends = [sorted([pair[0:2], pair[3:5]]) for pair in brute_pairs(hits, (0, within))]
    assert found == counted((a, b) for a, b in ends)


def test_signed_pairs_are_counted_with_the_lower_detector_first() -> None:
    made = pairs_of([((1, 0), (0, 5), -3), ((1, 0), (0, 5), 3), ((0, 5), (1, 0), 0), ((1, 0), (0, 5), 4)])

    assert fed(PairTally(Window(-3, 3)), pairs=[made]).counts() == {((0, 5), (1, 0)): 3}


def test_detectors_of_the_largest_numbers_are_counted() -> None:
    made = pairs_of([((65535, 65535), (65535, 65534), 1)])

    assert fed(PairTally(Window(0, 1)), pairs=[made]).counts() == {((65535, 65534), (65535, 65535)): 1}


# Spectra


@examples(40)
@given(runs(), SIZES)
def test_spectra_hold_each_used_hit_once_in_energy_or_in_adc(hits: pl.DataFrame, rows: int) -> None:
    hits = hits.with_columns(adc=pl.col("adc") * 7 % 50)

    found = fed(AdcSpectra(BAD), hits=in_batches(hits, rows)).spectra(CALIBRATED, 0.5)

    require(found.lazy(), SPECTRUM)
    used = hits.filter((pl.col("flags") & BAD) == 0)
    for (board, channel), of_detector in used.group_by("board", "channel"):
        table = found.filter(board=board, channel=channel)
        assert table["counts"].sum() == pytest.approx(of_detector.height)
        if (board, channel) in ((0, 0), (0, 1)):
            assert table["adc"].null_count() == table.height
            assert table["energy_kev"].null_count() == 0
        else:
            assert dict(table.select("adc", "counts").iter_rows()) == counted(of_detector["adc"])
            assert table["energy_kev"].null_count() == table.height
    assert found["counts"].sum() == pytest.approx(used.height)
    assert found["variance"].equals(found["counts"], check_names=False)


def test_spectra_of_nothing_are_an_empty_table() -> None:
    for spectra in (AdcSpectra(BAD), fed(AdcSpectra(BAD), hits=[frame([]), frame([(0, 0, 0, 1, PILE_UP)])])):
        require(spectra.spectra(CALIBRATED, 1.0).lazy(), SPECTRUM)
        assert spectra.spectra(CALIBRATED, 1.0).is_empty()


def test_the_largest_adc_value_has_its_place() -> None:
    found = fed(AdcSpectra(0), hits=[frame([(0, 9, 9, 65535), (0, 9, 9, 0)])]).spectra(Detectors(), 1.0)

    assert found["adc"].to_list() == [0.0, 65535.0]


# Rates

WAITS = st.sampled_from([0, 1, 10**9, 976_562_500, 10**12, 3 * 10**13, 10**16]) | st.integers(0, 10**13)


@examples(100)
@given(
    st.lists(st.tuples(WAITS, st.integers(0, 1)), min_size=1, max_size=40),
    SIZES,
    st.sampled_from([4, 300, 4096]),
    st.sampled_from([1, 16]),
)
def test_rates_count_every_hit_but_those_of_the_last_bin_that_the_run_cuts(
    drawn: list[tuple[int, int]], rows: int, most_bins: int, few: int
) -> None:
    at = np.cumsum([wait for wait, _ in drawn]) - 10**9
    hits = frame((int(time), channel) for time, (_, channel) in zip(at, drawn, strict=True))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates_module, "MAX_TIME_BINS", most_bins)
        patch.setattr(hits_module, "FEW_DETECTORS", few)
        found = fed(Rates(), hits=in_batches(hits, rows)).table()

    (width_s,) = found["width_s"].unique()
    width_ps = round(width_s * PS_PER_S)
    bins = [(channel, int(time - at[0]) // width_ps) for time, (_, channel) in zip(at, drawn, strict=True)]
    last = max(place for _, place in bins)
    expected = {
        (channel, place): 0 for channel in {channel for channel, _ in bins} for place in range(last or 1)
    } | counted(key for key in bins if key[1] < last or last == 0)
    places = (found["time_s"] / found["width_s"] - 0.5).round().cast(pl.Int64)
    assert dict(zip(zip(found["channel"], places, strict=True), found["counts"], strict=True)) == expected
    assert last < SHOWN_TIME_BINS
    np.testing.assert_allclose(found["rate_cps"] * found["width_s"], found["counts"].cast(float))


def test_bins_become_wider_as_the_run_goes_on_and_keep_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates_module, "MAX_TIME_BINS", 8)
    rates = Rates()
    for part in in_batches(frame((number * 10**11, number % 2) for number in range(1001)), 10):
        rates.add_hits(part)

    found = rates.table()

    (width_s,) = found["width_s"].unique()
    cut = 1001 - found["counts"].sum()
    assert 8 / 2 <= found.height / 2 < 8
    assert 0 < cut <= width_s * 10
    assert found["rate_cps"].to_list() == pytest.approx([5.0] * found.height, rel=0.02)


def test_a_table_of_rates_can_be_asked_for_in_between() -> None:
    hits = frame((number * 10**10, 0) for number in range(3001))
    rates = Rates()

    rates.add_hits(hits[:1500])
    rates.table()
    rates.add_hits(hits[1500:])

    assert rates.table().equals(fed(Rates(), hits=[hits]).table())


def test_a_run_within_one_bin_shows_it() -> None:
    found = fed(Rates(), hits=[frame([(5, 0), (6, 0)])]).table()

    assert found["counts"].to_list() == [2]


def test_masked_hits_have_no_rate_but_their_time_counts() -> None:
    hits = frame((number * 10**10, number % 2, 0, 0, PILE_UP if number % 3 else 0) for number in range(3001))
    ends = hits[[0, -1]].with_columns(flags=pl.lit(0, pl.UInt32))
    marked = pl.concat([ends[:1], hits[1:-1], ends[1:]])

    found = fed(Rates(mask=PILE_UP), hits=in_batches(marked, 2)).table()

    assert found.equals(fed(Rates(), hits=[marked.filter(flags=0)]).table())
    late = fed(Rates(mask=PILE_UP), hits=[hits.with_columns(flags=pl.lit(PILE_UP, pl.UInt32))[:1500], hits[1500:]])
    assert late.table()["time_s"][-1] == found["time_s"][-1]


def test_rates_of_nothing_are_an_empty_table() -> None:
    found = fed(Rates(), hits=[frame([])]).table()

    assert found.columns == ["board", "channel", "time_s", "width_s", "counts", "rate_cps"]
    assert found.is_empty()


# Time differences

A, B, C = (0, 1), (0, 2), (1, 0)
DIFFERENCES = st.tuples(st.sampled_from([A, B, C]), st.sampled_from([A, B, C]), st.integers(-300, 300)).filter(
    lambda drawn: drawn[0] != drawn[1]
)


def differences(rows: list[tuple[Key, Key, int]], reach_ps: int, size: int = 10**6, **options: Any) -> pl.DataFrame:
    product = TimeDifferences(reach_ps, **options)
    return fed(product, pairs=in_batches(pairs_of(rows), size)).table(Detectors((Detector(*A, "a"), Detector(*C, "c"))))


def by_order(a: Key, b: Key, dt: int) -> tuple[Key, Key, int]:
    """The same pair with the lower detector first."""
    return (a, b, dt) if a < b else (b, a, -dt)


@examples(100)
@given(
    st.lists(DIFFERENCES, min_size=1, max_size=40),
    st.sampled_from([1000, 2000, 4000, 8000, 10_000, 16_000, 1700, 1]),
    st.integers(1, 300),
    st.sampled_from([10, 240]),
    SIZES,
)
def test_each_bin_counts_the_differences_between_its_edges(
    drawn: list[tuple[Key, Key, int]], clock_ps: int, steps: int, bins: int, size: int
) -> None:
    reach_ps = max(clock_ps * steps, 1000)
    rows = [(a, b, dt * clock_ps) for a, b, dt in drawn if abs(dt * clock_ps) <= reach_ps]

    found = differences(rows, reach_ps, size, bins=bins)

    names = {A: "a", B: "0/2", C: "c"}
    ordered = [by_order(*row) for row in rows]
    shown = 0
    for row in found.iter_rows(named=True):
        low, high = ((row["dt_ns"] + side * row["width_ns"] / 2) * 1000 for side in (-1, 1))
        inside = [
            (a, b, dt)
            for a, b, dt in ordered
            if (names[a], names[b]) == (row["name_a"], row["name_b"]) and round(low) <= dt < round(high)
        ]
        assert row["counts"] == len(inside)
        assert abs(row["dt_ns"]) * 1000 <= reach_ps + row["width_ns"] * 500
        shown += len(inside)
    assert found["counts"].sum() == shown
    width_ps = found["width_ns"].to_list()[0] * 1000 if rows else 0
    assert len(rows) - shown <= sum(abs(dt) > reach_ps - width_ps for _, _, dt in rows), "only at the reach is any lost"


@pytest.mark.parametrize("clock_ps", [1000, 2000, 4000, 8000, 10_000, 16_000])
@pytest.mark.parametrize("window_ps", [50_000, 250_000, 1_000_000])
def test_flat_differences_of_any_clock_make_no_comb(clock_ps: int, window_ps: int) -> None:
    reach_ps = 4 * window_ps
    steps = reach_ps // clock_ps
    rows = [(A, C, tick * clock_ps) for tick in range(-steps, steps + 1)] * 3

    found = differences(rows, reach_ps)

    assert found["counts"][1:-1].n_unique() == 1, "all bins but the outermost hold as many steps of the clock"
    (width_ns,) = found["width_ns"].unique()
    assert width_ns * 1000 % (2 * clock_ps) == clock_ps, "an odd number of steps"
    assert 0.0 in found["dt_ns"].to_list()
    np.testing.assert_allclose(found["dt_ns"].diff()[1:], width_ns)
    np.testing.assert_allclose(found["dt_ns"], -found["dt_ns"].reverse())


@pytest.mark.parametrize("clock_ps", [4000, 10_000])
def test_out_to_the_reach_no_pair_is_lost(clock_ps: int) -> None:
    rng = np.random.default_rng(3)
    ticks = rng.integers(-(10**6) // clock_ps, 10**6 // clock_ps + 1, 5000)

    found = differences([(A, C, int(tick) * clock_ps) for tick in ticks], 10**6)

    assert found["counts"].sum() == 5000


def test_the_sign_is_that_of_the_higher_detectors_delay() -> None:
    # C comes 20 ns after A, whichever of the two is written first.
    found = differences([(A, C, 20_000), (C, A, -20_000), (A, C, 20_000)], 40_000)

    assert found.filter(pl.col("counts") > 0).select("name_a", "name_b", "dt_ns", "counts").rows() == [
        ("a", "c", 20.0, 3),
    ]


def test_every_pair_of_detectors_has_all_bins() -> None:
    found = differences([(A, C, 0), (B, C, 5000), (A, B, -5000)], 100_000)

    ends = found.select("name_a", "name_b").unique(maintain_order=True)
    assert ends.rows() == [("a", "0/2"), ("a", "c"), ("0/2", "c")]
    assert set(found.group_by("name_a", "name_b").len()["len"]) == {found.height // 3}
    assert found["counts"].null_count() == 0


def test_no_pairs_make_an_empty_table() -> None:
    found = differences([], 1000)

    assert found.columns == ["name_a", "name_b", "dt_ns", "width_ns", "counts"]
    assert found.is_empty()


def test_times_finer_than_a_nanosecond_are_centred_within_half_a_bin() -> None:
    rng = np.random.default_rng(4)
    drawn = rng.normal(7300, 2000, 20_000).round().astype(int)

    found = differences([(A, C, int(dt)) for dt in drawn], 100_000)

    mean_ns = np.average(found["dt_ns"].to_numpy(), weights=found["counts"].to_numpy())
    assert mean_ns == pytest.approx(7.3, abs=0.05)


# Matrices


@examples(40)
@given(runs(flags=False), st.integers(0, 60), st.sampled_from([1.0, 2.5]), SIZES)
def test_the_matrix_is_that_of_the_pairs_with_dithered_energies(
    hits: pl.DataFrame, within: int, bin_kev: float, size: int
) -> None:
    wide = pairs(hits.with_columns(adc=pl.col("adc") * 3).lazy(), 100).collect()
    times = {"a": pl.col("timestamp_ps"), "b": pl.col("timestamp_ps") + pl.col("dt_ps")}
    energies = [
        energy_kev(CALIBRATED, f"_{side}", adc=dithered(f"adc_{side}", times[side], f"channel_{side}")) for side in "ab"
    ]
    inside = wide.lazy().filter(pl.col("dt_ps") <= within)

    found = fed(
        Matrix.of_energies(Window(-within, within), CALIBRATED, bin_kev=bin_kev), pairs=in_batches(wide, size)
    ).table()

    require(found.lazy(), MATRIX)
    assert found.equals(matrix(inside.with_columns(energies), bin_kev=bin_kev).collect())
    calibrated = [pair for pair in brute_pairs(hits, (0, within), mask=0) if {pair[0:2], pair[3:5]} == {(0, 0), (0, 1)}]
    upper = found.filter(pl.col("energy_kev_x") <= pl.col("energy_kev_y"))
    assert upper["counts"].sum() == len(calibrated), "each calibrated pair once at or above the diagonal"


def test_without_calibration_the_matrix_is_one_of_adc_values() -> None:
    made = pairs_of((A, C, number % 7) for number in range(2000))

    found = fed(Matrix.of_energies(Window(0, 5), Detectors()), pairs=[made]).table()

    inside = made.filter(pl.col("dt_ps") <= 5)
    assert found.columns == ["adc_x", "adc_y", "counts", "variance"]
    assert set((found["adc_x"] % 16).to_list()) == {8.0}
    assert found.filter(pl.col("adc_x") <= pl.col("adc_y"))["counts"].sum() == inside.height
    mirrored = found.select(adc_x="adc_y", adc_y="adc_x", counts="counts", variance="variance").sort("adc_x", "adc_y")
    assert found.equals(mirrored)


@pytest.mark.parametrize("detectors", [CALIBRATED, Detectors()])
def test_a_matrix_of_nothing_is_an_empty_table(detectors: Detectors) -> None:
    found = fed(Matrix.of_energies(Window(0, 5), detectors, bin_kev=1.0), pairs=[pairs_of([])]).table()

    assert found.is_empty()
    assert len(found.columns) == 4


def test_pairs_before_time_zero_have_their_place_in_the_matrix() -> None:
    made = pairs_of([(A, C, 1)]).with_columns(timestamp_ps=pl.lit(-5000, pl.Int64))

    found = fed(Matrix.of_energies(Window(0, 5), Detectors()), pairs=[made]).table()

    assert found.filter(pl.col("adc_x") <= pl.col("adc_y"))["counts"].to_list() == [1.0]


# Spectra of sums


def test_spectra_of_sums_keep_the_correction_of_gains() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)),))
    hits = pl.DataFrame(
        [(0, 0, 1000 * number, 500, 0, 1.1, 550.0 + number % 3 * 100) for number in range(30)],
        {**HITS.columns, "gain_factor": pl.Float64, "energy_kev": pl.Float64},
        orient="row",
    )

    found = fed(EnergySpectra(0, detectors, bin_kev=2.0, sums=True), hits=[hits]).table()

    assert found["counts"].sum() == 30
    # Each adc value is 1.1 keV wide, around the hit's own energy.
    assert all(min(abs(energy - line) for line in (550, 650, 750)) <= 1.6 for energy in found["energy_kev"])
