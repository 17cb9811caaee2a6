"""The private parts of uproot that are used, here and nowhere else: a tree whose baskets others write.

A test names them, and looks whether the uproot that is installed still has them.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gammapolars.io.root.basket_bytes import Branch


class BasketTree:
    """A tree in a file from `uproot.recreate`: it gives baskets their places, and takes their list at the end."""

    def __init__(self, file: Any, name: str, title: str, types: Mapping[str, np.dtype[Any]]) -> None:
        self._file = file._file
        self._sink = self._file.sink
        self._tree = file.mktree(name, dict(types), title=title)._cascading

    @property
    def directory(self) -> int:
        """Where the directory lies that the tree is in."""
        return int(self._tree._directory.key.location)

    def allocate(self, size: int) -> int:
        """A place in the file for some bytes."""
        return int(self._tree._freesegments.allocate(size))

    def write(self, place: int, *parts: bytes) -> None:
        """Write bytes at a place, one part after the other."""
        for part in parts:
            self._sink.write(place, part)
            place += len(part)

    def finish(self, branches: Iterable[Branch], entries: int, numbers: Mapping[str, int], compress: int) -> None:
        """Write the tree's metadata, and mark the free rest of the file.

        `numbers` are members of the TTree, such as `fTotBytes`; `compress` is 100 times the algorithm, and the level.
        """
        branches, tree = list(branches), self._tree
        tree._num_entries = entries
        tree._num_baskets = max(len(branch.seeks) for branch in branches)
        tree._basket_capacity = capacity = max(10, tree._num_baskets + 1)
        tree._metadata |= numbers
        for branch in branches:
            datum = self._metadata_of(branch)
            lists = {"fBasketBytes": branch.sizes, "fBasketEntry": branch.ends, "fBasketSeek": branch.seeks}
            for key, values in lists.items():
                datum[key] = np.zeros(capacity, datum[key].dtype)
                datum[key][: len(values)] = values
            datum |= {"fTotBytes": branch.total_bytes, "fZipBytes": sum(branch.sizes)}
            datum["fBasketSize"] = branch.basket_size
        tree._relocate(self._file, self._sink)
        tree._freesegments.write(self._sink)
        self._number_baskets(branches, compress)
        for start, stop in tree._freesegments._data.slices:  # ROOT marks a gap by its negative length
            self.write(start, struct.pack(">i", start - stop).ljust(stop - start, b"\0")[: stop - start])
        self._sink.set_file_length(tree._freesegments.fileheader.end)
        self._sink.flush()

    def _metadata_of(self, branch: Branch) -> dict[str, Any]:
        datum: dict[str, Any] = self._tree._branch_data[self._tree._branch_lookup[branch.name]]
        return datum

    def _number_baskets(self, branches: list[Branch], compress: int) -> None:
        """Correct, per branch, values that uproot takes as equal in all: fCompress and fWriteBasket."""
        begin = self._tree._key.seek_location + self._tree._key.num_bytes
        for branch in branches:
            place = begin + self._metadata_of(branch)["metadata_start"]
            self.write(place, struct.pack(">i", compress))
            self.write(place + 12, struct.pack(">i", len(branch.seeks)))
