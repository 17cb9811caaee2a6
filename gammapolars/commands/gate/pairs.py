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
from gammapolars.commands.gate.counts import NetCounts, OpenRuns, Texts, bin_width_of, net_counts
from gammapolars.core.errors import InputError
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, PolygonGate
from gammapolars.io import scan_pairs
from gammapolars.io.provenance import describe, describe_files
from gammapolars.streaming.slices import batches_of


@dataclass(frozen=True)
class Partners:
    """Which pairs' partners are counted, and in which spectra.

    Attributes:
        gate: the line with its background, in keV; in adc where nothing is calibrated.
        detectors: names, time offsets and calibrations.
        of: names of the detectors whose hits may lie in the gate; none: all.
        polygons: only pairs inside all of these count.
        bin_width: of the spectrum's bins; None: 1 keV, or 1 adc.
        by_detector: whether each partner detector gets a spectrum, instead of all one.
    """

    gate: Gate
    detectors: Detectors
    of: Sequence[str] = ()
    polygons: Sequence[PolygonGate] = ()
    bin_width: float | None = None
    by_detector: bool = False

    def count(self, pairs: pl.LazyFrame, *, calibrated: bool) -> GatedSpectra:
        """Count the pairs of a frame, in one pass."""
        width = bin_width_of(self.bin_width, calibrated=calibrated)
        keys = [self.detectors.named(name).key for name in self.of] or None
        spectra = GatedSpectra(self.gate, keys, calibrated=calibrated, width=width)
        for polygon in self.polygons:
            pairs = polygon.select(pairs)
        for batch in batches_of(pairs):
            spectra.add_pairs(batch)
        return spectra

    def net(self, spectra: GatedSpectra, found: dict[str, Any], texts: Texts) -> NetCounts:
        """What was counted; the summary says of which gate."""
        found = found | {
            "gate": self.gate,
            "gated_detectors": tuple(self.of),
            "polygons": tuple(polygon.name for polygon in self.polygons),
        }
        return net_counts(spectra, self.detectors, found, texts, by_detector=self.by_detector)


@dataclass(frozen=True)
class RunPairs:
    """The pairs of runs, net of chance where there are random windows.

    Attributes:
        open_runs: opens them.
        rule: window and rejected flags.
        random: windows that hold chance pairs alone, or `auto`.
        partners: what is counted.
    """

    open_runs: OpenRuns
    rule: PairRule
    random: Sequence[str]
    partners: Partners

    def count(self) -> NetCounts:
        """The net spectrum of the partners."""
        partners, detectors = self.partners, self.partners.detectors
        further = any(polygon.needs_further for polygon in partners.polygons)
        with self.open_runs() as opened:
            recording = replace(opened, all_columns=further)
            rule = passes.with_random(recording, self.rule, self.random)
            hits, pairs = HitTally(), PairTally(rule.window)
            reading = passes.PairPass(recording, rule, [hits, pairs])
            spectra = partners.count(dithered_pairs(reading.pairs(), detectors), calibrated=recording.is_calibrated)
            found = vars(passes.summarise(reading, hits, pairs)) | {"net_of_chance": rule.regions is not None}
            del found["preselection"]
            return partners.net(spectra, found, partial(describe, recording.runs))


@dataclass(frozen=True)
class PairsFile:
    """The pairs of a file, as `coincidences` writes it: with the weights of random windows, if it has any.

    Attributes:
        path: of the file.
        partners: what is counted.
    """

    path: Path
    partners: Partners

    def count(self) -> NetCounts:
        """The net spectrum of the partners.

        Raises:
            InputError: the file is missing or damaged, or has nothing to gate on.
        """
        pairs = dithered_pairs(scan_pairs(self.path), self.partners.detectors)
        columns = set(pairs.collect_schema())
        calibrated = {"energy_kev_a", "energy_kev_b"} <= columns
        if not calibrated and not {"adc_a", "adc_b"} <= columns:
            raise InputError(f"{self.path}: its pairs have neither energies nor adc values to gate on")
        spectra = self.partners.count(pairs, calibrated=calibrated)
        found = {"inputs": (str(self.path),), "net_of_chance": "weight" in columns}
        return self.partners.net(spectra, found, partial(describe_files, [self.path]))


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
