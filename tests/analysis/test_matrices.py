"""Matrices counted in a pass, beside the same of the whole table of pairs and of hits."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis.accumulators import EnergyMatrix
from gammapolars.analysis.accumulators.axes import Axis, Quantity
from gammapolars.analysis.accumulators.chosen_matrices import PairMatrix
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
ADC = st.integers(0, 200)
WEIGHT = st.sampled_from([1.0, 1.0, -0.25, 2.5])
"""All of them exact in binary, so that sums are the same in any order."""

ROWS = st.lists(
    st.tuples(KEY, ADC, KEY, ADC, st.integers(-(10**9), 10**12), st.integers(-100, 100), WEIGHT), max_size=40
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


def fed(made: Any, pairs: pl.DataFrame, size: int) -> pl.DataFrame:
    for part in in_batches(pairs, size):
        made.add_pairs(part)
    table: pl.DataFrame = made.table()
    return table


@settings(deadline=None)
@given(
    ROWS,
    st.booleans(),
    st.booleans(),
    st.sampled_from(["energy_kev", "adc", "sums"]),
    st.sampled_from([1.0, 3.0, 16.0]),
    SIZES,
)
def test_symmetric_matrices_are_those_of_the_whole_table(
    rows: list[tuple[Any, ...]], weighted: bool, gains: bool, what: str, width: float, size: int
) -> None:
    pairs, window = pairs_of(rows, weighted=weighted, gains=gains), Window(-100, 60)
    quantity: Quantity = "adc" if what == "adc" else "energy_kev"
    known = Detectors() if what == "adc" else DETECTORS

    found = fed(EnergyMatrix(window, known, bin_kev=width, bin_adc=int(width), sums=what == "sums"), pairs, size)

    values = {
        "adc": lambda suffix: dithered_adc(pairs.columns, suffix),
        "energy_kev": lambda suffix: energy_kev(known, suffix, adc=dithered_adc(pairs.columns, suffix)),
        "sums": lambda suffix: dithered_energy(pairs.columns, known, suffix),
    }
    inside = pairs if weighted else pairs.filter(pl.col("dt_ps") <= 60)
    whole = inside.lazy().select(
        pl.col("weight") if weighted else pl.lit(1.0).alias("weight"),
        **{f"{quantity}{suffix}": values[what](suffix) for suffix in ("_a", "_b")},
    )
    expected = gp.matrix(whole, x=f"{quantity}_a", y=f"{quantity}_b", bin_kev=width).collect()
    assert_frame_equal(found, expected, check_exact=True)
    if what != "sums":
        axis = Axis(quantity, width)
        chosen = fed(PairMatrix(axis, axis, known, window=window, symmetric=True), pairs, size)
        assert_frame_equal(found, chosen, check_exact=True)
