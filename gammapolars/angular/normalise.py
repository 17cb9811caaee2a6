"""Counts by slice of time, and how many coincidences two lines would make of them without any correlation.

Two ways. *Mixed*: photons of different decays know nothing of each other, so that hits of one line in one detector,
mixed with all hits of the other line in the other, come at the ratios of the efficiencies: Σ_t c_t [S1_i(t) S2_j(t) -
N_ij(t)] over slices of time. The true coincidences N_ij are taken away, as they are among the products: E[S1 S2] =
E[S1] E[S2] + E[N]; they are about one part in as many as decays were in the slice. True coincidences grow with the
number of decays in a slice, products with its square: c_t is one over that number, taken from the median detector's
share of its counts, so that a few detectors that were off for a while change nothing. What the dead times of the two
detectors take away is in the singles as in the coincidences, and cancels. *Uncorrelated*: the pairs in random windows
do the mixing themselves, with fewer counts, but with everything that the electronics does to two hits that are close
in time. The two differ where a detector's efficiency depends on what another one just did, and where rates change by
much within a slice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.angular.counts import COUNTS, SINGLES, SLICE, sums_of
from gammapolars.angular.directions import Ints
from gammapolars.core.errors import TableError
from gammapolars.core.types import Floats, Key, Mask

LEAST_SHARE = 0.01
"""Slices with less than this part of the mean share of counts are weighted as if they had it."""


@dataclass(frozen=True)
class CountArrays:
    """Counts of both lines in slices of time, as arrays: T slices, n detectors, p ordered pairs of detectors.

    Attributes:
        first: (p,) detector of line 1.
        second: (p,) detector of line 2.
        pairs: (T, p) each, of the pairs: the sums of a table of COUNTS, by their names.
        lines: (T, n) each, of the detectors: those of a table of SINGLES.
    """

    first: Ints
    second: Ints
    pairs: Mapping[str, Floats]
    lines: Mapping[str, Floats]

    def of_pairs(self, mask: Mask) -> "CountArrays":
        """The counts of some of the pairs, and of all detectors."""
        pairs = {name: values[:, mask] for name, values in self.pairs.items()}
        return CountArrays(self.first[mask], self.second[mask], pairs, self.lines)


@dataclass(frozen=True)
class Expectation:
    """Coincidences that are expected without correlation, of each ordered pair (p,) and each group of pairs (g,).

    Covariances (g, g) are those of the groups, and of a group's coincidences (first index) with another's expectation.
    """

    of_pairs: Floats
    of_groups: Floats
    covariance: Floats
    with_coincidences: Floats


def uncorrelated_pairs(by_slice: CountArrays, groups: Ints) -> Expectation:
    """From pairs in random windows. `groups` numbers the group of each ordered pair."""
    of_pairs = by_slice.pairs["random"].sum(axis=0)
    return Expectation(
        of_pairs,
        group_sums(of_pairs, groups),
        np.diag(group_sums(by_slice.pairs["random_variance"].sum(axis=0), groups)),
        np.diag(group_sums(by_slice.pairs["covariance_random"].sum(axis=0), groups)),
    )


def mixed_events(by_slice: CountArrays, groups: Ints) -> Expectation:
    """From products of the counts of single lines. `groups` numbers the group of each ordered pair.

    Uncertainties of a detector's counts are shared by all groups in which it takes part, and coincidences are among
    the counts of both their detectors: all that is in the covariances, to first order in the counts.
    """
    size, detectors = int(groups.max()) + 1, by_slice.lines["counts_1"].shape[1]
    first, second = by_slice.first, by_slice.second
    covariance, cross = np.zeros((size, size)), np.zeros((size, size))
    of_pairs, both_vary = np.zeros(len(groups)), np.zeros(len(groups))
    for t, weight in enumerate(_weights(by_slice)):
        pairs = {name: values[t] for name, values in by_slice.pairs.items()}
        lines = {name: values[t] for name, values in by_slice.lines.items()}
        s1, v1, s2, v2 = (lines[name] for name in ("counts_1", "variance_1", "counts_2", "variance_2"))
        of_pairs += weight * (s1[first] * s2[second] - pairs["coincidences"])
        both_vary += weight**2 * v1[first] * v2[second]
        # How a group's expectation changes with line 1 in each detector, and with line 2.
        by_1 = _scatter_add((size, detectors), (groups, first), weight * s2[second])
        by_2 = _scatter_add((size, detectors), (groups, second), weight * s1[first])
        of_lines = _scatter_add((detectors, detectors), (first, second), pairs["coincidences"])
        of_lines += np.diag(lines["covariance"])
        common = by_1 @ of_lines @ by_2.T
        covariance += (by_1 * v1) @ by_1.T + (by_2 * v2) @ by_2.T + common + common.T
        cross += _scatter_add((size, detectors), (groups, first), pairs["covariance_1"]) @ by_1.T
        cross += _scatter_add((size, detectors), (groups, second), pairs["covariance_2"]) @ by_2.T
    covariance += np.diag(group_sums(both_vary, groups))
    return Expectation(of_pairs, group_sums(of_pairs, groups), covariance, cross)


def _scatter_add(shape: tuple[int, int], where: tuple[Ints, Ints], values: Floats) -> Floats:
    array = np.zeros(shape)
    np.add.at(array, where, values)
    return array


def _weights(by_slice: CountArrays) -> Floats:
    """c_t of each slice: one over the number of decays in it, in units of their mean."""
    counts = by_slice.lines["counts_1"] + by_slice.lines["counts_2"]
    totals = counts.sum(axis=0)
    active = totals > 0
    if not active.any():
        return np.ones(len(counts))
    share = np.median(counts[:, active] / totals[active], axis=1) * len(counts)
    return np.asarray(1 / np.maximum(share, LEAST_SHARE))


def group_sums(values: Floats, groups: Ints) -> Floats:
    """Sums over the pairs of each group."""
    return np.bincount(groups, values).astype(np.float64)


ENOUGH_COUNTS = 1000
"""Counts of the lines that the median detector should have in a slice: they measure how active the source was."""

MOST_VALUES = 1_000_000
"""Slices times pairs of detectors: more are not kept as arrays, which bounds the memory to about 100 MB."""


def wider(table: pl.DataFrame, times: int = 2) -> pl.DataFrame:
    """A table of counts in slices that are `times` as wide."""
    sums = sums_of(COUNTS if "coincidences" in table.columns else SINGLES)
    keys = [name for name in table.columns if name not in sums]
    coarse = table.with_columns(pl.col("time_slice") // times)
    return coarse.group_by(keys).agg(pl.col(sums).sum()).sort(keys)


def with_enough_counts(counts: pl.DataFrame, singles: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables in slices wide enough that the median detector has enough counts in each.

    Raises:
        TableError: the tables are not sliced in the same way.
    """
    for name in SLICE:
        if (name in counts.columns) != (name in singles.columns):
            raise TableError(f"only one of the two tables of counts has a column '{name}'")
    if "time_slice" not in singles.columns:
        return counts, singles
    totals = singles.group_by("board", "channel").agg(n=(pl.col("counts_1") + pl.col("counts_2")).sum())["n"]
    if not totals.len():
        return counts, singles
    most = min(float(np.median(totals)) / ENOUGH_COUNTS, MOST_VALUES / totals.len() ** 2)
    while (number := _slices(singles).height) > most:
        coarse = wider(singles)
        if _slices(coarse).height == number and _span(coarse) == _span(singles):
            break
        counts, singles = wider(counts), coarse
    return counts, singles


def _slices(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(name for name in SLICE if name in table.columns).unique()


def _span(table: pl.DataFrame) -> tuple[object, object]:
    return table["time_slice"].min(), table["time_slice"].max()


def arrays(counts: pl.DataFrame, singles: pl.DataFrame, keys: Sequence[Key]) -> CountArrays:
    """The tables as arrays, for all ordered pairs of the detectors in `keys`, with and without coincidences.

    Raises:
        TableError: there are coincidences of a detector, or in a slice, without counts.
    """
    place = {key: number for number, key in enumerate(keys)}
    names = [name for name in SLICE if name in singles.columns]
    slices = {row: number for number, row in enumerate(sorted(set(_rows(singles, names))))} or {(): 0}
    first, second = np.nonzero(~np.eye(len(keys), dtype=bool))
    pair = np.full((len(keys), len(keys)), -1)
    pair[first, second] = np.arange(len(first))
    ends = counts.select("board_1", "channel_1", "board_2", "channel_2")
    try:
        of_pair = [pair[place[a, b], place[c, d]] for a, b, c, d in ends.iter_rows()]
        in_slice = [slices[row] for row in _rows(counts, names)]
    except KeyError:
        raise TableError(
            "some coincidences belong to detectors or times without counts of either line: were both "
            "tables counted from the same hits?"
        ) from None
    one = [place[key] for key in singles.select("board", "channel").iter_rows()]
    at = [slices[row] for row in _rows(singles, names)]

    def scatter(table: pl.DataFrame, name: str, where: tuple[list[int], list[int]], width: int) -> np.ndarray:
        array = np.zeros((len(slices), width))
        np.add.at(array, where, table[name].to_numpy())
        return array

    return CountArrays(
        first,
        second,
        {name: scatter(counts, name, (in_slice, of_pair), len(first)) for name in sums_of(COUNTS)},
        {name: scatter(singles, name, (at, one), len(keys)) for name in sums_of(SINGLES)},
    )


def _rows(table: pl.DataFrame, names: Sequence[str]) -> list[tuple[object, ...]]:
    return table.select(names).rows() if names else [()] * table.height
