"""The pulse shape: (long − short) / long of the recorded adc values."""

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gammapolars as gp

CHARGE = st.none() | st.integers(0, 2**16 - 1) | st.sampled_from([0, 1, 2**16 - 1])

SHAPE = gp.PolygonGate("adc", "psd", ((0, 0.25), (70_000, 0.25), (70_000, 0.75), (0, 0.75)), "neutrons")


@given(st.lists(st.tuples(CHARGE, CHARGE), min_size=1, max_size=30))
@example([(0, 5), (5, 0), (1, 2**16 - 1), (2**16 - 1, 0), (4, 3), (4, 1), (None, 1), (1, None)])
def test_the_pulse_shape_is_the_exact_ratio_and_polygons_in_it_select_by_it(
    charges: list[tuple[int | None, int | None]],
) -> None:
    hits = pl.DataFrame(charges, {"adc": pl.UInt16, "adc_short": pl.UInt16}, orient="row").lazy()
    truth = [None if not long or short is None else Fraction(long - short, long) for long, short in charges]

    assert hits.select(gp.psd()).collect()["psd"].to_list() == [None if one is None else float(one) for one in truth]
    inside = hits.select(SHAPE.inside()).collect().to_series().to_list()
    assert inside == [one is not None and Fraction(1, 4) <= one < Fraction(3, 4) for one in truth]
    assert SHAPE.select(hits).collect().height == sum(inside)


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
def test_wider_charges_have_the_same_ratio_and_none_where_the_long_one_is_not_positive(
    dtype: type[pl.DataType],
) -> None:
    columns = {
        "adc_b": pl.Series([100_000, -7, 0], dtype=dtype),
        "adc_short_b": pl.Series([75_000, -3, 2], dtype=dtype),
    }

    assert pl.DataFrame(columns).select(gp.psd("_b"))["psd_b"].to_list() == [0.25, None, None]


def test_the_gain_cancels() -> None:
    hit = pl.DataFrame({"adc": [1000], "adc_short": [800], "gain_factor": [1.5]})

    assert hit.select(gp.psd()).item() == 0.2


def test_polygons_take_a_column_of_the_table_before_they_calculate_it() -> None:
    hits = pl.LazyFrame({"adc": [100, 100], "adc_short": [50, 50], "psd": [0.9, 0.5]})

    assert SHAPE.select(hits).collect()["psd"].to_list() == [0.5]


def test_polygons_in_pulse_shapes_need_both_charges() -> None:
    with pytest.raises(
        gp.TableError, match=r"polygon 'neutrons' .* no column 'adc_short', the charge in the short gate"
    ):
        SHAPE.select(pl.LazyFrame({"adc": [100]}))
    assert SHAPE.needs_further
