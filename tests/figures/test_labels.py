"""Labels: none lies over another, over the spectrum or past the frame, however many there are and however small."""

from copy import deepcopy
from itertools import combinations

import numpy as np
import plotnine as p9
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from gammapolars.figures import matrix, spectrum
from gammapolars.figures.labels import Label, Labels, Place, Skyline
from gammapolars.figures.peak_marks import peak_text
from gammapolars.figures.style import FigureStyle

PEAKS = np.array(
    [60.0, 121.8, 130.0, 136.0, 244.7, 344.3, 778.9, 964.1, 1085.9, 1112.1, 1173.2, 1332.5, 1408.0, 1460.8]
)


def peaky(heights: float) -> pl.DataFrame:
    energies = np.arange(0.5, 1500)
    counts = 20 + sum(heights * np.exp(-((energies - at) ** 2) / 4) * (1 + at / 300) for at in PEAKS)
    return pl.DataFrame({"energy_kev": energies, "counts": np.round(counts)})


def placed(plot: p9.ggplot) -> list[tuple[Labels, list[tuple[Label, Place | None]]]]:
    """The labels of each panel with their places, after the figure was drawn."""
    figure = deepcopy(plot).draw()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    artists = [artist for axes in figure.axes for artist in axes.get_children() if isinstance(artist, Labels)]
    return [(artist, artist.places(renderer)) for artist in artists]


def boxes(places: list[tuple[Label, Place | None]]) -> list[Bbox]:
    return [place.box for _, place in places if place is not None and place.box.width > 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heights", "theme", "log"),
    [(30.0, "screen", True), (1e5, "print", True), (1e5, "print", False), (30.0, "slide", False)],
)
def test_labels_stay_apart_and_inside(heights: float, theme: str, *, log: bool) -> None:
    style = FigureStyle(theme=theme, log_y=log)  # type: ignore[arg-type]
    lines = {at: f"Xx-152 {at:.1f}" for at in PEAKS.tolist()}

    ((artist, places),) = placed(spectrum(peaky(heights), lines=lines, style=style))

    frame, shown = artist.axes.bbox, boxes(places)  # type: ignore[union-attr]
    assert len(places) == len(PEAKS)
    assert len(shown) >= 7
    for box in shown:
        assert frame.x0 < box.x0 < box.x1 < frame.x1
        assert frame.y0 < box.y0 < box.y1 < frame.y1
        assert Skyline(artist.axes).highest(box.x0 + 1, box.x1 - 1, 0) < box.y0
    for one, other in combinations(shown, 2):
        assert not one.overlaps(other)


def test_the_scale_is_not_wasted_on_labels() -> None:
    plot = spectrum(peaky(1e5), lines=dict.fromkeys(PEAKS[-2:].tolist(), "a label of some length"))
    plot._setup()
    plot._build()
    low, high = plot.layout.panel_params[0].y.range

    highest = float(np.log10(peaky(1e5)["counts"].to_numpy().max()))
    assert (highest - low) / (high - low) > 0.85


def test_labels_can_be_left_out() -> None:
    plot = spectrum(peaky(9.0), lines={511.0: "511"}, style=FigureStyle(labels=False))

    assert "geom_places" not in {type(layer.geom).__name__ for layer in plot.layers}


def test_labels_of_spots_stay_apart_and_inside() -> None:
    lines = [1085.0, 1112.0, 1173.0, 1332.0, 1408.0]
    spots = {(a, b): f"Xx-152 {a:.0f}–{b:.0f}" for a, b in combinations(lines, 2)}
    table = pl.DataFrame({"energy_kev_x": [1.0, 1421.0], "energy_kev_y": [1421.0, 1.0], "counts": [5.0, 5.0]})

    ((artist, places),) = placed(matrix(table, spots=spots))

    frame = artist.axes.bbox  # type: ignore[union-attr]
    shown = boxes(places)
    assert len(shown) >= 5
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1 for box in shown)
    assert not any(one.overlaps(other) for one, other in combinations(shown, 2))


def test_peaks_have_nuclide_or_kind() -> None:
    peaks = pl.DataFrame(
        {
            "centroid_kev": [1173.3, 511.2, 821.6, 1596.9],
            "area": [900.0, 500.0, 80.0, 60.0],
            "area_unc": [30.0, 25.0, 20.0, 20.0],
            "kind": ["full energy", "annihilation", "double escape", "unknown"],
            "nuclide": ["Co-60", None, None, None],
            "line_kev": [1173.228, None, None, None],
            "status": ["ok", "poor fit", "ok", "failed"],
        }
    )

    texts = [peak_text(row) for row in peaks.iter_rows(named=True)]
    assert texts == ["Co-60 1173.2", "511.2 annihilation", "821.6 DE", "1596.9"]
    plot = spectrum(peaky(1e4), peaks=peaks)
    layer = next(layer for layer in plot.layers if type(layer.geom).__name__ == "geom_places")
    assert set(layer._data["label"]) == set(texts[:3])  # what no fit found is not named
    assert set(layer.geom.params["tints"]) == {"821.6 DE"}
