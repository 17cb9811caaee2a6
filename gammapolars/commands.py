"""What the commands do: a run in, a file and a summary out."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis, defaults
from gammapolars.accounting import account, lost, reading_warnings, times
from gammapolars.calibration import calibrate
from gammapolars.coincidences import PairRule
from gammapolars.companions import Companions, Outputs
from gammapolars.detectors import Detectors
from gammapolars.drift.correction import corrected_hits, correction_of
from gammapolars.errors import GammapolarsError, QueryError
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.sort import scratch_beside
from gammapolars.policies import Policies
from gammapolars.products import HitTally, PairTally
from gammapolars.provenance import describe
from gammapolars.queries import Query
from gammapolars.streaming import batches_of, by_run, lazy_frame
from gammapolars.time_order import time_ordered
from gammapolars.timing import align, spread_ps


def coincidences(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    policies: Policies | None = None,
    layout: str | None = None,
    beside: Outputs | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Find a run's pairs in one pass, stream them to a file, and sum up what was read and found.

    Args:
        runs: from `open_runs`.
        rule: window, rejected flags, start and stop.
        output: ends in .parquet, .arrow, .csv or .root.
        random: windows that hold chance pairs alone, such as `1us:3us`, or `auto`; their pairs are saved too.
        detectors: time offsets and calibrations.
        policies: add-back and vetoes, if hits are to pass any.
        layout: as for `save`.
        beside: what else the same pass is to write.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars coincidences --json` prints it.
    """
    started = time.perf_counter()
    hits, pairs = HitTally(), PairTally(rule.window)
    known = detectors or Detectors()
    wanted = beside or Outputs()
    wanted.check(output, overwrite=overwrite)
    rule = analysis.with_random(runs, rule, random, known)
    others = Companions(wanted, rule, known, sums=bool(policies and policies.adds_back))
    reading = analysis.Pass(runs, rule, known, progress, [hits, pairs, *others.products], policies=policies)

    def metadata() -> dict[str, str]:
        return describe(runs, analysis.summarise(reading, hits, pairs))

    save(reading.pairs(), output, layout=layout, overwrite=overwrite, metadata=metadata)
    summary = analysis.summarise(reading, hits, pairs)
    if others.products:
        summary["outputs_beside"] = others.save(describe(runs, summary), overwrite=overwrite)
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def convert(
    runs: Runs,
    output: Path,
    *,
    detectors: Detectors | None = None,
    sort: bool = False,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Write a run's hits in time order, with energies where detectors are calibrated, and count them.

    Args:
        runs: from `open_runs`.
        output: ends in .parquet, .arrow, .csv or .root.
        detectors: time offsets and calibrations.
        sort: whether hits may be out of order by any time; temporary files beside the output then hold all hits.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been written.

    Returns:
        The summary, as `gammapolars convert --json` prints it.
    """
    if sort:
        check_writable(output, overwrite=overwrite)
        with scratch_beside(output) as scratch:
            return convert(runs.sorted(scratch), output, detectors=detectors, overwrite=overwrite, progress=progress)
    known = detectors or Detectors()
    hits = align(runs.hits, known)
    correction = correction_of(known, runs)
    if len(known) and not correction:
        hits = calibrate(hits, known)
    tally, read = HitTally(), 0

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        nonlocal read
        del wanted  # the tally needs all columns
        reorder_ps = runs.reorder_ps + spread_ps(known)
        with runs.naming_errors():
            for of_run in by_run(batches_of(hits)):
                for batch in time_ordered(of_run, reorder_ps=reorder_ps, on_repair=runs.note_repair):
                    tally.add_hits(batch)
                    read += batch.height
                    if progress:
                        progress(read)
                    yield steady(correction.corrected(batch)) if correction else batch

    def steady(batch: pl.DataFrame) -> pl.DataFrame:
        return calibrate(batch.lazy(), known).collect()

    def summary() -> dict[str, Any]:
        warned = {"warnings": [*reading_warnings(runs), *(correction.warnings if correction else ())]}
        return account(tally, runs.losses, {}) | times(tally, runs) | warned

    columns = hits.collect_schema()
    if correction:
        columns = calibrate(pl.LazyFrame(schema=correction.columns(columns)), known).collect_schema()
    ordered = lazy_frame(columns, batches)
    save(ordered, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    return summary() | {"output": str(output)}


def run_query(
    runs: Runs,
    query: Query,
    arguments: dict[str, Any],
    output: Path,
    *,
    window: str = defaults.WINDOW,
    reject: str = defaults.REJECT,
    detectors: Detectors | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Run a user's query over a run's hits, calibrated where detectors are, and stream its result to a file."""
    known = detectors or Detectors()
    correction = correction_of(known, runs)
    calibrated = calibrate(corrected_hits(align(runs.hits, known), runs, known, correction), known)
    rule, tally = PairRule(window, reject=reject), HitTally()
    reading = analysis.Pass(runs, rule, known, products=[tally], further=True, correction=correction)
    found = reading.pairs() if query.takes_pairs else None
    if found is not None and not len(known):
        found = calibrate(found, known)  # energies that are null, rather than a column that is missing
    result = query.run(calibrated, found, arguments)
    parameters = {"query": query.name, "arguments": arguments, "window": window, "reject": reject}

    def summary() -> dict[str, Any]:
        # A query may read some hits only, or read them twice: where it takes pairs alone is each counted once.
        read = account(tally, runs.losses, rule.reject) if query.takes_pairs else lost(runs.losses)
        return parameters | read | {"warnings": [*reading_warnings(runs), *(correction.warnings if correction else ())]}

    try:
        save(result, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    except GammapolarsError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise QueryError(f"{query.path}: the query cannot be computed: {reason}") from error
    return summary() | {"output": str(output)}
