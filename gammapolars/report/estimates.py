"""Estimates in a report: whether rates were constant, and how many pairs are true coincidences."""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.analysis.chance import total_expected

REACHES = (25, 10, 5, 2.5, 1.7, 1.2)
"""The level next to a peak is counted beyond this many FWHM: as far out as bins allow, for tails are long."""


class PromptPeak(NamedTuple):
    """The prompt peak of one detector pair: a row of the table of `prompt_peaks`; of all together `name_b` is empty."""

    name_a: str
    name_b: str
    position_ns: float
    position_ns_unc: float
    fwhm_ns: float
    fwhm_ns_unc: float
    sampled_pairs: float


def level_beside(time_differences: pl.DataFrame, peak: PromptPeak) -> tuple[float, float] | None:
    """Pairs per ns next to a prompt peak, and their standard deviation; None where the histogram has no room."""
    table = time_differences.filter(name_a=peak.name_a, name_b=peak.name_b)
    if table.is_empty():
        return None
    distance = (table["dt_ns"] - peak.position_ns).abs().to_numpy()
    width_ns = float(table["width_ns"][0])
    for reach in REACHES:
        aside = distance > reach * peak.fwhm_ns + width_ns
        if aside.sum() >= max(4, 0.2 * len(aside)):
            counts = float(table["counts"].cast(pl.Float64).to_numpy()[aside].sum())
            return counts / aside.sum() / width_ns, math.sqrt(max(counts, 1.0)) / aside.sum() / width_ns
    return None


class Steadiness(NamedTuple):
    """How well one rate describes a detector's whole run: χ² of the counts per time bin about the mean rate, and `z`,
    its standard deviations from the expectation; with the mean rates of the first and the last third of the run.
    """

    name: str
    chi2: float
    ndf: int
    z: float
    first_cps: float
    last_cps: float

    @property
    def is_steady(self) -> bool:
        """True where statistics explain the rate's changes (4 sigma)."""
        return self.z < 4


def steadiness(rates: pl.DataFrame) -> list[Steadiness]:
    """χ² of each detector's rate; bins are joined until 10 counts are expected in each, and one bin says nothing."""
    result = []
    for (_, _, name), table in rates.sort("board", "channel", "time_s").group_by(
        ["board", "channel", "name"], maintain_order=True
    ):
        counts = table["counts"].cast(pl.Float64).to_numpy()
        widths = table["width_s"].cast(pl.Float64).to_numpy()
        if counts.sum() < 20 or len(counts) < 2:
            continue
        group = math.ceil(10 / (counts.sum() / len(counts)))
        starts = np.arange(0, len(counts), group)
        counts, widths = np.add.reduceat(counts, starts), np.add.reduceat(widths, starts)
        expected = counts.sum() / widths.sum() * widths
        ndf = len(counts) - 1
        if ndf < 1:
            continue
        chi2 = float(((counts - expected) ** 2 / expected).sum())
        third = max(1, len(counts) // 3)
        first, last = (float(counts[part].sum() / widths[part].sum()) for part in (slice(third), slice(-third, None)))
        result.append(Steadiness(str(name), chi2, ndf, _normal_deviate(chi2, ndf), first, last))
    return result


def _normal_deviate(chi2: float, ndf: int) -> float:
    """χ² in standard deviations (Wilson and Hilferty 1931, PNAS 17, 684)."""
    spread = 2 / (9 * ndf)
    return float(((chi2 / ndf) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def with_net(pairs_by_detectors: pl.DataFrame) -> pl.DataFrame:
    """The table with `net` and `net_unc`: pairs less random ones, measured in random windows, or else expected."""
    if "net_pairs" in pairs_by_detectors.columns:
        return pairs_by_detectors.with_columns(net="net_pairs", net_unc="net_pairs_unc")
    pairs = pl.col("pairs")
    return pairs_by_detectors.with_columns(
        net=pairs - pl.col("chance_pairs_expected"),
        net_unc=(pl.max_horizontal(pairs, 1) + pl.col("chance_pairs_expected_unc") ** 2).sqrt(),
    )


def total_net(table: pl.DataFrame) -> tuple[float, float]:
    """True coincidences of all detector pairs of `with_net`, and their standard deviation.

    Expected random ones err together, as detectors are shared; measured ones do not.
    """
    net = float(table["net"].sum())
    if "net_pairs" in table.columns:
        return net, math.sqrt(float((table["net_unc"] ** 2).sum()))
    return net, math.hypot(math.sqrt(max(float(table["pairs"].sum()), 1.0)), total_expected(table).unc)
