"""What the commands do: a run in, a file and a summary out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.preselection import Preselection
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.coincidences.beside import Companions, Outputs
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, save
from gammapolars.io.provenance import describe


def coincidences(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    preselection: Preselection | None = None,
    layout: str | None = None,
    beside: Outputs | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Find a run's pairs in one pass, stream them to a file, and sum up what was read and found.

    Args:
        runs: from `open_runs`.
        rule: window, rejected flags, start and stop.
        output: ends in .parquet, .arrow, .csv or .root.
        random: windows that hold chance pairs alone, such as `1us:3us`, or `auto`; their pairs are saved too.
        detectors: time offsets and calibrations.
        preselection: add-back and vetoes, if hits are to pass any.
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
    recording = Recording(runs, known, progress, preselection)
    rule = passes.with_random(recording, rule, random)
    others = Companions(wanted, rule, known, sums=bool(preselection and preselection.adds_back))
    reading = passes.PairPass(recording, rule, [hits, pairs, *others.products])

    def metadata() -> dict[str, str]:
        return describe(runs, passes.summarise(reading, hits, pairs))

    save(reading.pairs(), output, layout=layout, overwrite=overwrite, metadata=metadata)
    summary = passes.summarise(reading, hits, pairs)
    if others.products:
        summary["outputs_beside"] = others.save(describe(runs, summary), overwrite=overwrite)
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}
