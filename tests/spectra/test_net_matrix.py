"""Matrices net of their background in two dimensions: what is subtracted, and what cells have in common."""

import math

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.gates import Gate
from tests.matrices import BINS, drawn, model, table_of

Floats = npt.NDArray[np.float64]

REGIONS = [(10.0, 14.0), (20.0, 24.0)]
GATES = [Gate(10, 14), Gate(5, 9), Gate(20, 24, ((16, 19), (26, 28)))]


@pytest.fixture(params=[True, False], ids=["symmetric", "of two sides"])
def counts(request: pytest.FixtureRequest) -> Floats:
    """A small matrix."""
    counts = np.random.default_rng(1).poisson(3, (40, 40 if request.param else 30)).astype(np.float64)
    return np.triu(counts) + np.triu(counts, 1).T if request.param else counts


def test_the_background_is_that_of_palameta_and_waddington() -> None:
    mean = np.outer([4.0, 4, 4, 9, 9, 4, 4, 4], [3.0, 3, 3, 3, 8, 3, 3, 3, 3]) * 10
    net = gp.NetMatrix(table_of(mean), regions=[(3.0, 5.0)])
    x, y = mean.sum(axis=1), mean.sum(axis=0)
    a, b = x.copy(), y.copy()
    a[3:5], b[3:5] = x[0], y[0]  # the background is flat

    table = net.table()

    expected = (np.outer(x, b) + np.outer(a, y) - np.outer(a, b)) / mean.sum()
    assert table["background"].to_numpy().reshape(mean.shape) == pytest.approx(expected)
    assert table["counts"].to_numpy() == pytest.approx((mean - expected).ravel())
    assert net.projections()[1]["background"].to_list() == pytest.approx(b)
    assert list(net.regions) == [((3.0, 5.0),)] * 2
    assert (net.symmetric, net.total) == (False, mean.sum())


def test_nothing_is_left_of_what_factorises() -> None:
    shape = np.linspace(9, 3, 30)
    doubled = 100 * np.outer(shape, shape)
    stored = doubled - np.diag(np.diag(doubled)) / 2  # on the diagonal each pair stands once

    net = gp.NetMatrix(table_of(stored), regions=REGIONS)

    assert net.symmetric
    assert net.table()["counts"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert net.sum(Gate(10, 14), Gate(3, 12)).counts == pytest.approx(0, abs=1e-9)


def test_a_parabola_below_a_peak_is_background() -> None:
    e = np.arange(40) + 0.5
    smooth = 50 + 0.05 * (e - 10) ** 2
    peaked = smooth.copy()
    peaked[20:24] += 30
    net = gp.NetMatrix(table_of(np.outer(peaked, smooth)), regions=[(20.0, 24.0)])

    assert net.projections()[0]["background"].to_numpy() == pytest.approx(smooth * smooth.sum())


def test_the_variance_is_that_of_the_first_derivatives(counts: Floats) -> None:
    symmetric = counts.shape[0] == counts.shape[1]
    counts, regions = counts[8:20, 8 : 20 if symmetric else 18], [(3.0, 5.0)]
    counts[3:5, 6:8] += 20
    counts[6:8, 3:5] += 20
    x, y = Gate(2, 6), Gate(5, 9, ((1, 2), (10, 11)))
    net, step, variance = gp.NetMatrix(table_of(counts), regions=regions).sum(x, y), 1e-4, 0.0
    rows = np.argwhere(counts > 0)
    for i, j in rows[rows[:, 0] <= rows[:, 1]] if symmetric else rows:
        more = counts.copy()
        more[i, j] += step
        if symmetric:
            more[j, i] = more[i, j]
        changed = gp.NetMatrix(table_of(more), regions=regions).sum(x, y).counts
        variance += ((changed - net.counts) / step) ** 2 * counts[i, j]

    assert net.unc == pytest.approx(math.sqrt(variance), rel=1e-4)


def test_coincidences_on_one_line_are_pairs_each_once() -> None:
    upper = np.triu(np.random.default_rng(2).poisson(30, (12, 12))).astype(np.float64)
    upper[3:5, 3:5] += np.triu(np.full((2, 2), 50))
    counts, gate, step, variance = upper + np.triu(upper, 1).T, Gate(3, 5), 1e-4, 0.0
    regions = [(3.0, 5.0)]
    net = gp.NetMatrix(table_of(counts), regions=regions)

    found = net.coincidences(gate, gate)

    for i, j in np.argwhere(upper > 0):
        more = counts.copy()
        more[i, j] += step
        more[j, i] = more[i, j]
        changed = gp.NetMatrix(table_of(more), regions=regions).coincidences(gate, gate).counts
        variance += ((changed - found.counts) / step) ** 2 * counts[i, j]
    whole = net.table().filter(pl.all_horizontal(pl.col("energy_kev_x", "energy_kev_y").is_between(3, 5)))
    once = whole.filter(pl.col("energy_kev_x") <= pl.col("energy_kev_y"))
    assert found.counts == pytest.approx(once["counts"].sum())
    assert found.background == pytest.approx(once["background"].sum())
    assert found.unc == pytest.approx(math.sqrt(variance), rel=1e-4)
    assert net.coincidences(gate, Gate(7, 9)) == net.sum(gate, Gate(7, 9))


def test_bins_without_counts_have_the_variance_of_one_where_the_background_lets_expect_some() -> None:
    counts = np.full((10, 10), 4.0)
    counts[2, 7] = counts[7, 2] = 0
    net = gp.NetMatrix(table_of(counts), regions=[])

    empty = net.table().filter(pl.col("energy_kev_x") == 2.5, pl.col("energy_kev_y") == 7.5)

    assert empty["counts"].item() == pytest.approx(-40 * 40 / 432)
    assert 1 < empty["variance"].item() < 2


@pytest.mark.parametrize("gate", GATES, ids=str)
@pytest.mark.parametrize("on", ["x", "y"])
def test_a_projection_is_the_sums_over_its_bins(counts: Floats, gate: Gate, on: str) -> None:
    net = gp.NetMatrix(table_of(counts), regions=REGIONS)

    for energy, *values in net.project(gate, on="x" if on == "x" else "y").iter_rows():
        bin_ = Gate(energy - 0.4, energy + 0.4)
        found = net.sum(gate, bin_) if on == "x" else net.sum(bin_, gate)
        assert values == pytest.approx([found.counts, found.unc**2, found.background])


def test_a_cell_is_the_sum_over_itself(counts: Floats) -> None:
    net = gp.NetMatrix(table_of(counts), regions=REGIONS)
    table = net.table()
    chosen = table.filter((pl.col("energy_kev_x") == pl.col("energy_kev_y")) | (pl.col("energy_kev_x") == 12.5))

    assert table.height == counts.size
    for x, y, *values in chosen.iter_rows():
        found = net.sum(Gate(x - 0.4, x + 0.4), Gate(y - 0.4, y + 0.4))
        assert values == pytest.approx([found.counts, found.unc**2, found.background])


def test_variances_of_cells_do_not_add_up_and_are_not_added_up(counts: Floats) -> None:
    net = gp.NetMatrix(table_of(counts), regions=REGIONS)
    table = net.table()

    assert net.sum().unc < 0.6 * math.sqrt(table["variance"].sum())
    with pytest.raises(gp.TableError, match=r"neighbouring cells are correlated.*gp.NetMatrix"):
        gp.project(table, Gate(10, 14))
    with pytest.raises(gp.TableError, match="neighbouring cells are correlated"):
        gp.NetMatrix(table)
    with pytest.raises(gp.TableError, match="neighbouring cells are correlated"):
        gp.coincidence_peak(table, Gate(10, 14), Gate(20, 24))


@pytest.mark.slow
@pytest.mark.parametrize("symmetric", [True, False])
def test_pulls_where_the_background_factorises(*, symmetric: bool) -> None:
    rng, (mean, lines, true) = np.random.default_rng(5), model()
    gates = [*(Gate(line - 5, line + 5) for line in lines), Gate(50, 80)]
    inside = np.array([(np.arange(BINS) >= gate.low) & (np.arange(BINS) < gate.high) for gate in gates])
    pulls = []
    for _ in range(3):
        net = gp.NetMatrix(drawn(rng, mean, symmetric=symmetric), regions=[(line - 5, line + 5) for line in lines])
        for i, j in zip(*np.triu_indices(len(gates)), strict=True):
            cells = true * np.outer(inside[i], inside[j])
            counts, unc, _ = net.sum(gates[i], gates[j])
            pulls.append((counts - cells.sum() + (0.5 * np.trace(cells) if symmetric else 0.0)) / unc)

    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.3


def test_peaks_are_found_in_the_projections() -> None:
    (regions, same) = gp.NetMatrix(drawn(np.random.default_rng(1), model().mean, symmetric=True)).regions

    assert regions == same
    assert [round((low + high) / 2) for low, high in regions] == pytest.approx(model().lines, abs=1)
    assert all(8 <= high - low <= 12 for low, high in regions)


def test_the_highest_peak_has_the_emptiness_behind_it_as_its_background() -> None:
    counts = np.full(30, 5.0)
    counts[24:30] = 40, 90, 90, 40, 10, 0
    whole = table_of(np.outer(counts, counts))

    net = gp.NetMatrix(whole, regions=[(24.0, 29.0)])
    cut = gp.NetMatrix(whole.filter(pl.col("energy_kev_x") < 22), regions=[(17.0, 20.0)])

    below = net.projections()[1]["background"].to_numpy()[24:29] / counts.sum()
    assert (np.diff(below) < 0).all()
    assert 0 < below[-1] < below[0] < 5
    assert cut.projections()[0]["background"].to_numpy() / counts.sum() == pytest.approx(5)  # nothing is seen to end


def test_where_no_peaks_are_found_they_are_asked_for() -> None:
    flat = np.random.default_rng(1).poisson(2, (60, 60)).astype(np.float64)

    with pytest.raises(gp.UsageError, match="no peaks were found in the projection on energy_kev_x"):
        gp.NetMatrix(table_of(flat))
    assert gp.NetMatrix(table_of(flat), regions=[]).sum().counts == pytest.approx(0)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (table_of(np.ones((4, 4))).rename({"energy_kev_y": "dt_ps_y"}), "but two energies or two adc are needed"),
        (table_of(np.zeros((4, 4))), "has no counts"),
        (table_of(np.ones((4, 4))).with_columns(counts=-1.0), "add up to -16|add up to -20"),
        (pl.concat([table_of(np.ones((4, 4)))] * 2), "more than once"),
        (table_of(np.ones((4, 4))).with_columns(variance=math.nan), "without a number"),
    ],
)
def test_what_is_no_such_matrix_is_refused(table: pl.DataFrame, problem: str) -> None:
    with pytest.raises(gp.TableError, match=problem):
        gp.NetMatrix(table, regions=[], width=1)


def test_peaks_that_leave_no_background_are_refused(counts: Floats) -> None:
    with pytest.raises(gp.UsageError, match="leave no background"):
        gp.NetMatrix(table_of(counts), regions=[(0.0, 60.0)])
    with pytest.raises(gp.UsageError, match="contains no bin"):
        gp.NetMatrix(table_of(counts), regions=[(5.1, 5.2)])
