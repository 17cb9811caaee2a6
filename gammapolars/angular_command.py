"""What the command `angular` does: a run in, W(θ) of a cascade with its fit, a figure and a summary out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis
from gammapolars.angular.correlation import AngularFit, angular_correlation
from gammapolars.angular.directions import attenuation, check_directions
from gammapolars.angular.mixing import mixed
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.errors import UsageError
from gammapolars.figure_files import save_figure
from gammapolars.flags import union
from gammapolars.gates import Gate
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_output
from gammapolars.printing import plus_minus, rejected_text, table
from gammapolars.products import AdcSpectra, HitTally, PairTally
from gammapolars.products.cascades import CascadeCounts
from gammapolars.provenance import describe
from gammapolars.streaming import batches_of

NORMS = ("mixed", "uncorrelated")


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
    figure: Path | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
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
        figure: a .png.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars angular --json` prints it.

    Raises:
        DetectorsError: a detector that has pairs has no direction.
        UsageError: no calibration, too few angles, or a normalisation that cannot be.
    """
    check_writable(output, overwrite=overwrite)
    if figure is not None:
        check_output(figure, overwrite=overwrite)
    if normalise not in NORMS:
        raise UsageError(f"unknown normalisation '{normalise}': it is {' or '.join(NORMS)}")
    if normalise == "uncorrelated" and not random:
        raise UsageError("uncorrelated pairs are those of random windows: name some with --random")
    if not any(detector.energy for detector in detectors):
        raise UsageError("the lines are energies: name a detectors.toml with calibrations with --detectors")
    check_directions(detector for detector in detectors if detector.energy)
    weakened = attenuation(half_angle_deg)
    ready = analysis.with_random(runs, rule, random, detectors)
    hits, pairs, singles = HitTally(), PairTally(ready.window), AdcSpectra(union(ready.reject))
    counts = CascadeCounts(*gates)
    reading = analysis.Pass(runs, ready, detectors, progress, [hits, pairs, singles, counts])
    for _ in batches_of(reading.pairs().select(pl.len())):
        pass
    expected = mixed(singles.spectra(detectors, None), *gates) if normalise == "mixed" else counts.random()
    fit = angular_correlation(
        counts.net(), expected, detectors, order=order, attenuation=(weakened[0] ** 2, weakened[1] ** 2)
    )
    summary = analysis.summarise(reading, hits, pairs) | {
        "gates": [{"low": one.low, "high": one.high, "background": list(one.background)} for one in gates],
        "normalise": normalise,
        "net_counts": float(counts.net()["counts"].sum()),
        **_numbers(fit),
    }
    save(fit.table.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
    outputs = [str(output)]
    if figure is not None:
        from gammapolars import figures

        save_figure(figures.angular(fit), figure, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}


def _numbers(fit: AngularFit) -> dict[str, Any]:
    names = ("a2", "a2_unc", "a4", "a4_unc", "a2_point", "a2_point_unc", "a4_point", "a4_point_unc", "covariance",
             "chi2", "ndf")  # fmt: skip
    rows = fit.table.to_dicts()
    return {name: getattr(fit, name) for name in names} | {"attenuation": list(fit.attenuation), "angles": rows}


def angular_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    rows = [
        [
            f"{row['angle_deg']:.1f}°",
            str(row["detector_pairs"]),
            plus_minus(row["w"], row["w_unc"]),
            f"{row['fit']:.4f}",
        ]
        for row in summary["angles"]
    ]
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        f"{summary['net_counts']:,.1f} net coincidences of the two lines",
        *table(["angle", "pairs of detectors", "W(θ)/A0", "fit"], rows),
        f"a2 {plus_minus(summary['a2'], summary['a2_unc'])}, a4 {plus_minus(summary['a4'], summary['a4_unc'])}, "
        f"χ²/ndf {summary['chi2']:.1f}/{summary['ndf']}",
    ]
    if summary["attenuation"] != [1.0, 1.0]:
        lines.append(
            f"corrected for the detectors' size: a2 {plus_minus(summary['a2_point'], summary['a2_point_unc'])}, "
            f"a4 {plus_minus(summary['a4_point'], summary['a4_point_unc'])}"
        )
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n".join([*lines, *(f"{output}: written" for output in summary["outputs"])])
