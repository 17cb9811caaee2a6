"""Tables of gain factors over time, and which runs they are of."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.overview import Overview
from gammapolars.core.schema import DRIFT, require


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


@dataclass(frozen=True, repr=False)
class Drift(Overview):
    """Gain factors over time.

    Attributes:
        table: a table of drift (`schema.DRIFT`), by run, detector and time.
        runs: information on the runs; empty for a table from another source.
        source: its name in messages.
    """

    TABLES: ClassVar = ("table",)

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
