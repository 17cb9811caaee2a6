"""Gates with background: weights that add up to net counts."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp

ENERGIES = st.lists(st.floats(0, 30) | st.none(), max_size=50)


@given(ENERGIES)
def test_weights_add_up_to_counts_less_scaled_background(energies: list[float | None]) -> None:
    gate = gp.Gate.on(12, 4, [(5, 8), (20, 25)])

    weights = pl.DataFrame({"e": energies}, {"e": pl.Float64}).select(w=gate.weight("e"))["w"]

    known = [energy for energy in energies if energy is not None]
    inside = sum(10 <= energy <= 14 for energy in known)
    beside = sum(5 <= energy <= 8 or 20 <= energy <= 25 for energy in known)
    assert weights.sum() == pytest.approx(inside - 0.5 * beside)
    assert (weights**2).sum() == pytest.approx(inside + 0.25 * beside)


def test_a_count_where_gate_and_background_touch_is_the_gates() -> None:
    gate = gp.Gate(10, 14, ((14, 18),))

    assert pl.select(gate.weight(pl.lit(14.0))).item() == 1


def test_without_background_nothing_is_subtracted() -> None:
    assert pl.select(gp.Gate(10, 14).weight(pl.lit(9.0))).item() == 0


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((14.0, 10.0, ()), "from a lower to a higher"),
        ((10.0, 14.0, ((13.0, 18.0),)), "overlap between 13 and 14"),
        ((10.0, float("nan"), ()), "from a lower to a higher"),
    ],
)
def test_gates_that_cannot_be_are_refused(given_: tuple[float, float, tuple[()]], message: str) -> None:
    with pytest.raises(gp.UsageError, match=message):
        gp.Gate(*given_)
