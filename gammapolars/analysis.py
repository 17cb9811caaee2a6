"""One pass over a run, many products: pairs, what was counted on the way, spectra, rates and matrices."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import defaults
from gammapolars.calibration import calibrate
from gammapolars.coincidences import PairRule, chance_pairs
from gammapolars.detectors import Detectors
from gammapolars.errors import QueryError, TimeOrderError
from gammapolars.flags import union
from gammapolars.io import Run, save
from gammapolars.products import HitTally, PairTally, Product
from gammapolars.provenance import describe
from gammapolars.queries import Query
from gammapolars.streaming import batches_of, lazy_frame, slices, time_ordered
from gammapolars.timing import align, spread_ps

Progress = Callable[[int], None]
"""Told, now and then, how many hits have been read."""


@dataclass
class Pass:
    """One reading of a run, from slices to pairs, with products counted on the way.

    Attributes:
        run: the run's files.
        rule: what makes a pair.
        detectors: time offsets and calibrations; channels that it does not name are detectors all the same.
        progress: told how many hits have been read.
        products: counted in the same pass.
    """

    run: Run
    rule: PairRule
    detectors: Detectors = field(default_factory=Detectors)
    progress: Progress | None = None
    products: list[Product] = field(default_factory=list)

    def pairs(self) -> pl.LazyFrame:
        """The run's calibrated pairs. Collecting them reads the run and fills the products, once."""
        hits = align(self.run.hits, self.detectors)
        columns = self.rule.require(hits)
        schema = self.rule.schema(columns)
        if len(self.detectors):
            schema = calibrate(pl.LazyFrame(schema=schema), self.detectors).collect_schema()

        def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
            del wanted  # the products need all columns
            yield from self._read(hits, schema)

        return lazy_frame(schema, batches)

    def _read(self, hits: pl.LazyFrame, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        read = 0
        reorder_ps = self.run.reorder_ps + spread_ps(self.detectors)
        try:
            for part in slices(hits, self.rule.window.reach, reorder_ps=reorder_ps):
                read += part.end - part.first
                for product in self.products:
                    product.add_hits(part.own)
                for pairs in self.rule.pairs_in(part):
                    found = (
                        calibrate(pairs.lazy(), self.detectors).select(*schema).collect()
                        if len(self.detectors)
                        else pairs
                    )
                    for product in self.products:
                        product.add_pairs(found)
                    yield found
                if self.progress:
                    self.progress(read)
        except TimeOrderError as error:
            raise TimeOrderError(f"{self.run.name}: {error}") from None


def pairs_by_detectors(hits: HitTally, pairs: PairTally, rule: PairRule, detectors: Detectors) -> pl.DataFrame:
    """Pairs of each two detectors, beside those expected by chance.

    Returns:
        `board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`, `chance_pairs_expected`; a before b by
        (board, channel), all detector pairs that the rule admits, found or not.
    """
    keys = [(row[0], row[1], row[3]) for row in hits.by_detector(union(rule.reject)).iter_rows()]
    counted = pairs.counts()
    rows = []
    for place, (board_a, channel_a, hits_a) in enumerate(keys):
        for board_b, channel_b, hits_b in keys[place + 1 :]:
            a, b = (board_a, channel_a), (board_b, channel_b)
            if rule.detectors and {a, b} != set(rule.detectors):
                continue
            chance = chance_pairs(hits_a, hits_b, rule.width_ps, hits.real_time_s)
            names = detectors.at(*a).name, detectors.at(*b).name
            rows.append((*a, names[0], *b, names[1], counted.get((a, b), 0), chance))
    sides = {
        f"{column}_{side}": dtype
        for side in "ab"
        for column, dtype in {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String}.items()
    }
    return pl.DataFrame(rows, sides | {"pairs": pl.Int64, "chance_pairs_expected": pl.Float64}, orient="row")


def coincidences(
    run: Run,
    rule: PairRule,
    output: Path,
    *,
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Find a run's pairs in one pass, stream them to a file, and sum up what was read and found.

    Args:
        run: from `open_run`.
        rule: window, rejected flags, start and stop.
        output: ends in .parquet, .arrow, .csv or .root.
        detectors: time offsets and calibrations.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars coincidences --json` prints it.
    """
    started = time.perf_counter()
    hits, pairs = HitTally(), PairTally(rule.window)
    reading = Pass(run, rule, detectors or Detectors(), progress, [hits, pairs])

    def metadata() -> dict[str, str]:
        return describe(run, _summary(reading, hits, pairs))

    save(reading.pairs(), output, overwrite=overwrite, metadata=metadata)
    elapsed = time.perf_counter() - started
    summary = _summary(reading, hits, pairs)
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def _summary(reading: Pass, hits: HitTally, pairs: PairTally) -> dict[str, Any]:
    rule, detectors = reading.rule, reading.detectors
    by_detector = hits.by_detector(union(rule.reject))
    table = pairs_by_detectors(hits, pairs, rule, detectors)
    return {
        "hits_read": int(by_detector["hits"].sum()),
        "hits_used": int(by_detector["hits_used"].sum()),
        "rejected": hits.with_flags(rule.reject),
        "pairs": int(table["pairs"].sum()),
        "pairs_by_detectors": table.to_dicts(),
        "window_ps": list(rule.window),
        "real_time_s": hits.real_time_s,
        "first_timestamp_ps": hits.first_ps,
        "last_timestamp_ps": hits.last_ps,
        "chance_pairs_expected": float(table["chance_pairs_expected"].sum()),
        "warnings": warnings(by_detector, detectors),
    }


def convert(
    run: Run,
    output: Path,
    *,
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a run's hits in time order, with energies where detectors are calibrated, and count them."""
    known = detectors or Detectors()
    hits = align(run.hits, known)
    if len(known):
        hits = calibrate(hits, known)
    tally, read = HitTally(), 0

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        nonlocal read
        del wanted  # the tally needs all columns
        reorder_ps = run.reorder_ps + spread_ps(known)
        try:
            for batch in time_ordered(batches_of(hits), reorder_ps=reorder_ps):
                tally.add_hits(batch)
                read += batch.height
                if progress:
                    progress(read)
                yield batch
        except TimeOrderError as error:
            raise TimeOrderError(f"{run.name}: {error}") from None

    def summary() -> dict[str, Any]:
        ends = {"first_timestamp_ps": tally.first_ps, "last_timestamp_ps": tally.last_ps}
        return {"hits_read": read, "real_time_s": tally.real_time_s, **ends}

    ordered = lazy_frame(hits.collect_schema(), batches)
    save(ordered, output, overwrite=overwrite, metadata=lambda: describe(run, summary()))
    return summary() | {"output": str(output)}


def run_query(
    run: Run,
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
    hits = align(run.hits, known)
    calibrated = calibrate(hits, known)
    found = Pass(run, PairRule(window, reject=reject), known).pairs() if query.takes_pairs else None
    if found is not None and not len(known):
        found = calibrate(found, known)  # energies that are null, rather than a column that is missing
    result = query.run(calibrated, found, arguments)
    parameters = {"query": query.name, "arguments": arguments, "window": window, "reject": reject}
    try:
        save(result, output, overwrite=overwrite, metadata=lambda: describe(run, parameters))
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().partition("\n")[0]
        raise QueryError(f"{query.path}: the query cannot be computed: {reason}") from None
    return parameters | {"output": str(output)}


def warnings(by_detector: pl.DataFrame, detectors: Detectors) -> list[str]:
    """What a reader must know before trusting the rest, one sentence each."""
    if by_detector.is_empty():
        return ["the run holds no hits"]
    seen = [detectors.at(board, channel) for board, channel in by_detector.select("board", "channel").iter_rows()]
    found = []
    if len(detectors):
        if bare := [detector.name for detector in seen if detector.energy is None]:
            found.append(f"no energy calibration for {', '.join(bare)}: energies of these hits are null")
        keys = {detector.key for detector in seen}
        if silent := [detector.name for detector in detectors if detector.key not in keys]:
            found.append(f"no hits in {', '.join(silent)}, though detectors.toml describes it")
    if used := [d.name for d, row in zip(seen, by_detector["hits_used"], strict=True) if row == 0]:
        found.append(f"all hits of {', '.join(used)} carry flags that reject them")
    return found
