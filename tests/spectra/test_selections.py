"""Slices of time, gates, and calibration with noise: what spectra are made of."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.units import parse_ps
from gammapolars.detectors import Detector, Detectors
from tests.drawing import examples
from tests.hits import SIZES, counted, frame, runs, stream

TWO = Detectors(
    (Detector(0, 0, energy=(0.0, 0.7)), Detector(0, 1, energy=(-3.3, 1.9)), Detector(1, 0, energy=(1.0, 2.0)))
)


# Slices


@examples(60)
@given(runs(), st.integers(1, 500), SIZES)
def test_each_slice_has_the_spectrum_of_its_hits(hits: pl.DataFrame, width: int, rows: int) -> None:
    sliced = gp.time_slices(stream(hits, rows), width)

    found = gp.spectrum(sliced, bin_adc=1, by=("board", "channel", "time_slice", "slice_start_ps")).collect()

    expected = counted(
        hits.iter_rows(named=True),
        lambda hit: (
            hit["board"],
            hit["channel"],
            hit["timestamp_ps"] // width,
            hit["timestamp_ps"] // width * width,
            hit["adc"],
        ),
    )
    assert {tuple(key): count for *key, count, _ in found.iter_rows()} == expected


def test_slices_are_named_by_time() -> None:
    hits = frame([(-1, 0), (0, 0), (parse_ps("9.99min"), 0), (parse_ps("10min"), 0), (parse_ps("1h"), 0)]).lazy()

    found = gp.time_slices(hits, "10min").collect()

    assert found["time_slice"].to_list() == [-1, 0, 0, 1, 6]
    assert found["slice_start_ps"][-1] == 3600 * 10**12


def test_a_slice_has_a_width_and_hits_have_times() -> None:
    for width in ("0s", "-1min", 0):
        with pytest.raises(UsageError, match="longer than 0"):
            gp.time_slices(frame([]).lazy(), width)
    with pytest.raises(UsageError, match="no unit"):
        gp.time_slices(frame([]).lazy(), "10")
    with pytest.raises(TableError, match="no column 'timestamp_ps'"):
        gp.time_slices(pl.LazyFrame({"adc": [1]}), "1s")


# Gates


@examples(60)
@given(runs(), st.integers(0, 60), st.integers(1, 40))
def test_a_gate_gives_the_partners_of_the_hits_in_it(hits: pl.DataFrame, centre: int, width: int) -> None:
    pairs = gp.pairs(hits.lazy(), (-100, 100)).pipe(gp.calibrate, TWO)

    found = gp.gate(pairs, centre, width_kev=width).collect()

    expected = []
    for pair in pairs.collect().iter_rows(named=True):
        times = {"a": pair["timestamp_ps"], "b": pair["timestamp_ps"] + pair["dt_ps"]}
        for gating, other in ("ab", "ba"):
            energy = pair[f"energy_kev_{gating}"]
            if energy is not None and centre - width / 2 <= energy <= centre + width / 2:
                of_other = [pair[f"{name}_{other}"] for name in ("board", "channel", "adc", "energy_kev")]
                expected.append((*of_other, times[other], times[other] - times[gating]))
    assert found.columns == ["board", "channel", "adc", "energy_kev", "timestamp_ps", "dt_ps"]
    assert sorted(found.iter_rows(), key=str) == sorted(expected, key=str)


def test_a_gate_needs_energies_and_a_width() -> None:
    pairs = gp.pairs(frame([]).lazy(), 100)

    with pytest.raises(TableError, match="no column 'energy_kev_a' to gate on"):
        gp.gate(pairs, 500)
    for width in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="a gate must be wider"):
            gp.gate(gp.calibrate(pairs, TWO), 500, width_kev=width)


# Noise


def simulated(count: int = 200_000) -> pl.DataFrame:
    """Hits of three detectors whose adc values are spread evenly."""
    random = np.random.default_rng(8)
    times = np.cumsum(random.exponential(50_000, count).astype(np.int64) + 1) * 1000
    of = random.integers(0, 3, count)
    return frame([]).vstack(
        pl.DataFrame(
            {
                "board": (of == 2).astype(np.uint16),
                "channel": (of == 1).astype(np.uint16),
                "timestamp_ps": times,
                "adc": random.integers(0, 4096, count).astype(np.uint16),
                "flags": np.zeros(count, np.uint32),
            }
        ).select(frame([]).columns)
    )


def chi2_per_bin(counts: pl.Series) -> float:
    inner = counts[2:-2].to_numpy()
    return float(((inner - inner.mean()) ** 2 / inner.mean()).mean())


def test_dithered_energies_make_no_comb_and_others_do() -> None:
    hits = simulated()

    for detector, bin_kev in zip(TWO, (1.0, 3.0, 3.0), strict=True):
        of_detector = hits.lazy().filter(board=detector.board, channel=detector.channel)
        plain, noisy = (
            gp.spectrum(gp.calibrate(of_detector, TWO, dither=dither), bin_kev=bin_kev, by=()).collect()["counts"]
            for dither in (False, True)
        )
        assert plain.sum() == noisy.sum()
        assert 0.8 < chi2_per_bin(noisy) < 1.2
        assert chi2_per_bin(plain) > 3


def test_noise_stays_within_the_adc_value_and_is_even() -> None:
    hits = simulated()
    found = gp.calibrate(
        hits.lazy(), Detectors(tuple(Detector(b, c, energy=(0.0, 1.0)) for b in (0, 1) for c in (0, 1))), dither=True
    )

    noise = found.select(pl.col("energy_kev") - pl.col("adc")).collect().to_series().to_numpy()

    assert noise.min() >= -0.5
    assert noise.max() < 0.5
    counts, _ = np.histogram(noise, 100, (-0.5, 0.5))
    assert ((counts - 2000) ** 2 / 2000).mean() < 1.5


@examples(30)
@given(runs(), SIZES)
def test_noise_is_the_same_however_hits_are_cut_and_in_pairs(hits: pl.DataFrame, rows: int) -> None:
    whole = gp.calibrate(hits.lazy(), TWO, dither=True).collect()
    cut = gp.calibrate(stream(hits, rows), TWO, dither=True).collect()
    of_pairs = gp.pairs(hits.lazy(), 40, reject="none").pipe(gp.calibrate, TWO, dither=True).collect()

    assert cut.equals(whole)
    energies = {row["adc"]: row["energy_kev"] for row in whole.iter_rows(named=True)}
    for side in "ab":
        for adc, energy in of_pairs.select(f"adc_{side}", f"energy_kev_{side}").iter_rows():
            assert energy == energies[adc]


def test_detectors_of_two_boards_have_noises_of_their_own() -> None:
    at_once: Iterable[tuple[int, ...]] = ((100 * k, 0, board, 7) for k in range(5_000) for board in (0, 1))
    same = Detectors((Detector(0, 0, energy=(0.0, 1.0)), Detector(1, 0, energy=(0.0, 1.0))))

    found = gp.calibrate(frame(at_once).lazy(), same, dither=True).collect()

    left, right = (found.filter(board=board)["energy_kev"].to_numpy() for board in (0, 1))
    assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(5_000)


def test_noise_needs_times_and_channels() -> None:
    with pytest.raises(TableError, match="no column 'timestamp_ps', from which the noise"):
        gp.calibrate(pl.LazyFrame({"adc": [1], "board": [0], "channel": [0]}), TWO, dither=True)
