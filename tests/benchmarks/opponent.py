"""The script that a physicist would write: uproot in steps of 100 MB, a compiled loop, pairs into a ROOT file.

Runs by itself: `python opponent.py RUN.root PAIRS.root`. It holds all pairs in memory, and needs hits in time order.
"""

import sys
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import uproot

Array = npt.NDArray[Any]

WINDOW_PS = 250_000
REJECT = 0x8488  # saturation, pile-up and fake events
BRANCHES = ["Board", "Channel", "Timestamp", "Energy", "Flags"]
COLUMNS = ["board_a", "channel_a", "adc_a", "board_b", "channel_b", "adc_b", "timestamp_ps", "dt_ps"]


@numba.njit("Tuple((i8[:], i8[:]))(u2[:], u2[:], i8[:], u4[:], i8, i8, i8, u4)")  # type: ignore[untyped-decorator,unused-ignore]
def find(
    board: Array, channel: Array, time: Array, flags: Array, end: int, begin: int, window: int, reject: int
) -> tuple[Array, Array]:
    """Places of the two hits of each pair: the first before `end`, the second from `begin` on."""
    first = np.empty(1024, np.int64)
    second = np.empty(1024, np.int64)
    count = 0
    for i in range(end):
        if flags[i] & reject:
            continue
        j = max(i + 1, begin)
        while j < len(time) and time[j] - time[i] <= window:
            if not flags[j] & reject and (channel[j] != channel[i] or board[j] != board[i]):
                if count == len(first):
                    first = np.concatenate((first, np.empty(count, np.int64)))
                    second = np.concatenate((second, np.empty(count, np.int64)))
                first[count] = i
                second[count] = j
                count += 1
            j += 1
    return first[:count], second[:count]


def pairs_of(hits: dict[str, Array], end: int, begin: int) -> list[Array]:
    """The columns of the pairs between hits before `end` and hits from `begin` on."""
    board, channel, time, energy, flags = (hits[name] for name in BRANCHES)
    i, j = find(board, channel, time, flags, end, begin, WINDOW_PS, REJECT)
    sides = [column[place] for place in (i, j) for column in (board, channel, energy)]
    return [*sides, time[i], time[j] - time[i]]


def read_and_pair(path: str, step: str | int = "100 MB", **options: Any) -> dict[str, Array]:
    """All pairs of a run, those across the borders of steps too.

    Args:
        path: the run.
        step: how much is read at a time, as uproot takes it.
        options: further ones of `uproot.iterate`.
    """
    found = []
    tail = {name: np.empty(0, dtype) for name, dtype in zip(BRANCHES, ("u2", "u2", "i8", "u2", "u4"), strict=True)}
    for hits in uproot.iterate(f"{path}:Data_R", BRANCHES, step_size=step, library="np", **options):
        hits["Timestamp"] = hits["Timestamp"].view(np.int64)
        time = hits["Timestamp"]
        found.append(pairs_of(hits, len(time), 0))
        waiting = len(tail["Timestamp"])
        if waiting:
            within = int(np.searchsorted(time, tail["Timestamp"][-1] + WINDOW_PS, side="right"))
            seam = joined(tail, first_of(hits, within))
            found.append(pairs_of(seam, waiting, waiting))
        # Hits of earlier steps matter still if this one was shorter than the window.
        old = time[-1] - WINDOW_PS
        known = joined(tail, hits) if time[0] >= old else hits
        start = int(np.searchsorted(known["Timestamp"], old))
        tail = {name: known[name][start:].copy() for name in BRANCHES}
    return dict(zip(COLUMNS, (np.concatenate(column) for column in zip(*found, strict=True)), strict=True))


def joined(first: dict[str, Array], second: dict[str, Array]) -> dict[str, Array]:
    return {name: np.concatenate((first[name], second[name])) for name in BRANCHES}


def first_of(hits: dict[str, Array], count: int) -> dict[str, Array]:
    return {name: hits[name][:count] for name in BRANCHES}


def write(path: str, pairs: dict[str, Array]) -> None:
    with uproot.recreate(path) as file:
        tree = file.mktree("pairs", {name: column.dtype for name, column in pairs.items()})
        tree.extend(pairs)


if __name__ == "__main__":
    write(sys.argv[2], read_and_pair(sys.argv[1]))
