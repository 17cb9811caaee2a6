"""How wide peaks are, from the clearest of them: FWHM² = a + b x + c x² along a spectrum."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from gammapolars.core.types import Floats

TOLERANCE = 0.12
"""Relative difference from the model within which a width supports it, besides its own uncertainty."""

MOST_SUPPORT = 50.0
"""No single peak counts for more: one hump must not outweigh many peaks."""


class Width(NamedTuple):
    """A measured width: where, FWHM and its uncertainty (bins), and how clearly the peak stands out (sigma)."""

    position: float
    fwhm: float
    fwhm_unc: float
    significance: float


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


def width_model(widths: Sequence[Width]) -> WidthModel | None:
    """The model that most peaks agree with; None where there is no peak.

    Peaks that are no full-energy peaks of one photon (annihilation radiation, doublets, Compton edges, backscatter)
    have other widths. So each two widths, and each alone, propose a model, and the one with the most support by others
    is refined with those alone.
    """
    if not widths:
        return None
    x, w, unc, weight = np.array(widths).T
    support = np.minimum(weight, MOST_SUPPORT)
    tolerance = np.hypot(TOLERANCE, 2 * unc / w)
    best, most = None, -1.0
    for model in _proposals(widths):
        agree = np.abs(np.log(w / model.at(x))) < tolerance
        total = float(support[agree].sum())
        if total > most:
            best, most = model, total
    assert best is not None
    for _ in range(3):
        agree = np.abs(np.log(w / best.at(x))) < tolerance
        best = _fit(x[agree], w[agree], np.hypot(0.02 * w, unc)[agree], most=float(x.max())) or best
    return best


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
    solution, _ = nnls(powers * root[:, None], w**2 * root)
    a, b, c = (*(solution / scale ** np.arange(terms)).tolist(), 0.0)[:3]
    return WidthModel(a, b, c) if math.isfinite(a + b + c) and a + b + c > 0 else None
