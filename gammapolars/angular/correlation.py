"""From counts by detector pair to W(θ) and its coefficients."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from gammapolars.angular.counts import COUNTS, SINGLES
from gammapolars.angular.directions import Ints, angles_between, groups_of, unit_vectors
from gammapolars.angular.legendre import AngularFit, check_order, fit_terms, polynomials
from gammapolars.angular.normalise import (
    CountArrays,
    Expectation,
    arrays,
    group_sums,
    mixed_events,
    uncorrelated_pairs,
    with_enough_counts,
)
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.schema import require
from gammapolars.core.types import Floats
from gammapolars.core.wording import setting
from gammapolars.detectors import AnyDetectors, Detectors, detectors_of

NORMALISATIONS: Mapping[str, str] = {
    "mixed": "event mixing with the net singles of both lines",
    "uncorrelated": "the uncorrelated pairs in random windows",
}

TOLERANCE_DEG = 0.5
"""Detector pairs whose angles differ by no more can be one point."""

LEAST_VARIANCE = 1.0
"""No point is expected to vary by less than one count: a fit that expects none, or less, goes on."""


def angular_correlation(
    counts: AnyFrame,
    singles: AnyFrame,
    detectors: AnyDetectors,
    *,
    normalise: str = "mixed",
    order: int = 4,
    tolerance_deg: float = TOLERANCE_DEG,
    attenuation: tuple[float, float] = (1.0, 1.0),
) -> AngularFit:
    """The angular correlation of two lines, from the counts of `angular_counts` and `angular_singles`.

    For each angle, W = Σ N / Σ E: the net coincidences N of its detector pairs over those expected without
    correlation, E, so that solid angles and efficiencies of both lines in each detector cancel. By mixed events, E =
    Σ_t c_t [S1_i(t) S2_j(t) - N_ij(t)], from the net singles S of both lines in slices of time, with one over the
    number of decays for c_t: rates may change, and detectors may be off for a while.

    Angles group without chains: a group begins at its smallest angle and reaches up to `tolerance_deg` above it. The
    fit takes the polynomials' mean over the pairs of an angle, and the whole covariance of the points: they share the
    singles of their detectors, and the coincidences are among the singles. Variances are those expected of the fit.

    Args:
        counts: of all ordered detector pairs; by `run` and `time_slice` too, where both tables have these.
        singles: of all detectors, in the same gates.
        detectors: with `theta_deg` and `phi_deg`.
        normalise: by `mixed` events, or by `uncorrelated` pairs in random windows, of which there are fewer.
        order: 2 or 4: the highest Legendre polynomial.
        tolerance_deg: detector pairs whose angles differ by no more are one angle, degrees.
        attenuation: Q22 and Q44 of two detectors: the products of the values of `attenuation` for each.

    Raises:
        TableError: tables of another kind.
        DetectorsError: a detector that counts has no direction.
        UsageError: fewer angles than parameters, or a normalisation without data.
        CalibrationError: too few counts.
    """
    counts = eager(counts, "table")
    singles = eager(singles, "table")
    detectors = detectors_of(detectors)
    if normalise not in NORMALISATIONS:
        raise UsageError(f"unknown normalisation '{normalise}': choose {' or '.join(NORMALISATIONS)}")
    if not tolerance_deg >= 0:
        raise UsageError(f"the tolerance of angles must not be negative, as {tolerance_deg:g} is")
    require(counts.lazy(), COUNTS)
    require(singles.lazy(), SINGLES)
    by_slice, angles = _count_arrays(counts.lazy().collect(), singles.lazy().collect(), detectors)
    groups = groups_of(angles, tolerance_deg)
    means = group_sums(angles, groups) / np.maximum(group_sums(np.ones_like(angles), groups), 1)
    check_order(order, means, max(tolerance_deg, 0.01))
    if normalise == "uncorrelated" and not by_slice.pairs["random_variance"].any():
        windows = setting("--random 1us:3us", 'random="1us:3us"')
        raise UsageError(f"there are no pairs in random windows for the normalisation: give windows with {windows}")
    expectation = (mixed_events if normalise == "mixed" else uncorrelated_pairs)(by_slice, groups)
    if not (expectation.of_groups > 0).all():
        empty = means[np.argmin(expectation.of_groups)]
        raise CalibrationError(
            f"too few counts: at {empty:.1f}° no coincidences are expected even without correlation: are "
            "the gates on the "
            f"lines{', and the random windows wide enough' if normalise == 'uncorrelated' else ''}?"
        )
    return _fit(by_slice, expectation, angles, groups, means, order, attenuation)


def _count_arrays(counts: pl.DataFrame, singles: pl.DataFrame, detectors: Detectors) -> tuple[CountArrays, Floats]:
    """The counts of pairs of which both detectors see their line, and the angle of each."""
    counts, singles = with_enough_counts(counts, singles)
    keys = sorted(set(singles.select("board", "channel").iter_rows()))
    by_slice = arrays(counts, singles, keys)
    towards = unit_vectors(detectors.at(*key) for key in keys)
    sees_1, sees_2 = (by_slice.lines[name].sum(axis=0) > 0 for name in ("counts_1", "counts_2"))
    by_slice = by_slice.of_pairs(sees_1[by_slice.first] & sees_2[by_slice.second])
    return by_slice, angles_between(towards[by_slice.first], towards[by_slice.second])


def _fit(
    by_slice: CountArrays,
    expectation: Expectation,
    angles: Floats,
    groups: Ints,
    means: Floats,
    order: int,
    attenuation: tuple[float, float],
) -> AngularFit:
    of_pairs = polynomials(range(2, order + 1, 2), angles)
    terms = np.stack(
        [group_sums(expectation.of_pairs * one, groups) / expectation.of_groups for one in of_pairs.T], axis=1
    )
    net, variance = (group_sums(by_slice.pairs[name].sum(axis=0), groups) for name in ("coincidences", "variance"))

    def covariance(ratio: Floats) -> Floats:
        """Covariance of W at expected ratios: background and randoms vary as counted, coincidences as expected."""
        vary = np.maximum(variance - net + ratio * expectation.of_groups, LEAST_VARIANCE)
        # First index: the group whose expectation it is; second: the group whose coincidences.
        cross = ratio[:, None] * expectation.with_coincidences.T
        above = np.diag(vary) + np.outer(ratio, ratio) * expectation.covariance - cross - cross.T
        return np.asarray(above / np.outer(expectation.of_groups, expectation.of_groups))

    fit = fit_terms(means, terms, net / expectation.of_groups, covariance, attenuation=attenuation)
    more = {
        "detector_pairs": np.bincount(groups),
        "counts": net,
        "counts_unc": np.sqrt(variance),
        "expected": fit.a0 * expectation.of_groups,
    }
    return replace(fit, table=fit.table.with_columns(pl.Series(name, values) for name, values in more.items()))
