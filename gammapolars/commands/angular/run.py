"""What the command `angular` does: a run in, W(θ) of a cascade with its fit, a figure and a summary out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.accumulators.cascades import CascadeCounts
from gammapolars.analysis.recording import Recording
from gammapolars.angular import (
    NORMALISATIONS,
    AngularFit,
    angular_coefficients,
    angular_correlation,
    attenuation,
    check_directions,
    check_gates,
)
from gammapolars.coincidences import PairRule, chance_pairs
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.types import Progress
from gammapolars.core.units import parse_numbers
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.provenance import describe

NOTABLE_CHANCE = 0.5
"""Chance coincidences that are not subtracted are told of where they exceed this part of the uncertainty."""


@dataclass(frozen=True)
class Theory:
    """What a cascade should give.

    Attributes:
        spins: of its levels, as they were given.
        a2: expected, of detectors without size.
        a4: the same.
    """

    spins: str
    a2: float
    a4: float


def parse_theory(spins: str | None, multipoles: str | None, mixing: str | None) -> Theory | None:
    """A cascade as the command line names it; None where it names none.

    Raises:
        UsageError: multipoles or mixing ratios without spins, or what cannot be.
    """
    if spins is None:
        if multipoles or mixing:
            raise UsageError("--multipoles and --mixing belong to a cascade: add its spins, such as --spins 4,2,0")
        return None
    ranks = None if multipoles is None else parse_numbers(multipoles, "--multipoles", at_least=2)
    if ranks and not all(rank.is_integer() for rank in ranks):
        raise UsageError(f"--multipoles takes whole numbers, such as 2,2, not '{multipoles}'")
    deltas = (0.0, 0.0) if mixing is None else parse_numbers(mixing, "--mixing", at_least=2)
    a2, a4 = angular_coefficients(spins, multipoles=[int(rank) for rank in ranks] if ranks else None, mixing=deltas)
    return Theory(spins, a2, a4)


def angular(
    runs: Runs,
    rule: PairRule,
    gates: tuple[Gate, Gate],
    output: Path,
    *,
    detectors: Detectors,
    random: Sequence[str] = (),
    normalise: str = "mixed",
    order: int = 4,
    half_angle_deg: float = 0.0,
    theory: Theory | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the angular correlation of two lines, in one pass.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        gates: on the two lines, with background.
        output: W(θ) as a table: .csv, .parquet or .arrow.
        detectors: with calibrations and directions.
        random: windows that hold chance pairs alone, or `auto`.
        normalise: by `mixed` events (net singles of both lines), or `uncorrelated` pairs (of the random windows).
        order: 2 or 4.
        half_angle_deg: of the cone that each detector covers: a2 and a4 are corrected for it.
        theory: what the cascade should give, to be shown beside; None: not known.
        figure: a .png.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars angular --json` prints it.

    Raises:
        DetectorsError: a detector that has pairs has no direction.
        UsageError: no calibration, overlapping gates, too few angles, or a normalisation that cannot be.
        CalibrationError: too few counts.
    """
    check_writable(output, overwrite=overwrite)
    check_figure(figure, overwrite=overwrite)
    _check(gates, detectors, normalise, random)
    q2, q4 = attenuation(half_angle_deg)
    recording = Recording(runs, detectors, progress)
    ready = passes.with_random(recording, rule, random)
    hits, pairs = HitTally(), PairTally(ready.window)
    counts = CascadeCounts(*gates, detectors, union(ready.reject))
    reading = passes.PairPass(recording, ready, [hits, pairs, counts])
    reading.run()
    net, singles = counts.tables()
    fit = angular_correlation(net, singles, detectors, normalise=normalise, order=order, attenuation=(q2 * q2, q4 * q4))
    summary = passes.summarise(reading, hits, pairs) | {
        "gates": [{"low": one.low, "high": one.high, "background": list(one.background)} for one in gates],
        "normalise": normalise,
        "order": order,
        "slice_ps": counts.width_ps,
        "net_counts": float(net["coincidences"].sum()),
        "net_counts_unc": float(net["variance"].sum()) ** 0.5,
        **_numbers(fit),
        "expected": None if theory is None else _beside(fit, theory),
    }
    summary["warnings"] += _warnings(summary, ready, singles, theory)
    save(fit.table.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
    outputs = [str(output)]
    if figure is not None:
        from gammapolars import figures

        of_lines = " and ".join(f"{(gate.low + gate.high) / 2:g}" for gate in gates)
        plot = figures.angular(
            fit,
            expected=None if theory is None else (theory.a2, theory.a4),
            expected_name=None if theory is None else f"cascade {theory.spins}",
            title=f"Angular correlation of {of_lines} keV",
        )
        save_figure(plot, figure, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}


def _check(gates: tuple[Gate, Gate], detectors: Detectors, normalise: str, random: Sequence[str]) -> None:
    """Raise before any work is done where the question cannot be answered."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"unknown normalisation '{normalise}': it is {' or '.join(NORMALISATIONS)}")
    if normalise == "uncorrelated" and not random:
        raise UsageError("uncorrelated pairs are those of random windows: name some with --random")
    check_gates(*gates)
    if not any(detector.energy for detector in detectors):
        raise UsageError("the lines are energies: name a detectors.toml with calibrations with --detectors")
    check_directions(detector for detector in detectors if detector.energy)


def _numbers(fit: AngularFit) -> dict[str, Any]:
    names = ("a2", "a2_unc", "a4", "a4_unc", "a2_point", "a2_point_unc", "a4_point", "a4_point_unc", "covariance",
             "chi2", "ndf")  # fmt: skip
    return {name: getattr(fit, name) for name in names} | {
        "attenuation": list(fit.attenuation),
        "angles": fit.table.to_dicts(),
        "w_covariance": fit.w_covariance.tolist(),
    }


def _beside(fit: AngularFit, theory: Theory) -> dict[str, Any]:
    """What is expected, and how far from it the corrected coefficients are together."""
    chi2, ndf = fit.apart(theory.a2, theory.a4)
    return {"spins": theory.spins, "a2": theory.a2, "a4": theory.a4, "chi2": chi2, "ndf": ndf}


def _warnings(summary: dict[str, Any], rule: PairRule, singles: pl.DataFrame, theory: Theory | None) -> list[str]:
    told = []
    chance = _chance(singles, rule, summary["real_time_s"])
    if rule.regions is None and chance > NOTABLE_CHANCE * summary["net_counts_unc"]:
        told.append(
            f"about {chance:,.0f} of the coincidences are by chance, and not subtracted: they flatten W(θ); "
            "subtract them with --random auto"
        )
    if bare := [gate for gate in summary["gates"] if not gate["background"]]:
        where = " and ".join(f"{gate['low']:g} to {gate['high']:g} keV" for gate in bare)
        told.append(
            f"no background is subtracted below {where}: give some beside the lines with --background and "
            "--and-background"
        )
    if theory and theory.a4 and summary["order"] == 2:
        told.append(f"the cascade {theory.spins} has a4 = {theory.a4:.4f}, which a fit of order 2 takes for part of a2")
    return told


def _chance(singles: pl.DataFrame, rule: PairRule, real_time_s: float) -> float:
    """How many coincidences of the two lines chance makes in all, slice of time by slice."""
    keys = ["run", "time_slice"]
    first, second = singles["counts_1"].to_numpy(), singles["counts_2"].to_numpy()
    sums = singles.group_by(keys).agg(pl.col("counts_1", "counts_2").sum())
    products = float((sums["counts_1"] * sums["counts_2"]).sum()) - float(np.dot(first, second))
    return chance_pairs(1, 1, rule.width_ps, real_time_s) * products * sums.height
