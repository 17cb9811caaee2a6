"""Hits by detector, where there are few detectors."""

import numpy as np
import polars as pl

from gammapolars.core.types import Key, Mask

FEW_DETECTORS = 16


class FewDetectors:
    """Remembers the detectors of a run: to compare with each of a few is several times faster than to group by them."""

    def __init__(self) -> None:
        self._seen: frozenset[Key] = frozenset()

    def masks(self, hits: pl.DataFrame) -> dict[Key, Mask] | None:
        """Which rows are hits of which detector, as (board, channel); None where more than a few have been seen.

        Every row is of one of them; a detector that has been seen before may have none.
        """
        if len(self._seen) > FEW_DETECTORS:
            return None
        masks = self._compared(hits)
        if sum(int(np.count_nonzero(mask)) for mask in masks.values()) == hits.height:
            return masks
        self._seen |= {*hits.select("board", "channel").unique().iter_rows()}
        return self._compared(hits) if len(self._seen) <= FEW_DETECTORS else None

    def _compared(self, hits: pl.DataFrame) -> dict[Key, Mask]:
        board, channel = hits["board"].to_numpy(), hits["channel"].to_numpy()
        of_board = {number: board == number for number in {number for number, _ in self._seen}}
        return {key: (channel == key[1]) & of_board[key[0]] for key in sorted(self._seen)}
