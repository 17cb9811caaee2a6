"""Peaks and lines as the arrays that the matching computes with."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.core.types import Floats

Indices = NDArray[np.intp]

SHAPE_ERROR = 0.12
"""How far line shapes, neighbours and non-proportionality move a centroid, in units of its FWHM."""

BROAD = 0.02
"""From this FWHM over position on (median), peaks are those of a detector that does not resolve lines."""

MOST_LINES = 40
WEAKEST = 0.004
"""Lines weaker than this share of their nuclide's strongest are left out of the search."""


class Peaks(NamedTuple):
    """Peaks in order of spectrum and position, in adc; logarithms are natural.

    `tolerance` is how far each may lie from its line, one standard deviation; `log_least` is ln of the area that could
    just have been found there; `density` counts peaks per adc around each. Spectra are numbered from 0, `row` is that
    of the table, and lines could have been seen from `low` to `high`.
    """

    adc: Floats
    tolerance: Floats
    fwhm: Floats
    log_area: Floats
    log_area_unc: Floats
    log_least: Floats
    density: Floats
    spectrum: Indices
    row: Indices
    low: float
    high: float

    @property
    def are_broad(self) -> bool:
        """Whether they are as broad as those of scintillators."""
        clear = self.adc > 0
        return bool(clear.any()) and float(np.median(self.fwhm[clear] / self.adc[clear])) > BROAD


class Lines(NamedTuple):
    """Lines in order of energy: `energy` and `energy_unc` in keV, `log_intensity`, and the number of its `nuclide`.

    `source` is the number of the source named: the nuclide itself, or the head of its chain. A line that `may_lack` a
    peak is held against nobody: X-rays stop in a housing, or lie below the threshold.
    """

    energy: Floats
    energy_unc: Floats
    log_intensity: Floats
    nuclide: Indices
    row: Indices
    source: Indices
    may_lack: NDArray[np.bool_]

    @property
    def are_blends(self) -> bool:
        """Whether they are those of a detector that does not resolve them: then X-rays and the room are among them."""
        return bool(self.may_lack.any())


def peak_arrays(table: pl.DataFrame, adc_range: tuple[float, float] | None) -> Peaks:
    """The usable peaks as arrays."""
    run = pl.col("run").cast(pl.Int64) if "run" in table.columns else pl.lit(0, pl.Int64)
    numbers = [
        pl.col(name).cast(pl.Float64) for name in ("centroid_adc", "centroid_adc_unc", "fwhm_adc", "area", "area_unc")
    ]
    frame = (
        table.with_row_index("row")
        .select("row", run.alias("run"), *numbers)
        .filter(
            pl.col("centroid_adc").is_finite() & (pl.col("fwhm_adc") > 0) & pl.col("fwhm_adc").is_finite(),
            (pl.col("area") > 0) & pl.col("area").is_finite(),
        )
        .sort("run", "centroid_adc", "row")
    )
    adc, unc, fwhm, area, area_unc = (frame[name].to_numpy() for name in frame.columns[2:])
    area_unc = np.where(np.isfinite(area_unc) & (area_unc > 0), area_unc, np.sqrt(area))
    unc = np.where(np.isfinite(unc) & (unc > 0), unc, 0.1 * fwhm)
    spectrum = frame["run"].rank("dense").to_numpy().astype(np.intp) - 1
    low, high = (float(adc.min(initial=np.inf)), float(adc.max(initial=-np.inf)))
    if adc_range is not None:
        low, high = min(low, adc_range[0]), max(high, adc_range[1])
    tolerance = np.hypot(unc, SHAPE_ERROR * fwhm)
    # The area that could just have been found follows from the background below a weak peak, or a strong one's counts.
    below = np.sqrt(np.maximum(area_unc**2 - area, 0.02 * area_unc**2))
    log_least = np.log(5 * below + 15)
    density = np.empty(len(adc))
    for number in np.unique(spectrum):
        own = spectrum == number
        log_least[own] = np.maximum(log_least[own], np.log(area[own].min()))
        density[own] = _density(adc[own], high)
    return Peaks(
        adc, tolerance, fwhm, np.log(area), area_unc / area, log_least, density, spectrum,
        frame["row"].to_numpy().astype(np.intp), low, high,
    )  # fmt: skip


def _density(adc: Floats, high: float) -> Floats:
    """Peaks per adc around each peak: of its two neighbours on either side, drawn towards the average by four more."""
    count = len(adc)
    place = np.arange(count)
    first, last = np.maximum(place - 2, 0), np.minimum(place + 2, count - 1)
    average = count / max(high, 1e-9)
    return np.asarray((last - first + 4.0) / (adc[last] - adc[first] + 4.0 / average))


def line_arrays(table: pl.DataFrame) -> Lines:
    """The lines that can be looked for, as arrays in order of energy."""
    strongest = pl.col("intensity").max().over("nuclide")
    source = "parent" if "parent" in table.columns else "nuclide"
    frame = (
        table.with_row_index("row")
        .filter((pl.col("intensity") > WEAKEST * strongest) & (pl.col("energy_kev") > 0))
        .with_columns(share=pl.col("intensity") / strongest)
        .sort("share", "energy_kev", descending=[True, False])
        .head(MOST_LINES)
        .sort("energy_kev", "row")
    )
    unc = frame["energy_kev_unc"].cast(pl.Float64).fill_null(0.0).to_numpy()
    return Lines(
        frame["energy_kev"].cast(pl.Float64).to_numpy(),
        unc,
        np.log(frame["intensity"].cast(pl.Float64).to_numpy()),
        frame["nuclide"].cast(pl.String).rank("dense").to_numpy().astype(np.intp),
        frame["row"].to_numpy().astype(np.intp),
        frame[source].cast(pl.String).rank("dense").to_numpy().astype(np.intp),
        frame["may_lack"].to_numpy() if "may_lack" in frame.columns else np.zeros(frame.height, dtype=bool),
    )
