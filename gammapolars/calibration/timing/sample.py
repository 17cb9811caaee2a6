"""Bounded samples of the pairs near prompt peaks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.calibration.timing.reading import ENDS, Pair, with_sign
from gammapolars.core.types import Integers, Key
from gammapolars.corrections import gain_corrected_adc

MOST_SAMPLED = 4_000_000
"""Pairs in a sample, of all detector pairs together."""


class Sample(NamedTuple):
    """Pairs near their prompt peaks, the first ones of each two detectors.

    Attributes:
        keys: the detectors, sorted.
        pair: the detector pair of each, a place in `ends`.
        ends: (detector pairs, 2): places in `keys`, the lower first.
        dt_ps: t_b - t_a as recorded, no offset subtracted.
        adc: (2, pairs): of a and b.
        reach_ps: (detector pairs, 2): between which time differences pairs were taken.
    """

    keys: list[Key]
    pair: npt.NDArray[np.int32]
    ends: npt.NDArray[np.intp]
    dt_ps: Integers
    adc: npt.NDArray[np.float32]
    reach_ps: Integers


class Sampler:
    """Gathers a sample of pairs near prompt peaks, up to `enough` of each detector.

    Peaks are near the differences of the detectors' `offsets`; pairs are taken as far as `half_ps` around them.
    """

    def __init__(self, offsets: Mapping[Key, int], half_ps: Mapping[Pair, int], enough: int) -> None:
        self._keys = sorted(offsets)
        self._codes = np.array([board << 16 | channel for board, channel in self._keys], np.int64)
        self._ends = ends_of(half_ps, self._keys)
        number = len(self._keys)
        self._number = np.full(number * number, -1, np.int32)
        self._number[self._ends[:, 0] * number + self._ends[:, 1]] = np.arange(len(self._ends))
        self._half = np.array(list(half_ps.values()), np.int64)
        time = np.array([offsets[key] for key in self._keys], np.int64)
        self._middle = time[self._ends[:, 1]] - time[self._ends[:, 0]]
        self._most = min(enough, max(1, MOST_SAMPLED // max(len(self._ends), 1)))
        self._enough = enough
        self._taken = np.zeros(len(self._ends), np.int64)
        self._parts: list[tuple[Any, ...]] = []

    @property
    def reach_ps(self) -> int:
        """How far apart in time aligned hits can be and still be wanted."""
        return int(self._half.max(initial=0))

    def add(self, pairs: pl.DataFrame) -> None:
        further = [name for name in pairs.columns if name.startswith(("adc_", "gain_factor_")) and name[-1] in "ab"]
        columns = [*ENDS, "dt_ps", *further]
        table = pairs.lazy().select(columns).pipe(with_sign).collect()
        place = [self._place(table, side) for side in "ab"]
        there = (place[0] >= 0) & (place[1] >= 0)
        pair = np.where(there, self._number[place[0] * len(self._keys) + place[1]], -1)
        dt = table["dt_ps"].to_numpy()
        rows = np.flatnonzero((pair >= 0) & (np.abs(dt) <= self._half[pair]))
        rows = rows[first_rows(pair[rows], self._most - self._taken)]
        self._taken += np.bincount(pair[rows], minlength=len(self._taken))
        # Without adc values there is no walk: all are taken for 0.
        adc = [
            table.select(gain_corrected_adc(further, f"_{side}").cast(pl.Float32)).to_series().to_numpy()[rows]
            if f"adc_{side}" in further
            else np.zeros(len(rows), np.float32)
            for side in "ab"
        ]
        self._parts.append((pair[rows], dt[rows] + self._middle[pair[rows]], np.stack(adc)))

    def _place(self, pairs: pl.DataFrame, side: str) -> npt.NDArray[np.intp]:
        code = pairs[f"board_{side}"].to_numpy().astype(np.int64) << 16 | pairs[f"channel_{side}"].to_numpy()
        place = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        return np.where(self._codes[place] == code, place, -1)

    def is_complete(self) -> bool:
        """Whether each detector has enough pairs, or each pair of detectors has as many as are kept."""
        by_detector = np.zeros(len(self._keys), np.int64)
        for side in (0, 1):
            np.add.at(by_detector, self._ends[:, side], self._taken)
        return bool((by_detector >= self._enough).all() or (self._taken >= self._most).all())

    def sample(self) -> Sample:
        """The sample gathered."""
        reach = self._middle[:, None] + self._half[:, None] * np.array([-1, 1])
        pair, dt, adc = (np.concatenate(column, axis=-1) for column in zip(*self._parts, strict=True))
        return Sample(self._keys, pair, self._ends, dt, adc, reach)


def ends_of(pairs: Iterable[Pair], keys: Sequence[Key]) -> npt.NDArray[np.intp]:
    """(pairs, 2): the places of detector pairs in a list of detectors."""
    places = {key: place for place, key in enumerate(keys)}
    return np.array([[places[a], places[b]] for a, b in pairs], np.intp).reshape(-1, 2)


def first_rows(pair: npt.NDArray[np.int32], most: Integers) -> npt.NDArray[np.intp]:
    """The first rows of each detector pair, in their order, and no more of each than `most` says."""
    order = np.argsort(pair, kind="stable")
    counts = np.bincount(pair, minlength=len(most))
    rank = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < np.repeat(most, counts)])
