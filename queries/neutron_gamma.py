"""Neutrons and gamma rays by pulse shape: how well each detector separates them.

The pulse shape (long - short) / long is larger for neutrons, whose pulses have a longer tail. Its distribution in a
range of pulse heights is fitted with two Gaussians, which begin with the hits on either side of `split`. The figure of
merit `fom` is the distance of the peaks over the sum of their FWHM. It grows with the pulse height: compare it for one
range, and do not trust it below 0.7, where the peaks overlap. It is null where one of the two peaks is missing.
"""

import numpy as np
import polars as pl
from scipy.special import expit

import gammapolars as gp

NUMBERS = ("gammas", "gamma_psd", "gamma_fwhm", "neutrons", "neutron_psd", "neutron_fwhm", "fom", "fom_unc")


def query(
    hits: pl.LazyFrame, *, reject: int, split: float = 0.2, low_adc: float = 1000.0, high_adc: float = 16000.0
) -> pl.LazyFrame:
    def fitted(bins: pl.DataFrame) -> pl.DataFrame:
        x, n = bins["psd"].to_numpy(), bins["counts"].to_numpy()
        part, row = np.stack([x <= split, x > split]).astype(float), [None] * 8
        for _ in range(300 if (part @ n >= 10).all() else 0):  # share each bin out by the last fit, then fit again
            area, mean = part @ n, part @ (n * x) / (part @ n)
            sigma = np.sqrt((part * (x - mean[:, None]) ** 2) @ n / area) + 1e-6
            heights = np.log(area / sigma)[:, None] - ((x - mean[:, None]) / sigma[:, None]) ** 2 / 2
            part = np.stack([expit(heights[0] - heights[1]), expit(heights[1] - heights[0])])
            total = 2.3548 * sigma.sum()
            fom = (mean[1] - mean[0]) / total
            unc = np.sqrt((sigma**2 / area).sum() + fom**2 * 2.3548**2 * (sigma**2 / area).sum() / 2) / total
            row = [*np.ravel([area, mean, 2.3548 * sigma], "F").tolist(), fom, unc]
        return pl.DataFrame([(bins["board"][0], bins["channel"][0], *row)], schema, orient="row")

    schema = {"board": pl.UInt16, "channel": pl.UInt16} | dict.fromkeys(NUMBERS, pl.Float64)
    used = hits.filter(~gp.has_any(reject), pl.col("adc").is_between(low_adc, high_adc), gp.psd().is_between(0, 1))
    bins = used.group_by("board", "channel", psd=(gp.psd() / 0.002).floor() * 0.002 + 0.001).agg(counts=pl.len())
    return bins.group_by("board", "channel").map_groups(fitted, schema).sort("board", "channel")
