"""Prompt peaks in histograms of time differences, measured without a model: level, height, half maximum, mean.

Where a histogram is all that is left of the pairs, its peaks may have any shape, such as the long tails of
scintillators, and bins may be wider than they are.
"""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats

LEAST_SIGMA = 6.0

REACHES = (25, 10, 5, 2.5, 1.7, 1.2)
"""Chance is counted beyond this many FWHM: as far out as there are enough bins, for tails may be long."""


class PromptPeak(NamedTuple):
    """The peak of true coincidences of one detector pair.

    Attributes:
        name_a: the first detector.
        name_b: the second detector.
        centre_ns: where it stands, t_b - t_a.
        fwhm_ns: its full width at half maximum.
        bin_ns: the bins that it was measured with; a width below two of them is not resolved.
        net: counts above the chance level of both sides.
        net_unc: one standard deviation of `net`.
        level_per_ns: counts per ns beside the peak, which chance makes.
        level_per_ns_unc: one standard deviation of the level.
    """

    name_a: str
    name_b: str
    centre_ns: float
    fwhm_ns: float
    bin_ns: float
    net: float
    net_unc: float
    level_per_ns: float
    level_per_ns_unc: float

    @property
    def centre_unc_ns(self) -> float:
        """One standard deviation of the centre, from the counts and the width."""
        return max(self.fwhm_ns, self.bin_ns) / FWHM_PER_SIGMA / math.sqrt(self.net)


def prompt_peaks(time_differences: pl.DataFrame) -> list[PromptPeak]:
    """The prompt peak of each detector pair that has one (6 sigma above the level beside it), the strongest first."""
    peaks = []
    for (name_a, name_b), table in time_differences.sort("dt_ns").group_by(["name_a", "name_b"], maintain_order=True):
        dt, counts = (table[column].cast(pl.Float64).to_numpy() for column in ("dt_ns", "counts"))
        if len(dt) >= 8 and (peak := _prompt_peak(dt, counts, float(table["width_ns"][0]))):
            peaks.append(PromptPeak(str(name_a), str(name_b), *peak))
    return sorted(peaks, key=lambda peak: peak.net, reverse=True)


def summed_prompt_peak(time_differences: pl.DataFrame) -> PromptPeak | None:
    """The prompt peak of all detector pairs together, where single pairs have too few counts to show theirs."""
    sums = time_differences.group_by("dt_ns").agg(pl.col("counts").sum(), pl.col("width_ns").first())
    table = sums.with_columns(name_a=pl.lit("all detector pairs"), name_b=pl.lit(""))
    return next(iter(prompt_peaks(table)), None)


def _prompt_peak(dt: Floats, counts: Floats, width: float) -> tuple[float, ...] | None:
    """The numbers of a `PromptPeak`, from `centre_ns` on, of a histogram's highest peak."""
    while counts.max() < 50 and len(counts) >= 80:
        even = len(counts) // 2 * 2
        dt, counts, width = dt[:even].reshape(-1, 2).mean(1), counts[:even].reshape(-1, 2).sum(1), 2 * width
    top = int(np.argmax(np.convolve(counts, np.ones(3), "same")))
    top = max(range(max(0, top - 1), min(len(counts), top + 2)), key=lambda place: counts[place])
    level = float(np.median(counts))
    low, high = _half_maximum(counts, top, level)
    distance = np.abs(np.arange(len(counts)) - (low + high) / 2)
    for reach in REACHES:
        aside = distance > reach * (high - low) + 1
        if aside.sum() >= max(4, 0.2 * len(counts)):
            break
    else:
        return None
    level = float(counts[aside].mean())
    net = float((counts[~aside] - level).sum())
    inside = int((~aside).sum())
    net_unc = math.sqrt(float(counts[~aside].sum()) + inside**2 * max(level, 1 / aside.sum()) / aside.sum())
    if net < LEAST_SIGMA * max(net_unc, 1.0) or (counts[top] < 2 * level and net < 10 * net_unc):
        return None
    # Where the peak has bins to spare, a short running mean keeps one high bin from narrowing it.
    mean_of = max(1, int((high - low) / 5) // 2 * 2 + 1)
    smooth = np.convolve(counts, np.full(mean_of, 1 / mean_of), "same")
    low, high = _half_maximum(smooth, int(np.argmax(np.where(aside, 0, smooth))), level)
    core = np.abs(np.arange(len(counts)) - (low + high) / 2) <= max(1.5, high - low)
    centre = float(np.average(dt[core], weights=np.maximum(counts[core] - level, 1e-9)))
    level_unc = math.sqrt(max(float(counts[aside].sum()), 1.0)) / aside.sum()
    return centre, (high - low) * width, width, net, net_unc, level / width, level_unc / width


def _half_maximum(counts: Floats, top: int, level: float) -> tuple[float, float]:
    """Where a peak falls to half of its height above a level, in bins, between bins by a straight line."""
    half = level + (float(counts[top]) - level) / 2
    ends = []
    for step in (-1, 1):
        place = top
        while 0 <= place + step < len(counts) and counts[place + step] > half:
            place += step
        beyond = place + step
        if 0 <= beyond < len(counts):
            ends.append(place + step * float((counts[place] - half) / max(counts[place] - counts[beyond], 1e-9)))
        else:
            ends.append(float(place))
    return ends[0], ends[1]
