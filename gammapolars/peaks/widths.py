"""How wide peaks are, from the clearest of them: FWHM² = a + b x + c x² along a spectrum."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from gammapolars.core.nonnegative import nonnegative
from gammapolars.core.types import Floats

TOLERANCE = 0.06
"""Relative difference from a model, as a standard deviation, at which a width still supports it, besides its own
uncertainty.
"""

TOO_NARROW, RESOLVED_NARROW = 0.5, 1.0
"""How much a width that is narrower than a model speaks against it, in units of the support by one that agrees: of
a single peak, which may be a fluctuation or an edge, and of a doublet whose shape gave it away.
"""

NARROWING = (0.12, 0.12, 0.08, 0.06)
"""The same, while the model is refined."""

SCATTER = 0.02
"""Relative scatter of single peaks' widths about a model."""

RESOLVED, LIMIT = 0.15, 5.0
"""Share of resolved doublets from which widths of single peaks are doubted, and by how much more they may be off."""

APART, RIVAL = 0.15, 0.6
"""A model with widths that differ by this part is a rival; with this part of the support it may be the right one."""

ENOUGH = 6
"""Widths of which the scatter is known."""

MOST_SUPPORT = 50.0
"""No single peak counts for more: one hump must not outweigh many peaks."""


SHARP = 0.012
"""FWHM in units of the position, below which a detector is taken for a semiconductor's."""


class Width(NamedTuple):
    """A measured width: position, FWHM and its uncertainty (bins), the significance of the peak (sigma), and whether it
    is that of two peaks which look like one.
    """

    position: float
    fwhm: float
    fwhm_unc: float
    significance: float
    resolved: bool = False


class WidthTable(NamedTuple):
    """FWHM at each bin, in bins."""

    fwhm: Floats

    def at(self, position: Floats | float) -> Floats:
        """FWHM (bins) at positions (bins)."""
        return np.maximum(np.interp(position, np.arange(len(self.fwhm)), self.fwhm), 0.5)


class WidthModel(NamedTuple):
    """FWHM² = a + b x + c x², in bins."""

    a: float
    b: float
    c: float

    def at(self, position: Floats | float) -> Floats:
        """FWHM (bins) at positions (bins)."""
        x = np.asarray(position, np.float64)
        return np.sqrt(np.maximum(self.a + self.b * x + self.c * x * x, 0.25))


Widths = WidthTable | WidthModel
"""How wide peaks are along a spectrum."""


def is_sharp(position: float, fwhm: float) -> bool:
    """True for a peak of a semiconductor, false for one of a scintillator, judged by place and width (bins)."""
    return fwhm < SHARP * max(position, 1.0) or fwhm < 6.0


def width_model(widths: Sequence[Width]) -> WidthModel | None:
    """The narrowest model that peaks consistently agree with; None where there is no peak.

    Peaks that are no full-energy peaks of one photon (annihilation radiation, doublets, Compton edges, backscatter)
    have other widths. So each two widths, and each single one, propose a model, and the one with the most support by
    others is refined with only those. Widths below a model speak against it: two lines taken for one are wider than
    one, but nothing makes a peak narrower than the detector's resolution.
    """
    if not widths:
        return None
    x, w, unc, _ = np.array([width[:4] for width in widths]).T
    resolved = np.array([width.resolved for width in widths])
    support = _support(widths)
    proposals = _proposals(widths)
    best = proposals[int(np.argmax(_balances(widths, proposals)))]
    for part in NARROWING:
        excess = np.log(w / best.at(x))
        agree = np.abs(excess) < np.hypot(part, 2 * unc / w)
        scatter = np.hypot(SCATTER * w, unc)
        if support[agree & resolved].sum() > RESOLVED * support[agree].sum():
            # Where many peaks are two, others are two that nobody can separate: they only limit the width.
            scatter = np.where(~resolved & (excess > 0), LIMIT * scatter, scatter)
        best = _fit(x[agree], w[agree], scatter[agree], most=float(x.max())) or best
    return best


def _agreement(widths: Sequence[Width], models: Sequence[WidthModel]) -> tuple[Floats, Floats]:
    """(models, widths): how far each width lies above a model, and how well it agrees with it, from 0 to 1."""
    x, w, unc, _ = np.array([width[:4] for width in widths]).T
    excess = np.log(w / _fwhm_of(models, x))
    return excess, np.exp(-0.5 * (excess / np.hypot(TOLERANCE, unc / w)) ** 2)


def _fwhm_of(models: Sequence[WidthModel], position: Floats) -> Floats:
    """(models, positions): FWHM (bins) by each model."""
    a, b, c = np.array(models).T[:, :, None]
    return np.asarray(np.sqrt(np.maximum(a + b * position + c * position * position, 0.25)), np.float64)


def _support(widths: Sequence[Width]) -> Floats:
    """Weight of each width."""
    return np.minimum([width.significance for width in widths], MOST_SUPPORT)


def _balances(widths: Sequence[Width], models: Sequence[WidthModel]) -> Floats:
    """Evidence for each model less evidence against it."""
    excess, agreement = _agreement(widths, models)
    against = np.array([_against(width) for width in widths])
    return np.where(excess > 0, agreement, agreement - against * (1 - agreement)) @ _support(widths)


def scatter_about(widths: Sequence[Width], model: WidthModel) -> float | None:
    """How widths that are known well scatter about a model, relative; None where there are too few of them."""
    x, w, unc, _ = np.array([width[:4] for width in widths]).T
    excess = np.log(w / model.at(x))
    sure = (unc < 0.02 * w) & (np.abs(excess) < NARROWING[-1])
    if sure.sum() < ENOUGH:
        return None
    return math.sqrt(max(float((excess[sure] ** 2 - (unc[sure] / w[sure]) ** 2).mean()), 0.0))


def _against(width: Width) -> float:
    """How much a width speaks against models that are wider: those of scintillators, on each other's flanks, do not."""
    if not is_sharp(width.position, width.fwhm):
        return 0.0
    return RESOLVED_NARROW if width.resolved else TOO_NARROW


def is_decided(widths: Sequence[Width], model: WidthModel) -> bool:
    """Whether no model of other widths has nearly as much support as the one that was chosen.

    Where many peaks are doublets whose shape shows it, those that are wider are doublets, too.
    """
    support = _support(widths)
    agreement = _agreement(widths, [model])[1][0]
    resolved = np.array([width.resolved for width in widths])
    most = float(support @ agreement)
    if float(support[resolved] @ agreement[resolved]) > RESOLVED * most:
        return True
    places = np.array([width.position for width in widths])
    proposals = _proposals(widths)
    departure = np.abs(np.median(np.log(_fwhm_of(proposals, places) / model.at(places)), axis=1))
    agreed = _agreement(widths, proposals)[1] @ support
    return not bool(((departure > APART) & (agreed >= RIVAL * most)).any())


def _proposals(widths: Sequence[Width]) -> list[WidthModel]:
    """Models through one width (constant, growing as √x, and half of each) and through two."""
    models = []
    for one in widths:
        square = one.fwhm**2
        models += [
            WidthModel(share * square, (1 - share) * square / max(one.position, 1.0), 0.0) for share in (0.5, 0.0, 1.0)
        ]
    for one, other in combinations(widths, 2):
        if abs(one.position - other.position) < 1.0:
            continue
        b = (other.fwhm**2 - one.fwhm**2) / (other.position - one.position)
        a = one.fwhm**2 - b * one.position
        if a >= 0 and b >= 0:
            models.append(WidthModel(a, b, 0.0))
    return models


def _fit(x: Floats, w: Floats, unc: Floats, *, most: float) -> WidthModel | None:
    """The best model with no negative coefficient, as many terms as there are peaks enough for."""
    if len(x) == 0:
        return None
    if len(x) == 1:
        square = float(w[0] ** 2)
        return WidthModel(0.5 * square, 0.5 * square / max(float(x[0]), 1.0), 0.0)
    terms = 3 if len(x) >= 6 else 2
    scale = max(most, 1.0)
    powers = (x[:, None] / scale) ** np.arange(terms)
    root = 1 / (2 * w * unc)
    solution = nonnegative((powers * root[:, None]).T, w**2 * root)
    a, b, c = (*(solution / scale ** np.arange(terms)).tolist(), 0.0)[:3]
    return WidthModel(a, b, c) if math.isfinite(a + b + c) and a + b + c > 0 else None
