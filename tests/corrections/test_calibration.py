"""Energies from adc values, against numpy's polynomials."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.core.errors import TableError
from gammapolars.core.schema import HITS, PAIRS, require
from gammapolars.corrections import MAX_TABLE, by_detector, calibrate, energy_kev
from gammapolars.detectors import Detector, Detectors
from tests.drawing import examples
from tests.hits import frame

SMALL, LARGE = st.integers(0, 5), st.sampled_from([0, 1, 255, 256, 65534, 65535])
# Coefficients such that each term is of the order of 1000 keV at full scale, as in a calibration.
TERM = st.floats(-1000, 1000, allow_subnormal=False)


@st.composite
def experiments(draw: st.DrawFn, number: st.SearchStrategy[int]) -> Detectors:
    """Detectors with polynomials of order 1 to 9, or none."""
    keys = draw(st.lists(st.tuples(number, number), max_size=6, unique=True))
    terms = st.none() | st.lists(TERM, min_size=2, max_size=10)
    detectors = []
    for board, channel in keys:
        drawn = draw(terms)
        energy = drawn and tuple(term / 65535.0**order for order, term in enumerate(drawn))
        detectors.append(Detector(board, channel, energy=energy or None))
    return Detectors(tuple(detectors))


@st.composite
def experiments_and_hits(draw: st.DrawFn, number: st.SearchStrategy[int]) -> tuple[Detectors, pl.DataFrame]:
    """Detectors, and hits of them and of others."""
    detectors = draw(experiments(number))
    known = [detector.key for detector in detectors]
    key = st.tuples(number, number) if not known else st.sampled_from(known) | st.tuples(number, number)
    adc = st.integers(0, 65535) | st.sampled_from([0, 1, 65535])
    drawn = draw(st.lists(st.tuples(key, adc), max_size=20))
    return detectors, frame((0, channel, board, value) for (board, channel), value in drawn)


def polynomial(detectors: Detectors, board: int, channel: int, adc: int) -> float | None:
    """The energy by numpy, or None where the detector has no calibration."""
    coefficients = detectors.at(board, channel).energy
    return None if coefficients is None else float(np.polynomial.Polynomial(coefficients)(float(adc)))


@examples(60)
@given(st.one_of(experiments_and_hits(SMALL), experiments_and_hits(LARGE)))
def test_energies_are_the_detectors_polynomials_and_null_where_there_is_none(
    drawn: tuple[Detectors, pl.DataFrame],
) -> None:
    detectors, hits = drawn

    found = calibrate(hits.lazy(), detectors).collect()

    assert found["energy_kev"].dtype == pl.Float64
    for board, channel, adc, energy in found.select("board", "channel", "adc", "energy_kev").iter_rows():
        expected = polynomial(detectors, board, channel, adc)
        assert energy == (expected if expected is None else pytest.approx(expected, rel=1e-12, abs=1e-9))


@pytest.mark.parametrize("order", range(1, 10))
def test_a_polynomial_of_any_order_holds_from_the_first_to_the_last_adc_value(order: int) -> None:
    coefficients = tuple((-1.0) ** i * (i + 1) * 300 / 65535.0**i for i in range(order + 1))
    hits = frame((0, 0, 0, adc) for adc in range(0, 65536, 5))

    found = calibrate(hits.lazy(), Detectors((Detector(0, 0, energy=coefficients),))).collect()["energy_kev"]

    expected = np.polynomial.Polynomial(coefficients)(np.arange(0, 65536, 5.0))
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-12, atol=1e-9)


def test_the_largest_adc_value_does_not_overflow() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 0.0, 1.0, 1.0)),))

    found = calibrate(frame([(0, 0, 0, 65535)]).lazy(), detectors).collect()["energy_kev"]

    assert found.to_list() == [65535.0**2 + 65535.0**3]


def test_detectors_of_different_orders_stand_side_by_side() -> None:
    detectors = Detectors(
        (Detector(0, 0, energy=(1.0, 2.0)), Detector(0, 1, energy=(0.0, 1.0, 0.5)), Detector(0, 2)),
    )
    hits = frame([(0, 0, 0, 10), (0, 1, 0, 10), (0, 2, 0, 10), (0, 3, 0, 10), (0, 0, 1, 10)])

    found = calibrate(hits.lazy(), detectors).collect()["energy_kev"]

    assert found.to_list() == [21.0, 60.0, None, None, None]


def test_both_hits_of_a_pair_are_calibrated_each_by_its_own_detector() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)), Detector(1, 7, energy=(0.0, 10.0))))
    found = pairs(frame([(0, 0, 0, 5), (3, 7, 1, 6), (4, 2, 0, 7)]).lazy(), 10)

    energies = calibrate(found, detectors).select("energy_kev_a", "energy_kev_b").collect()

    assert energies.rows() == [(5.0, 60.0), (5.0, None), (60.0, None)]


def test_calibrated_tables_are_still_the_tables_that_they_were() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)),))
    hits = frame([(0, 0)]).lazy()

    require(calibrate(hits, detectors), HITS)
    require(calibrate(pairs(hits), detectors), PAIRS)


def test_an_energy_that_is_already_there_is_replaced() -> None:
    hits = frame([(0, 0, 0, 5)]).lazy().with_columns(energy_kev=pl.lit(-1.0))

    found = calibrate(hits, Detectors((Detector(0, 0, energy=(0.0, 2.0)),))).collect()

    assert found["energy_kev"].to_list() == [10.0]
    assert found.columns.count("energy_kev") == 1


def test_without_any_calibration_energies_are_null_numbers() -> None:
    for detectors in (Detectors(), Detectors((Detector(0, 0),))):
        found = calibrate(frame([(0, 0, 0, 5)]).lazy(), detectors).collect()["energy_kev"]

        assert found.dtype == pl.Float64
        assert found.to_list() == [None]


def test_a_frame_without_adc_has_nothing_to_calibrate() -> None:
    with pytest.raises(TableError, match="nothing to calibrate"):
        calibrate(frame([]).lazy().drop("adc"), Detectors())


def test_an_expression_takes_the_place_of_the_adc_value() -> None:
    found = frame([(0, 0, 0, 10)]).select(
        energy_kev(Detectors((Detector(0, 0, energy=(0.0, 2.0)),)), adc=pl.col("adc") + 0.5)
    )

    assert found["energy_kev"].to_list() == [21.0]


@examples(40)
@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=12, unique=True), st.lists(st.tuples(SMALL, SMALL)))
def test_tables_of_ranks_find_what_one_table_finds(known: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    detectors = Detectors(tuple(Detector(*key, time_offset_ps=place) for place, key in enumerate(known)))
    # One detector far away makes a single table too large.
    far = Detectors((*detectors, Detector(65535, 65535, time_offset_ps=-1)))
    hits = frame((0, channel, board) for board, channel in [*known, *asked])
    assert 36 <= MAX_TABLE < 65536**2

    one_table, ranks = (
        hits.select(by_detector(which, lambda detector: detector.time_offset_ps, pl.Int64)).to_series().to_list()
        for which in (detectors, far)
    )

    assert one_table == ranks
    assert one_table[: len(known)] == list(range(len(known)))


def test_a_large_channel_number_is_not_taken_for_a_channel_of_the_next_board() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)), Detector(1, 1, energy=(0.0, 2.0))))
    hits = frame([(0, 2, 0, 1), (0, 3, 0, 1), (0, 65535, 0, 1), (0, 0, 65535, 1)])

    assert calibrate(hits.lazy(), detectors).collect()["energy_kev"].to_list() == [None] * 4
