"""What the command `lifetime` does: a run in, a time spectrum with its fit, a figure and a summary out."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import Ends, HitTally, PairTally
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.sample import CLOCK_HITS, clocks
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Progress, Range
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import align
from gammapolars.corrections.energy import energy_kev, gain_corrected_adc
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.provenance import describe
from gammapolars.lifetimes import (
    NearestStops,
    chance_warning,
    check_bins,
    expected_chance,
    fit_lifetime,
    time_spectrum,
    width_of,
    width_warning,
)
from gammapolars.rates import rates_of

BINS = 2000
"""So many bins, or fewer, if none are asked for."""

DETECTORS = "detectors"
"""In place of the prompt peak's width: as the resolutions in detectors.toml make it."""

RATES = ("rate_cps", "rate_cps_unc", "true_rate_cps", "true_rate_cps_unc", "live_fraction", "live_fraction_unc")
"""Of each of the two detectors, all hits, with and without dead time."""

CHANCE_PAIRS = "chance_pairs_expected"


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
    sigma_ps: float | str | None = None,
    nearest: bool = False,
    figure: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
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
        sigma_ps: standard deviation of the prompt peak, where it is known; `detectors`: that of `time_fwhm_ps` of the
            two. None: it is fitted, and begins at the latter.
        nearest: whether each start in its gate pairs with the nearest stop in its gate alone, instead of with all.
        figure: a .png.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars lifetime --json` prints it.

    Raises:
        UsageError: no start and stop, gates or bins that cannot be, too few pairs.
    """
    known = detectors or Detectors()
    both = _ends_of(rule, known)
    check_writable(output, overwrite=overwrite)
    check_figure(figure, overwrite=overwrite)
    fixed, about = _widths(sigma_ps, both)
    if bin_ps is not None and bin_ps < 1:
        raise UsageError(f"a bin of time must be 1 ps wide or more, not {bin_ps}")
    width = _fitting_bin_ps(runs, rule, known) if bin_ps is None else bin_ps
    check_bins((rule.window.high + 1) // width - -(-rule.window.low // width))
    gates = (start_gate, stop_gate)
    counted = _counted(runs, rule, known, gates, bin_ps=width, nearest=nearest, progress=progress)
    fit = fit_lifetime(
        counted.spectrum,
        components=components,
        sigma_ps=fixed,
        sigma_near_ps=about,
        window_ps=(rule.window.low, rule.window.high),
        nearest=NearestStops(counted.ends.starts, counted.ends.longer) if nearest else None,
    )
    summary = counted.summary | {
        "start": both[0].name,
        "stop": both[1].name,
        "start_gate": start_gate,
        "stop_gate": stop_gate,
        "nearest": nearest,
        "pairs_in_gates": int(counted.spectrum["counts"].sum()),
        "bin_ps": width,
        "sigma_from": "the fit" if fixed is None else "detectors.toml" if sigma_ps == DETECTORS else "given",
        "fwhm_ps_of_detectors": about and FWHM_PER_SIGMA * about,
        **fit.summary(),
        **_expected(counted, both),
    }
    summary["warnings"] = [*counted.summary["warnings"], *fit.warnings, *_disagreements(summary)]
    save(fit.curves.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
    outputs = [str(output)]
    if figure is not None:
        from gammapolars import figures

        title = f"Time differences from {both[0].name} to {both[1].name}"
        save_figure(figures.lifetime(fit, title=title), figure, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}


def _ends_of(rule: PairRule, known: Detectors) -> tuple[Detector, Detector]:
    if rule.detectors is None:
        raise UsageError("a lifetime is measured from start to stop: name both with --start and --stop")
    start, stop = rule.detectors
    return known.at(*start), known.at(*stop)


class _Counted(NamedTuple):
    """What one pass over a run counted: the time spectrum in the gates, hits and their ends, and the account of all."""

    spectrum: pl.DataFrame
    hits: HitTally
    ends: Ends
    summary: dict[str, Any]


def _counted(
    runs: Runs,
    rule: PairRule,
    known: Detectors,
    gates: tuple[Range | None, Range | None],
    *,
    bin_ps: int,
    nearest: bool,
    progress: Progress | None,
) -> _Counted:
    """Count time differences, and starts and stops in their gates, in one pass."""
    both = _ends_of(rule, known)
    recording = Recording(runs, known, progress)
    columns = list(recording.schema)
    of_hits = (_inside(both[0], gates[0], known, columns), _inside(both[1], gates[1], known, columns))
    rule = rule.of_nearest_in(of_hits) if nearest else rule
    hits, pairs, ends = HitTally(), PairTally(rule.window), Ends(rule, of_hits, bin_ps if nearest else 0)
    reading = passes.PairPass(recording, rule, [hits, pairs, ends])
    of_pairs = [_pair_inside(both[k], "ab"[k], gate) for k, gate in enumerate(gates) if gate]
    spectrum = time_spectrum(reading.pairs().filter(*of_pairs), bin_ps=bin_ps).collect()
    return _Counted(spectrum, hits, ends, _without_pairs(passes.summarise(reading, hits, pairs)))


def _widths(sigma_ps: float | str | None, both: tuple[Detector, Detector]) -> tuple[float | None, float | None]:
    """The standard deviation of the prompt peak where it is fixed, and that of the detectors' resolutions, or None."""
    about = width_of((both[0].time_fwhm_ps, both[1].time_fwhm_ps))
    if isinstance(sigma_ps, str):
        if about is None:
            raise UsageError(
                "--sigma detectors needs time_fwhm_ps of start and stop in detectors.toml: align measures it"
            )
        return about, about
    return sigma_ps, about


def _without_pairs(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary of pairs without their chance, which the fit and the rates in the gates tell better."""
    return {name: value for name, value in summary.items() if name not in ("pairs_by_detectors", CHANCE_PAIRS)}


def _expected(counted: _Counted, both: tuple[Detector, Detector]) -> dict[str, Any]:
    """Rates of starts and stops, and the chance that they lead to expect."""
    hits, ends = counted.hits, counted.ends
    time_s = {run: (last - first) / PS_PER_S for run, (first, last) in hits.spans.items()}
    chance, chance_unc = expected_chance([(time_s[run], n, m) for run, (n, m) in sorted(ends.counts.items())])
    table = {(row["board"], row["channel"]): row for row in rates_of(hits, ends.intervals).to_dicts()}
    rows = []
    for place, detector in enumerate(both):
        inside = sum(counts[place] for counts in ends.counts.values())
        known = table.get(detector.key, {})
        rows.append(
            {
                "name": detector.name,
                "hits_in_gate": inside,
                "rate_in_gate_cps": inside / hits.real_time_s if hits.real_time_s else None,
                **{name: known.get(name) for name in RATES},
            }
        )
    return {"ends": rows, "chance_per_ns_expected": chance, "chance_per_ns_expected_unc": chance_unc}


def _disagreements(summary: dict[str, Any]) -> list[str]:
    """Where the fit and what was known before it differ, one sentence each."""
    chance = (summary[f"chance_per_ns{name}"] for name in ("", "_unc", "_expected", "_expected_unc"))
    found = list(chance_warning(*chance))
    if summary["sigma_from"] == "the fit" and summary["fwhm_ps_of_detectors"]:
        found += width_warning(summary["fwhm_ps"], summary["fwhm_ps_unc"], summary["fwhm_ps_of_detectors"])
    return found


def _inside(detector: Detector, gate: Range | None, detectors: Detectors, columns: list[str]) -> pl.Expr | None:
    """Whether a hit of a detector lies in a gate; None where there is none."""
    if gate is None:
        return None
    low, high = gate
    if not low < high:
        raise UsageError(f"the gate of {detector.name} is empty: {low:g} to {high:g}")
    value = energy_kev(detectors, adc=gain_corrected_adc(columns)) if detector.energy else pl.col("adc")
    return value.is_between(low, high)


def _pair_inside(detector: Detector, side: str, gate: Range) -> pl.Expr:
    """The same of a pair's start or stop."""
    return pl.col(f"energy_kev_{side}" if detector.energy else f"adc_{side}").is_between(*gate)


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
