"""Gates on pairs, of runs or of a file: the spectrum of the hits in coincidence with the gate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.accumulators.gated import GatedPairs, GatedSpectra
from gammapolars.coincidences import PairRule
from gammapolars.commands.gate.choice import KEV, Choice, chosen, partner_gate
from gammapolars.commands.gate.counts import CoincidenceCounts, NetCounts, bin_width_of, net_counts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, PolygonGate, load_gates
from gammapolars.io.provenance import describe
from gammapolars.spectra.coincidence_peaks import CoincidencePeakTally
from gammapolars.streaming.slices import batches_of


@dataclass(frozen=True)
class RunPairs:
    """The pairs of runs, with random coincidences subtracted where there are random windows."""

    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum of the hits in coincidence with the gate.

        Raises:
            UsageError: a gate on energies that no hit has.
        """
        options, polygons = self.options, polygons_of(self.options)
        with options.recording(options.names) as opened:
            rule = PairRule(options.window, reject=opened.masks(options.reject))
            recording = replace(opened, all_columns=any(polygon.needs_further for polygon in polygons))
            rule = passes.with_random(recording, rule, options.random or ())
            choice = chosen(options, options.known, has_energies=recording.is_calibrated)
            line = partner_gate(options, options.known, has_energies=recording.is_calibrated)
            gated = gated_pairs(choice, line, polygons, options, options.known)
            hits, pairs = HitTally(), PairTally(rule.window)
            reading = passes.PairPass(recording, rule, [hits, pairs, gated])
            reading.run()
            spectra, coincidence = gated.spectra, _of_line(gated, line)
            content = vars(passes.summarise(reading, hits, pairs))
            content |= _of_gate(choice, polygons, options, content["warnings"], spectra.without_value(options.known))
            del content["preselection"]
            content |= {"net_of_chance": rule.regions is not None, "coincidence": coincidence}
            return net_counts(spectra, content, options, partial(describe, recording.runs))


@dataclass(frozen=True)
class FilePairs:
    """The pairs of files, as `coincidences` writes them: with the weights of random windows, if they have any."""

    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum of the hits in coincidence with the gate.

        Raises:
            InputError: a file is missing or damaged, or has nothing to gate on.
            UsageError: a gate on energies that no hit has.
        """
        options, polygons = self.options, polygons_of(self.options)
        with options.saved_pairs(options.names) as saved:
            assert saved
            saved.require_values()
            detectors = saved.detectors
            choice = chosen(options, detectors, has_energies=saved.is_calibrated)
            line = partner_gate(options, detectors, has_energies=saved.is_calibrated)
            gated = gated_pairs(choice, line, polygons, options, detectors)
            for batch in batches_of(saved.files.pairs):
                gated.add_pairs(batch)
            spectra, coincidence = gated.spectra, _of_line(gated, line)
            doubts = saved.doubts(energies=options.unit == KEV)
            content = {"inputs": tuple(map(str, saved.files.paths)), "net_of_chance": saved.files.is_weighted}
            content |= {"coincidence": coincidence}
            content |= _of_gate(choice, polygons, options, doubts, spectra.without_value(detectors))
            return net_counts(spectra, content, options, saved.origin)


def polygons_of(options: GateOptions) -> tuple[PolygonGate, ...]:
    """Pairs count inside all of these."""
    return load_gates(options.polygon) if options.polygon else ()


def gated_pairs(
    choice: Choice, line: Gate | None, polygons: Sequence[PolygonGate], options: GateOptions, detectors: Detectors
) -> GatedPairs:
    """Counts the hits in coincidence with the gate, and those on a line of their own."""
    width = bin_width_of(options.bin_width, calibrated=choice.calibrated)
    keys = [detectors.named(name).key for name in options.of or ()] or None
    spectra = GatedSpectra(choice.gate, keys, calibrated=choice.calibrated, width=width)
    peak = CoincidencePeakTally(choice.gate, line, on=spectra.axis, of=keys) if line else None
    return GatedPairs(spectra, peak, detectors, polygons)


def _of_line(gated: GatedPairs, line: Gate | None) -> CoincidenceCounts | None:
    """The counts of a line's coincidence peak, if one is asked for."""
    return CoincidenceCounts(line, *gated.peak.total()) if line and gated.peak else None


def _of_gate(
    choice: Choice, polygons: Sequence[PolygonGate], options: GateOptions, warnings: Sequence[str], bare: Sequence[str]
) -> dict[str, Any]:
    """The entries of a summary on a gate on pairs."""
    doubts = [*warnings, *choice.doubts()]
    if bare and choice.calibrated:
        doubts.append(
            f"hits of {', '.join(bare)} without an energy were not used, neither in the gate nor as coincident hits"
        )
    return {
        "gate": choice.gate,
        "gate_width_from": choice.width_from,
        "gated_detectors": tuple(options.of or ()),
        "polygons": tuple(polygon.name for polygon in polygons),
        "warnings": tuple(doubts),
    }
