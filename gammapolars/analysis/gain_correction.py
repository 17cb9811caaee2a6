"""Tables of drift in files, and the correction that detectors.toml asks for, bound to the hits of runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.schema import HITS, require
from gammapolars.corrections.drift import Knots
from gammapolars.corrections.drift_table import Drift, DriftRun
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.provenance import of_file
from gammapolars.io.untrusted import scan_parquet
from gammapolars.streaming.slices import run_of

RUNS = "drift_runs"
"""Where a file's summary lists the runs that were tracked."""


def correct_drift(hits: AnyFrame, drift: Drift | pl.DataFrame | str | Path, *, run: int | None = None) -> pl.LazyFrame:
    """Hits with `gain_factor`, by which their adc is multiplied to correct the gain drift of their detector.

    It is used by `calibrate`. Between two knots of the table the factor is interpolated linearly, before the first
    and after the last it is constant, and for a run or detector that is not in the table it is 1. The knot
    before each hit is found by `join_asof`; the result streams.

    Args:
        hits: a table of hits, nearly in time order; an existing `gain_factor` is replaced.
        drift: from `track_drift`, or a table of drift, or a file that holds one.
        run: which run of the table the hits are; by default, what their column `run` says, or the table's only run.

    Raises:
        InputError: the file is not a table of drift.
        TableError: a frame lacks columns that it should have.
        UsageError: the table contains several runs, and the run of the hits is not given.
    """
    hits = lazy(hits, "hits")
    if isinstance(drift, str | Path):
        drift = load_drift(drift)
    elif isinstance(drift, pl.DataFrame):
        drift = Drift(drift)
    columns = require(hits, HITS, columns=("board", "channel", "timestamp_ps"))
    if run is None and "run" not in columns:
        numbers = drift.table["run"].unique().sort().to_list()
        if len(numbers) > 1:
            raise UsageError(
                f"{drift.source} holds runs {numbers[0]} to {numbers[-1]}: choose the run of the hits with run="
            )
        run = numbers[0] if numbers else 1
    return Knots.of(drift).attached(hits, run)


def load_drift(path: str | Path) -> Drift:
    """Read a drift table written by `gammapolars drift`.

    Raises:
        InputError: the file is missing, is no Parquet file or no table of drift.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; this drift table is written by `gammapolars drift`")
    try:
        return Drift(scan_parquet(path).collect(), _tracked(of_file(path)), str(path))
    except TableError as error:
        raise InputError(f"{path}: {error}") from None


def _tracked(origin: dict[str, Any] | None) -> tuple[DriftRun, ...]:
    """The runs that a file's provenance names."""
    try:
        told: Sequence[dict[str, Any]] = (origin or {})["summary"][RUNS]
        return tuple(
            DriftRun(
                int(one["run"]),
                tuple(map(str, one["files"])),
                int(one["first_timestamp_ps"]),
                int(one["last_timestamp_ps"]),
            )
            for one in told
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return ()


def run_numbers(drift: Drift, runs: Runs) -> dict[int, int] | None:
    """Which runs of a table of drift some runs are, by the numbers of both; of one that it does not know, no entry.

    Runs are identified by the names of their files, and where the same names occur twice, by their numbers. A run whose
    files are some of a tracked run's is that run. None: their numbers are the same, run by run, since their names
    identify nothing: in a table without names, and in a file that holds several runs.
    """
    if not drift.runs:
        return None
    found = {}
    for number, run in enumerate(runs.all, 1):
        names = {file.path.name for file in run.files}
        same = [tracked.run for tracked in drift.runs if names <= set(tracked.files)]
        if len(runs.all) == 1 and len(same) > 1 and "run" in runs.hits.collect_schema():
            return None
        if len(same) == 1 or number in same:
            found[number] = number if number in same else same[0]
    return found


class GainCorrection:
    """The effect of a table of drift on the hits of some runs.

    Args:
        detectors: they name the table.
        runs: those whose hits are to be corrected.

    Attributes:
        untracked: the numbers of runs that have been met and that the table does not know.

    Raises:
        InputError: the table is missing or is none.
    """

    def __init__(self, detectors: Detectors, runs: Runs) -> None:
        assert detectors.drift_path
        drift = load_drift(detectors.drift_path)
        self._knots, self._numbers = Knots.of(drift), run_numbers(drift, runs)
        self._known = set(drift.table["run"].unique())
        self._source = detectors.drift_path.name
        self._names = {number: run.name for number, run in enumerate(runs.all, 1)}
        self._single = len(runs.all) == 1
        calibrated = [one for one in detectors if one.energy]
        self._without_drift = [one.name for one in calibrated if one.key not in drift.detectors]
        self.untracked: frozenset[int] = frozenset()

    @property
    def warnings(self) -> list[str]:
        """Warnings, one sentence each, when the hits have been read."""
        found = []
        if self.untracked:
            names = ", ".join(self._names.get(number, f"run {number}") for number in sorted(self.untracked))
            found.append(f"{self._source} does not contain {names}: energies are not corrected for drift")
        if self._without_drift:
            found.append(
                f"{self._source} contains no drift of {', '.join(self._without_drift)}: the gain is taken as constant"
            )
        return found

    def columns(self, hits: pl.Schema) -> pl.Schema:
        """The columns of hits when they are corrected."""
        return pl.Schema(
            {name: dtype for name, dtype in hits.items() if name != "gain_factor"} | {"gain_factor": pl.Float64()}
        )

    def corrected(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits of one run, in time order, with `gain_factor`; one that a stranger's hits have already is kept."""
        number = run_of(hits)
        if self._numbers is None:
            tracked = number if number in self._known else None
        else:
            tracked = self._numbers.get(1 if self._single and number not in self._names else number)
        if tracked is None:
            if "gain_factor" in hits.columns:
                return hits.select(*self.columns(hits.schema)).with_columns(pl.col("gain_factor").fill_null(1.0))
            self.untracked |= {number}
            return hits.with_columns(gain_factor=pl.lit(1.0))
        return self._knots.attached(hits.lazy(), tracked).collect()
