"""What the command `gate` does: pairs of a run or a file, or triples, in; a net gated spectrum and a summary out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.accumulators.gated import GatedSpectra
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.gate.outputs import GateOutputs, as_dict, bin_width_of
from gammapolars.core.errors import InputError
from gammapolars.core.types import Progress
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, PolygonGate
from gammapolars.io import Runs, scan_pairs
from gammapolars.io.provenance import describe, describe_files
from gammapolars.streaming.slices import batches_of


def gate_runs(
    runs: Runs,
    rule: PairRule,
    gate: Gate,
    outputs: GateOutputs,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    of: Sequence[str] = (),
    polygons: Sequence[PolygonGate] = (),
    bin_width: float | None = None,
    by_detector: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The spectrum of the partners of a line in a run, net of the background below the line and of chance.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        gate: the line with its background, in keV; in adc where nothing is calibrated.
        outputs: the files to write.
        random: windows that hold chance pairs alone, or `auto`.
        detectors: time offsets and calibrations.
        of: names of the detectors whose hits may lie in the gate; none: all.
        polygons: only pairs inside all of these count.
        bin_width: of the spectrum's bins; None: 1 keV, or 1 adc.
        by_detector: whether each partner detector gets a spectrum, instead of all one.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars gate --json` prints it.
    """
    started = time.perf_counter()
    outputs.check()
    known = detectors or Detectors()
    further = any(polygon.needs_further for polygon in polygons)
    recording = Recording(runs, known, progress, all_columns=further)
    ready = passes.with_random(recording, rule, random)
    hits, pairs = HitTally(), PairTally(ready.window)
    reading = passes.PairPass(recording, ready, [hits, pairs])
    calibrated = any(detector.energy for detector in known)
    found = _gated(dithered_pairs(reading.pairs(), known), gate, known, of, polygons, bin_width, calibrated=calibrated)
    summary = passes.summarise(reading, hits, pairs)
    summary |= _told(found, gate, of, polygons, bin_width)
    net = passes.named(found.by_detector(), known) if by_detector else found.summed()
    return outputs.write(net, found.total(), summary, describe(runs, summary)) | {
        "elapsed_s": time.perf_counter() - started
    }


def gate_pairs(
    path: Path,
    gate: Gate,
    outputs: GateOutputs,
    *,
    detectors: Detectors | None = None,
    of: Sequence[str] = (),
    polygons: Sequence[PolygonGate] = (),
    bin_width: float | None = None,
    by_detector: bool = False,
) -> dict[str, Any]:
    """The same from a file of pairs, as `coincidences` writes it: with the weights of random windows, if it has any."""
    started = time.perf_counter()
    outputs.check()
    known = detectors or Detectors()
    pairs = scan_pairs(path)
    if len(known):
        pairs = dithered_pairs(pairs, known)
    columns = pairs.collect_schema()
    calibrated = {"energy_kev_a", "energy_kev_b"} <= set(columns)
    if not calibrated and not {"adc_a", "adc_b"} <= set(columns):
        raise InputError(f"{path}: its pairs have neither energies nor adc values to gate on")
    found = _gated(pairs, gate, known, of, polygons, bin_width, calibrated=calibrated)
    about = {"inputs": [str(path)], "net_of_chance": "weight" in columns, "warnings": []}
    summary = about | _told(found, gate, of, polygons, bin_width)
    net = passes.named(found.by_detector(), known) if by_detector else found.summed()
    return outputs.write(net, found.total(), summary, describe_files([path], summary)) | {
        "elapsed_s": time.perf_counter() - started
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


def _gated(
    pairs: pl.LazyFrame,
    gate: Gate,
    detectors: Detectors,
    of: Sequence[str],
    polygons: Sequence[PolygonGate],
    bin_width: float | None,
    *,
    calibrated: bool,
) -> GatedSpectra:
    """Count all pairs of a frame, in one pass."""
    width = bin_width_of(bin_width, calibrated=calibrated)
    chosen = [detectors.named(name).key for name in of] or None
    found = GatedSpectra(gate, chosen, calibrated=calibrated, width=width)
    for polygon in polygons:
        pairs = polygon.select(pairs)
    for batch in batches_of(pairs):
        found.add_pairs(batch)
    return found


def _told(
    found: GatedSpectra, gate: Gate, of: Sequence[str], polygons: Sequence[PolygonGate], bin_width: float | None
) -> dict[str, Any]:
    net, unc = found.net()
    return {
        "gate": as_dict(gate),
        "unit": "keV" if found.axis == "energy_kev" else "adc",
        "gated_detectors": list(of),
        "polygons": [polygon.name for polygon in polygons],
        "bin_width": 1.0 if bin_width is None else bin_width,
        "counts": net,
        "counts_unc": unc,
    }
