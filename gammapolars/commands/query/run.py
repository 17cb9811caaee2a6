"""A user's query over a run, its result streamed to a file."""

from pathlib import Path
from typing import Any

from gammapolars.analysis import passes
from gammapolars.analysis.accounting import account, lost, reading_warnings
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.query.queries import Query
from gammapolars.core import defaults
from gammapolars.core.errors import GammapolarsError, QueryError
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, save
from gammapolars.io.provenance import describe


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
    recording = Recording(runs, known, all_columns=True)
    rule, tally = PairRule(window, reject=reject), HitTally()
    reading = passes.PairPass(recording, rule, [tally])
    found = reading.pairs() if query.takes_pairs else None
    if found is not None and not len(known):
        found = calibrate(found, known)  # energies that are null, rather than a column that is missing
    result = query.run(calibrate(recording.hits, known), found, arguments)
    parameters = {"query": query.name, "arguments": arguments, "window": window, "reject": reject}

    def summary() -> dict[str, Any]:
        # A query may read some hits only, or read them twice: where it takes pairs alone is each counted once.
        read = account(tally, runs.losses, rule.reject) if query.takes_pairs else lost(runs.losses)
        return parameters | read | {"warnings": [*reading_warnings(runs), *recording.warnings]}

    try:
        save(result, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    except GammapolarsError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise QueryError(f"{query.path}: the query cannot be computed: {reason}") from error
    return summary() | {"output": str(output)}
