"""Matrices counted in a pass, beside the same of the whole table of pairs and of hits."""

from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis.accumulators import Matrix, matrix
from gammapolars.analysis.accumulators.axes import VALUES, Axis
from gammapolars.analysis.accumulators.matrix import CellTally
from gammapolars.core.quantities import ADC, ENERGY, QUANTITIES, TIME_DIFFERENCE
from gammapolars.core.schema import REGION
from gammapolars.core.units import Window
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detector, Detectors
from tests.hits import SIZES, in_batches

DETECTORS = Detectors(
    (
        Detector(0, 0, "left", energy=(0.3, 1.7)),
        Detector(0, 1, energy=(-2.0, 0.9, 1e-3)),
        Detector(1, 1, "right"),
        Detector(1, 2, energy=(-40.0, 0.5)),
    )
)

KEY = st.sampled_from([detector.key for detector in DETECTORS])
PULSE_HEIGHT = st.integers(0, 200)
WEIGHT = st.sampled_from([1.0, 1.0, -0.25, 2.5])
"""All of them exact in binary, so that sums are the same in any order."""

ROWS = st.lists(
    st.tuples(KEY, PULSE_HEIGHT, KEY, PULSE_HEIGHT, st.integers(-(10**9), 10**12), st.integers(-100, 100), WEIGHT),
    max_size=40,
)


def pairs_of(rows: list[tuple[Any, ...]], *, weighted: bool, gains: bool) -> pl.DataFrame:
    """Pairs with energies that are sums of several hits', of detectors that are calibrated."""
    sides = {f"{name}_{side}": pl.UInt16 for side in "ab" for name in ("board", "channel", "adc")}
    columns: dict[str, Any] = {**sides, "timestamp_ps": pl.Int64, "dt_ps": pl.Int64, "weight": pl.Float64}
    table = pl.DataFrame([(*a, m, *b, n, *rest) for a, m, b, n, *rest in rows], columns, orient="row")
    energies = (energy_kev(DETECTORS, suffix) + 300 for suffix in ("_a", "_b"))
    table = table.with_columns(
        *energies, region=pl.when(pl.col("weight") < 0).then(pl.lit("random")).otherwise(pl.lit("prompt")).cast(REGION)
    )
    if gains:
        table = table.with_columns(gain_factor_a=pl.lit(1.25), gain_factor_b=pl.lit(None, pl.Float64))
    return table if weighted else table.drop("weight", "region")


@given(
    ROWS,
    st.booleans(),
    st.booleans(),
    st.sampled_from(["energy", "adc", "sums"]),
    st.sampled_from([1.0, 2.5, 16.0]),
    st.booleans(),
    SIZES,
)
def test_matrices_are_those_of_the_whole_table(
    rows: list[tuple[Any, ...]],
    weighted: bool,
    gains: bool,
    what: str,
    width: float,
    symmetric: bool,
    size: int,
) -> None:
    pairs, window = pairs_of(rows, weighted=weighted, gains=gains), Window(-100, 60)
    quantity, known = (ADC, Detectors()) if what == "adc" else (ENERGY, DETECTORS)
    axis = Axis(quantity, width)
    counts = Matrix(axis, axis, known, window=window, symmetric=symmetric, sums=what == "sums")

    for part in in_batches(pairs, size):
        counts.add_pairs(part)

    values = {
        "adc": lambda suffix: dithered_adc(pairs.columns, suffix),
        "energy": lambda suffix: energy_kev(known, suffix, adc=dithered_adc(pairs.columns, suffix)),
        "sums": lambda suffix: dithered_energy(pairs.columns, known, suffix),
    }
    x, y = f"{quantity.column}_a", f"{quantity.column}_b"
    inside = pairs if weighted else pairs.filter(pl.col("dt_ps") <= 60)
    whole = inside.lazy().select(
        pl.col("weight") if weighted else pl.lit(1.0).alias("weight"),
        # The hit of the lower detector is x, the first one of two of the same.
        swapped=pl.col("board_b") * 100 + pl.col("channel_b") < pl.col("board_a") * 100 + pl.col("channel_a"),
        **{x: values[what]("_a"), y: values[what]("_b")},
    )
    swapped = whole.with_columns(
        pl.when("swapped").then(y).otherwise(x).alias(x), pl.when("swapped").then(x).otherwise(y).alias(y)
    )
    expected = gp.matrix(swapped, x=x, y=y, bin_kev=width, symmetric=symmetric).collect()
    assert_frame_equal(counts.table(), expected, check_exact=True)


NUMBER = st.integers(-3, 3) | st.sampled_from([-(2**31) - 1, -(2**31), 2**31 - 1, 2**31, -(2**62), 2**62])


@given(st.lists(st.tuples(NUMBER, NUMBER, WEIGHT), max_size=40), st.booleans(), SIZES)
def test_cells_are_the_same_whether_their_numbers_fit_into_one_or_not(
    rows: list[tuple[int, int, float]], symmetric: bool, size: int
) -> None:
    counts = CellTally(symmetric=symmetric)
    table = pl.DataFrame(rows, {"x": pl.Int64, "y": pl.Int64, "weight": pl.Float64}, orient="row")
    for part in in_batches(table, size):
        counts.add(part)

    sums: dict[tuple[int, int], list[float]] = defaultdict(list)
    for x, y, weight in rows:
        for cell in {(x, y), (y, x)} if symmetric else {(x, y)}:
            sums[cell].append(weight)
    expected = [(*cell, sum(weights), sum(w**2 for w in weights)) for cell, weights in sorted(sums.items())]
    assert counts.table().rows() == expected


def test_every_quantity_has_values() -> None:
    assert set(VALUES) == set(QUANTITIES)
    assert all(quantity.of_pairs or quantity.of_hits for quantity in QUANTITIES)


def test_a_matrix_of_too_many_bins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MAX_CELLS", 1)
    pairs = pairs_of([((0, 0), n, (0, 1), 2 * n, 0, 5, 1.0) for n in range(5)], weighted=False, gains=False)
    counts = Matrix.of_energies(Window(0, 9), DETECTORS, bin_kev=0.01)
    counts.add_pairs(pairs)

    with pytest.raises(gp.UsageError, match=r"bins of 0\.01 keV × 0\.01 keV make a matrix of more than"):
        counts.table()


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_a_time_difference_at_an_edge_lies_in_the_bin_above_however_many_pairs_there_are(rows: int) -> None:
    """A clock of 12.5 ns, bins of 25 ns: each second difference is an edge."""
    axis, pairs = Axis(TIME_DIFFERENCE, 25_000.0), pl.DataFrame({"dt_ps": [-187_500] * rows})

    assert pairs.select(axis.number(pl.col("dt_ps"))).to_series().to_list() == [-7] * rows


def test_pulse_heights_of_two_detectors_stand_against_each_other_and_those_of_three_in_both_orders() -> None:
    """Without a calibration two detectors differ in gain, so that their axes are not the same."""
    two = pl.DataFrame(
        {
            "board_a": [0, 1, 0],
            "channel_a": [3, 0, 3],
            "adc_a": [20, 500, 40],
            "board_b": [1, 0, 1],
            "channel_b": [0, 3, 0],
            "adc_b": [600, 20, 40],
            "timestamp_ps": [0, 1, 2],
            "dt_ps": [0, 0, 0],
        },
        schema=gp.PAIRS.columns,
    )
    third = two.head(1).with_columns(channel_b=pl.lit(7, pl.UInt16))
    counts, parts = (Matrix.of_energies(Window(-5, 5), Detectors(), unlike=True) for _ in range(2))
    counts.add_pairs(two.head(2))
    parts.add_pairs(two.tail(1))
    counts.merge(parts.state())

    assert counts.against == ((0, 3), (1, 0))
    assert not counts.symmetric
    cells = counts.table().select("adc_x", "adc_y", "counts").rows()
    assert cells == [(24.0, 504.0, 1.0), (24.0, 600.0, 1.0), (40.0, 40.0, 1.0)]

    counts.add_pairs(third)
    usual = Matrix.of_energies(Window(-5, 5), Detectors())
    usual.add_pairs(pl.concat([two, third]))
    assert counts.symmetric
    assert counts.against is None
    assert counts.table().equals(usual.table())
