"""The same peaks fitted by becquerel: a Gaussian on a straight line by lmfit's least squares."""

import numpy as np
import polars as pl
from becquerel.core.fitting import Fitter

import gammapolars as gp
from tests.validation.intercomparison import FOLDER, straight
from tests.validation.outcomes import Check, Outcome

EU_152_SPE = FOLDER.parent / "eu152-hpge" / "eu_calib_7cm.Spe"


def other_fitter() -> Outcome:
    """Lone peaks of STRAIGHT and of the recorded Eu-152 spectrum: centroids and areas of both."""
    lines = [f"{'spectrum':10} {'centroid adc':>22} {'becquerel':>20} {'area':>18} {'becquerel':>18} {'ratio':>8}"]
    shifts, ratios = [], []
    for name, spectrum in (("STRAIGHT", straight()), ("Eu-152", gp.read_spectrum(EU_152_SPE).table)):
        counts = spectrum["counts"].to_numpy()
        for peak in _lone(gp.fit_peaks(spectrum.select("adc", "counts", "variance"))).iter_rows(named=True):
            centroid, centroid_unc, area, area_unc = _becquerel(counts, peak["centroid_adc"], peak["fwhm_adc"])
            lines.append(
                f"{name:10} {peak['centroid_adc']:12.3f} ± {peak['centroid_adc_unc']:6.3f}"
                f" {centroid:11.3f} ± {centroid_unc:6.3f} {peak['area']:10.0f} ± {peak['area_unc']:5.0f}"
                f" {area:10.0f} ± {area_unc:5.0f} {peak['area'] / area:8.4f}"
            )
            shifts.append((peak["centroid_adc"] - centroid) / peak["fwhm_adc"])
            ratios.append(peak["area"] / area)
    return Outcome(
        "Lone peaks beside becquerel's fits",
        lines,
        [
            Check("median ratio of areas", float(np.median(ratios)), 0.98, 1.02),
            Check("scatter of the ratios (68 %)", float(np.diff(np.percentile(ratios, [16, 84]))[0] / 2), high=0.05),
            Check("median shift of centroids, in FWHM", float(np.median(shifts)), -0.01, 0.01),
            Check("95 % of the shifts of centroids, in FWHM", float(np.percentile(np.abs(shifts), 95)), high=0.1),
        ],
    )


def _lone(peaks: pl.DataFrame) -> pl.DataFrame:
    """Peaks that are clear, alone, and wide enough for the other fitter's first guess."""
    alone = pl.col("area").count().over("region") == 1
    clear = (
        pl.col("significance") > 30,
        pl.col("area") > 500,
        pl.col("fwhm_adc") > 2.2,
        pl.col("centroid_adc") > 10 * pl.col("fwhm_adc"),
    )
    return peaks.filter(alone, *clear, pl.col("status") == "ok")


def _becquerel(counts: np.ndarray, centroid: float, fwhm: float) -> tuple[float, float, float, float]:
    low, high = round(centroid - 2.5 * fwhm), round(centroid + 2.5 * fwhm) + 1
    x, y = np.arange(low, high, dtype=np.float64), counts[low:high]
    fit = Fitter(["gauss", "line"], x=x, y=y, y_unc=np.sqrt(np.maximum(y, 1)), roi=(low, high))
    fit.guess_param_defaults()
    fit.fit()
    names = ("gauss_mu", "gauss_amp")
    (mu, mu_unc), (area, area_unc) = ((fit.param_val(name), fit.param_unc(name)) for name in names)
    return float(mu), float(mu_unc), float(area), float(area_unc)
