"""Gates on triples of runs: the spectrum of the third hits of those with two hits in two gates."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.gated import CubeSpectra
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule, triples
from gammapolars.commands.gate.counts import NetCounts, OpenRuns, as_dict, bin_width_of, net_counts
from gammapolars.core.errors import UsageError
from gammapolars.core.schema import TRIPLE_REGION
from gammapolars.core.types import Progress
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.io.provenance import describe
from gammapolars.spectra.tallies import WEIGHTED, Tally
from gammapolars.streaming.slices import batches_of, lazy_frame


@dataclass(frozen=True)
class RunTriples:
    """The triples of runs of which two hits lie in two gates: slices of their cube, of the energies of the third hits.

    Attributes:
        open_runs: opens them.
        rule: its window holds all three hits.
        random: windows that hold chance alone, or `auto`: the spectrum is then net of triples by chance.
        gates: the two, each with its background.
        detectors: they must be calibrated.
        bin_width: of the spectrum's bins; None: 1 keV.
        by_detector: whether each detector of third hits gets a spectrum, instead of all one.
    """

    open_runs: OpenRuns
    rule: PairRule
    random: Sequence[str]
    gates: tuple[Gate, Gate]
    detectors: Detectors
    bin_width: float | None = None
    by_detector: bool = False

    def count(self) -> NetCounts:
        """The net spectrum of the third hits.

        Raises:
            UsageError: nothing is calibrated, or the window is not one time.
        """
        if not any(detector.energy for detector in self.detectors):
            raise UsageError("two gates are on energies: name a detectors.toml with calibrations with --detectors")
        if self.rule.window.low != -self.rule.window.high:
            raise UsageError(f"the window of triples is one time, such as 250ns, not {self.rule.window}")
        spectra = CubeSpectra(*self.gates, width=bin_width_of(self.bin_width, calibrated=True))
        regions = Tally("region", sums={"triples": pl.Int64, **WEIGHTED})
        with self.open_runs() as (runs, progress):
            recording, hits = Recording(runs, self.detectors, all_columns=True), _CountedHits(progress)
            rule = passes.with_random(recording, self.rule, self.random)
            table = triples(
                hits.passing(recording.hits.pipe(calibrate, self.detectors, dither=True)),
                rule.window.high,
                random=rule.regions.random if rule.regions else (),
                reject=",".join(rule.reject) or "none",
                reorder_ps=recording.reorder_ps,
            )
            with runs.naming_errors():
                for batch in batches_of(table):
                    spectra.add_triples(batch)
                    regions.add(_by_region(batch))
            summary = self._summary(recording, rule, hits.tally) | _counts(regions.total(), rule)
            texts = partial(describe, runs)
            return net_counts(spectra, self.detectors, summary, texts, by_detector=self.by_detector)

    def _summary(self, recording: Recording, rule: PairRule, hits: HitTally) -> dict[str, Any]:
        runs = recording.runs
        return {
            **account(hits, runs.losses, rule.reject),
            **times(hits, runs),
            "window_ps": list(rule.window),
            "gate": as_dict(self.gates[0]),
            "and_gate": as_dict(self.gates[1]),
            "warnings": [
                *reading_warnings(runs),
                *time_warnings(hits, runs),
                *passes.warnings(hits.by_detector(rule.mask), self.detectors, rule),
                *recording.warnings,
            ],
        }


class _CountedHits:
    """Hits that are counted while they pass, by the last reading that began: the first ones may be read before it."""

    def __init__(self, progress: Progress | None) -> None:
        self.tally, self._progress = HitTally(), progress

    def passing(self, hits: pl.LazyFrame) -> pl.LazyFrame:
        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            del wanted  # the tally needs all columns
            self.tally, read = HitTally(), 0
            for batch in batches_of(hits):
                self.tally.add_hits(batch)
                read += batch.height
                if self._progress:
                    self._progress(read)
                yield batch

        return lazy_frame(hits.collect_schema(), batches)


def _by_region(triples: pl.DataFrame) -> pl.DataFrame:
    """How many triples lie in each region, with the sums of their weights and of the squares."""
    if "region" not in triples.columns:
        triples = triples.with_columns(region=pl.lit("prompt", TRIPLE_REGION), weight=1.0)
    weight = pl.col("weight")
    return triples.group_by("region").agg(triples=pl.len(), counts=weight.sum(), variance=(weight**2).sum())


def _counts(regions: pl.DataFrame, rule: PairRule) -> dict[str, Any]:
    """What a summary tells of all triples; with random windows, how many are by chance, and how many net of it."""
    none = dict.fromkeys(TRIPLE_REGION.categories, (0, 0.0, 0.0))
    found = none | ({row[0]: row[1:] for row in regions.iter_rows()} if regions.height else {})
    (prompt, *_), (one_random, *one), (random, *three) = (found[name] for name in TRIPLE_REGION.categories)
    if not rule.regions:
        return {"triples": prompt}
    chance, variance = -(one[0] + three[0]), one[1] + three[1]
    return {
        "triples": prompt,
        "random_ps": [list(window) for window in rule.regions.random],
        "one_random_triples": one_random,
        "random_triples": random,
        "chance_triples": chance,
        "chance_triples_unc": math.sqrt(variance),
        "net_triples": prompt - chance,
        "net_triples_unc": math.sqrt(prompt + variance),
    }
