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
from gammapolars.commands.gate.counts import NetCounts, bin_width_of, net_counts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import InputError
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, PolygonGate, load_gates
from gammapolars.io import scan_pairs
from gammapolars.io.provenance import describe, describe_files
from gammapolars.streaming.slices import batches_of


@dataclass(frozen=True)
class RunPairs:
    """The pairs of runs, net of chance where there are random windows."""

    options: GateOptions
    gate: Gate

    def count(self) -> NetCounts:
        """The net spectrum of the partners of the hits in the gate."""
        options, polygons = self.options, polygons_of(self.options)
        rule = PairRule(options.window, reject=options.reject)
        with options.recording(options.names) as opened:
            recording = replace(opened, all_columns=any(polygon.needs_further for polygon in polygons))
            rule = passes.with_random(recording, rule, options.random or ())
            hits, pairs = HitTally(), PairTally(rule.window)
            reading = passes.PairPass(recording, rule, [hits, pairs])
            table = dithered_pairs(reading.pairs(), options.known)
            spectra = partners(table, self.gate, polygons, options, calibrated=recording.is_calibrated)
            content = vars(passes.summarise(reading, hits, pairs)) | _of_gate(self.gate, polygons, options)
            del content["preselection"]
            content |= {"net_of_chance": rule.regions is not None}
            return net_counts(spectra, content, options, partial(describe, recording.runs))


@dataclass(frozen=True)
class PairsFile:
    """The pairs of a file, as `coincidences` writes it: with the weights of random windows, if it has any."""

    path: Path
    options: GateOptions
    gate: Gate

    def count(self) -> NetCounts:
        """The net spectrum of the partners of the hits in the gate.

        Raises:
            InputError: the file is missing or damaged, or has nothing to gate on.
        """
        options, polygons = self.options, polygons_of(self.options)
        pairs = dithered_pairs(scan_pairs(self.path), options.known)
        columns = set(pairs.collect_schema())
        calibrated = {"energy_kev_a", "energy_kev_b"} <= columns
        if not calibrated and not {"adc_a", "adc_b"} <= columns:
            raise InputError(f"{self.path}: its pairs have neither energies nor adc values to gate on")
        spectra = partners(pairs, self.gate, polygons, options, calibrated=calibrated)
        content = {"inputs": (str(self.path),), "net_of_chance": "weight" in columns}
        content |= _of_gate(self.gate, polygons, options)
        return net_counts(spectra, content, options, partial(describe_files, [self.path]))


def polygons_of(options: GateOptions) -> tuple[PolygonGate, ...]:
    """Pairs count inside all of these."""
    return load_gates(options.polygon) if options.polygon else ()


def partners(
    pairs: pl.LazyFrame, gate: Gate, polygons: Sequence[PolygonGate], options: GateOptions, *, calibrated: bool
) -> GatedSpectra:
    """Count the partners of the hits in the gate, in one pass."""
    width = bin_width_of(options.bin_width, calibrated=calibrated)
    keys = [options.known.named(name).key for name in options.of or ()] or None
    spectra = GatedSpectra(gate, keys, calibrated=calibrated, width=width)
    for polygon in polygons:
        pairs = polygon.select(pairs)
    for batch in batches_of(pairs):
        spectra.add_pairs(batch)
    return spectra


def _of_gate(gate: Gate, polygons: Sequence[PolygonGate], options: GateOptions) -> dict[str, Any]:
    """What a summary says of a gate on pairs."""
    names = tuple(polygon.name for polygon in polygons)
    return {"gate": gate, "gated_detectors": tuple(options.of or ()), "polygons": names}


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
