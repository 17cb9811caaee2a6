"""Figures of the tables that commands wrote, without the fits that these were made of."""

import numpy as np
import polars as pl
import pytest
from plotnine import ggplot

from gammapolars.core.errors import TableError
from gammapolars.figures.angular import angular
from gammapolars.figures.drift import drift
from gammapolars.figures.efficiency import efficiency
from gammapolars.figures.lifetime import lifetime
from gammapolars.figures.rates import rates
from tests.plots import built

A2, A4 = 0.102, -0.0091


def series(angles_deg: np.ndarray) -> np.ndarray:
    return np.asarray(1 + np.polynomial.legendre.legval(np.cos(np.radians(angles_deg)), [0, 0, A2, 0, A4]))


def subtitle(plot: ggplot) -> str:
    return str(plot.labels.subtitle)


def test_an_angular_correlation_is_drawn_as_it_was_fitted() -> None:
    angles = np.array([30.0, 60.0, 90.0, 150.0])
    table = pl.DataFrame({"angle_deg": angles, "w": series(angles) + 0.01, "w_unc": 0.02, "fit": series(angles)})

    plot = angular(table.lazy())

    assert isinstance(plot, ggplot)
    assert subtitle(plot) == "a2 = 0.1020, a4 = \N{MINUS SIGN}0.0091 (fit, as measured)"
    (curve,) = (layer._data for layer in plot.layers if type(layer.geom).__name__ == "geom_line")
    drawn = pl.DataFrame({name: list(curve[name]) for name in ("angle_deg", "w")})
    assert drawn["w"].to_numpy() == pytest.approx(series(drawn["angle_deg"].to_numpy()))
    assert built(plot)


def test_a_lifetime_of_a_table() -> None:
    dt = np.arange(-50_000, 50_000, 1000)
    decay = np.where(dt >= 0, 500 * np.exp(-dt / 10_000), 0.0)
    columns = {
        "dt_ps": dt,
        "width_ps": 1000,
        "counts": np.round(decay) + 2,
        "fit": decay + 2,
        "prompt": 0.0,
        "chance": 2.0,
    }
    table = pl.DataFrame(columns).with_columns(decay_1=pl.Series(decay))

    plot = lifetime(table)

    parts = {part for layer in plot.items[0].layers[1:] for part in layer._data["part"]}
    assert parts == {"fit", "lifetime 1", "random coincidences"}
    assert built(plot)
    assert built(lifetime(table.clear()))
    with pytest.raises(TableError, match="'fit'"):
        lifetime(table.drop("fit"))


def test_a_table_of_drift() -> None:
    rows = {"run": [1, 1, 2], "board": [0, 0, 0], "channel": [1, 1, 1], "timestamp_ps": [0, 10**12, 5 * 10**12]}
    table = pl.DataFrame(rows | {"gain_factor": [1.0, 0.5, 1.0], "gain_factor_unc": [0.0, 0.01, 0.0]})

    plot = drift(table)

    assert isinstance(plot, ggplot)
    # A factor of a half corrects a gain of two, which is 100 % more.
    assert list(plot.data["gain"]) == pytest.approx([0.0, 100.0, 0.0])
    assert list(plot.data["high"]) == pytest.approx([0.0, 104.0, 0.0])
    assert list(plot.data["time"]) == [0.0, 1.0, 0.0]
    assert built(plot)


def test_efficiencies_of_several_detectors_without_points() -> None:
    band = pl.DataFrame(
        {"energy_kev": [100.0, 500.0, 1500.0], "efficiency": [0.01, 0.006, 0.003], "efficiency_unc": 0.001}
    )
    bands = pl.concat([band.with_columns(name=pl.lit(name)) for name in ("HPGe-1", "HPGe-2")])

    plot = efficiency(None, bands)

    assert isinstance(plot, ggplot)
    assert list(plot.data["label"].unique()) == ["HPGe-1", "HPGe-2"]
    assert built(plot)
    assert built(efficiency(None, band))
    assert built(efficiency(None, band.clear()))


def test_rates_of_two_inputs() -> None:
    time = [0.5, 1.5, 2.5]
    one = pl.DataFrame(
        {"board": 0, "channel": 1, "name": "A", "time_s": time, "width_s": 1.0, "counts": [90, 100, 110]}
    )
    two = one.with_columns(counts=2 * pl.col("counts"))
    table = pl.concat([one.with_columns(input=pl.lit("first")), two.with_columns(input=pl.lit("second"))])

    plot = rates(table, overlay="input", note="two runs")

    assert subtitle(plot).startswith("two runs; band")
    assert dict(zip(plot.data["overlay"], plot.data["mean"], strict=True)) == {"first": 100.0, "second": 200.0}
    assert built(plot)
