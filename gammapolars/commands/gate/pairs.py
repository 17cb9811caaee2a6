"""Gates on pairs, of runs or of a file: the spectrum of the partners of the hits in the gate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.accumulators.gated import GatedSpectra
from gammapolars.coincidences import PairRule
from gammapolars.commands.gate.choice import KEV, Choice, chosen, partner_gate
from gammapolars.commands.gate.counts import CoincidenceCounts, NetCounts, bin_width_of, net_counts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import InputError
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, PolygonGate, load_gates
from gammapolars.io import scan_pairs
from gammapolars.io.provenance import describe, describe_files, detectors_of
from gammapolars.spectra.coincidence_peaks import CoincidencePeakTally
from gammapolars.streaming.slices import batches_of


@dataclass(frozen=True)
class RunPairs:
    """The pairs of runs, net of chance where there are random windows."""

    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum of the partners of the hits in the gate.

        Raises:
            UsageError: a gate on energies that no hit has.
        """
        options, polygons = self.options, polygons_of(self.options)
        rule = PairRule(options.window, reject=options.reject)
        with options.recording(options.names) as opened:
            recording = replace(opened, all_columns=any(polygon.needs_further for polygon in polygons))
            rule = passes.with_random(recording, rule, options.random or ())
            hits, pairs = HitTally(), PairTally(rule.window)
            reading = passes.PairPass(recording, rule, [hits, pairs])
            choice = chosen(options, options.known, has_energies=recording.is_calibrated)
            table = dithered_pairs(reading.pairs(), options.known)
            line = partner_gate(options, options.known, has_energies=recording.is_calibrated)
            spectra, coincidence = partners(table, choice, line, polygons, options, options.known)
            content = vars(passes.summarise(reading, hits, pairs))
            content |= _of_gate(choice, polygons, options, content["warnings"], spectra.without_value(options.known))
            del content["preselection"]
            content |= {"net_of_chance": rule.regions is not None, "coincidence": coincidence}
            return net_counts(spectra, content, options, partial(describe, recording.runs))


@dataclass(frozen=True)
class PairsFile:
    """The pairs of a file, as `coincidences` writes it: with the weights of random windows, if it has any."""

    path: Path
    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum of the partners of the hits in the gate.

        Raises:
            InputError: the file is missing or damaged, or has nothing to gate on.
            UsageError: a gate on energies that no hit has.
        """
        options, polygons = self.options, polygons_of(self.options)
        stored = detectors_of(self.path)
        detectors = options.known if options.detectors else stored
        pairs = scan_pairs(self.path)
        columns = set(pairs.collect_schema())
        has_energies, has_adc = ({f"{name}_a", f"{name}_b"} <= columns for name in ("energy_kev", "adc"))
        if not has_energies and not has_adc:
            raise InputError(f"{self.path}: its pairs have neither energies nor adc values to gate on")
        of_adc = has_adc and any(detector.energy for detector in detectors)
        choice = chosen(options, detectors, has_energies=has_energies or of_adc)
        line = partner_gate(options, detectors, has_energies=has_energies or of_adc)
        table = dithered_pairs(pairs, detectors)
        spectra, coincidence = partners(table, choice, line, polygons, options, detectors)
        doubts = self._doubts(stored, dithers=of_adc or not (has_energies and has_adc))
        content = {"inputs": (str(self.path),), "net_of_chance": "weight" in columns}
        content |= {"coincidence": coincidence}
        content |= _of_gate(choice, polygons, options, doubts, spectra.without_value(detectors))
        return net_counts(spectra, content, options, partial(describe_files, [self.path]))

    def _doubts(self, stored: Detectors, *, dithers: bool) -> tuple[str, ...]:
        """Where energies are not those that the detectors of the command line would give."""
        if self.options.unit != KEV:
            return ()
        known = self.options.known
        other = [one.name for one in known if stored.at(*one.key).energy not in (None, one.energy)]
        if other:
            return (
                f"{self.path}: its energies are by another calibration than that of {', '.join(other)} in "
                f"{self.options.detectors}, and are kept: make the pairs once more to change them",
            )
        if not dithers:
            return (
                f"{self.path}: its energies are not spread over the width of their adc values, as no calibration of "
                "its detectors is known: name the detectors.toml that they were made with",
            )
        return ()


def polygons_of(options: GateOptions) -> tuple[PolygonGate, ...]:
    """Pairs count inside all of these."""
    return load_gates(options.polygon) if options.polygon else ()


def partners(
    pairs: pl.LazyFrame,
    choice: Choice,
    line: Gate | None,
    polygons: Sequence[PolygonGate],
    options: GateOptions,
    detectors: Detectors,
) -> tuple[GatedSpectra, CoincidenceCounts | None]:
    """Count the partners of the hits in the gate, and those on a line of their own, in one pass."""
    width = bin_width_of(options.bin_width, calibrated=choice.calibrated)
    keys = [detectors.named(name).key for name in options.of or ()] or None
    spectra = GatedSpectra(choice.gate, keys, calibrated=choice.calibrated, width=width)
    for polygon in polygons:
        pairs = polygon.select(pairs)
    peak = CoincidencePeakTally(choice.gate, line, on=spectra.axis, of=keys) if line else None
    for batch in batches_of(pairs):
        spectra.add_pairs(batch)
        if peak:
            peak.add(batch)
    return spectra, CoincidenceCounts(line, *peak.total()) if line and peak else None


def _of_gate(
    choice: Choice, polygons: Sequence[PolygonGate], options: GateOptions, warnings: Sequence[str], bare: Sequence[str]
) -> dict[str, Any]:
    """What a summary says of a gate on pairs."""
    doubts = [*warnings, *choice.doubts()]
    if bare and choice.calibrated:
        doubts.append(f"hits of {', '.join(bare)} without an energy took no part, neither in the gate nor as partners")
    return {
        "gate": choice.gate,
        "gate_width_from": choice.width_from,
        "gated_detectors": tuple(options.of or ()),
        "polygons": tuple(polygon.name for polygon in polygons),
        "warnings": tuple(doubts),
    }


def dithered_pairs(pairs: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    """Pairs with energies that are dithered over the width of their adc values.

    A gate then holds counts in proportion to its width, and so does its background. Of whole adc values a gate of n
    channels holds n ± 1, and the background is subtracted too often or too rarely by as much. Energies that pairs have
    are kept, as they may be sums of hits that were added back: they get the noise alone.
    """
    columns = pairs.collect_schema()
    if not {"adc_a", "adc_b", "dt_ps"} <= set(columns) or not any(detector.energy for detector in detectors):
        return pairs
    energies = {}
    for suffix in ("_a", "_b"):
        name, from_adc = f"energy_kev{suffix}", energy_kev(detectors, suffix, adc=dithered_adc(columns, suffix))
        own = [dithered_energy(columns, detectors, suffix), from_adc, pl.col(name)]
        energies[name] = pl.coalesce(own) if name in columns else from_adc
    return pairs.with_columns(**energies)
