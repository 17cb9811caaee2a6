"""CoMPASS BIN files: records as hits, in chunks; waveforms are stepped over.

What a damaged byte can do, and what is noticed of it: a board or channel that cannot be, a timestamp beyond 2^63 ps, a
record of nothing but zeros and a number of samples after which no record follows are found here. A timestamp that jumps
further than hits are put in order is found when they are. What stays a possible value (an energy, a flag, a channel
below 256, a timestamp's low bytes) cannot be told from a true one: the format has no checksums.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.types import Mask
from gammapolars.core.units import TIMES_PS
from gammapolars.io.compass.bin_file import BinFile, open_bin
from gammapolars.io.compass.bin_layout import MAX_NUMBER, Heads, is_hit, zeros
from gammapolars.io.compass.bin_records import Records, read_records
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.reading import READING, Reading
from gammapolars.streaming.slices import lazy_frame


def scan_bin(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A CoMPASS BIN file's hits, lazily, without their waveforms.

    Args:
        path: a BIN file of any layout.
        reading: the layout's name, where the file does not tell it.

    Raises:
        InputError: the file cannot be read or its layout cannot be decided; when collected, for damaged records.
        UsageError: the named layout is none.
    """
    file = open_bin(Path(path), reading.bin_layout)
    if not file.consistent:
        reading.losses.note(file.path, f"its records do not look like hits in the named layout {file.layout.name}")
    elif file.shown:
        reading.losses.note(file.path, f"does not tell its layout; its records fit {file.layout.name} and no other")
    lost = LostRows(file.path, reading.losses)
    schema = pl.Schema(file.layout.columns)

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for records in read_records(file, reading.losses):
            columns = [pl.Series(name, _values(records.heads, name)) for name in names]
            kept = _kept(file, records, lost)
            frame = pl.DataFrame(columns)
            yield frame if kept is None else frame.filter(kept)

    return lazy_frame(schema, batches, of=file.path)


def count_records(path: str | Path, reading: Reading = READING) -> int | None:
    """How many records a file holds, where all have the same size; None where they have waveforms."""
    file = open_bin(Path(path), reading.bin_layout)
    return None if file.layout.has_waveform else (file.size - file.begin) // file.layout.head.itemsize


def _values(heads: Heads, name: str) -> npt.NDArray[Any]:
    """One field of all records, copied: what the heads lie in is used again."""
    values = heads[name].copy()
    return values.view(np.int64) if name == "timestamp_ps" else values


def _kept(file: BinFile, records: Records, lost: LostRows) -> npt.NDArray[np.bool_] | None:
    """Which of the records are hits; None for all. The others are left out."""
    heads, bad = records.heads, []

    def leave_out(place: str, which: Mask, why: str, **kind: Any) -> None:
        first = int(which.argmax())
        where = f"record {records.number + first + 1} at byte {records.places[first]}"
        lost.leave_out(f"{place} (the first: {where}{why})", records.number, which, place=place, **kind)
        bad.append(which)

    if file.consistent and not (hit := is_hit(heads)).all():
        first = heads[int(hit.argmin())]
        leave_out(
            f"records with a board or channel above {MAX_NUMBER}",
            ~hit,
            f", board {first['board']} and channel {first['channel']}",
        )
    times = _values(heads, "timestamp_ps")
    if len(times) and (times.min() <= 0 or times.max() > TIMES_PS[1]):
        if (nothing := zeros(heads, first=records.number == 0)).any():
            leave_out("records of nothing but zeros", nothing, "")
        late = (times < 0) | (times > TIMES_PS[1])
        if bad:
            late &= ~np.logical_or.reduce(bad)
        if late.any():
            leave_out("records with a timestamp over 2^62 ps", late, "", kind="out_of_range")
    return ~np.logical_or.reduce(bad) if bad else None
