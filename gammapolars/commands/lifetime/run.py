"""The command `lifetime`: a run in, a time spectrum with its fit, a figure and a summary out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import Ends, HitTally, PairTally
from gammapolars.analysis.accumulators.time_spectrum import TimeSpectrum
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import PairSummary, RunSummary, Summary
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import is_energy, refuse
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.commands.lifetime.bins import fitting_bin_ps, run_clock_ps
from gammapolars.commands.lifetime.parse import LifetimeOptions
from gammapolars.commands.lifetime.start_stop import clock_ps, from_start_to_stop
from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.records import Rows
from gammapolars.core.units import Window, parse_numbers, parse_ps, parse_range
from gammapolars.corrections import gain_corrected_adc, hit_energy
from gammapolars.detectors import Detector
from gammapolars.gates import Gate
from gammapolars.io import check_writable, save
from gammapolars.lifetimes import (
    LifetimeFit,
    NearestStops,
    chance_warning,
    check_bins,
    expected_chance,
    fit_lifetime,
    time_spectrum,
    width_of,
    width_warning,
)
from gammapolars.rates import rates_of, rates_of_used
from gammapolars.spectra.line_gates import gate_doubts, line_gate

Measured = TypeVar("Measured", bound="LifetimeResult")

UNKNOWN_WINDOW = (
    "the file does not say within which window its pairs were formed: if that was narrower than --window, "
    "the rest of the window is empty and the random background is fitted too low"
)

DETECTORS = "detectors"
"""In place of the prompt peak's width: as the resolutions in detectors.toml make it."""

RATES = ("rate_cps", "rate_cps_unc", "true_rate_cps", "true_rate_cps_unc", "live_fraction", "live_fraction_unc")
"""Columns of each of the two detectors, for all hits, with and without dead time."""


@dataclass(frozen=True, kw_only=True)
class LifetimeResult(Summary):
    """The results of `lifetime`.

    Attributes:
        pairs: of start and stop within the window.
        window_ps: [low, high] (ps).
        start: the name of the detector.
        stop: the name of the other.
        start_gate: energies of starts (keV, or adc); null: all.
        stop_gate: energies of stops; null: all.
        nearest: whether each start pairs with the nearest stop alone.
        pairs_in_gates: pairs with both hits in their gates.
        bin_ps: width of the bins (ps).
        sigma_from: where the prompt peak's width is from: the fit, detectors.toml, or given.
        fwhm_ps_of_detectors: as detectors.toml has it; null: it has none.
        fit: the lifetimes, the prompt peak and chance.
    """

    pairs: int
    window_ps: Window
    start: str
    stop: str
    start_gate: Gate | None
    stop_gate: Gate | None
    nearest: bool
    pairs_in_gates: int
    bin_ps: int
    sigma_from: str
    fwhm_ps_of_detectors: float | None
    fit: LifetimeFit


@dataclass(frozen=True, kw_only=True)
class LifetimeSummary(LifetimeResult, RunSummary):
    """The results of `lifetime` for runs.

    Attributes:
        ends: of start and stop `name`, `hits_in_gate`, `rate_in_gate_cps`, and of all hits `rate_cps`, `rate_cps_unc`,
            `true_rate_cps`, `true_rate_cps_unc`, `live_fraction` and `live_fraction_unc`.
        chance_per_ns_expected: of the rates in the gates.
    """

    ends: Rows
    chance_per_ns_expected: float
    chance_per_ns_expected_unc: float


@dataclass(frozen=True, kw_only=True)
class SavedPairsLifetimeSummary(LifetimeResult, SavedPairsSummary):
    """The results of `lifetime` for saved pairs."""

    window_ps: Window


def lifetime(options: LifetimeOptions, recording: Recording) -> LifetimeSummary:
    """Count the time differences of start and stop in gates of their energies, in one pass, and fit lifetimes.

    Raises:
        UsageError: no start and stop, impossible gates or bins, too few pairs.
    """
    detectors = recording.detectors
    both = detectors.named(options.start), detectors.named(options.stop)
    rule = PairRule(options.window, reject=recording.masks(options.reject), start=both[0], stop=both[1])
    _check_outputs(options)
    width = _bin_ps(options, rule.window, lambda: run_clock_ps(recording, rule))
    in_kev = is_energy(options.unit, "gates")
    gates = _gates(options, both, has_energies="energy_kev" in recording.schema)
    counts = _counts(recording, rule, gates, bin_ps=width, nearest=options.nearest, in_kev=in_kev)
    nearest = NearestStops(counts.ends.starts, counts.ends.longer) if options.nearest else None
    content = _fitted(options, both, gates, counts.spectrum, rule.window, bin_ps=width, nearest=nearest)
    totals = counts.summary
    summary = LifetimeSummary(
        inputs=totals.inputs,
        account=totals.account,
        times=totals.times,
        pairs=totals.of_pairs.pairs,
        **content,
        **_expected(counts, both),
    )
    expected = summary.chance_per_ns_expected, summary.chance_per_ns_expected_unc
    doubts = chance_warning(summary.fit.chance_per_ns, summary.fit.chance_per_ns_unc, *expected)
    summary = replace(summary, warnings=(*totals.warnings, *_doubts(summary, both, in_kev=in_kev), *doubts))
    return _write(summary, options, summary.provenance(recording))


def of_pairs(options: LifetimeOptions, saved: SavedPairs) -> SavedPairsLifetimeSummary:
    """The same of saved pairs: without rates, which only single hits give, random coincidences are as fitted.

    Raises:
        UsageError: as for runs; and the nearest stops, or a window in which the pairs were not looked for.
    """
    names = {"--reject": "reject", "--nearest": "nearest"}
    refuse(options, names, f"{saved.name} contains pairs, but no starts without a stop")
    detectors = saved.detectors
    both = detectors.named(options.start), detectors.named(options.stop)
    rule = PairRule(options.window, start=both[0], stop=both[1])
    _check_outputs(options)
    pairs = from_start_to_stop(saved, both).filter(pl.col("dt_ps").is_between(*rule.window))
    saved.check_window(rule.window, signed=True)
    width = _bin_ps(options, rule.window, lambda: clock_ps(pairs))
    in_kev = is_energy(options.unit, "gates")
    gates = _gates(options, both, has_energies=saved.files.has_energies)
    name = "energy_kev" if in_kev else "adc"
    if any(gates) and not {f"{name}_a", f"{name}_b"} <= set(pairs.collect_schema()):
        raise UsageError(f"{saved.name}: its pairs have no {name} to gate on")
    counts = TimeSpectrum(gates, name, bin_ps=width)
    tally = saved.count(counts.add_pairs, pairs=pairs)
    content = _fitted(options, both, gates, counts.table(), rule.window, bin_ps=width)
    of_saved = saved.summary(tally, [] if saved.files.window else [UNKNOWN_WINDOW], energies=in_kev and any(gates))
    summary = SavedPairsLifetimeSummary(**(of_saved | content))
    doubts = _doubts(summary, both, in_kev=in_kev)
    summary = replace(summary, warnings=(*summary.warnings, *doubts))
    return _write(summary, options, saved.provenance(summary))


def _check_outputs(options: LifetimeOptions) -> None:
    """Raise before any work where an output could not be written."""
    check_writable(options.output, overwrite=options.overwrite)
    check_figure(options.figure, overwrite=options.overwrite)


def _bin_ps(options: LifetimeOptions, window: Window, clock: Callable[[], int]) -> int:
    """The width of the bins: as asked for, or such as fits a window and a clock whose steps are asked for then."""
    width = fitting_bin_ps(window, clock) if options.bin_width is None else parse_ps(options.bin_width)
    if width < 1:
        raise UsageError(f"time bins must be at least 1 ps wide, not {width}")
    check_bins((window.high + 1) // width - -(-window.low // width))
    return width


def _gates(
    options: LifetimeOptions, both: tuple[Detector, Detector], *, has_energies: bool
) -> tuple[Gate | None, Gate | None]:
    """The gates on starts and on stops."""
    unit = options.unit
    return (
        _gate(options.start_gate, "--start-gate", both[0], unit, has_energies=has_energies),
        _gate(options.stop_gate, "--stop-gate", both[1], unit, has_energies=has_energies),
    )


def _fitted(
    options: LifetimeOptions,
    both: tuple[Detector, Detector],
    gates: tuple[Gate | None, Gate | None],
    spectrum: pl.DataFrame,
    window: Window,
    *,
    bin_ps: int,
    nearest: NearestStops | None = None,
) -> dict[str, Any]:
    """The result of a time spectrum for a summary."""
    fixed, about = _widths(options.sigma, both)
    fit = fit_lifetime(
        spectrum,
        components=options.components,
        sigma_ps=fixed,
        sigma_near_ps=about,
        window_ps=(window.low, window.high),
        nearest=nearest,
    )
    return {
        "window_ps": window,
        "start": both[0].name,
        "stop": both[1].name,
        "start_gate": gates[0],
        "stop_gate": gates[1],
        "nearest": options.nearest,
        "pairs_in_gates": int(spectrum["counts"].sum()),
        "bin_ps": bin_ps,
        "sigma_from": "the fit" if fixed is None else "detectors.toml" if options.sigma == DETECTORS else "given",
        "fwhm_ps_of_detectors": about and FWHM_PER_SIGMA * about,
        "fit": fit,
    }


def _write(summary: Measured, options: LifetimeOptions, origin: dict[str, str]) -> Measured:
    """Write the time spectrum and its fit, and the figure."""
    save(summary.fit.curves.lazy(), options.output, overwrite=options.overwrite, metadata=origin)
    if options.figure is not None:
        from gammapolars import figures

        title = f"Time differences from {summary.start} to {summary.stop}"
        save_figure(figures.lifetime(summary.fit, title=title), options.figure, overwrite=options.overwrite)
    return summary.saved(options.output, options.figure)


def _gate(text: str | None, option: str, detector: Detector, unit: str, *, has_energies: bool) -> Gate | None:
    """A gate on a detector's hits, in keV or adc: of two ends, or on one line; None where none is asked for."""
    if not text:
        return None
    in_kev = is_energy(unit, "gates")
    if in_kev and not detector.energy and not has_energies:
        raise UsageError(
            f"{detector.name} is not calibrated, but {option} is in keV: gate on ADC channels with --unit adc"
        )
    if ":" not in text:
        (line,) = parse_numbers(text, option, at_least=1)[:1]
        return line_gate(line, None, (), [detector] if in_kev else [])
    low, high = parse_range(text, option)
    if not low < high:
        raise UsageError(f"the gate of {detector.name} is empty: {low:g} to {high:g}")
    return Gate(low, high)


class _Counts(NamedTuple):
    """The counts of one pass over a run: the time spectrum in the gates, hits and their ends, and the account."""

    spectrum: pl.DataFrame
    hits: HitTally
    ends: Ends
    summary: PairSummary
    reading: passes.PairPass


def _counts(
    recording: Recording,
    rule: PairRule,
    gates: tuple[Gate | None, Gate | None],
    *,
    bin_ps: int,
    nearest: bool,
    in_kev: bool,
) -> _Counts:
    """Count time differences, and starts and stops in their gates, in one pass."""
    assert rule.detectors
    detectors, columns = recording.detectors, list(recording.schema)
    value = hit_energy(columns, detectors, adc=gain_corrected_adc(columns)) if in_kev else pl.col("adc")
    starts, stops = (value.is_between(gate.low, gate.high) if gate else None for gate in gates)
    of_hits = starts, stops
    rule = rule.of_nearest_in(of_hits) if nearest else rule
    hits, pairs, ends = HitTally(), PairTally(rule.window), Ends(rule, of_hits, bin_ps if nearest else 0)
    reading = passes.PairPass(recording, rule, [hits, pairs, ends])
    name = "energy_kev" if in_kev else "adc"
    sides = zip("ab", gates, strict=True)
    of_pairs = [pl.col(f"{name}_{side}").is_between(gate.low, gate.high) for side, gate in sides if gate]
    spectrum = time_spectrum(reading.pairs().filter(*of_pairs), bin_ps=bin_ps).collect()
    return _Counts(spectrum, hits, ends, passes.summarise(reading, hits, pairs), reading)


def _widths(sigma: str | None, both: tuple[Detector, Detector]) -> tuple[float | None, float | None]:
    """The standard deviation of the prompt peak where it is fixed, and that of the detectors' resolutions, or None."""
    about = width_of((both[0].time_fwhm_ps, both[1].time_fwhm_ps))
    if sigma == DETECTORS:
        if about is None:
            raise UsageError(
                "--sigma detectors needs time_fwhm_ps of start and stop in detectors.toml: measure it with align"
            )
        return about, about
    return parse_ps(sigma) if sigma else None, about


def _expected(counts: _Counts, both: tuple[Detector, Detector]) -> dict[str, Any]:
    """Rates of starts and stops, and the random coincidences expected from them."""
    hits, ends, recorded = counts.hits, counts.ends, counts.reading.recorded
    time_s, recorded_s = counts.reading.expectation().equivalent_s(both[0].key, both[1].key), recorded.seconds()
    chance, chance_unc = expected_chance([(time_s.get(run, 0.0), n, m) for run, (n, m) in sorted(ends.counts.items())])
    removed = union(counts.reading.recording.masks("none"))
    rates_of_both = rates_of_used(rates_of(hits, ends.intervals, recorded), hits, removed)
    table = {(row["board"], row["channel"]): row for row in rates_of_both.to_dicts()}
    rows = []
    for place, detector in enumerate(both):
        inside = sum(counts[place] for counts in ends.counts.values())
        rates = table.get(detector.key, {})
        rows.append(
            {
                "name": detector.name,
                "hits_in_gate": inside,
                "rate_in_gate_cps": inside / recorded_s[detector.key] if recorded_s.get(detector.key) else None,
                **{name: rates.get(name) for name in RATES},
            }
        )
    return {"ends": rows, "chance_per_ns_expected": chance, "chance_per_ns_expected_unc": chance_unc}


def _doubts(summary: LifetimeResult, both: tuple[Detector, Detector], *, in_kev: bool) -> Iterator[str]:
    """Warnings about gates and fit, one sentence each."""
    fit = summary.fit
    for gate, detector in zip((summary.start_gate, summary.stop_gate), both, strict=True):
        yield from gate_doubts(gate, [detector]) if gate and in_kev else ()
    yield from fit.warnings
    if summary.sigma_from == "the fit" and summary.fwhm_ps_of_detectors:
        yield from width_warning(fit.fwhm_ps, fit.fwhm_ps_unc, summary.fwhm_ps_of_detectors)
