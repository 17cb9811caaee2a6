"""Spectra on common bins, net of backgrounds and normalised, next to sums by hand in exact fractions."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import TableError
from gammapolars.spectra.overlays import even_width, in_common_bins, net_of, per_area, with_widths

KEYS = {"board": pl.UInt16, "channel": pl.UInt16}
ONE, OTHER = (0, 1), (0, 2)

WIDTH = st.sampled_from([1, 2, 3, 5])
BINS = st.dictionaries(st.integers(0, 30), st.integers(0, 50), min_size=3, max_size=12)
SECONDS = st.integers(1, 40)

Counts = dict[int, int]


def spectrum(of: dict[tuple[int, int], Counts], width: int = 1) -> pl.DataFrame:
    """Spectra by detector in bins of energy, numbered from 0 on."""
    rows = [
        (*key, (number + 0.5) * width, float(counts), float(counts))
        for key, bins in of.items()
        for number, counts in sorted(bins.items())
    ]
    columns = KEYS | dict.fromkeys(("energy_kev", "counts", "variance"), pl.Float64)
    return pl.DataFrame(rows, columns, orient="row").with_columns(width_kev=pl.lit(float(width)))


def shared_out(bins: Counts, width: int, target: int) -> dict[int, Fraction]:
    """Counts in wider bins, unit by unit: each lies anywhere in its bin with the same probability."""
    new: dict[int, Fraction] = {}
    for number, counts in bins.items():
        for unit in range(number * width, (number + 1) * width):
            new[unit // target] = new.get(unit // target, Fraction(0)) + Fraction(counts, width)
    return new


def by_bin(table: pl.DataFrame, width: float, column: str = "counts") -> dict[int, float]:
    return {round(place / width - 0.5): value for place, value in table.select("energy_kev", column).rows()}


@given(BINS, WIDTH, BINS, WIDTH)
def test_bins_of_different_widths_become_the_wider_ones(a: Counts, width_a: int, b: Counts, width_b: int) -> None:
    target = max(width_a, width_b)

    common = in_common_bins([spectrum({ONE: a}, width_a), spectrum({ONE: b}, width_b)])

    assert common.width == (None if width_a == width_b else target)
    assert common.rebinned == (() if width_a == width_b else (0,) if width_a < width_b else (1,))
    for table, bins, width in zip(common.tables, (a, b), (width_a, width_b), strict=True):
        expected = shared_out(bins, width, target)
        for column in ("counts", "variance"):
            found = by_bin(table, target, column)
            assert {n: v for n, v in found.items() if v} == pytest.approx(
                {n: float(v) for n, v in expected.items() if v}
            )


@given(BINS, WIDTH, st.sampled_from([2, 3, 4, 7]))
def test_bins_that_are_asked_for(bins: Counts, width: int, target: int) -> None:
    (table,) = in_common_bins([spectrum({ONE: bins}, width)], width=float(target)).tables

    expected = {n: float(v) for n, v in shared_out(bins, width, target).items() if v}
    assert {n: v for n, v in by_bin(table, target).items() if v} == pytest.approx(expected)


@given(BINS, BINS, BINS, SECONDS, SECONDS)
def test_a_background_is_scaled_by_live_time(a: Counts, other: Counts, b: Counts, time_a: int, time_b: int) -> None:
    both = spectrum({ONE: a, OTHER: other})

    net = net_of(
        both, spectrum({ONE: b, OTHER: b, (3, 3): b}), {ONE: time_a, OTHER: time_b}, {ONE: time_b, OTHER: time_b}
    )

    assert set(net.select("board", "channel").rows()) == {ONE, OTHER}
    for key, counts, scale in ((ONE, a, Fraction(time_a, time_b)), (OTHER, other, Fraction(1))):
        table = net.filter(board=key[0], channel=key[1])
        numbers = {*counts, *b}
        expected = {n: float(counts.get(n, 0) - scale * b.get(n, 0)) for n in numbers}
        variance = {n: float(counts.get(n, 0) + scale**2 * b.get(n, 0)) for n in numbers}
        assert by_bin(table, 1) == pytest.approx(expected)
        assert by_bin(table, 1, "variance") == pytest.approx(variance)


def test_a_detector_without_background_is_an_error() -> None:
    both = spectrum({ONE: {1: 2}, OTHER: {1: 3}})

    with pytest.raises(TableError, match="no spectrum of board 0 channel 2"):
        net_of(both, spectrum({ONE: {1: 2}}), {ONE: 1, OTHER: 1}, {ONE: 1})


@given(BINS, BINS)
def test_parts_of_an_area_and_their_variances(a: Counts, b: Counts) -> None:
    a, b = {**a, 40: 1}, {**b, 40: 1}

    parts = per_area(spectrum({ONE: a, OTHER: b}))

    for key, bins in ((ONE, a), (OTHER, b)):
        area = sum(bins.values())
        table = parts.filter(board=key[0], channel=key[1])
        # Independent Poisson counts n and of all others, m: f = n / (n + m), var f = (m² n + n² m) / (n + m)⁴.
        variance = {k: float(Fraction((area - n) ** 2 * n + n**2 * (area - n), area**4)) for k, n in bins.items()}
        assert by_bin(table, 1) == pytest.approx({k: n / area for k, n in bins.items()})
        assert by_bin(table, 1, "variance") == pytest.approx(variance, abs=1e-15)
        assert table["counts"].sum() == pytest.approx(1.0)


def test_an_area_of_nothing_is_an_error() -> None:
    with pytest.raises(TableError, match="area"):
        per_area(spectrum({ONE: {1: 0}}))


def test_channels_of_one_calibration_stay_and_those_of_two_do_not() -> None:
    adc = pl.DataFrame({"adc": [1.0, 2.0, 3.0, 7.0], "counts": [1.0] * 4, "variance": [1.0] * 4})
    adc = adc.with_columns(board=pl.lit(0, pl.UInt16), channel=pl.lit(1, pl.UInt16))
    once = adc.with_columns(energy_kev=2 * pl.col("adc"))
    twice = adc.with_columns(energy_kev=3 * pl.col("adc"))

    same, other = in_common_bins([once, once]), in_common_bins([once, twice])

    assert same.width is None
    assert other.width == 3.0
    assert [table["counts"].sum() for table in other.tables] == pytest.approx([4.0, 4.0])
    assert in_common_bins([adc, adc]).axis == "adc"
    with pytest.raises(TableError, match="some spectra have energies and others only ADC channels"):
        in_common_bins([adc, spectrum({ONE: {1: 2}})])


def test_detectors_are_compared_apart_or_all_together() -> None:
    tables = [
        pl.DataFrame({"adc": [1.0, 2.0, 3.0], "energy_kev": [gain, 2 * gain, 3 * gain], "counts": [1.0] * 3})
        .with_columns(variance=pl.col("counts"), board=pl.lit(0, pl.UInt16), channel=pl.lit(channel, pl.UInt16))
        for channel, gain in ((1, 2.0), (2, 5.0))
    ]  # fmt: skip

    assert in_common_bins(tables, apart=True).width is None
    assert in_common_bins(tables, apart=False).width == 5.0


def test_histograms_whose_bins_grow_have_the_widths_that_their_centres_tell() -> None:
    number = np.arange(200.0)
    edges = 0.5 * np.arange(201) + 0.001 * np.arange(201) ** 2
    centres = (edges[:-1] + edges[1:]) / 2
    table = pl.DataFrame({"energy_kev": centres, "counts": number, "variance": number})

    found = with_widths(table)

    assert found["width_kev"].to_numpy()[1:-1] == pytest.approx(np.diff(edges)[1:-1])
    (rebinned,) = in_common_bins([found], width=2.0).tables
    assert rebinned["counts"].sum() == pytest.approx(number.sum())
    assert with_widths(spectrum({ONE: {1: 2, 2: 3, 5: 1}})).columns == spectrum({ONE: {1: 2}}).columns


def test_empty_channels_that_are_left_out_ask_for_even_bins() -> None:
    adc = pl.DataFrame({"adc": np.arange(9.0), "counts": 1.0, "variance": 1.0}).with_columns(
        energy_kev=0.3 * pl.col("adc")
    )

    assert even_width([adc]) is None
    assert even_width([adc, adc[[0, 3, 8]]]) == 0.5
    assert even_width([adc[[0, 3, 8]].with_columns(energy_kev=3 * pl.col("adc"))]) == 3.0
    assert even_width([adc[[0, 3, 8]].drop("energy_kev")]) is None
