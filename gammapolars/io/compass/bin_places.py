"""Places in a BIN file: the numbers of its records, or, where they have waveforms, the bytes at which they begin."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import readable
from gammapolars.io.compass.bin import BLOCK_BYTES, CHUNK_RECORDS
from gammapolars.io.compass.bin_layout import BinFile, consistent, follow, open_bin, zeros
from gammapolars.io.compass.bin_resync import CHAIN_RECORDS, Chain
from gammapolars.io.reading import Reading

SURE_RECORDS = 2 * CHAIN_RECORDS
"""This many records are followed up to a border, and after it: it cannot have been read out of samples."""

MOST_FOLLOWED = 2**14


def borders(path: Path, reading: Reading) -> npt.NDArray[np.int64] | None:
    """Where a file is cut: see `Format.borders`.

    Without waveforms after every so many records; with waveforms at record starts, about every 16 MB, that are found
    from the bytes before them, and only where no damage is near. None: its records do not look like hits.
    """
    file = open_bin(path, reading.bin_layout)
    if not file.layout.has_waveform:
        return np.array([*range(0, file.records, CHUNK_RECORDS), file.records], np.int64)
    if not file.consistent:
        return None
    with readable(path), path.open("rb", buffering=0) as opened:
        targets = range(file.begin + BLOCK_BYTES, file.size, BLOCK_BYTES)
        starts = {start for target in targets if (start := _start_from(file, opened.fileno(), target))}
    return np.array(sorted({0, *starts, file.size}), np.int64)


def behind(path: Path, reading: Reading, place: int) -> int:
    """The place of the record after the one at a place."""
    file = open_bin(path, reading.bin_layout)
    if not file.layout.has_waveform:
        return place + 1
    with readable(path), path.open("rb", buffering=0) as opened:
        at = max(place, file.begin)
        return at + Chain(file, opened.fileno()).length_at(at)


def _start_from(file: BinFile, descriptor: int, target: int) -> int | None:
    """The first record that begins at a byte or after it; None where that is not certain."""
    width = file.layout.head.itemsize
    begin = max(target - SURE_RECORDS * (width + 2 * file.longest), file.begin)
    first = file.begin if begin == file.begin else Chain(file, descriptor).next_from(begin)
    if first is None or first >= target:
        return None
    most = SURE_RECORDS
    while most <= MOST_FOLLOWED:
        heads = follow(descriptor, file.layout, first, file.size, most)
        places = first + np.cumsum([0, *(width + 2 * heads["samples"].astype(np.int64))])[:-1]
        before = int(np.searchsorted(places, target))
        if before + SURE_RECORDS <= len(heads) or len(heads) < most:
            break
        most *= 2
    sure = before + CHAIN_RECORDS <= len(heads) and (before >= CHAIN_RECORDS or first == file.begin)
    good = consistent(heads).all() and not zeros(heads, first=first == file.begin).any()
    return int(places[before]) if sure and good else None
