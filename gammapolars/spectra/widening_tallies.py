"""Counts in bins that become wider where they would be too many."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from gammapolars.spectra.tallies import Tally


class WideningTally:
    """A tally by bins of some width, among other columns; they get twice as wide as often as its rows are too many.

    Args:
        keys: columns by which rows are summed up; the last one has the bins' whole numbers.
        width: of the first bins, in any unit.
        most_rows: of the total.
        rows_by: the keys whose combinations count as rows; None: all.

    Attributes:
        width: of the bins.
    """

    def __init__(self, *keys: str, width: int, most_rows: int, rows_by: Sequence[str] | None = None) -> None:
        self.width = width
        self._keys, self._rows_by = keys, list(rows_by or keys)
        self._most_rows, self._checked_at = most_rows, most_rows
        self._tally = Tally(*keys)

    def add(self, part: pl.DataFrame) -> None:
        """Add a table of the keys, in bins of `width`, and `counts`."""
        self._tally.add(part)
        if self._tally.rows > self._checked_at:
            self._fit()

    def _fit(self) -> None:
        table = self._tally.summed()
        while (rows := self._rows(table)) > self._most_rows and self._rows(coarse := self._wider(table, 2)) < rows:
            self.width, table = 2 * self.width, coarse
        self._replace(table)

    def _rows(self, table: pl.DataFrame) -> int:
        return table.select(self._rows_by).n_unique() if table.height > self._most_rows else table.height

    def _wider(self, table: pl.DataFrame, times: int) -> pl.DataFrame:
        coarse = table.with_columns(pl.col(self._keys[-1]) // times)
        return coarse.group_by(self._keys).agg(pl.col("counts").sum())

    def _replace(self, table: pl.DataFrame) -> None:
        self._tally = Tally(*self._keys)
        self._tally.add(table)
        # Not with each part: its keys may have more combinations than those that count as rows.
        self._checked_at = self._tally.rows + self._most_rows // 2

    def widen(self, width: int) -> None:
        """Make bins as wide as a multiple of their present width."""
        if width > self.width and self._tally.rows:
            self._replace(self._wider(self._tally.summed(), width // self.width))
        self.width = width

    def total(self) -> pl.DataFrame:
        """The keys and `counts`, sorted by the keys; no columns but `counts` if nothing was added."""
        self._fit()
        return self._tally.total()

    def state(self) -> dict[str, Any]:
        """The total, and the bins' width."""
        return {"counts": self.total(), "width": self.width}

    def merge(self, state: dict[str, Any]) -> None:
        """Add what another one counted."""
        self._fit()
        table, width = state["counts"], state["width"]
        if table.is_empty():
            return
        self.widen(max(self.width, width))
        self.add(self._wider(table, self.width // width))
