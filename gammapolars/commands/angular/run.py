"""The command `angular`: a run in, W(θ) of a cascade with its fit, a figure and a summary out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.accumulators.cascades import CascadeCounts
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import PairSummary, Summary
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
from gammapolars.commands.angular.parse import AngularOptions
from gammapolars.commands.checks import refuse
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.commands.options import OF_COINCIDENCES
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.records import Part
from gammapolars.core.units import parse_numbers
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.io import check_writable, save
from gammapolars.io.pairs import ADVICE
from gammapolars.spectra.line_gates import gate_doubts, line_gate

Measured = TypeVar("Measured", bound="AngularResult")

CHANCE = (
    "about {:,.0f} of the coincidences are random and were not subtracted: they flatten W(θ); subtract "
    "them with --random auto"
)

NOTABLE_CHANCE = 0.5
"""Random coincidences that are not subtracted are mentioned where they exceed this part of the uncertainty."""


@dataclass(frozen=True)
class Theory(Part):
    """Expected coefficients of a cascade.

    Attributes:
        spins: of its levels, as they were given.
        a2: expected, of detectors without size.
        a4: the same.
    """

    spins: str
    a2: float
    a4: float


@dataclass(frozen=True)
class Expected:
    """Expected coefficients of the cascade, and the deviation of the measured ones.

    Attributes:
        theory: the cascade.
        chi2: of the corrected coefficients together.
        ndf: its degrees of freedom.
    """

    theory: Theory
    chi2: float
    ndf: int


@dataclass(frozen=True, kw_only=True)
class AngularResult(Summary):
    """The results of `angular`.

    Attributes:
        gates: on the two lines.
        normalise: by what the coincidences are normalised, mixed or uncorrelated.
        order: of the Legendre polynomials.
        slice_ps: singles and coincidences were compared in slices of time of this width (ps).
        net_counts: coincidences of the two lines, with the background and, with random windows, random coincidences
            subtracted.
        fit: the coefficients.
        angles: of W(θ) `angle_deg`, `detector_pairs`, `counts`, `counts_unc`, `w`, `w_unc`, `fit` and `expected`.
        expected: what the cascade should give; null where no spins are given.
    """

    gates: tuple[Gate, Gate]
    normalise: str
    order: int
    slice_ps: int
    net_counts: float
    net_counts_unc: float
    fit: AngularFit
    angles: pl.DataFrame
    expected: Expected | None


@dataclass(frozen=True, kw_only=True)
class AngularSummary(AngularResult, PairSummary):
    """The results of `angular` for runs."""


@dataclass(frozen=True, kw_only=True)
class SavedPairsAngularSummary(AngularResult, SavedPairsSummary):
    """The results of `angular` for saved pairs."""


def parse_theory(spins: str | None, multipoles: str | None, mixing: str | None) -> Theory | None:
    """A cascade as the command line names it; None where it names none.

    Raises:
        UsageError: multipoles or mixing ratios without spins, or impossible ones.
    """
    if spins is None:
        if multipoles or mixing:
            raise UsageError("--multipoles and --mixing describe a cascade: add its spins, such as --spins 4,2,0")
        return None
    ranks = None if multipoles is None else parse_numbers(multipoles, "--multipoles", at_least=2)
    if ranks and not all(rank.is_integer() for rank in ranks):
        raise UsageError(f"--multipoles takes whole numbers, such as 2,2, not '{multipoles}'")
    deltas = (0.0, 0.0) if mixing is None else parse_numbers(mixing, "--mixing", at_least=2)
    a2, a4 = angular_coefficients(spins, multipoles=[int(rank) for rank in ranks] if ranks else None, mixing=deltas)
    return Theory(spins, a2, a4)


def angular(options: AngularOptions, recording: Recording) -> AngularSummary:
    """Measure the angular correlation of two lines, in one pass."""
    detectors = recording.detectors
    gates, theory = _asked(options, detectors, options.random or ())
    rule = PairRule(options.window, reject=recording.masks(options.reject))
    rule = passes.with_random(recording, rule, options.random or ())
    hits, pairs = HitTally(), PairTally(rule.window)
    counts = CascadeCounts(*gates, detectors, union(rule.reject))
    reading = passes.PairPass(recording, rule, [hits, pairs, counts])
    reading.run()
    content = _measured(counts, gates, detectors, options, theory)
    summary = AngularSummary(**(vars(passes.summarise(reading, hits, pairs)) | content))
    singles = counts.tables()[1]
    chance = _chance(singles, rule, summary.times.real_time_s)
    doubts = _warnings(summary, detectors)
    if rule.regions is None and chance > NOTABLE_CHANCE * summary.net_counts_unc:
        doubts = [CHANCE.format(chance), *doubts]
    summary = replace(summary, warnings=(*summary.warnings, *doubts))
    return _write(summary, options, theory, summary.provenance(recording))


def of_pairs(options: AngularOptions, saved: SavedPairs) -> SavedPairsAngularSummary:
    """The same of saved pairs, by those in random windows: mixed events need single hits.

    Raises:
        UsageError: mixed events are asked for.
    """
    names = {**OF_COINCIDENCES, "--window": "window"}
    refuse(options, names, f"{saved.name} contains saved pairs, not single hits")
    if options.normalise == "mixed":
        raise UsageError(
            f"{saved.name} contains saved pairs, but event mixing needs single hits: add --normalise "
            f"uncorrelated (pairs with random windows), or {ADVICE}"
        )
    detectors = saved.detectors
    gates, theory = _asked(options, detectors, ["saved"] if saved.files.is_weighted else ())
    counts = CascadeCounts(*gates, Detectors(), 0)  # the pairs have their energies, which may be sums
    tally = saved.count(partial(_add, counts))
    content = _measured(counts, gates, detectors, options, theory)
    summary = SavedPairsAngularSummary(**saved.summary(tally), **content)
    summary = replace(summary, warnings=(*summary.warnings, *_warnings(summary, detectors)))
    return _write(summary, options, theory, saved.provenance(summary))


def _add(counts: CascadeCounts, pairs: pl.DataFrame) -> None:
    """Count pairs, and together with them their hits: these show which detectors see which line."""
    if "timestamp_ps" not in pairs.columns:
        pairs = pairs.with_columns(timestamp_ps=pl.lit(0, pl.Int64))
    timed = pairs.with_columns(pl.col("timestamp_ps").fill_null(0))
    counts.add_pairs(timed)
    for side, later in (("_a", pl.lit(0, pl.Int64)), ("_b", pl.col("dt_ps"))):
        own = [pl.col(name).alias(name.removesuffix(side)) for name in timed.columns if name.endswith(side)]
        counts.add_hits(timed.select(*own, timestamp_ps=pl.col("timestamp_ps") + later))


def _asked(
    options: AngularOptions, detectors: Detectors, random: Sequence[str]
) -> tuple[tuple[Gate, Gate], Theory | None]:
    """The gates on both lines and the theoretical coefficients; raises early where the question has no answer."""
    gated = [detector for detector in detectors if detector.energy]
    gates = (
        line_gate(options.on, options.width, options.background or (), gated),
        line_gate(options.second, options.width, options.second_background or (), gated),
    )
    theory = parse_theory(options.spins, options.multipoles, options.mixing)
    check_writable(options.output, overwrite=options.overwrite)
    check_figure(options.figure, overwrite=options.overwrite)
    _check(gates, detectors, options.normalise, random)
    return gates, theory


def _measured(
    counts: CascadeCounts,
    gates: tuple[Gate, Gate],
    detectors: Detectors,
    options: AngularOptions,
    theory: Theory | None,
) -> dict[str, Any]:
    """The result of the counts for a summary."""
    q2, q4 = attenuation(options.half_angle)
    net, singles = counts.tables()
    fit = angular_correlation(
        net, singles, detectors, normalise=options.normalise, order=options.order, attenuation=(q2 * q2, q4 * q4)
    )
    return {
        "gates": gates,
        "normalise": options.normalise,
        "order": options.order,
        "slice_ps": counts.width_ps,
        "net_counts": float(net["coincidences"].sum()),
        "net_counts_unc": float(net["variance"].sum()) ** 0.5,
        "fit": fit,
        "angles": fit.table,
        "expected": Expected(theory, *fit.apart(theory.a2, theory.a4)) if theory else None,
    }


def _write(summary: Measured, options: AngularOptions, theory: Theory | None, origin: dict[str, str]) -> Measured:
    """Write W(θ) and its figure."""
    save(summary.fit.table.lazy(), options.output, overwrite=options.overwrite, metadata=origin)
    if options.figure is not None:
        _draw(summary.fit, summary.gates, theory, options.figure, overwrite=options.overwrite)
    return summary.saved(options.output, options.figure)


def _draw(fit: AngularFit, gates: tuple[Gate, Gate], theory: Theory | None, path: Path, *, overwrite: bool) -> None:
    from gammapolars import figures

    of_lines = " and ".join(f"{(gate.low + gate.high) / 2:g}" for gate in gates)
    plot = figures.angular(
        fit,
        expected=(theory.a2, theory.a4) if theory else None,
        expected_name=f"cascade {theory.spins}" if theory else None,
        title=f"Angular correlation of {of_lines} keV",
    )
    save_figure(plot, path, overwrite=overwrite)


def _check(gates: tuple[Gate, Gate], detectors: Detectors, normalise: str, random: Sequence[str]) -> None:
    """Raise before any work is done where the question cannot be answered."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"unknown normalisation '{normalise}': choose {' or '.join(NORMALISATIONS)}")
    if normalise == "uncorrelated" and not random:
        raise UsageError("uncorrelated pairs are those in random windows: give these windows with --random")
    check_gates(*gates)
    if not any(detector.energy for detector in detectors):
        raise UsageError("the lines are given as energies: give a detectors.toml with calibrations with --detectors")
    check_directions(detector for detector in detectors if detector.energy)


def _warnings(summary: AngularResult, detectors: Detectors) -> list[str]:
    """Warnings about gates and coefficients."""
    gated = [detector for detector in detectors if detector.energy]
    doubts = [doubt for gate in summary.gates for doubt in gate_doubts(gate, gated)]
    if bare := [gate for gate in summary.gates if not gate.background]:
        where = " and ".join(f"{gate.low:g} to {gate.high:g} keV" for gate in bare)
        doubts.append(
            f"no background was subtracted under {where}: give background regions next to the lines with "
            "--background and --and-background"
        )
    theory = summary.expected.theory if summary.expected else None
    if theory and theory.a4 and summary.order == 2:
        doubts.append(f"the cascade {theory.spins} has a4 = {theory.a4:.4f}, which a fit of order 2 absorbs into a2")
    return doubts


def _chance(singles: pl.DataFrame, rule: PairRule, real_time_s: float) -> float:
    """The number of random coincidences of the two lines in all, slice of time by slice."""
    keys = ["run", "time_slice"]
    first, second = singles["counts_1"].to_numpy(), singles["counts_2"].to_numpy()
    sums = singles.group_by(keys).agg(pl.col("counts_1", "counts_2").sum())
    products = float((sums["counts_1"] * sums["counts_2"]).sum()) - float(np.dot(first, second))
    return chance_pairs(1, 1, rule.width_ps, real_time_s) * products * sums.height
