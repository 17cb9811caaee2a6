"""Where events begin: hits are cut into groups by a window of time, all groups at once."""

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Integers, Mask
from gammapolars.core.units import parse_window

WindowRef = Literal["first", "last"]
"""What a window is measured from: the first hit of an event (rigid), or the hit before (extending)."""


def parse_span(window: str | int, what: str = "an event") -> int:
    """How long after a hit another still belongs to it, in picoseconds.

    Args:
        window: `250ns`, or picoseconds.
        what: is built, for the error.

    Raises:
        UsageError: no time, one below 0, or one with two ends.
    """
    low, high = parse_window(window)
    if low != -high:
        raise UsageError(f"the window of {what} is one time, such as 250ns, not '{window}'")
    return high


def parse_window_ref(text: str) -> WindowRef:
    """Check what a window is measured from.

    Raises:
        UsageError: it is neither `first` nor `last`.
    """
    for known in get_args(WindowRef):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"a window is measured from the first hit of an event or from the last, not from '{text}'")


def event_starts(times: Integers, window_ps: int, ref: WindowRef, breaks: Mask | None = None) -> Mask:
    """True where an event begins.

    Args:
        times: of the hits, ascending (between breaks), in picoseconds.
        window_ps: how long an event reaches, from its first hit or from the hit before.
        ref: which of the two.
        breaks: true where an event begins in any case; times may step back there.

    Returns:
        One value a hit. The first hit begins an event.
    """
    starts = np.empty(len(times), np.bool_)
    if not len(times):
        return starts
    starts[0] = True
    np.greater(np.diff(times), window_ps, out=starts[1:])
    if breaks is not None:
        starts |= breaks
    if ref == "first":
        _cut_long(times, window_ps, starts)
    return starts


def fired(event: npt.NDArray[np.uint64], board: npt.NDArray[Any], channel: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Which detectors fired in which event: event << 32 | board << 16 | channel, each once, ascending.

    Args:
        event: of each hit, its number, below 2^32.
        board: of each hit.
        channel: of each hit.
    """
    keys = event << np.uint64(32) | board.astype(np.uint64) << np.uint64(16) | channel.astype(np.uint64)
    keys.sort()  # np.unique takes ten times as long where most are different
    different = np.ones(len(keys), np.bool_)
    different[1:] = keys[1:] != keys[:-1]
    return np.asarray(keys[different], np.uint64)


def _cut_long(times: Integers, window_ps: int, starts: Mask) -> None:
    """Cut what hangs together by gaps within the window into events that reach no further than the window.

    Only stretches longer than the window are looked at, and these are few at usual rates. They are put one behind the
    other on one axis of time, far enough apart. There, the hit with which the event behind would begin, if one began at
    a hit, is `following`; those that do begin one are reached from the stretches' first hits in steps of 1, 2, 4, …
    events, so that a run without any gap takes some twenty passes over it, and not one an event.
    """
    first = np.flatnonzero(starts)
    end = np.append(first[1:], len(times))
    spans = times[end - 1] - times[first]
    long = spans > window_ps
    if not long.any():
        return
    first, lengths = first[long], (end - first)[long]
    begins = np.cumsum(lengths) - lengths
    rows = np.repeat(first - begins, lengths) + np.arange(int(lengths.sum()))
    places = spans[long] + (window_ps + 1)
    moved = np.cumsum(places) - places - times[first]
    axis = times[rows] + np.repeat(moved, lengths)
    following = np.append(np.searchsorted(axis, axis + window_ps, side="right"), len(rows))
    starts[rows[_reached(following, begins)]] = True


def _reached(following: npt.NDArray[Any], seeds: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The places that are reached from some by following on and on; the last place of `following` is the end."""
    reached = np.zeros(len(following), np.bool_)
    reached[seeds] = True
    found = seeds
    while True:
        ahead = following[found]
        new = np.unique(ahead[~reached[ahead]])
        reached[new] = True
        if not len(new) or new[0] == len(following) - 1:
            return np.flatnonzero(reached[:-1])
        found = np.flatnonzero(reached)
        following = following[following]
