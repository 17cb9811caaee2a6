"""Names of detectors in tables."""

from typing import TypeVar

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.frames import lazy
from gammapolars.detectors.given import AnyDetectors, detectors_of
from gammapolars.detectors.model import Detectors

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

SIDES = ("", "_a", "_b", "_c")
"""Suffixes of `board` and `channel` in tables of hits, pairs and triples."""

PER_BOARD = 1 << 16


def named(frame: Frame, detectors: AnyDetectors) -> Frame:
    """A table with the detector's `name` after its board and channel; in tables of pairs, with `name_a` and `name_b`.

    Detectors that are not in detectors.toml are named by their board and channel, as in `0/3`.

    Args:
        frame: hits, spectra, peaks, rates, pairs: any table with `board` and `channel`, or these with `_a`, `_b`, `_c`.
        detectors: from `gp.load_detectors`, or the path of detectors.toml.

    Raises:
        TableError: the table has no such columns.
    """
    known = detectors_of(detectors)
    columns = lazy(frame, "table").collect_schema().names()
    sides = [side for side in SIDES if f"board{side}" in columns and f"channel{side}" in columns]
    if not sides:
        raise TableError("this frame has no columns 'board' and 'channel' to identify the detector of each row")
    for side in sides:
        columns = [one for one in columns if one != f"name{side}"]
        place = 1 + max(columns.index(f"board{side}"), columns.index(f"channel{side}"))
        columns.insert(place, f"name{side}")
    return frame.with_columns(_name(known, side) for side in sides).select(columns)


def _name(detectors: Detectors, side: str) -> pl.Expr:
    board, channel = pl.col(f"board{side}"), pl.col(f"channel{side}")
    number = board.cast(pl.Int64) * PER_BOARD + channel.cast(pl.Int64)
    known = {one.board * PER_BOARD + one.channel: one.name for one in detectors}
    default = pl.concat_str(board, channel, separator="/")
    named = number.replace_strict(known, default=default, return_dtype=pl.String) if known else default
    return named.alias(f"name{side}")
