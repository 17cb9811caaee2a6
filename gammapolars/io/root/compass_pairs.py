"""Pairs in ROOT files as other programs keep them: the tree `Data_C`, each pair in both orders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import OutputError
from gammapolars.io.root.numbers import numbers_of
from gammapolars.io.root.pairs import FOREIGN_PAIR_BRANCHES, FOREIGN_PAIRS_TREE
from gammapolars.io.root.tables import WRITTEN_ENTRIES
from gammapolars.streaming.slices import batches_of

_BOARDS = ("board_a", "board_b")


def sink_compass_pairs(frame: pl.LazyFrame, path: Path, metadata: Callable[[], dict[str, str]]) -> None:
    """Write pairs as `Data_C`: for each pair the rows (a, b, dt) and (b, a, -dt), one after the other.

    The branches are int64: `Channel_a`, `Channel_b`, `Energy_a`, `Energy_b` (adc) and `Time_difference` (ps). Boards,
    times and calibrated energies have no place there. `metadata` is as for `sink_root`.

    Raises:
        OutputError: the frame is not a table of pairs, or has pairs of another board.
    """
    from gammapolars.io.root.writer import Layout, TreeWriter

    columns = [*FOREIGN_PAIR_BRANCHES.values(), *_BOARDS]
    if missing := [name for name in columns if name not in frame.collect_schema()]:
        raise OutputError(f"{path}: layout compass-pairs is for pairs, but this table has no column '{missing[0]}'")
    if real := [name for name in columns if frame.collect_schema()[name].is_float()]:
        raise OutputError(
            f"{path}: layout compass-pairs stores integer adc values, but those of '{real[0]}' are not "
            "integers: leave the layout out"
        )
    layout = Layout(entries=WRITTEN_ENTRIES)
    types = dict.fromkeys(FOREIGN_PAIR_BRANCHES, "i8")
    title = "pairs of hits, each in both orders"
    with TreeWriter(path, types, tree=FOREIGN_PAIRS_TREE, title=title, layout=layout, overwrite=True) as writer:
        for batch in batches_of(frame.select(columns)):
            _check_boards(batch, path)
            writer.extend(_both_orders(batch, path))
        writer.annotate(metadata())


def _check_boards(pairs: pl.DataFrame, path: Path) -> None:
    for name in _BOARDS:
        if others := sorted(set(pairs[name].unique()) - {0}):
            raise OutputError(
                f"{path}: layout compass-pairs does not store the board, but there are pairs with board "
                f"{others[0]}: leave the layout out"
            )


def _both_orders(pairs: pl.DataFrame, path: Path) -> dict[str, npt.NDArray[Any]]:
    """The branches of pairs as they are and turned, in alternating rows."""
    numbers = {name: numbers_of(pairs[name].cast(pl.Int64), path) for name in FOREIGN_PAIR_BRANCHES.values()}
    swapped = {name: numbers[name[:-1] + {"a": "b", "b": "a"}[name[-1]]] for name in numbers if name != "dt_ps"}
    swapped["dt_ps"] = -numbers["dt_ps"]
    return {
        branch: np.column_stack([numbers[name], swapped[name]]).ravel()
        for branch, name in FOREIGN_PAIR_BRANCHES.items()
    }
