"""Coincidence peaks net of their three backgrounds, of pairs and of matrices."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.gates import Gate

FIRST, SECOND = Gate(10, 12, ((6, 8), (14, 16))), Gate(20, 24, ((27, 29),))


def pairs_of(*energies: tuple[float, float], weight: float | None = None) -> pl.DataFrame:
    a, b = zip(*energies, strict=True)
    table = pl.DataFrame({"energy_kev_a": a, "energy_kev_b": b}, schema_overrides={"energy_kev_a": pl.Float64})
    return table if weight is None else table.with_columns(weight=pl.lit(weight))


def test_each_component_counts_by_how_wide_its_gates_are() -> None:
    pairs = pairs_of((11, 22), (22, 11), (11, 28), (7, 23), (28, 15), (7, 28), (50, 22))

    peak = gp.coincidence_peak(pairs, FIRST, SECOND)

    assert peak[:4] == (2, 2 * 1, 0.5 * 1, 0.5 * 2 * 2)
    assert peak.net == 2 - 2 - 0.5 + 2
    assert peak.net_unc == pytest.approx((2 + 2**2 + 0.5**2 + 2 * 1.0**2) ** 0.5)


def test_weights_of_random_windows_multiply() -> None:
    prompt, random = pairs_of((11, 22), (11, 28), weight=1.0), pairs_of((11, 22), weight=-0.25)

    peak = gp.coincidence_peak(pl.concat([prompt, random]), FIRST, SECOND)

    assert tuple(peak) == pytest.approx((0.75, 2, 0, 0, -1.25, (1 + 4 + 0.0625) ** 0.5))


def test_a_pair_in_one_gate_with_both_hits_is_one() -> None:
    gate = Gate(10, 12)

    peak = gp.coincidence_peak(pairs_of((11, 11), (10.5, 11)), gate, gate)

    assert tuple(peak) == pytest.approx((2, 0, 0, 0, 2, 2**0.5))


def test_a_symmetric_matrix_has_a_pair_on_one_line_once() -> None:
    energies = np.random.default_rng(1).integers(5, 18, (400, 2)) + 0.5
    pairs = pl.DataFrame({"energy_kev_a": energies[:, 0], "energy_kev_b": energies[:, 1]})
    gate, other = FIRST, Gate(10, 12, ((7, 9),))
    matrix = pairs.lazy().pipe(gp.matrix, bin_kev=1).collect()

    for second in (gate, other):
        of_pairs = gp.coincidence_peak(pairs, gate, second)
        assert tuple(gp.coincidence_peak(matrix, gate, second, width=1)) == pytest.approx(tuple(of_pairs))
        inside = pl.all_horizontal(pl.col("energy_kev_a", "energy_kev_b").is_between(10, 12))
        assert of_pairs.peak_peak == pairs.filter(inside).height


@pytest.mark.parametrize("symmetric", [True, False])
@given(seed=st.integers(0, 1000))
def test_a_matrix_has_the_peak_of_its_pairs(seed: int, *, symmetric: bool) -> None:
    energies = np.random.default_rng(seed).integers(0, 30, (300, 2)) + 0.5
    pairs = pl.DataFrame({"energy_kev_a": energies[:, 0], "energy_kev_b": energies[:, 1]})
    matrix = pairs.lazy().pipe(gp.matrix, bin_kev=1, symmetric=symmetric).collect()

    of_matrix = gp.coincidence_peak(matrix, FIRST, SECOND, width=1)

    both = gp.coincidence_peak(pairs, FIRST, SECOND)
    if symmetric:
        assert tuple(of_matrix) == pytest.approx(tuple(both))
    else:
        first = pairs.filter(pl.col("energy_kev_a") < 17, pl.col("energy_kev_b") > 17)
        assert tuple(of_matrix) == pytest.approx(tuple(gp.coincidence_peak(first, FIRST, SECOND)))


@pytest.mark.parametrize(
    "second", [FIRST, Gate(10, 12), Gate(10, 14, ((4, 8),))], ids=["itself", "its line", "another that overlaps"]
)
@pytest.mark.parametrize("bin_kev", [1, 2])
def test_a_gate_on_the_diagonal_counts_pairs_and_not_cells(second: Gate, bin_kev: int) -> None:
    a, b = np.random.default_rng(1).integers(0, 20, (2, 2000)) + 0.5
    pairs = pl.DataFrame({"energy_kev_a": a, "energy_kev_b": b})
    weights = [[gate.weight("e") for gate in (FIRST, second)] for _ in (a, b)]
    (w_a, u_a), (w_b, u_b) = (
        pl.DataFrame({"e": energies}).select(w=one[0], u=one[1]).cast(pl.Float64).to_numpy().T
        for energies, one in zip((a, b), weights, strict=True)
    )
    of_pair = (w_a * u_b + w_b * u_a) * (0.5 if second.high == FIRST.high else 1.0)

    matrix = gp.matrix(pairs.lazy(), bin_kev=bin_kev)
    for peak in (gp.coincidence_peak(pairs, FIRST, second), gp.coincidence_peak(matrix, FIRST, second, width=bin_kev)):
        assert (peak.net, peak.net_unc) == pytest.approx((of_pair.sum(), (of_pair**2).sum() ** 0.5))

    net = gp.NetMatrix(matrix, regions=[(2, 4)], width=bin_kev)
    gates = [Gate(gate.low, gate.high) for gate in (FIRST, second)]
    found, cells = net.coincidences(*gates), gp.coincidence_peak(matrix, *gates, width=bin_kev)
    assert found.counts + found.background == pytest.approx(cells.peak_peak)


def test_pairs_without_energies_are_refused() -> None:
    with pytest.raises(gp.TableError, match=r"no column 'energy_kev_a'.*calibrate"):
        gp.coincidence_peak(pl.DataFrame({"adc_a": [1], "adc_b": [2]}), FIRST, SECOND)
