"""Tables of gain factors over time, in files, and which runs they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from gammapolars.errors import InputError, TableError
from gammapolars.io import Runs
from gammapolars.provenance import of_file
from gammapolars.schema import DRIFT, require

RUNS = "drift_runs"
"""Where a file's summary tells the runs that were tracked."""


class DriftRun(NamedTuple):
    """A run that was tracked.

    Attributes:
        run: its number in the table.
        files: names of its files, without folders.
        first_timestamp_ps: time of its first hit.
        last_timestamp_ps: time of its last hit.
    """

    run: int
    files: tuple[str, ...]
    first_timestamp_ps: int
    last_timestamp_ps: int


@dataclass(frozen=True)
class Drift:
    """Gain factors over time.

    Attributes:
        table: a table of drift (`schema.DRIFT`), by run, detector and time.
        runs: what is known of the runs; nothing in a table that somebody else made.
        source: what messages call it.
    """

    table: pl.DataFrame
    runs: tuple[DriftRun, ...] = ()
    source: str = "this table of drift"

    def __post_init__(self) -> None:
        """Refuse a table that no factor follows from.

        Raises:
            TableError: columns are missing, or a factor is no positive number.
        """
        require(self.table.lazy(), DRIFT)
        factor = pl.col("gain_factor")
        bad = self.table.filter(
            ~(factor.is_finite() & (factor > 0)).fill_null(False) | pl.col("timestamp_ps").is_null()
        )
        if bad.height:
            raise TableError(f"{self.source}: a gain factor must be a positive number, not {bad['gain_factor'][0]}")
        keys = ["run", "board", "channel", "timestamp_ps"]
        object.__setattr__(self, "table", self.table.select(*DRIFT.columns).sort(keys, maintain_order=True))

    @property
    def detectors(self) -> list[tuple[int, int]]:
        """The (board, channel) of all detectors in it."""
        return sorted(self.table.select("board", "channel").unique().rows())

    def numbers(self, runs: Runs) -> dict[int, int] | None:
        """Which of its runs some runs are, by the numbers of both; of a run that it does not know, no entry.

        Runs are told by the names of their files, and where the same names occur twice, by their numbers. A run whose
        files are some of a tracked run's is that run. None: their numbers are the same, run by run, since their names
        tell nothing: in a table without names, and in a file that holds several runs.
        """
        if not self.runs:
            return None
        found = {}
        for number, run in enumerate(runs.all, 1):
            names = {file.path.name for file in run.files}
            same = [tracked.run for tracked in self.runs if names <= set(tracked.files)]
            if len(runs.all) == 1 and len(same) > 1 and "run" in runs.hits.collect_schema():
                return None
            if len(same) == 1 or number in same:
                found[number] = number if number in same else same[0]
        return found


def load_drift(path: str | Path) -> Drift:
    """Read a table of drift that `gammapolars drift` wrote.

    Raises:
        InputError: the file is missing, is no Parquet file or no table of drift.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file, and it should hold a table of drift: make it with `gammapolars drift`")
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a Parquet file: {reason}") from None
    try:
        return Drift(table, _tracked(of_file(path)), str(path))
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
    except (KeyError, TypeError, ValueError):
        return ()
