"""`gp.plot`: what users give is drawn as it is, and what comes back can be gone on with."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import plotnine as p9
import polars as pl
import pytest
from plotnine.exceptions import PlotnineWarning

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from gammapolars.detectors import Detector, Detectors
from gammapolars.figures.style import FigureStyle
from tests.plots import built, drawn

SPECTRUM = pl.DataFrame(
    {
        "board": [0] * 6,
        "channel": [3] * 6,
        "energy_kev": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
        "counts": [4.0, 0.0, 100.0, 9.0, 0.0, 1.0],
    }
)
DETECTORS = Detectors((Detector(0, 3, "HPGe-3"), Detector(0, 4, "HPGe-4")))


LINES = ("geom_path", "geom_filled_line")


def scaled(plot: p9.ggplot, side: str = "y") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What the first layer that has it is drawn with, along one side, in the units of the axis."""
    plot._setup()
    plot._build()
    data = next(layer.data for layer in plot.layers if type(layer.geom).__name__ in LINES)
    return np.asarray(data[side], np.float64)


def test_the_start_does_not_wait_for_figures() -> None:
    code = "import sys, gammapolars; sys.exit('plotnine' in sys.modules or 'plot' not in dir(gammapolars))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert gp.plot.spectrum.__module__ == "gammapolars.figures.spectrum"


@pytest.mark.parametrize("frame", [SPECTRUM, SPECTRUM.lazy(), gp.named(SPECTRUM, DETECTORS)])
def test_spectra_are_drawn_lazy_or_not_with_names_or_without(frame: pl.DataFrame | pl.LazyFrame) -> None:
    plot = gp.plot.spectrum(frame)

    assert plot.data["facet"].unique().to_list() in (["0/3"], ["HPGe-3"])
    assert plot.data["counts"].gather_every(2).to_list() == SPECTRUM["counts"].to_list()
    built(plot)


def test_a_linear_axis_shows_the_counts_as_they_are() -> None:
    """A logarithmic axis lays empty bins on its foot; a linear one added later has them at 0."""
    lines = {2.5: "peak"}
    logarithmic = scaled(gp.plot.spectrum(SPECTRUM, lines=lines))
    with pytest.warns(PlotnineWarning, match="already present"):
        linear = gp.plot.spectrum(SPECTRUM, lines=lines) + p9.scale_y_continuous()

    assert 10 ** logarithmic.min() == pytest.approx(0.5)
    assert 10 ** logarithmic.max() == pytest.approx(100)
    assert scaled(linear).tolist() == [4, 4, 0, 0, 100, 100, 9, 9, 0, 0, 1, 1]
    low, high = linear.layout.panel_scales_y[0].final_limits
    assert (low, high) == (0, 100)  # nothing else reaches higher, so that no label takes of the scale


def test_empty_channels_that_were_left_out_are_empty_and_no_neighbours() -> None:
    adc = np.concatenate([np.arange(100.0, 600.0), [640.0, 700.0, 1500.0, 1501.0, 2999.0]])
    table = pl.DataFrame({"board": 0, "channel": 1, "adc": adc, "counts": 7.0, "variance": 7.0}).with_columns(
        energy_kev=0.3 + 0.37 * pl.col("adc") + 1e-6 * pl.col("adc") ** 2
    )
    one = gp.plot.spectrum(table).data
    two = pl.concat([table.with_columns(run=pl.lit("a")), table[:300].with_columns(run=pl.lit("b"))])
    several = gp.plot.spectrum(two, overlay="run").data

    for drawn_table, counts in ((one, 7.0 * len(adc)), (several, 7.0 * (len(adc) + 300))):
        widths = (drawn_table["right"] - drawn_table["left"]).to_numpy()
        assert 0.7 < widths.min() < widths.max() < 0.8  # of two channels each, for all that is between them
        assert drawn_table["counts"].gather_every(2).sum() == counts
    at = [several.filter(overlay=name)["left"].to_list() for name in "ab"]
    assert at[0] == at[1]


def test_bins_at_the_ends_of_a_range_are_whole() -> None:
    flat = pl.DataFrame({"energy_kev": np.arange(0.5, 6000), "counts": 100.0})
    plot = gp.plot.spectrum(flat, style=FigureStyle(range_x=(101.0, 4903.0)))
    assert plot.labels.y == "Counts per 4 keV"
    assert plot.data["counts"].unique().to_list() == [400.0]
    assert (plot.data["left"].min(), plot.data["right"].max()) == (100.0, 4904.0)
    rounded = pl.DataFrame({"energy_kev": np.round(0.3333 * np.arange(6000), 3), "counts": 100.0})
    cut = gp.plot.spectrum(rounded, style=FigureStyle(range_x=(101.0, 1803.0))).data
    assert cut["counts"].unique().to_list() == [400.0]


def test_names_are_added_where_boards_and_channels_stand() -> None:
    pairs = pl.LazyFrame({"board_a": [0], "channel_a": [3], "adc_a": [7], "board_b": [0], "channel_b": [9]})

    both = gp.named(pairs, DETECTORS).collect()

    assert both.columns == ["board_a", "channel_a", "name_a", "adc_a", "board_b", "channel_b", "name_b"]
    assert both.select("name_a", "name_b").row(0) == ("HPGe-3", "0/9")
    assert gp.named(SPECTRUM, Detectors())["name"].unique().to_list() == ["0/3"]
    with pytest.raises(TableError, match="no columns 'board' and 'channel'"):
        gp.named(pl.DataFrame({"counts": [1.0]}), DETECTORS)


def test_what_gammapolars_gives_is_drawn(tmp_path: Path) -> None:
    run = Path(__file__).parents[2] / "data" / "co60-four-hpge.root"
    detectors = gp.load_detectors(run.with_name("detectors.toml"))
    hits = gp.scan(run).head(60_000).pipe(gp.calibrate, detectors)
    pairs = hits.pipe(gp.pairs, window="250ns").collect().lazy()
    figures = [
        gp.plot.spectrum(hits.pipe(gp.spectrum, bin_kev=2)),
        gp.plot.time_differences(pairs, window="250ns"),
        gp.plot.time_differences(gp.time_spectrum(pairs, bin_ps=5000)),
        gp.plot.matrix(pairs.pipe(gp.matrix, bin_kev=10)),
        gp.plot.rates(hits),
        gp.plot.gated(pairs.pipe(gp.gate, 1332.5).pipe(gp.spectrum, bin_kev=4, by=())),
        gp.plot.peaks(pl.DataFrame({"centroid_kev": [1173.2], "area": [900.0], "area_unc": [31.0]})),
    ]
    for figure in figures:
        assert isinstance(figure, p9.ggplot)
        built(figure)
    total = figures[1].data.select("name_a", "name_b", "dt_ns", "counts").gather_every(2)["counts"].sum()
    assert total == pairs.select(pl.len()).collect().item()
    assert figures[2].data["counts"].gather_every(2).sum() == total
    assert figures[3].labels.title == "γγ coincidence matrix"
    assert type(figures[3].coordinates).__name__ == "coord_fixed"


def test_the_style_reaches_every_figure() -> None:
    style = FigureStyle(
        title="Mine", range_x=(2.0, 5.0), range_y=(0.0, 50.0), log_y=False, theme="print", dpi=72, size_cm=(8.6, 5.0)
    )
    plot = gp.plot.spectrum(SPECTRUM, style=style)

    assert plot.labels.title == "Mine"
    assert plot.theme.getp("figure_size") == pytest.approx((8.6 / 2.54, 5 / 2.54))
    assert plot.data["x"].min() == 2.0
    assert plot.data["counts"].max() == 100.0  # cut off at the frame, and not left out
    assert plot.coordinates.limits.y == (0.0, 50.0)
    built(plot)
    wide = gp.plot.spectrum(SPECTRUM, style=FigureStyle(bin=2.0))
    assert wide.labels.y == "Counts per 2 keV"
    assert wide.data["counts"].gather_every(2).to_list() == [4, 109, 1]
    with pytest.raises(UsageError, match="not a multiple of the existing 1:"):
        gp.plot.spectrum(SPECTRUM, style=FigureStyle(bin=1.5))
    with pytest.raises(UsageError, match="range of x must increase"):
        FigureStyle(range_x=(5.0, 2.0))


def test_pairs_of_random_windows_are_no_time_differences_below_zero() -> None:
    regions = ["prompt", "prompt", "random"]
    pairs = pl.DataFrame({"dt_ps": [1000, 2000, 50_000], "region": regions, "weight": [1.0, 1.0, -0.25]})

    table = gp.plot.time_differences(pairs, style=FigureStyle(bin=1.0)).data

    assert table["counts"].min() == 1
    assert table["counts"].gather_every(2).sum() == 2
    assert table["right"].max() == 2.5


def test_pairs_of_two_detectors_stand_once_whichever_came_first() -> None:
    pairs = pl.DataFrame(
        {"board_a": 0, "channel_a": [1, 2, 1], "board_b": 0, "channel_b": [2, 1, 3], "dt_ps": [7000, 2000, 5000]}
    )

    table = gp.plot.time_differences(pairs, style=FigureStyle(bin=1.0)).data.filter(pl.col("counts") > 0)

    assert sorted(table.select("name_a", "name_b", "counts").unique().rows()) == [
        ("0/1", "0/2", 1.0),
        ("0/1", "0/3", 1.0),
    ]
    at = table.filter(name_b="0/2")["dt_ns"].to_list()
    assert at == pytest.approx([-2.5, -1.5, 6.5, 7.5])  # t2 - t1 is -2 ns and 7 ns


def test_bins_of_pairs_are_as_wide_as_asked_for_also_where_times_are_multiples_of_a_clock() -> None:
    pairs = pl.DataFrame({"dt_ps": [0, 10_000, 10_000, 30_000]})

    plot = gp.plot.time_differences(pairs, style=FigureStyle(bin=2.0))

    assert plot.labels.y == "Counts per 2 ns"
    assert gp.plot.time_differences(pairs).labels.y == "Counts per 10 ns"  # no comb of bins that cannot be filled
    assert plot.data.filter(pl.col("counts") == 2)["dt_ns"].to_list() == [9, 11]


def test_rates_have_bins_as_wide_as_asked_for() -> None:
    table = pl.DataFrame({"time_s": [0.5 + number for number in range(400)], "width_s": 1.0, "counts": 9.0})

    widths = [
        gp.plot.rates(table, style=FigureStyle(bin=bin)).data["time_s"].unique().sort().diff()[1] for bin in (1.0, 5.0)
    ]

    assert widths == pytest.approx([1.0, 5.0])
    with pytest.raises(UsageError, match="not a multiple of the existing 1:"):
        gp.plot.rates(table, style=FigureStyle(bin=1.5))


def test_inputs_are_overlaid_and_compared_bin_by_bin() -> None:
    twice = SPECTRUM.with_columns(pl.col("counts") * 2, file=pl.lit("b.parquet"), variance=pl.col("counts") * 4)
    both = pl.concat([SPECTRUM.with_columns(file=pl.lit("a.parquet"), variance=pl.col("counts")), twice])

    plot = gp.plot.spectrum(both, overlay="file", compare="ratio")

    upper, lower = plot.items
    assert upper.data["overlay"].unique(maintain_order=True).to_list() == ["a.parquet", "b.parquet"]
    assert lower.labels.y == "Ratio to a.parquet"
    points = lower.data.sort("x")
    assert points["x"].to_list() == [0.5, 2.5, 3.5, 5.5]  # where the reference is empty there is no ratio
    assert points["value"].to_list() == [2.0] * 4
    # r = b/a: σ² = (v_b + r² v_a) / a², with v_b = 4 a
    expected = [((4 * a + 4 * a) / a**2) ** 0.5 for a in (4.0, 100.0, 9.0, 1.0)]
    assert (points["top"] - points["value"]).to_list() == pytest.approx(expected)
    difference = gp.plot.spectrum(both, overlay="file", compare="difference").items[1].data.sort("x")
    assert difference["value"].to_list() == [4, 0, 100, 9, 0, 1]
    assert drawn(plot).startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="two inputs"):
        gp.plot.spectrum(SPECTRUM, compare="ratio")


def test_net_counts_have_bands_that_do_not_vanish_on_a_logarithmic_axis() -> None:
    net = SPECTRUM.with_columns(
        counts=pl.Series([4.0, -2.0, 100.0, 9.0, 0.0, 1.0]), variance=pl.Series([9.0, 7.0, 105.0, 14.0, 5.0, 6.0])
    )

    plot = gp.plot.spectrum(net, note="net of chance")

    band = next(layer for layer in plot.layers if type(layer.geom).__name__ == "geom_filled_line")._data
    ends = [count - unc**0.5 for count, unc in net.select("counts", "variance").iter_rows()]
    assert band["bottom"].gather_every(2).to_list() == pytest.approx(ends)
    assert plot.labels.subtitle == "net of chance; band: ±1σ"
    plot._setup()
    plot._build()
    shown = next(layer for layer in plot.layers if type(layer.geom).__name__ == "geom_filled_line").data
    assert np.isfinite(shown[["ymin", "ymax"]].to_numpy()).all()
    assert shown["ymin"].min() == pytest.approx(np.log10(0.5))


@pytest.mark.parametrize("start", [0.05, 1000.1, 0.37])
def test_steps_are_steps(start: float) -> None:
    """Neighbours share their edge to the last bit: else a line between them slants, or goes back."""
    width = 0.1
    table = pl.DataFrame(
        {"energy_kev": [start + n * width for n in range(500)], "counts": [float(n % 7) for n in range(500)]}
    )

    points = gp.plot.spectrum(table).data

    x, y = points["x"].to_numpy(), points["counts"].to_numpy()
    assert len(x) == 1000
    assert ((np.diff(x) == 0) ^ (np.diff(y) == 0) | (np.diff(x) == 0) & (np.diff(y) == 0)).all()
    assert (np.diff(x) >= 0).all()
    assert y[::2].tolist() == table["counts"].to_list()


def test_bins_that_are_not_equally_wide_are_drawn_where_they_are() -> None:
    """Spectra of other programs have calibrations that are not linear."""
    channels = np.arange(4000.0)
    energies = 0.3 + 0.4 * channels + 2e-6 * channels**2
    table = pl.DataFrame({"energy_kev": energies, "counts": channels})

    plot = gp.plot.spectrum(table)

    assert plot.data["counts"].gather_every(2).sum() == channels.sum()
    assert plot.data["x"].max() == pytest.approx(energies[-1] + 0.2, abs=0.05)
    assert (plot.data["x"].diff().drop_nulls() >= 0).all()
    assert plot.data.height // 2 <= 2000


def test_detectors_of_different_gain_make_no_symmetric_matrix() -> None:
    one = pl.DataFrame({"adc_x": [1.0, 1.0, 2.0], "adc_y": [1.0, 2.0, 1.0], "counts": [5.0, 3.0, 3.0]})

    symmetric = gp.plot.matrix(one)
    other = gp.plot.matrix(one.with_columns(counts=pl.Series([5.0, 3.0, 2.0])), names=("left", "right"))

    assert symmetric.labels.x == "ADC channel of one detector"
    assert other.labels.x == "ADC channel, left"
    assert other.labels.y == "ADC channel, right"
    energies = one.rename({"adc_x": "energy_kev_x", "adc_y": "energy_kev_y"})
    assert gp.plot.matrix(energies).labels.x == r"$E_{\gamma 1}$ (keV)"
    with pytest.raises(TableError, match="a matrix has two columns"):
        gp.plot.matrix(SPECTRUM)


def test_the_legend_of_long_names_has_as_many_columns_as_have_room() -> None:
    parts = [SPECTRUM.with_columns(file=pl.lit(f"{number}/a/long/way/to/some_spectrum.parquet")) for number in range(4)]
    both = pl.concat(parts)

    def columns(theme: str) -> object:
        plot = gp.plot.spectrum(both, overlay="file", style=FigureStyle(theme=theme))  # type: ignore[arg-type]
        return plot.guides.color.ncol

    assert columns("screen") == 2
    assert columns("print") == 1
    short = gp.plot.spectrum(pl.concat(parts[:2]).with_columns(file=pl.col("file").str.head(1)), overlay="file")
    assert short.guides.color.ncol >= 2
