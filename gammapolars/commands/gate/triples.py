"""What the command `gate` does with two lines: triples of a run in; the net spectrum of their third hits out."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.gated import CubeSpectra
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule, triples
from gammapolars.commands.gate.outputs import GateOutputs, as_dict, bin_width_of
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.core.schema import TRIPLE_REGION
from gammapolars.core.types import Progress
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.io import Runs
from gammapolars.io.provenance import describe
from gammapolars.spectra.tallies import WEIGHTED, Tally
from gammapolars.streaming.slices import batches_of, lazy_frame


def gate_triples(
    runs: Runs,
    rule: PairRule,
    gates: tuple[Gate, Gate],
    outputs: GateOutputs,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    bin_width: float | None = None,
    by_detector: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The spectrum of the third hits of triples whose other two lie in two gates: a slice of their cube.

    Args:
        runs: from `open_runs`.
        rule: its window holds all three hits.
        gates: the two, each with its background.
        outputs: the files to write.
        random: windows that hold chance alone, or `auto`: the spectrum is then net of triples by chance.
        detectors: they must be calibrated.
        bin_width: of the spectrum's bins.
        by_detector: whether each detector of third hits gets a spectrum, instead of all one.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars gate --json` prints it.
    """
    started = time.perf_counter()
    outputs.check()
    known = detectors or Detectors()
    if not any(detector.energy for detector in known):
        raise UsageError("two gates are on energies: name a detectors.toml with calibrations with --detectors")
    width, counted = bin_width_of(bin_width, calibrated=True), _Counted(progress)
    if rule.window.low != -rule.window.high:
        raise UsageError(f"the window of triples is one time, such as 250ns, not {rule.window}")
    recording = Recording(runs, known, all_columns=True)
    ready = passes.with_random(recording, rule, random)
    hits = recording.hits.pipe(calibrate, known, dither=True)
    threes = triples(
        counted.passing(hits),
        ready.window.high,
        random=ready.regions.random if ready.regions else (),
        reject=",".join(rule.reject) or "none",
        reorder_ps=recording.reorder_ps,
    )
    found, regions = CubeSpectra(*gates, width=width), Tally("region", sums={"triples": pl.Int64, **WEIGHTED})
    with runs.naming_errors():
        for batch in batches_of(threes):
            found.add_triples(batch)
            regions.add(_by_region(batch))
    net, unc = found.net()
    summary = {
        **account(counted.tally, runs.losses, rule.reject),
        **times(counted.tally, runs),
        "window_ps": list(rule.window),
        **_counts(regions.total(), ready),
        "gate": as_dict(gates[0]),
        "and_gate": as_dict(gates[1]),
        "unit": "keV",
        "bin_width": width,
        "counts": net,
        "counts_unc": unc,
        "warnings": [
            *reading_warnings(runs),
            *time_warnings(counted.tally, runs),
            *passes.warnings(counted.tally.by_detector(union(rule.reject)), known, rule),
            *recording.warnings,
        ],
    }
    spectra = passes.named(found.by_detector(), known) if by_detector else found.summed()
    return outputs.write(spectra, found.total(), summary, describe(runs, summary)) | {
        "elapsed_s": time.perf_counter() - started
    }


class _Counted:
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
