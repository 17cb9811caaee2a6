"""What the command `gate` writes: a net spectrum, its fitted peaks and a figure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars.commands.figure_files import FIGURE, check_figure, save_figure
from gammapolars.commands.gate.counts import NetCounts
from gammapolars.io import WRITERS, check_writable, save
from gammapolars.io.output import check_apart, check_output, check_suffix
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import FORMATS, save_spectrum
from gammapolars.peaks import fit_peaks

EVIDENT = 4.0
"""Peaks whose area is less than as many standard deviations are left out: net counts of nothing fluctuate as well, and
at a thousand places in a spectrum they do so by three."""

SURE = 8.0
"""So many standard deviations have the peaks that tell how wide peaks are."""

MIN_BINS = 16
"""A spectrum with fewer filled bins has no peaks to fit."""


@dataclass(frozen=True)
class GateOutputs:
    """The files that the command `gate` writes.

    Attributes:
        spectrum: .parquet, .arrow, .csv, .root (TH1D) or .txt, with negative counts where they are; .spe or .chn, which
            hold whole counts from 0 on alone; or a figure that ends in .png.
        peaks: a table of the fitted peaks, if it is wanted.
        figure: a .png of the spectrum, if it is wanted.
        overwrite: whether files that exist are replaced.
    """

    spectrum: Path
    peaks: Path | None = None
    figure: Path | None = None
    overwrite: bool = False

    def check(self) -> None:
        """Raise before any work if one of them could not be written.

        Raises:
            UsageError: an unknown suffix, or two of one name.
            OutputError: one exists already.
        """
        check_suffix(self.spectrum, "gated spectra are", dict.fromkeys((*WRITERS, *FORMATS, FIGURE)))
        check_apart(self.spectrum, self.peaks, self.figure)
        check_output(self.spectrum, overwrite=self.overwrite)
        if self.peaks is not None:
            check_writable(self.peaks, overwrite=self.overwrite, text=True)
        check_figure(self.figure, overwrite=self.overwrite)

    def write(self, counts: NetCounts) -> dict[str, Any]:
        """Fit the peaks of a net spectrum, and write all files.

        Returns:
            The summary, with the peaks and what was written.
        """
        net, total, summary, texts = counts
        if net.is_empty():
            empty = f"{summary['gate']['low']:g} to {summary['gate']['high']:g} {summary['unit']}"
            summary = summary | {"warnings": [*summary["warnings"], f"no pair has a hit in the gate {empty}"]}
        peaks = _peaks(net, total)
        if "name" in net.columns:
            names = net.select("board", "channel", "name").unique()
            peaks = peaks.join(names, on=["board", "channel"], how="left", maintain_order="left")
        summary = summary | {"peaks": peaks.to_dicts()}
        outputs = self._save(net, summary, texts)
        if self.peaks is not None:
            save(peaks.lazy(), self.peaks, overwrite=self.overwrite, metadata=texts)
            outputs.append(str(self.peaks))
        if self.figure is not None:
            self._draw(net, self.figure, summary)
            outputs.append(str(self.figure))
        return summary | {"outputs": outputs}

    def _save(self, net: pl.DataFrame, summary: dict[str, Any], texts: dict[str, str]) -> list[str]:
        """Write a net spectrum in the format of its suffix; in some, a file for each detector."""
        suffix = self.spectrum.suffix.lower()
        if suffix == FIGURE:
            self._draw(net, self.spectrum, summary)
        elif suffix in WRITERS and suffix != ".root":
            save(net.lazy(), self.spectrum, overwrite=self.overwrite, metadata=texts)
        else:
            width = {"bin_kev" if summary["unit"] == "keV" else "bin_adc": summary["bin_width"]}
            measurement = Measurement(title=_title(summary))
            paths = save_spectrum(
                net, self.spectrum, measurement=measurement, overwrite=self.overwrite, metadata=texts, **width
            )
            return [str(path) for path in paths]
        return [str(self.spectrum)]

    def _draw(self, net: pl.DataFrame, path: Path, summary: dict[str, Any]) -> None:
        from gammapolars import figures

        plot = figures.gated(net, title=_title(summary), peaks=summary["peaks"])
        save_figure(plot, path, overwrite=self.overwrite)


def _title(summary: dict[str, Any]) -> str:
    gates = [summary[name] for name in ("gate", "and_gate") if name in summary]
    ranges = " and ".join(f"{gate['low']:g} to {gate['high']:g}" for gate in gates)
    return f"In coincidence with {ranges} {summary['unit']}"


def _peaks(net: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """The evident peaks of a net spectrum."""
    spectrum = _filled(net, total) if net.height > MIN_BINS else net.head(0)
    return fit_peaks(spectrum, fwhm=_resolution(total)).filter(pl.col("area") > EVIDENT * pl.col("area_unc"))


def _filled(spectrum: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """A net spectrum with the empty bins that pairs without the gate fill: beyond its last peak, too, is background."""
    axis = total.columns[0]
    keys = [name for name in ("board", "channel") if name in spectrum.columns]
    grid = spectrum.select(keys).unique().join(total.select(axis), how="cross") if keys else total.select(axis)
    empty = grid.join(spectrum, on=[*keys, axis], how="anti").with_columns(counts=pl.lit(0.0), variance=pl.lit(0.0))
    return pl.concat([spectrum.select(empty.columns), empty]).sort(*keys, axis)


def _resolution(total: pl.DataFrame) -> tuple[float, float] | None:
    """FWHM² = a + b E of the peaks of all pairs together: a gated spectrum has too few counts to tell it by itself."""
    if "energy_kev" not in total.columns or total.height <= MIN_BINS:
        return None
    peaks = fit_peaks(total).filter((pl.col("status") == "ok") & (pl.col("area") > SURE * pl.col("area_unc")))
    if peaks.is_empty():
        return None
    energy, square = peaks["centroid_kev"].to_numpy(), peaks["fwhm_kev"].to_numpy() ** 2
    if peaks.height == 1:
        return 0.0, float(square[0] / energy[0])
    weight = 1 / (2 * peaks["fwhm_kev"] * peaks["fwhm_kev_unc"]).to_numpy()
    slope, offset = np.polyfit(energy, square, 1, w=weight)
    if slope <= 0 or offset + slope * energy.min() / 4 <= 0:
        return 0.0, float(np.average(square / energy, weights=weight))
    return float(offset), float(slope)
