"""From time differences of detector pairs to each detector: offsets and resolutions, by least squares."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.core.types import Floats

Ends = npt.NDArray[np.intp]
"""(pairs, 2): the places of two detectors, a and b."""

LEAST_UNC_PS = 1e-3
"""Peaks all of whose pairs have the same time difference are known to the picosecond and no better."""

WORST_CHI2_NDF = 2.0
"""Positions of pairs that disagree by more make the uncertainties larger."""


class Offsets(NamedTuple):
    """Offsets of detectors, NaN where nothing ties one to others, and their covariance, ps², zero for references.

    `group` numbers the groups of detectors from 0, -1: none; `references` are the detectors whose offset stays, by
    group; χ² is that of the pairs' positions, and `ndf` counts the pairs that are more than needed.
    """

    offset_ps: Floats
    covariance: Floats
    group: npt.NDArray[np.intp]
    references: list[int]
    chi2: float
    ndf: int


def groups(ends: Ends, detectors: int) -> npt.NDArray[np.intp]:
    """To which group of tied detectors each belongs; -1 for one that is tied to none."""
    label, before = np.arange(detectors), np.full(detectors, -1)
    while (label != before).any():
        before = label.copy()
        least = label[ends].min(axis=1, initial=detectors)
        for side in (0, 1):
            np.minimum.at(label, ends[:, side], least)
        label = label[label]
    group = np.full(detectors, -1, np.intp)
    tied = np.unique(ends)
    group[tied] = np.unique(label[tied], return_inverse=True)[1]
    return group


def solve_offsets(
    ends: Ends, position_ps: Floats, unc_ps: Floats, detectors: int, *, reference: int | None = None
) -> Offsets:
    """Offsets by weighted least squares, d_ab = o_b - o_a, those of the groups' references 0.

    Where pairs disagree by more than `WORST_CHI2_NDF`, the covariance grows by χ²/n. `reference` is the place of the
    reference of its group; elsewhere it is the group's first detector.
    """
    unc_ps = np.maximum(unc_ps, LEAST_UNC_PS)
    group = groups(ends, detectors)
    references = [int(np.argmax(group == number)) for number in range(group.max(initial=-1) + 1)]
    if reference is not None and group[reference] >= 0:
        references[group[reference]] = reference
    free = [place for place in np.flatnonzero(group >= 0) if place not in references]
    offset = np.full(detectors, np.nan)
    offset[references] = 0.0
    covariance = np.zeros((detectors, detectors))
    chi2, ndf = 0.0, len(ends) - len(free)
    if free:
        design = incidence(ends, detectors)[:, free] / unc_ps[:, None]
        inverse = np.linalg.inv(design.T @ design)
        solution = inverse @ (design.T @ (position_ps / unc_ps))
        chi2 = float((((position_ps / unc_ps) - design @ solution) ** 2).sum())
        offset[free] = solution
        covariance[np.ix_(free, free)] = inverse * (chi2 / ndf if ndf and chi2 > WORST_CHI2_NDF * ndf else 1.0)
    return Offsets(offset, covariance, group, references, chi2, ndf)


def incidence(ends: Ends, detectors: int) -> Floats:
    """(pairs, detectors): +1 for b and -1 for a."""
    matrix = np.zeros((len(ends), detectors))
    rows = np.arange(len(ends))
    matrix[rows, ends[:, 1]] = 1.0
    matrix[rows, ends[:, 0]] = -1.0
    return matrix


class Resolutions(NamedTuple):
    """Time resolutions of single detectors, NaN where they cannot be determined, with standard deviations.

    The detectors in `common` have equal shares, without uncertainty, because the pairs do not determine them.
    """

    fwhm_ps: Floats
    unc_ps: Floats
    common: list[int]


def solve_resolutions(ends: Ends, fwhm_ps: Floats, unc_ps: Floats, detectors: int) -> Resolutions:
    """FWHM_ab² = f_a² + f_b², by weighted least squares in each group of detectors.

    Pairs determine each detector where some of them close a ring of odd length, as three detectors do; where none does,
    as with two detectors, squares are shared out as evenly as they can be.
    """
    fwhm, unc = np.full(detectors, np.nan), np.full(detectors, np.nan)
    common: list[int] = []
    group = groups(ends, detectors)
    weight = 1 / np.maximum(2 * fwhm_ps * unc_ps, 1e-9)
    design = np.abs(incidence(ends, detectors))
    for number in range(group.max(initial=-1) + 1):
        members = np.flatnonzero(group == number)
        rows = np.flatnonzero(group[ends[:, 0]] == number)
        weighted = design[np.ix_(rows, members)] * weight[rows, None]
        squares, _, rank, _ = np.linalg.lstsq(weighted, fwhm_ps[rows] ** 2 * weight[rows], rcond=1e-9)
        good = squares > 0
        fwhm[members[good]] = np.sqrt(squares[good])
        if rank < len(members):
            common += [int(place) for place in members]
            continue
        variances = np.diag(np.linalg.inv(weighted.T @ weighted))
        unc[members[good]] = np.sqrt(variances[good]) / (2 * fwhm[members[good]])
    return Resolutions(fwhm, unc, common)


def tree_offsets(ends: Ends, position_ps: Floats, strength: Sequence[float], detectors: int) -> npt.NDArray[np.int64]:
    """Offsets along the strongest pairs that tie all detectors: a wrong weak peak spoils none."""
    offset, label = np.zeros(detectors), np.arange(detectors)
    for row in np.argsort(-np.asarray(strength), kind="stable"):
        a, b = ends[row]
        if label[a] == label[b]:
            continue
        members = label == label[b]
        offset[members] += offset[a] + position_ps[row] - offset[b]
        label[members] = label[a]
    return np.rint(offset).astype(np.int64)
