"""Gates on triples of runs: the spectrum of the third hits of those with two hits in two gates."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.gated import CubeSpectra
from gammapolars.analysis.expected_pairs import check_beginning
from gammapolars.analysis.summaries import of_hits
from gammapolars.coincidences import PairRule, triples
from gammapolars.commands.gate.choice import KEV, chosen
from gammapolars.commands.gate.counts import NetCounts, RandomTriples, TripleCounts, bin_width_of, net_counts
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import UsageError
from gammapolars.core.schema import TRIPLE_REGION
from gammapolars.core.types import Progress
from gammapolars.core.units import parse_window
from gammapolars.corrections import calibrate
from gammapolars.io.provenance import describe
from gammapolars.spectra.tallies import WEIGHTED, Tally
from gammapolars.streaming.slices import batches_of, lazy_frame


@dataclass(frozen=True)
class RunTriples:
    """The triples of runs of which two hits lie in two gates: slices of their cube, of the energies of the third hits.

    Attributes:
        options: their window holds all three hits.
    """

    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum of the third hits; with random windows, random triples are subtracted.

        Raises:
            UsageError: nothing is calibrated, or the window is not one time.
        """
        options, detectors = self.options, self.options.known
        window = parse_window(options.window)
        if window.low != -window.high:
            raise UsageError(f"the window for triple coincidences is a single time, such as 250ns, not {window}")
        if options.unit != KEV:
            raise UsageError("a double gate needs energies: leave --unit out")
        assert options.second is not None
        beside = options.second_background
        regions = Tally("region", sums={"triples": pl.Int64, **WEIGHTED})
        with options.recording(options.names) as opened:
            rule = PairRule(window, reject=opened.masks(options.reject))
            first = chosen(options, detectors, has_energies=opened.is_calibrated)
            second = chosen(
                options, detectors, has_energies=opened.is_calibrated, line=options.second, backgrounds=beside
            )
            spectra = CubeSpectra(first.gate, second.gate, width=bin_width_of(options.bin_width, calibrated=True))
            recording, hits = replace(opened, all_columns=True, progress=None), _CountedHits(opened.progress)
            check_beginning(recording, rule)
            rule = passes.with_random(recording, rule, options.random or ())
            table = triples(
                hits.passing(recording.marked_hits.pipe(calibrate, detectors, dither=True)),
                rule.window.high,
                random=rule.regions.random if rule.regions else (),
                reject=rule.mask,
                reorder_ps=recording.reorder_ps,
            )
            with recording.runs.naming_errors():
                for batch in batches_of(table):
                    spectra.add_triples(batch)
                    regions.add(_by_region(batch))
            warnings = [*passes.warnings(hits.tally.by_detector(rule.mask), recording, rule), *first.doubts()]
            warnings += second.doubts()
            content = of_hits(recording, hits.tally, rule.reject, warnings)
            content |= {"of_triples": _counts(regions.total(), rule), "net_of_chance": rule.regions is not None}
            content |= {"gate": first.gate, "gate_width_from": first.width_from, "and_gate": second.gate}
            return net_counts(spectra, content, options, partial(describe, recording.runs))


class _CountedHits:
    """Hits that are counted while they pass, by the last reading that began: the first ones may be read before it."""

    def __init__(self, progress: Progress | None) -> None:
        self.tally, self._progress = HitTally(), progress

    def passing(self, hits: pl.LazyFrame) -> pl.LazyFrame:
        def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
            del columns  # the tally needs all
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


def _counts(regions: pl.DataFrame, rule: PairRule) -> TripleCounts:
    """How many triples there are; with random windows, how many are random, and how many net."""
    none = dict.fromkeys(TRIPLE_REGION.categories, (0, 0.0, 0.0))
    sums = none | ({row[0]: row[1:] for row in regions.iter_rows()} if regions.height else {})
    (prompt, *_), (one_random, *one), (random, *three) = (sums[name] for name in TRIPLE_REGION.categories)
    if not rule.regions:
        return TripleCounts(prompt, rule.window)
    chance, variance = -(one[0] + three[0]), one[1] + three[1]
    net = prompt - chance, math.sqrt(prompt + variance)
    windows = rule.regions.random
    return TripleCounts(
        prompt, rule.window, RandomTriples(windows, one_random, random, chance, math.sqrt(variance), *net)
    )
