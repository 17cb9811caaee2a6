"""Places in a file of hits, as in `Reading.rows`: where the file is cut at little cost, and the times there."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gammapolars.core.units import TIMES_PS
from gammapolars.io.foreign import holds_lists
from gammapolars.io.formats import format_of
from gammapolars.io.input_file import InputFile, open_file
from gammapolars.io.reading import Losses

Places = npt.NDArray[np.int64]

NO_HIT_PS = TIMES_PS[1]
"""The time at a place after which there is no hit that can be read: that of no hit is later."""


def borders_of(file: InputFile) -> Places | None:
    """The places at which a file is cut, ascending, from its beginning to its end; None: it is read as a whole only.

    That is so where the meaning of a hit depends on those before: its counter rolls over, or rows are lists of hits.
    """
    form = format_of(file.path)
    if form is None or file.reading.period_ps or holds_lists(form.scan, file.path, file.reading):
        return None
    places = form.borders(file.path, file.reading)
    return None if places is None else np.unique(places)


def times_at(file: InputFile, places: Sequence[int]) -> list[int]:
    """The recorded times (ps) of the hits at some places; where one cannot be read, that of the next one that can.

    As little as possible is read of the file, and nothing is recorded as lost.

    Args:
        file: a file that has borders.
        places: any entries, records or rows; of a text or a file with waveforms, only borders.

    Returns:
        A time for each place; `NO_HIT_PS`, later than any, at the file's end.
    """
    form = format_of(file.path)
    assert form
    known = form.times(file.path, file.reading, places) if form.times else None
    times = known or [None] * len(places)
    missing = [place for place, time in zip(places, times, strict=True) if time is None]
    cuts = borders_of(file) if missing else None
    return [_time_at(file, place, cuts) if time is None else time for place, time in zip(places, times, strict=True)]


def _time_at(file: InputFile, place: int, cuts: Places | None) -> int:
    """The time of the first hit from a place on, read in few rows, then from border to border."""
    form = format_of(file.path)
    assert form
    assert cuts is not None
    end = int(cuts[-1])
    if place >= end:
        return NO_HIT_PS
    behind = min(form.behind(file.path, file.reading, place), end)
    for first, last in pairwise([place, behind, *cuts[cuts > behind].tolist()]):
        reading = replace(file.reading, rows=(first, last), losses=Losses())
        hits = open_file(file.path, reading).hits.select("board", "channel", "timestamp_ps").head(1).collect()
        if hits.height:
            return int(hits["timestamp_ps"][0])
    return NO_HIT_PS
