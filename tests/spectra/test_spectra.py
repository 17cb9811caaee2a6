"""Spectra and matrices against numpy's histograms; counts shared out without a comb; reproducible noise."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import UsageError
from gammapolars.core.schema import MATRIX, SPECTRUM, require
from gammapolars.corrections import calibrate, energy_kev
from gammapolars.detectors import Detector, Detectors
from gammapolars.spectra import dithered, fitting_bin_kev, matrix, rebinned, spectrum
from tests.drawing import examples
from tests.hits import counted, frame

# Widths that floats hold exactly, so that numpy's edges are the same numbers.
WIDTHS = st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0])
ENERGIES = (
    st.floats(-50, 300, allow_subnormal=False)
    | st.integers(-10, 100).map(float)
    | st.sampled_from([0.0, -0.0, 0.5, 2.0, 7.999999999])
)
FLAT = [Detector(0, 0, energy=(0.0, 0.7)), Detector(0, 1, energy=(-3.3, 1.9)), Detector(0, 2, energy=(5.0, 0.11, 1e-5))]


def edges(width: float) -> npt.NDArray[np.float64]:
    return np.arange(-64.0, 320.0 + width, width)


def as_histogram(table: pl.DataFrame, width: float, energy: str = "energy_kev") -> npt.NDArray[np.float64]:
    """A spectrum's counts in numpy's bins."""
    found = np.zeros(len(edges(width)) - 1)
    places = (table[energy].to_numpy() - width / 2 + 64.0) / width
    assert (places == np.round(places)).all(), "a bin's energy is its centre"
    found[places.astype(int)] = table["counts"].to_numpy()
    return found


@examples(80)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), ENERGIES | st.none()), max_size=40), WIDTHS)
def test_a_spectrum_is_numpys_histogram_of_each_detector(
    rows: list[tuple[int, int, float | None]], width: float
) -> None:
    hits = pl.LazyFrame(rows, {"board": pl.UInt16, "channel": pl.UInt16, "energy_kev": pl.Float64}, orient="row")

    found = spectrum(hits, bin_kev=width).collect()

    require(found.lazy(), SPECTRUM)
    assert found.columns == ["board", "channel", "energy_kev", "counts", "variance"]
    assert found.equals(found.sort("board", "channel", "energy_kev"))
    assert (found["counts"] > 0).all()
    assert found["variance"].equals(found["counts"], check_names=False)
    for board in range(2):
        for channel in range(2):
            energies = [energy for b, c, energy in rows if (b, c) == (board, channel) and energy is not None]
            expected, _ = np.histogram(energies, edges(width))
            of_detector = found.filter(board=board, channel=channel)
            np.testing.assert_array_equal(as_histogram(of_detector, width), expected)


def test_a_bin_holds_its_lower_edge_and_not_its_upper() -> None:
    hits = pl.LazyFrame({"energy_kev": [2.0, 3.999, 4.0, -0.001, 0.0]})

    assert spectrum(hits, bin_kev=2.0, by=()).collect().select("energy_kev", "counts").rows() == [
        (-1.0, 1.0),
        (1.0, 1.0),
        (3.0, 2.0),
        (5.0, 1.0),
    ]


def test_spectra_are_made_by_any_columns_and_of_any_energy() -> None:
    pairs = pl.LazyFrame({"channel_b": [1, 1, 2], "energy_kev_a": [10.2, 10.7, 10.9], "energy_kev_b": [1.0, 2.0, 3.0]})

    found = spectrum(pairs, energy="energy_kev_a", by=["channel_b"]).collect()

    assert found.select("channel_b", "energy_kev", "counts").rows() == [(1, 10.5, 2.0), (2, 10.5, 1.0)]


@pytest.mark.parametrize("width", [0.0, -1.0, float("inf"), float("nan")])
def test_a_bin_must_have_a_width(width: float) -> None:
    empty = pl.LazyFrame(schema={"energy_kev_a": pl.Float64, "energy_kev_b": pl.Float64})

    with pytest.raises(UsageError, match="wider than 0 keV"):
        spectrum(empty, bin_kev=width, energy="energy_kev_a", by=())
    with pytest.raises(UsageError, match="wider than 0 keV"):
        matrix(empty, bin_kev=width)
    with pytest.raises(UsageError, match="wider than 0 keV"):
        rebinned(counts_of({}), Detectors(), bin_kev=width)


# Matrices

PAIRED = st.lists(st.tuples(ENERGIES | st.none(), ENERGIES | st.none()), max_size=40)


def pairs_of(rows: list[tuple[float | None, float | None]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, {"energy_kev_a": pl.Float64, "energy_kev_b": pl.Float64}, orient="row")


def as_array(table: pl.DataFrame, width: float) -> npt.NDArray[np.float64]:
    """A matrix's counts in numpy's bins."""
    found = np.zeros((len(edges(width)) - 1,) * 2)
    places = [((table[f"energy_kev_{axis}"].to_numpy() + 64.0) // width).astype(int) for axis in "xy"]
    found[places[0], places[1]] = table["counts"].to_numpy()
    return found


@examples(60)
@given(PAIRED, st.sampled_from([1.0, 2.0, 8.0]))
def test_a_matrix_is_numpys_histogram_and_the_symmetric_one_is_it_mirrored(
    rows: list[tuple[float | None, float | None]], width: float
) -> None:
    complete = np.array([row for row in rows if None not in row], dtype=float).reshape(-1, 2)
    plain, _, _ = np.histogram2d(complete[:, 0], complete[:, 1], [edges(width)] * 2)

    asymmetric = matrix(pairs_of(rows), bin_kev=width, symmetric=False).collect()
    symmetric = matrix(pairs_of(rows), bin_kev=width).collect()

    np.testing.assert_array_equal(as_array(asymmetric, width), plain)
    np.testing.assert_array_equal(as_array(symmetric, width), plain + plain.T - np.diag(np.diag(plain)))
    for table in (asymmetric, symmetric):
        require(table.lazy(), MATRIX)
        assert (table["counts"] > 0).all(), "empty bins are left out"
        assert table["variance"].equals(table["counts"], check_names=False)
        assert table.select("energy_kev_x", "energy_kev_y").is_unique().all()
        assert table.equals(table.sort("energy_kev_x", "energy_kev_y"))


def test_a_pair_counts_twice_off_the_diagonal_and_once_on_it() -> None:
    found = matrix(pairs_of([(10.5, 20.5), (20.5, 10.5), (30.1, 30.9)]), bin_kev=1.0).collect()

    assert found.select("energy_kev_x", "energy_kev_y", "counts").rows() == [
        (10.5, 20.5, 2.0),
        (20.5, 10.5, 2.0),
        (30.5, 30.5, 1.0),
    ]


@examples(60)
@given(PAIRED, st.integers(-5, 20), st.integers(1, 10))
def test_a_gate_on_the_matrix_gives_the_spectrum_of_the_partners(
    rows: list[tuple[float | None, float | None]], low: int, bins: int
) -> None:
    gate = range(low, low + bins)
    cells = [(int(a // 2), int(b // 2)) for a, b in rows if a is not None and b is not None]
    partners: Iterable[int] = [b for a, b in cells if a in gate] + [a for a, b in cells if b in gate and a != b]

    made = matrix(pairs_of(rows), bin_kev=2.0)
    inside = {axis: pl.col(f"energy_kev_{axis}").is_between(2 * low, 2 * (low + bins)) for axis in "xy"}
    projected = made.filter(inside["x"]).group_by("energy_kev_y").agg(pl.col("counts").sum()).collect()
    other_way = made.filter(inside["y"]).group_by("energy_kev_x").agg(pl.col("counts").sum()).collect()

    expected = {place * 2 + 1.0: count for place, count in counted(partners).items()}
    assert dict(projected.iter_rows()) == expected
    assert dict(other_way.iter_rows()) == expected


# Counts shared out


def counts_of(counts: dict[tuple[int, int], float]) -> pl.DataFrame:
    """Counts by (channel, adc), of board 0."""
    rows = [(0, channel, adc, count) for (channel, adc), count in counts.items()]
    schema = {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.UInt16, "counts": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row")


COEFFICIENTS = st.tuples(st.floats(-20, 20), st.floats(0.05, 5) | st.floats(-5, -0.05), st.floats(-1e-3, 1e-3))


@examples(60)
@given(
    st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 300)), st.integers(1, 50), max_size=20),
    COEFFICIENTS,
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_each_adc_value_is_shared_out_by_its_overlap_with_the_bins(
    counts: dict[tuple[int, int], float], coefficients: tuple[float, ...], width: float
) -> None:
    detectors = Detectors((Detector(0, 0, energy=coefficients), Detector(0, 1, energy=(0.0, 0.25))))

    found = rebinned(counts_of(counts), detectors, bin_kev=width)

    for channel in range(2):
        polynomial = np.polynomial.Polynomial(detectors.at(0, channel).energy or ())
        expected: dict[int, float] = {}
        for (of, adc), count in counts.items():
            if of != channel:
                continue
            low, high = sorted(float(polynomial(adc + half)) / width for half in (-0.5, 0.5))
            for place in range(int(np.floor(low)), int(np.floor(high)) + 1):
                overlap = min(high, place + 1) - max(low, place)
                share = overlap / (high - low) if high > low else 1.0
                expected[place] = expected.get(place, 0.0) + count * share
        table = found.filter(channel=channel)
        shared = dict(zip((table["energy_kev"] / width).floor().cast(int), table["counts"], strict=True))
        for place in expected.keys() | shared.keys():
            assert shared.get(place, 0.0) == pytest.approx(expected.get(place, 0.0), abs=1e-6)
        assert table["counts"].sum() == pytest.approx(sum(n for (of, _), n in counts.items() if of == channel))


@pytest.mark.parametrize("detector", FLAT)
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 3.3])
def test_a_flat_adc_distribution_comes_out_smooth(detector: Detector, width: float) -> None:
    flat = counts_of(dict.fromkeys([(detector.channel, adc) for adc in range(4096)], 100.0))

    found = rebinned(flat, Detectors((detector,)), bin_kev=width)[1:-1]

    adc = np.arange(-0.5, 4096.0, 1.0)
    energy = np.polynomial.Polynomial(detector.energy or ())(adc)
    low, high = (np.interp(found["energy_kev"].to_numpy() + side * width / 2, energy, adc) for side in (-1, 1))
    np.testing.assert_allclose(found["counts"].to_numpy(), 100.0 * (high - low), rtol=1e-6)
    assert found.height > 100


def test_plain_binning_of_integer_adc_values_does_make_a_comb() -> None:
    hits = frame((0, 0, 0, adc) for adc in range(4096))

    found = spectrum(calibrate(hits.lazy(), Detectors((FLAT[0],)))).collect()["counts"]

    assert set(found[1:-1]) == {1.0, 2.0}


def test_a_peak_keeps_its_area_and_its_place() -> None:
    adc = np.arange(2000)
    peak = 1e5 * np.exp(-0.5 * ((adc - 1234.5) / 12.0) ** 2)
    detectors = Detectors((Detector(0, 0, energy=(-1.7, 0.73)),))

    found = rebinned(
        counts_of({(0, int(place)): float(count) for place, count in zip(adc, peak, strict=True) if count > 0}),
        detectors,
        bin_kev=1.0,
    )

    mean = np.average(found["energy_kev"].to_numpy(), weights=found["counts"].to_numpy())
    assert found["counts"].sum() == pytest.approx(peak.sum())
    assert mean == pytest.approx(-1.7 + 0.73 * 1234.5, abs=1e-3)


def test_detectors_without_calibration_are_left_out_and_variances_are_counts() -> None:
    found = rebinned(counts_of({(0, 5): 7.0, (1, 5): 3.0}), Detectors((FLAT[0],)), bin_kev=1.0)

    require(found.lazy(), SPECTRUM)
    assert found["channel"].unique().to_list() == [0]
    assert found["counts"].sum() == pytest.approx(7.0)
    assert found["variance"].equals(found["counts"], check_names=False)


def test_a_gain_of_nothing_loses_no_count() -> None:
    found = rebinned(counts_of({(0, 5): 7.0}), Detectors((Detector(0, 0, energy=(10.0, 0.0)),)), bin_kev=4.0)

    assert found.select("energy_kev", "counts").rows() == [(10.0, 7.0)]


@pytest.mark.parametrize(
    ("gains", "width"),
    [
        ([], 0.5),
        ([0.1], 0.5),
        ([0.5], 0.5),
        ([0.51], 1.0),
        ([0.2, 1.3], 2.0),
        ([-3.0], 5.0),
        ([7.0], 10.0),
        ([40], 50.0),
    ],
)
def test_the_fitting_bin_is_a_round_number_no_finer_than_an_adc_step(gains: list[float], width: float) -> None:
    detectors = Detectors(tuple(Detector(0, place, energy=(0.0, gain)) for place, gain in enumerate(gains)))

    assert fitting_bin_kev(detectors) == pytest.approx(width)


# Noise

CLOCKS = pytest.mark.parametrize("clock_ps", [1, 1000, 2000, 4000, 8000, 10_000, 16_000])


def noise(at: npt.NDArray[np.int64], channel: int = 0) -> npt.NDArray[np.float64]:
    """The noise that is added to the adc values of a channel's hits at these times."""
    hits = pl.DataFrame({"adc_a": 100, "timestamp_ps": at, "channel_a": channel}).cast(
        {"adc_a": pl.UInt16, "channel_a": pl.UInt16}
    )
    return hits.select(dithered("adc_a", pl.col("timestamp_ps"), "channel_a") - 100.0).to_series().to_numpy()


def recorded(clock_ps: int, count: int = 100_000, seed: int = 5) -> npt.NDArray[np.int64]:
    """Times of a Poisson process in ticks of a clock."""
    gaps = np.random.default_rng(seed).exponential(50_000, count).astype(np.int64) + 1
    return np.cumsum(gaps) * clock_ps


def chi2_per_bin(counts: npt.NDArray[np.float64]) -> float:
    """χ² per bin about the mean."""
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum() / counts.size)


@CLOCKS
def test_noise_is_uniform_over_one_adc_step_and_knows_nothing_of_time(clock_ps: int) -> None:
    at = recorded(clock_ps)

    found = noise(at)

    limit = 5 / np.sqrt(found.size)
    assert found.min() >= -0.5
    assert found.max() < 0.5
    assert abs(found.mean()) < limit * np.sqrt(1 / 12)
    assert found.var() == pytest.approx(1 / 12, rel=limit)
    assert chi2_per_bin(np.histogram(found, 64, (-0.5, 0.5))[0]) < 2
    assert abs(np.corrcoef(found, at)[0, 1]) < limit
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < limit


@CLOCKS
@pytest.mark.parametrize("ticks", [0, 1, -3, 25])
def test_the_two_hits_of_a_pair_get_independent_noise_whatever_their_dt(clock_ps: int, ticks: int) -> None:
    at = recorded(clock_ps)

    a, b = noise(at, 0), noise(at + ticks * clock_ps, 1)

    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)
    assert chi2_per_bin(np.histogram2d(a, b, 8)[0]) < 2


def test_regular_times_get_irregular_noise() -> None:
    found = noise(np.arange(100_000, dtype=np.int64) * 4000)

    # Evenly spread noise would make a χ² far below 1: a comb of its own.
    assert 0.4 < chi2_per_bin(np.histogram(found, 64, (-0.5, 0.5))[0]) < 2


def test_noise_is_the_same_each_time_and_for_each_hit_alone() -> None:
    at = recorded(4000, 1000)

    together = noise(at)

    np.testing.assert_array_equal(together, noise(at))
    np.testing.assert_array_equal(together[500:], noise(at[500:]))
    assert len(set(together)) > 990


def test_hits_before_zero_get_noise_too() -> None:
    found = noise(np.array([-(2**62), -4000, -1, 0, 2**62], dtype=np.int64))

    assert (np.abs(found) <= 0.5).all()
    assert len(set(found)) == 5


def test_dithered_energies_have_no_comb() -> None:
    per_value = 2000
    adc = np.repeat(np.arange(100, 200), per_value)
    hits = pl.DataFrame({"board": 0, "channel": 0, "adc": adc, "timestamp_ps": recorded(4000, adc.size)})
    noisy = energy_kev(Detectors((FLAT[0],)), adc=dithered("adc", pl.col("timestamp_ps"), "channel"))

    found = spectrum(hits.lazy().with_columns(noisy)).collect()["counts"].to_numpy()[1:-1]

    assert found.mean() == pytest.approx(per_value / 0.7, rel=0.01)
    assert chi2_per_bin(found) < 2
