"""What the command `lifetime` does: a run in, a time spectrum with its fit, a figure and a summary out."""

import math
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import CLOCK_HITS, clocks
from gammapolars.detectors import Detector, Detectors
from gammapolars.errors import UsageError
from gammapolars.figure_files import save_figure
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_output
from gammapolars.lifetimes import fit_lifetime, time_spectrum
from gammapolars.printing import plus_minus, rejected_text
from gammapolars.products import HitTally, PairTally
from gammapolars.provenance import describe
from gammapolars.timing import align
from gammapolars.units import PS_PER_UNIT, Window, format_ps

BINS = 2000
"""So many bins, or fewer, if none are asked for."""

Range = tuple[float, float]


def lifetime(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    detectors: Detectors | None = None,
    start_gate: Range | None = None,
    stop_gate: Range | None = None,
    bin_ps: int | None = None,
    components: int = 1,
    sigma_ps: float | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Count the time differences of start and stop in gates of their energies, in one pass, and fit lifetimes.

    Args:
        runs: from `open_runs`.
        rule: window, rejected flags, start and stop.
        output: the time spectrum with its fit and the parts of it: .parquet, .arrow or .csv.
        detectors: time offsets and calibrations.
        start_gate: from which to which energy (keV, or adc if the detector is not calibrated) starts are taken.
        stop_gate: the same of stops.
        bin_ps: width of the bins; None: about two thousand bins, of whole steps of the clock.
        components: how many lifetimes.
        sigma_ps: standard deviation of the prompt peak, where it is known.
        figure: a .png.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars lifetime --json` prints it.

    Raises:
        UsageError: no start and stop, gates or bins that cannot be, too few pairs.
    """
    known = detectors or Detectors()
    if rule.detectors is None:
        raise UsageError("a lifetime is measured from start to stop: name both with --start and --stop")
    check_writable(output, overwrite=overwrite)
    if figure is not None:
        check_output(figure, overwrite=overwrite)
    width = bin_ps or _fitting_bin_ps(runs, rule, known)
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = analysis.Pass(runs, rule, known, progress, [hits, pairs])
    ends = [known.at(*key) for key in rule.detectors]
    gates = dict(zip("ab", (start_gate, stop_gate), strict=True))
    chosen = [_inside(one, side, gate) for one, (side, gate) in zip(ends, gates.items(), strict=True) if gate]
    found = time_spectrum(reading.pairs().filter(*chosen), bin_ps=width).collect()
    fit = fit_lifetime(found, components=components, sigma_ps=sigma_ps, window_ps=(rule.window.low, rule.window.high))
    summary = analysis.summarise(reading, hits, pairs)
    told = {
        "start": ends[0].name,
        "stop": ends[1].name,
        "start_gate": start_gate,
        "stop_gate": stop_gate,
        "pairs_in_gates": int(found["counts"].sum()),
        "bin_ps": width,
        **fit.summary(),
    }
    summary = summary | told | {"warnings": [*summary["warnings"], *fit.warnings]}
    save(fit.curves.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
    outputs = [str(output)]
    if figure is not None:
        from gammapolars import figures

        title = f"Time differences from {ends[0].name} to {ends[1].name}"
        save_figure(figures.lifetime(fit, title=title), figure, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}


def _inside(detector: Detector, side: str, gate: Range) -> pl.Expr:
    """Whether a pair's start or stop lies in a gate."""
    low, high = gate
    if not low < high:
        raise UsageError(f"the gate of {detector.name} is empty: {low:g} to {high:g}")
    return pl.col(f"energy_kev_{side}" if detector.energy else f"adc_{side}").is_between(low, high)


def _fitting_bin_ps(runs: Runs, rule: PairRule, detectors: Detectors) -> int:
    """About two thousand bins: 1, 2 or 5 times a power of ten, and a whole number of steps of a coarse clock."""
    span = rule.window.high - rule.window.low
    if span < 1000:
        raise UsageError(f"the window {rule.window} is too short for a lifetime")
    wanted = span / BINS
    decade = 10.0 ** math.floor(math.log10(wanted))
    width = max(1, round(next(step * decade for step in (1, 2, 5, 10) if step * decade >= wanted * (1 - 1e-9))))
    names = ["board", "channel", "timestamp_ps"]
    with runs.naming_errors():
        first = align(runs.hits, detectors).select(names).head(CLOCK_HITS).collect()
    known = clocks(first)
    step = math.gcd(*(known[key].step_ps for key in rule.detectors or () if key in known))
    return -(-width // step) * step if step > 1 and step * 100 > width else width


def lifetime_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        f"{summary['pairs']:,} pairs of {summary['start']} and {summary['stop']} within "
        f"{Window(*summary['window_ps'])}, {summary['pairs_in_gates']:,} in the gates, "
        f"in bins of {format_ps(summary['bin_ps'])}",
        *(_component_text(part, summary["direction"]) for part in summary["components"]),
    ]
    if summary["upper_limit_ps"] is not None:
        lines.append(f"no lifetime is resolved: less than {_in_unit(summary['upper_limit_ps'])} (95 %)")
    lines.append(
        f"prompt peak at {plus_minus(summary['t0_ps'], summary['t0_ps_unc'])} ps, FWHM "
        f"{plus_minus(summary['fwhm_ps'], summary['fwhm_ps_unc'])} ps, "
        f"{plus_minus(summary['prompt'], summary['prompt_unc'])} pairs; chance "
        f"{plus_minus(summary['chance_per_ns'], summary['chance_per_ns_unc'])} a ns; "
        f"χ²/ndf {summary['chi2']:,.1f}/{summary['ndf']}"
    )
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n".join([*lines, *(f"{output}: written" for output in summary["outputs"])])


def _component_text(part: dict[str, Any], direction: str) -> str:
    unit, factor = _unit(part["lifetime_ps"])
    tau, half = (
        plus_minus(part[f"{name}_ps"] / factor, part[f"{name}_ps_unc"] / factor) for name in ("lifetime", "half_life")
    )
    counts = plus_minus(part["counts"], part["counts_unc"])
    return f"lifetime {tau} {unit}, half-life {half} {unit}, of {counts} decays ({direction})"


def _unit(picoseconds: float) -> tuple[str, float]:
    name = next((name for name in ("s", "ms", "us", "ns") if picoseconds >= PS_PER_UNIT[name]), "ps")
    return name, PS_PER_UNIT[name]


def _in_unit(picoseconds: float) -> str:
    unit, factor = _unit(picoseconds)
    return f"{picoseconds / factor:.3g} {unit}"
