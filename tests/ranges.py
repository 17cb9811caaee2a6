"""Files of hits read in ranges, for tests: the hits of all ranges together, and their losses."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.io import Losses, Reading
from gammapolars.io.input_file import InputFile, open_file
from gammapolars.io.places import borders_of

Account = tuple[dict[Any, Any], set[str], bool]
"""Losses by file and place, notes, and whether time was lost: in no order."""


def read_in_ranges(path: Path, places: Sequence[int], reading: Reading, *, columns: Sequence[str] = ()) -> pl.DataFrame:
    """The hits of the ranges between some places, each read by itself; their losses go into those of `reading`."""
    frames = []
    for rows in pairwise(places):
        losses = Losses(keep_going=reading.losses.keep_going)
        hits = open_file(path, replace(reading, rows=rows, losses=losses)).hits
        frames.append(hits.select(columns or pl.all()).collect())
        reading.losses.merge(losses.state())
    return pl.concat(frames)


def read_whole(path: Path, reading: Reading, *, columns: Sequence[str] = ()) -> pl.DataFrame:
    """All hits of a file."""
    return open_file(path, reading).hits.select(columns or pl.all()).collect()


def account(losses: Losses) -> Account:
    """Losses in a form that is compared."""
    return {(loss.key, loss.kind): (loss.what, loss.hits) for loss in losses.all}, {*losses.notes}, losses.lost_time


def borders(file: InputFile) -> list[int]:
    """The places at which a file is cut."""
    found = borders_of(file)
    assert found is not None
    assert (found[1:] > found[:-1]).all()
    return [int(place) for place in found]
