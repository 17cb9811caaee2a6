"""Where prompt peaks lie, and a sample of pairs near them.

A peak is the densest stretch of a histogram: stretches of 1, 2, 4, … bins are slid over all of it. Each is judged by
the likelihood ratio of T. P. Li and Y. Q. Ma, Astrophys. J. 272 (1983) 317, eq. 17, against the counts outside it; how
many stretches were tried is counted.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from gammapolars.calibration.timing import solve
from gammapolars.calibration.timing.reading import Histograms, Pair, PairReader, shifted
from gammapolars.calibration.timing.sample import Sample, Sampler, ends_of
from gammapolars.core.errors import CalibrationError
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.core.units import format_ps
from gammapolars.core.wording import setting

CHANCE = 1e-6
"""Largest probability that a peak as clear occurs by chance, anywhere in a search."""

LEAST_EXCESS = 10
"""Fewer pairs above the random level are no peak, however few random ones are expected."""

MOST_PART = 8
"""Stretches are at most the histogram's length divided by this: the random level must show next to a peak."""


class Stretch(NamedTuple):
    """The clearest stretch of a histogram: its first bin, its length, and the counts in it and above the random level.

    `centre` is the mean of the excess, in bins; `sigmas` the significance of this stretch by itself; `trials` about how
    many independent stretches were compared.
    """

    first: int
    bins: int
    counts: int
    excess: float
    centre: float
    sigmas: float
    trials: int

    def is_clear(self, histograms: int = 1) -> bool:
        """Whether it is not random, where this many histograms are searched."""
        return self.excess >= LEAST_EXCESS and self.sigmas > least_sigmas(self.trials * histograms)


def least_sigmas(trials: int) -> float:
    """The significance that is reached by chance in one of `trials` with the probability `CHANCE`."""
    return -NormalDist().inv_cdf(CHANCE / max(trials, 1))


def significance(counts: Floats, outside: Floats, ratio: float) -> Floats:
    """Standard deviations of an excess over the number expected from counts outside; negative where there are too few.

    `ratio` is the stretch's length divided by that of the rest.
    """
    total = counts + outside
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(counts > 0, counts * np.log((1 + ratio) / ratio * counts / total), 0.0)
        outer = np.where(outside > 0, outside * np.log((1 + ratio) * outside / total), 0.0)
    sign = np.where(counts > ratio * outside, 1.0, -1.0)
    return np.asarray(sign * np.sqrt(2 * np.maximum(inner + outer, 0.0)))


def densest(histogram: Integers) -> Stretch:
    """The clearest stretch of a histogram, clear or not."""
    length, total = len(histogram), int(histogram.sum())
    cumulative = np.concatenate([[0], np.cumsum(histogram)])
    best = Stretch(0, length, total, 0.0, length / 2, 0.0, 1)
    trials, bins = 0, 1
    while bins <= max(1, length // MOST_PART):
        counts = cumulative[bins:] - cumulative[:-bins]
        first = int(counts.argmax())  # of one length, the fullest stretch is the clearest
        inside, ratio = float(counts[first]), bins / (length - bins)
        sigmas = float(significance(np.array(inside), np.array(total - inside), ratio))
        trials += length // bins
        if sigmas > best.sigmas:
            excess = inside - ratio * (total - inside)
            best = Stretch(first, bins, int(inside), excess, 0.0, sigmas, 1)
        bins *= 2
    part = histogram[best.first : best.first + best.bins]
    middle = best.first + best.bins / 2
    moment = float(part @ (np.arange(len(part)) + best.first + 0.5 - middle))
    shift = moment / best.excess if best.excess > 0 else 0.0
    return best._replace(centre=middle + float(np.clip(shift, -best.bins / 2, best.bins / 2)), trials=max(trials, 1))


SEARCH_BINS = 20_000

ENOUGH_TO_FIND = 300
"""Pairs above the random level that each detector's clearest peak has when the search ends."""

HALF_WIDTHS = 8
"""The sample reaches this many widths of the peak to both sides."""


class Search(NamedTuple):
    """Peaks that a search found: by detector pair, position and width in ps, and the clearest stretch.

    `in_sum` is the peak of all detector pairs together, their offsets subtracted: position and width, if there is one.
    """

    keys: list[Key]
    peaks: dict[Pair, tuple[float, float, Stretch]]
    unclear: dict[Pair, Stretch]
    in_sum: tuple[float, float] | None


def search_peaks(reading: PairReader, reach_ps: int) -> Search:
    """The prompt peaks of detector pairs, around the offsets that are known."""
    histograms = Histograms(reach_ps, bins=SEARCH_BINS)
    start = shifted({one.key: one.time_offset_ps for one in reading.detectors})
    offsets = {one.key: one.time_offset_ps for one in start}
    parts = 0

    def search() -> Search:
        stretches, total = {}, np.zeros(0, np.int64)
        for pair, counts in histograms.all():
            stretches[pair] = densest(counts)
            total = total + counts if len(total) else counts
        peaks = {}
        for pair, stretch in stretches.items():
            if stretch.is_clear(len(stretches)):
                offset = offsets.get(pair[1], 0) - offsets.get(pair[0], 0)
                width = stretch.bins * histograms.width_ps
                peaks[pair] = (histograms.low_ps(stretch.centre) + offset, float(width), stretch)
        keys = sorted(reading.hits.by_detector().select("board", "channel").rows())
        unclear = {pair: one for pair, one in stretches.items() if pair not in peaks}
        in_sum = None
        if len(total) and (stretch := densest(total)).is_clear():
            in_sum = histograms.low_ps(stretch.centre), float(stretch.bins * histograms.width_ps)
        return Search(keys, peaks, unclear, in_sum)

    def done() -> bool:
        nonlocal parts
        parts += 1
        if parts & (parts - 1):  # after 1, 2, 4, … parts
            return False
        now = search()
        strong = [pair for pair, (_, _, stretch) in now.peaks.items() if stretch.excess >= ENOUGH_TO_FIND]
        group = solve.groups(ends_of(strong, now.keys), len(now.keys))
        return bool(len(group)) and bool((group == 0).all())

    for pairs in reading.pairs(reach_ps, start, done):
        histograms.add_pairs(pairs)
    return search()


def check_search(search: Search, reach_ps: int, reading: PairReader) -> None:
    """Refuse, by a CalibrationError, to take offsets from noise: where no detector pair shows a prompt peak.

    All hits at one time make none either, however few they are.
    """
    name = reading.runs.all[0].name
    if len(search.keys) > 1 and not reading.hits.real_time_s:
        raise CalibrationError(
            f"{name}: the clock stopped: all hits have the same time, so detectors cannot be aligned"
        )
    if search.peaks:
        return
    if len(search.keys) < 2:
        raise CalibrationError(f"{name}: fewer than two detectors have hits: there are no pairs for the alignment")
    pairs = f"no two of its {len(search.keys)} detectors show a prompt peak within ±{format_ps(reach_ps)}"
    if search.unclear:
        best = max(search.unclear.values(), key=lambda one: one.sigmas)
        pairs += f" (the clearest excess has {max(best.excess, 0.0):.0f} pairs, {best.sigmas:.1f} standard deviations)"
    if len({board for board, _ in search.keys}) > 1:
        pairs += ", nor one that moves by up to 100 ppm of the time"
    width = setting("--search", "search")
    raise CalibrationError(f"{name}: {pairs}: is there a source of coincidences, and is {width} wide enough?")


def draw_sample(reading: PairReader, search: Search, enough: int) -> tuple[Sample, dict[Pair, float]]:
    """Pairs near the peaks of all detector pairs in groups; and about how wide each peak is, ps."""
    pairs = list(search.peaks)
    keys = sorted({key for pair in pairs for key in pair})
    ends = ends_of(pairs, keys)
    positions = np.array([search.peaks[pair][0] for pair in pairs])
    seeds = solve.tree_offsets(ends, positions, [search.peaks[pair][2].sigmas for pair in pairs], len(keys))
    offsets = dict(zip(keys, seeds.tolist(), strict=True))
    group = dict(zip(keys, solve.groups(ends, len(keys)).tolist(), strict=True))
    widest = {key: max(search.peaks[pair][1] for pair in pairs if key in pair) for key in keys}
    widths = {
        (a, b): search.peaks[a, b][1] if (a, b) in search.peaks else max(widest[a], widest[b])
        for place, a in enumerate(keys)
        for b in keys[place + 1 :]
        if group[a] == group[b]
    }
    sampler = Sampler(offsets, {pair: math.ceil(HALF_WIDTHS * width) for pair, width in widths.items()}, enough)
    for near in reading.pairs(sampler.reach_ps, shifted(offsets), sampler.is_complete):
        sampler.add(near)
    return sampler.sample(), widths
