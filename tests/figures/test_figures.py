"""The figures: that they can be drawn, and that what is drawn is what the tables say."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from plotnine import ggplot

from gammapolars import figures
from gammapolars.core.units import Window
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.time_difference import window_ranges_ns
from gammapolars.report.analyse import Analysis
from tests import analyses
from tests.drawing import THOROUGH
from tests.plots import built, drawn, pixels


def layers(plot: ggplot) -> list[str]:
    return [type(layer.geom).__name__ for layer in plot.layers]


def layer_data(plot: ggplot, geom: str) -> pl.DataFrame:
    found: pl.DataFrame = next(layer._data for layer in plot.layers if type(layer.geom).__name__ == geom)
    return found


def has_log_axis(plot: ggplot, side: str = "y") -> bool:
    return isinstance(plot.scales.get_scales(side).trans, axes.FlooredLog10)


def all_figures(analysis: Analysis) -> dict[str, ggplot]:
    return {
        "spectrum": figures.spectrum(analysis.spectra),
        "time_difference": figures.time_differences(
            analysis.time_differences, window=analysis.window, chance=analysis.pairs_by_detectors
        ),
        "matrix": figures.matrix(analysis.matrix),
        "rates": figures.rates(analysis.rates),
    }


@pytest.fixture(scope="module")
def cobalt() -> Analysis:
    return analyses.cobalt()


@pytest.mark.slow
def test_importing_the_package_leaves_plotnine_alone() -> None:
    code = "import sys, gammapolars, gammapolars.analysis.passes; sys.exit('plotnine' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.figures
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("cobalt", marks=pytest.mark.slow),
        "sodium",
        pytest.param("uncalibrated", marks=pytest.mark.slow),
        "empty",
    ],
)  # test_report.py draws cobalt
def test_every_figure_of_every_run_can_be_drawn_without_a_warning(name: str) -> None:
    draw = drawn if THOROUGH or name == "empty" else built
    for figure in all_figures(getattr(analyses, name)()).values():
        assert draw(figure).startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_an_array_of_32_detectors_has_32_facets_and_no_legend() -> None:
    array = analyses.many()
    plot = figures.spectrum(array.spectra)
    assert plot.data["facet"].n_unique() == 32
    assert "fill" not in plot.mapping
    assert "color" not in plot.mapping
    differences = figures.time_differences(array.time_differences, window=array.window, chance=array.pairs_by_detectors)
    assert differences.data["facet"].n_unique() == 12
    assert differences.data["facet"].sort()[0] == "all detector pairs"
    assert "11 strongest of 496" in differences.labels.subtitle


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_32_facets_can_be_drawn() -> None:
    assert len(pixels(drawn(figures.spectrum(analyses.many().spectra), dpi=30))) > 10


def test_more_detectors_than_have_room_are_said_to_be_left_out() -> None:
    rng = np.random.default_rng(1)
    spectra = analyses.spectra_table(rng, [f"d{n}" for n in range(40)], [], top=300.0)
    plot = figures.spectrum(spectra)
    assert plot.data["facet"].n_unique() == house.MAX_FACETS
    assert "(4 more not drawn)" in plot.labels.subtitle


def test_spectrum_has_a_log_axis_labels_with_units_and_all_counts(cobalt: Analysis) -> None:
    plot = figures.spectrum(cobalt.spectra, lines={1173.2: "Co-60 1173"})
    assert plot.labels.x == "Energy (keV)"
    assert plot.labels.y == "Counts per 2 keV"
    assert has_log_axis(plot)
    assert {"geom_filled_line", "geom_places"} <= set(layers(plot))
    labels = layer_data(plot, "geom_places")
    assert set(labels["label"]) == {"Co-60 1173"}
    assert labels["x"].to_list() == [1173.2] * 4
    frame, width = bins.rebin(cobalt.spectra, ["name"], "energy_kev", 1500)
    assert width == 2.0
    assert frame["counts"].sum() == cobalt.spectra["counts"].sum()


@pytest.mark.figures
def test_empty_bins_lie_on_the_log_axis() -> None:
    spectra = pl.DataFrame(
        {"board": 0, "channel": 0, "name": "d", "energy_kev": [10.5, 11.5, 14.5], "counts": [100.0, 5.0, 30.0]}
    )
    plot = figures.spectrum(spectra)
    assert plot.data["counts"].to_list() == [100, 100, 5, 5, 0, 0, 0, 0, 30, 30]
    drawn_at = 10 ** plot.scales.get_scales("y").trans.transform(plot.data["counts"].to_numpy())
    assert drawn_at.tolist() == pytest.approx([100, 100, 5, 5, 0.5, 0.5, 0.5, 0.5, 30, 30])
    assert plot.data["x"].to_list() == [10, 11, 11, 12, 12, 13, 13, 14, 14, 15]
    built(plot)


@pytest.mark.figures
def test_detectors_without_calibration_are_drawn_in_adc_beside_the_others(cobalt: Analysis) -> None:
    kev = cobalt.spectra.filter(channel=0).with_columns(adc=pl.lit(None, pl.Float64))
    adc = cobalt.spectra.filter(channel=1).with_columns(
        adc=pl.col("energy_kev") * 4, energy_kev=pl.lit(None, pl.Float64)
    )
    plot = figures.spectrum(pl.concat([kev, adc]), lines={1332.5: "Co-60"})
    assert plot.labels.x == "Energy (keV) or ADC channel"
    assert plot.labels.y == "Counts per 2 keV or 8 ADC channels"
    assert figures.spectrum(adc).labels.title == "Pulse-height spectra"
    assert set(plot.data["facet"]) == {"HPGe-1", "HPGe-2 (ADC channels)"}
    assert set(layer_data(plot, "geom_places")["facet"]) == {"HPGe-1"}
    built(plot)


def test_channels_without_counts_are_empty_in_the_figure_of_a_calibration() -> None:
    adc = pl.Series("adc", [*range(100), 500, 501, 502], dtype=pl.Float64)
    spectra = pl.DataFrame({"board": 0, "channel": 1, "name": "A", "adc": adc, "counts": 10.0}).with_columns(
        energy_kev=0.1 + 0.3 * pl.col("adc") - 1e-5 * pl.col("adc") ** 2
    )
    lines = pl.DataFrame(
        {"board": 0, "channel": 1, "nuclide": "Cs-137", "energy_kev": 147.7, "used": True, "name": "A"}
    )

    drawn = figures.calibration(spectra, lines).data

    assert set(drawn.filter(pl.col("energy_kev").is_between(35.0, 140.0))["counts"]) <= {0.0}


@pytest.mark.figures
@pytest.mark.filterwarnings("error")
def test_long_equal_and_mathematical_names_make_facets_of_their_own() -> None:
    long = "the detector on the left side of the target chamber, behind the lead wall, number "
    names = [long + "1", long + "2", "$\\frac{1}$", "a $x$ b"]
    rng = np.random.default_rng(1)
    built(figures.spectrum(analyses.spectra_table(rng, names, [], top=200.0)))
    drawn(figures.rates(analyses.rates_table(rng, names, 10.0)))
    table = analyses.time_differences_table(rng, names, prompt=10, chance_per_ns=0.1)
    plot = figures.time_differences(table, window=Window(-250_000, 250_000))
    assert plot.data["facet"].n_unique() == 6
    built(plot)
    assert house.short_names(["x" * 50 + "1" + "y" * 50, "x" * 50 + "2" + "y" * 50], 20)[1].endswith("(2)")


def test_time_differences_mark_the_window_and_the_chance_level(cobalt: Analysis) -> None:
    plot = figures.time_differences(cobalt.time_differences, window=cobalt.window, chance=cobalt.pairs_by_detectors)
    assert "±250 ns" in plot.labels.subtitle
    level = layer_data(plot, "geom_hline")
    width = float(plot.labels.y.split()[2])
    assert level["level"].to_list() == pytest.approx([0.4 * width] * 6)
    assert has_log_axis(plot)
    flat = analyses.flat()
    assert not has_log_axis(figures.time_differences(flat.time_differences, window=flat.window))


@pytest.mark.parametrize(
    ("window", "accepted"),
    [
        ((-250_000, 250_000), [(-250, 250)]),
        ((0, 100_000), [(-100, 100)]),
        ((10_000, 100_000), [(-100, -10), (10, 100)]),
        ((-5000, -1000), []),
    ],
)
def test_a_window_counts_from_the_earlier_hit(window: tuple[int, int], accepted: list[tuple[float, float]]) -> None:
    assert window_ranges_ns(Window(*window)) == accepted


def test_matrix_is_square_and_keeps_every_count(cobalt: Analysis) -> None:
    plot = figures.matrix(cobalt.matrix)
    assert type(plot.coordinates).__name__ == "coord_fixed"
    assert plot.data["x"].n_unique() == plot.data["y"].n_unique() <= 400
    hidden = float(plot.labels.subtitle.split()[0]) / 100
    assert plot.data["counts"].sum() == pytest.approx(float(cobalt.matrix["counts"].sum()) * (1 - hidden), rel=1e-3)
    square = plot.data.pivot("y", index="x", values="counts").drop("x").to_numpy()
    assert np.array_equal(square, square.T, equal_nan=True)
    top = plot.data.filter(pl.col("counts") == pl.col("counts").max())
    assert sorted(top.select("x", "y").row(0)) == pytest.approx([1173, 1332], abs=8)


@pytest.mark.slow
@pytest.mark.figures
def test_matrix_of_a_million_filled_bins_is_drawn_in_seconds() -> None:
    side = pl.DataFrame({"energy_kev_x": np.arange(1000) + 0.5})
    table = side.join(side.rename({"energy_kev_x": "energy_kev_y"}), how="cross").with_columns(counts=pl.lit(2.0))
    plot = figures.matrix(table)
    assert plot.data.height <= 400**2
    built(plot)


@pytest.mark.figures
@pytest.mark.filterwarnings("error")
def test_one_bin_is_enough() -> None:
    key = {"board": [0], "channel": [0], "name": ["d"]}
    built(figures.spectrum(pl.DataFrame(key | {"energy_kev": [661.5], "counts": [3.0]})))
    built(figures.rates(pl.DataFrame(key | {"time_s": [0.05], "width_s": [0.1], "counts": [7]})))
    built(figures.matrix(pl.DataFrame({"adc_x": [5.0], "adc_y": [5.0], "counts": [1.0]})))
    pair = {"name_a": ["a"], "name_b": ["b"], "dt_ns": [0.0], "width_ns": [1.0], "counts": [2]}
    built(figures.time_differences(pl.DataFrame(pair), window=Window(0, 0)))


@pytest.mark.figures
def test_negative_counts_of_a_subtracted_matrix_are_left_out() -> None:
    table = pl.DataFrame({"adc_x": [5.0, 6.0], "adc_y": [5.0, 5.0], "counts": [4.0, -1.0]})
    plot = figures.matrix(table)
    assert plot.data["counts"].sum() == 4
    built(plot)


def test_a_matrix_whose_net_counts_sum_to_less_than_nothing_is_drawn() -> None:
    """Which energies are shown follows from the bins' sizes, and not from a sum in which they cancel."""
    bins = np.arange(0.5, 60.0)
    half = np.random.default_rng(3).integers(-4, 4, (60, 60)).astype(np.float64)
    counts = np.tril(half) + np.tril(half, -1).T
    x, y = np.meshgrid(bins, bins)
    table = pl.DataFrame({"energy_kev_x": x.ravel(), "energy_kev_y": y.ravel(), "counts": counts.ravel()})
    assert table["counts"].sum() < 0

    plot = figures.matrix(table)

    assert plot.data["counts"].sum() == table.filter(pl.col("counts") > 0)["counts"].sum()
    built(plot)


@pytest.mark.parametrize(
    ("bins", "width_s", "unit_s"), [(8, 0.05, 1e-3), (10, 0.05, 1.0), (601, 1.0, 60.0), (9, 60.0, 1.0)]
)
def test_rates_are_drawn_from_the_first_edge_to_the_last(bins: int, width_s: float, unit_s: float) -> None:
    """Also where bins are joined, and where the last edge alone tells the unit: 0.5 s are the first seconds."""
    centres = (np.arange(bins) + 0.5) * width_s
    key = {"board": 0, "channel": 1, "name": "one", "width_s": width_s}
    table = pl.DataFrame({"time_s": centres, "counts": np.arange(bins) + 5}).with_columns(
        **{name: pl.lit(value) for name, value in key.items()}
    )

    times = figures.rates(table).data["time_s"]

    assert times.min() == pytest.approx(0.0, abs=1e-9)
    assert times.max() == pytest.approx(bins * width_s / unit_s)


def test_rates_have_poisson_bands_and_a_scale_that_does_not_invent_a_drift(cobalt: Analysis) -> None:
    plot = figures.rates(cobalt.rates)
    first = plot.data.row(0, named=True)
    counts = first["rate"] * 6.0
    assert first["high"] * 6.0 == pytest.approx(counts + 1 + np.sqrt(counts + 0.75))
    span = layer_data(plot, "geom_blank")
    for low, high in (
        span.group_by("facet").agg(low=pl.col("y").min(), high=pl.col("y").max()).select("low", "high").rows()
    ):
        assert high / low == pytest.approx(1.1 / 0.9)
    silent = replace(cobalt, rates=cobalt.rates.with_columns(counts=pl.lit(0.0)))
    assert "there are no hits" in figures.rates(silent.rates).data["label"][0]


def test_empty_tables_say_that_there_is_no_data() -> None:
    for figure in all_figures(analyses.empty()).values():
        assert figure.data["label"][0].startswith("no data")


@pytest.mark.parametrize(
    ("centres", "width"),
    [([1.0, 2.0, 3.0], 1.0), ([0.5, 2.5, 5.5], 1.0), ([7.0], 1.0), ([0.1 * n for n in range(9)], 0.1)],
)
def test_bin_width_is_found_though_bins_are_missing(centres: list[float], width: float) -> None:
    assert bins.bin_width(pl.Series(centres)) == pytest.approx(width)


def test_labels_of_powers() -> None:
    assert axes.power_labels([0.01, 1, 100, 1000, 10**12, 20]) == ["10⁻²", "1", "100", "10³", "10¹²", "20"]
    assert axes.power_breaks((0.5, 3e5)) == [1, 10, 100, 1e3, 1e4, 1e5]
    assert axes.power_breaks((2.0, 7.0)) == [2, 5]
    assert axes.power_breaks((1350.0, 1750.0)) == [1400, 1500, 1600, 1700]
