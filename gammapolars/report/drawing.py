"""The figures of a report as PNG: for the page, and narrower ones for a phone."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import plotnine as p9
import polars as pl
from PIL.Image import Dither
from plotnine.composition import Compose

from gammapolars import figures
from gammapolars.core.quantities import axis_columns
from gammapolars.figures import SCREEN, FigureStyle
from gammapolars.gamma_lines import in_cascade
from gammapolars.report import runs
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import ANNIHILATION, CLEAR, Lines
from gammapolars.report.page import Image
from gammapolars.report.runs import RunPart
from gammapolars.report.sections import FIGURES, MATRIX, RATES, SPECTRA, TIME_DIFFERENCES, Findings
from gammapolars.report.spots import Spot
from gammapolars.spectra.matrices import is_symmetric

PHONE = FigureStyle(theme="print", dpi=190)
"""As wide as a column of a journal: a phone's screen is about as wide, and its letters are to be read."""

COLOURS = 256

ALT = {
    RATES: "Count rate of each detector versus time",
    SPECTRA: "Spectrum of each detector, logarithmic scale",
    TIME_DIFFERENCES: "Time-difference histograms of the detector pairs",
    MATRIX: "Coincidence matrix of the two energies of each pair, logarithmic colour scale",
}

Told = Callable[[str], None]
Plot: TypeAlias = "p9.ggplot | Compose"


def drawn(
    found: Findings, tell: Told, names: Sequence[str] = FIGURES, *, few_colours: bool = False
) -> dict[str, Image]:
    """Some figures of an analysis, by name.

    Args:
        found: the results to show.
        tell: called with the name of each figure.
        names: which figures.
        few_colours: whether they take fewer bytes, where there are many on a page.
    """
    images, axes = {}, axis_columns(found.analysis.matrix.columns)
    # One that only rounding keeps from being its own mirror image is judged by its figures.
    symmetric = (MATRIX in names and axes and is_symmetric(found.analysis.matrix)) or None
    for number, name in enumerate(names, 1):
        tell(f"drawing figure {number} of {len(names)}: {name.replace('_', ' ')}")
        images[name] = _image(name, partial(_plot, found, name, symmetric), few_colours=few_colours)
    return images


def _image(name: str, plot: Callable[[FigureStyle], Plot], *, few_colours: bool = False) -> Image:
    phone = png(plot(PHONE), few_colours=True)
    wide = png(plot(SCREEN), few_colours=few_colours)
    return Image(wide, ALT[name], narrow=name == MATRIX, phone=phone)


def png(plot: Plot, *, few_colours: bool = False) -> bytes:
    """A figure as PNG; with 256 colours it takes a third of the bytes."""
    picture, buffer = figures.pixels(plot), io.BytesIO()
    dpi = picture.info["dpi"]
    if few_colours:
        picture = picture.quantize(COLOURS, dither=Dither.NONE)
    picture.save(buffer, "PNG", dpi=dpi)
    return buffer.getvalue()


def _plot(found: Findings, name: str, symmetric: bool | None, style: FigureStyle) -> Plot:
    """One figure of an analysis; `symmetric` is whether its matrix is."""
    analysis = found.analysis
    if name == RATES:
        return figures.rates(analysis.rates, style=style)
    if name == SPECTRA:
        return figures.spectrum(analysis.spectra, peaks=_clear(analysis.peaks), style=style)
    if name == TIME_DIFFERENCES:
        return figures.time_differences(
            analysis.time_differences,
            window=analysis.window,
            chance=analysis.pairs_by_detectors,
            random=analysis.random_windows,
            style=style,
        )
    labels = _spot_labels(found.spots, found.lines)
    return figures.matrix(analysis.matrix, spots=labels, symmetric=symmetric, names=against(analysis), style=style)


def _clear(peaks: pl.DataFrame) -> pl.DataFrame | None:
    """The peaks that a figure names: those of a nuclide, and others that are clearly significant."""
    if peaks.is_empty():
        return None
    return peaks.filter(pl.col("nuclide").is_not_null() | (pl.col("area") > CLEAR * pl.col("area_unc")))


def against(analysis: Analysis) -> tuple[str, str] | None:
    """The two detectors whose pulse heights the matrix shows against each other; None where it shows energies."""
    pairs = analysis.pairs_by_detectors.filter(pl.col("pairs") > 0)
    if "adc_x" not in analysis.matrix.columns or pairs.height != 1:
        return None
    return pairs["name_a"][0], pairs["name_b"][0]


def drawn_of_runs(found: Findings, parts: Sequence[RunPart], tell: Told) -> dict[str, Image]:
    """The figures of several runs: rates and spectra compared, and their pairs together."""
    pairs = drawn(found, tell, (TIME_DIFFERENCES, MATRIX))
    tell("drawing the comparison of the runs")
    rates, spectra = runs.rates_of_runs(parts), runs.spectra_of_runs(parts)
    return {
        RATES: _image(RATES, lambda style: figures.rates(_apart(rates), style=style)),
        SPECTRA: _image(SPECTRA, lambda style: _overlaid(spectra, style)),
        **pairs,
    }


def _apart(table: pl.DataFrame) -> pl.DataFrame:
    """A table in which each run of a detector has a panel of its own."""
    return table.with_columns(name=pl.format("{}, {}", "name", "run")) if table.height else table


def _overlaid(spectra: pl.DataFrame, style: FigureStyle) -> Plot:
    """The spectra of several runs over each other, in counts per second."""
    note = "per second of real time; one colour per run"
    return figures.spectrum(spectra, overlay="run", counts="counts per second", note=note, style=style)


def _spot_labels(spots: list[Spot], lines: list[Lines]) -> dict[tuple[float, float], str]:
    """Labels for the strongest spots: the energies, after the nuclide where ENSDF knows them as its cascade."""
    nuclides_of: dict[float, set[str]] = {}
    for line in (line for detector in lines for line in detector.seen):
        nuclides_of.setdefault(line.energy_kev, set()).add(line.nuclide)
    labels = {}
    for x, y in ((spot.energy_x_kev, spot.energy_y_kev) for spot in spots[:8]):
        both = sorted(nuclides_of.get(x, set()) & nuclides_of.get(y, set()) - {ANNIHILATION})
        cascades = [nuclide for nuclide in both if in_cascade(nuclide, x, y)]
        labels[x, y] = " ".join([*cascades, f"{x:.0f}–{y:.0f}"])
    return labels
