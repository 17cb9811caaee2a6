"""Places in a ROOT file of hits, which are entries of its tree: where it is cut, and the times there."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gammapolars.core.file_identity import version
from gammapolars.core.units import TIMES_PS
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.root.baskets import MAX_CHUNK_HITS, Damage, read_chunks
from gammapolars.io.root.branches import Branch, Tree
from gammapolars.io.root.tables import HIT_BRANCHES, lists_of, open_hit_tree

TIME_BRANCH = next(name for name, column in HIT_BRANCHES.items() if column == "timestamp_ps")


def borders(path: Path, reading: Reading) -> npt.NDArray[np.int64] | None:
    """The entries at which a file is cut: see `Format.borders`.

    Those at which baskets of all branches of hits end, or clusters of an RNTuple; where these are far apart, also those
    at which baskets of the branch end that has fewest; and where that is far apart too, any: of a basket that is cut,
    only the frames that are needed are unpacked. None: entries are events of several hits.
    """
    tree = open_hit_tree(path, reading)
    if lists_of(tree, reading):
        return None
    named = {name for column in reading.columns.values() for name in column.sources}
    used = [branch for name, branch in tree.branches.items() if name in named or name in HIT_BRANCHES]
    return cheap_cuts(used or list(tree.branches.values()), tree.entries)


def cheap_cuts(branches: list[Branch], entries: int, most_hits: int = MAX_CHUNK_HITS) -> npt.NDArray[np.int64]:
    """Entries at which few baskets are cut, no more than `most_hits` apart, from 0 to the last."""
    common = np.unique(branches[0].entries)
    for branch in branches[1:]:
        common = np.intersect1d(common, branch.entries)
    coarsest = min((branch.entries for branch in branches), key=len)
    cuts = _with_ends(common, entries)
    for further in (coarsest, np.arange(0, entries, most_hits)):
        cuts = _with_ends(np.concatenate([cuts, _in_wide_gaps(further, cuts, most_hits)]), entries)
    return cuts


def _with_ends(places: npt.NDArray[np.int64], end: int) -> npt.NDArray[np.int64]:
    """Places in their order, each once, with the beginning and the end, and none after it."""
    return np.unique(np.concatenate([[0], places[places < end], [end]])).astype(np.int64)


def _in_wide_gaps(places: npt.NDArray[np.int64], cuts: npt.NDArray[np.int64], most_hits: int) -> npt.NDArray[np.int64]:
    """Those of some places that lie between two cuts that are further apart than `most_hits`."""
    gap = np.clip(np.searchsorted(cuts, places, side="right") - 1, 0, max(len(cuts) - 2, 0))
    return places[(cuts[1:] - cuts[:-1])[gap] > most_hits] if len(cuts) > 1 else places[:0]


def times_at(path: Path, reading: Reading, entries: Iterable[int]) -> list[int | None] | None:
    """The recorded times (ps) of the hits at some entries of a tree with CoMPASS's branches: see `Format.times`.

    Of the basket of each only the beginning of the frame that holds it is read, where damage is an error to whoever
    reads the rest; where it is to be skipped, the basket is checked whole. Nothing, where there is a map of columns.
    """
    if reading.columns:
        return None
    tree = _opened(path, version(path), reading.tree, keep_going=reading.losses.keep_going)
    return [_time_at(tree, entry, reading) if entry < tree.entries else None for entry in entries]


@lru_cache(maxsize=32)
def _opened(path: Path, _: tuple[str, int, int, int], tree: str | None, *, keep_going: bool) -> Tree:
    """A file's tree, opened once for all times that are looked up one after the other, as long as it stays the same."""
    return open_hit_tree(path, Reading(tree=tree, losses=Losses(keep_going=keep_going)))


def _time_at(tree: Tree, entry: int, reading: Reading) -> int | None:
    damages: list[Damage] = []
    chunks = read_chunks(
        tree,
        [TIME_BRANCH],
        rows=(entry, entry + 1),
        whole_baskets=reading.losses.keep_going,
        workers=1,
        on_damage=damages.append,
    )
    times = [int(time) for _, arrays in chunks for time in arrays[TIME_BRANCH]]
    return times[0] if times and not damages and TIMES_PS[0] <= times[0] <= TIMES_PS[1] else None
