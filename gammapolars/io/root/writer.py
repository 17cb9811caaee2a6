"""Writing a TTree basket by basket, in the layout that CoMPASS's files have or with baskets of one given length.

uproot holds the file and the tree's metadata. The baskets are written here, because uproot's own `extend` gives every
branch a basket of the same number of entries, whereas ROOT closes each branch's basket where that branch is full.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid1

import numpy.typing as npt
import polars as pl
import uproot

from gammapolars.core.errors import OutputError, UsageError, writable
from gammapolars.io.output import complete_or_nothing
from gammapolars.io.root.basket_bytes import (
    FIRST_DAY,
    Branch,
    compressed_frame,
    converted,
    frames_of,
    joined_frames,
    new_branch,
    remove_dates,
    root_date,
)
from gammapolars.io.root.uproot_internals import BasketTree

HIT_BRANCHES: dict[str, str] = {"Channel": "u2", "Timestamp": "u8", "Board": "u2", "Energy": "u2", "Flags": "u4"}
"""CoMPASS's branches of a hit, in its order, with their numpy types."""

PSD_BRANCHES: dict[str, str] = {**dict(list(HIT_BRANCHES.items())[:-1]), "EnergyShort": "u2", "Flags": "u4"}
"""Those of firmware that measures the charge in a short gate, too."""

_HIT_COLUMNS = {
    "Channel": "channel", "Timestamp": "timestamp_ps", "Board": "board", "Energy": "adc", "EnergyShort": "adc_short",
    "Flags": "flags",
}  # fmt: skip


class Layout(NamedTuple):
    """Where baskets end: full at 32 kB, or after a number of `entries`, which each cluster then has, too.

    After `first_bytes`, compressed, of all branches, each basket holds a whole cluster; None: never.
    """

    first_bytes: int | None = 30_000_000
    entries: int | None = None


NATIVE = Layout()
"""As ROOT does it for CoMPASS: 32 kB baskets for 30 MB, then clusters as long as those first 30 MB were."""

SMALL = Layout(first_bytes=None)
"""32 kB baskets throughout."""

LARGE = Layout(entries=4_000_000)
"""One basket per branch and 4 million entries throughout."""


def parse_layout(text: str) -> Layout:
    """The layout that `native`, `small`, `large` or a number of entries per basket names; else a UsageError."""
    named = {"native": NATIVE, "small": SMALL, "large": LARGE}
    if text in named:
        return named[text]
    if text.isascii() and text.isdigit() and 0 < int(text) <= 10**8:
        return Layout(entries=int(text))
    raise UsageError(f"unknown layout '{text}': write {', '.join(named)}, or a number of entries per basket up to 10^8")


def hit_branches(hits: pl.DataFrame, branches: Collection[str] = HIT_BRANCHES) -> dict[str, npt.NDArray[Any]]:
    """A table of hits as the arrays of CoMPASS's branches."""
    return {branch: hits[_HIT_COLUMNS[branch]].to_numpy() for branch in branches}


class TreeWriter:
    """A TTree of flat numeric branches, written as entries come, in memory bounded by one cluster.

    The file grows next to its place under a hidden name and takes its own when `close` is done; an exception inside
    the `with` block removes it. Baskets of different branches follow each other in the order in which they fill, each
    compressed by zlib in 9-byte-headed frames of at most 16 MB, or stored plain where compression does not shrink it.

    `branches` are the numpy types by name, such as `HIT_BRANCHES`, `level` is zlib's, 1 to 9, and `metadata` are texts
    to be stored next to the tree. A `reproducible` file holds no date and no unique number: equal entries give equal
    bytes.

    Raises:
        OutputError: the file exists already or cannot be written, or an entry does not fit its branch.
    """

    def __init__(
        self,
        path: str | Path,
        branches: Mapping[str, str],
        *,
        tree: str = "Data_R",
        title: str = "CoMPASS RAW events TTree",
        layout: Layout = NATIVE,
        level: int = 1,
        metadata: Mapping[str, str] | None = None,
        overwrite: bool = False,
        reproducible: bool = False,
    ) -> None:
        self.path = Path(path)
        self.entries = 0
        self._layout, self._level, self._reproducible = layout, level, reproducible
        self._start = 0  # entry at which the present cluster begins
        self._cluster = layout.entries
        self._zipped = 0
        self._auto_flush = layout.entries or -30_000_000
        self._flushed_bytes = 0
        self._date = root_date(FIRST_DAY if reproducible else datetime.now())
        self._branches = [new_branch(name, dtype, tree) for name, dtype in branches.items()]
        self._output = ExitStack()
        self._part = self._output.enter_context(complete_or_nothing(self.path, overwrite=overwrite))
        try:
            with writable(self.path):
                self._handle = self._part.open("r+b")
        except OutputError:
            self._give_up()
            raise
        try:
            self._open(tree, title, metadata or {})
        except BaseException:
            self._remove()
            raise
        self._pool = ThreadPoolExecutor(2)

    def _open(self, tree: str, title: str, metadata: Mapping[str, str]) -> None:
        # Room for a tree's streamers and for the directory: growing, they would leave gaps that baskets then fill.
        self._file = uproot.recreate(
            self._handle,
            compression=uproot.ZLIB(self._level),
            uuid_function=(lambda: UUID(int=0)) if self._reproducible else uuid1,
            initial_streamers_bytes=20_480,
            initial_directory_bytes=256 + 100 * len(metadata),
        )
        self._tree = BasketTree(self._file, tree, title, {branch.name: branch.dtype for branch in self._branches})
        self.annotate(metadata)

    def annotate(self, texts: Mapping[str, str]) -> None:
        """Store more texts next to the tree, each as a TObjString under its name."""
        for name, text in texts.items():
            self._file[name] = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def extend(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Append entries: one array a branch, all of the same length; numbers are converted if they fit.

        Raises:
            OutputError: a number does not fit its branch, or the disk is full.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1 or set(columns) != {branch.name for branch in self._branches}:
            raise ValueError("every branch of the tree needs one array, all of the same length")
        arrays = [converted(columns[branch.name], branch, self.path) for branch in self._branches]
        for branch, values in zip(self._branches, arrays, strict=True):
            branch.pending.append(values)
        self.entries += lengths.pop()
        with writable(self.path):
            if self._cluster is None:
                self._write_full_baskets()
            while self._cluster and self.entries - self._start >= self._cluster:
                self._flush(self._start + self._cluster)

    def _write_full_baskets(self) -> None:
        """Write every basket that is full, in the order in which they filled, up to the first cluster's end."""
        plan = sorted(
            (end, place)
            for place, branch in enumerate(self._branches)
            for end in range(branch.ends[-1] + branch.entries_per_basket, self.entries + 1, branch.entries_per_basket)
        )
        if not plan:
            return
        begins = [branch.ends[-1] for branch in self._branches]
        payloads = []
        for end, place in plan:
            branch, begin = self._branches[place], begins[place]
            payloads.append(branch.joined()[end - branch.entries_per_basket - begin : end - begin])
        limit = self._layout.first_bytes
        first_end = None
        compressed = self._pool.map(self._compressed, payloads)
        for (end, place), payload, stored in zip(plan, payloads, compressed, strict=True):
            self._write_basket(self._branches[place], payload, stored)
            if limit is not None and self._zipped > limit:
                first_end = end
                break
        for branch, begin in zip(self._branches, begins, strict=True):
            branch.drop(branch.ends[-1] - begin)
        if first_end is not None:
            self._begin_clusters(first_end)

    def _begin_clusters(self, end: int) -> None:
        """End the first cluster. From here on ROOT gives each branch a basket that holds as many entries as it had."""
        self._flush(end)
        self._cluster = self._auto_flush = end
        self._flushed_bytes = self._zipped
        for branch in self._branches:
            needed = branch.key_bytes + end * branch.dtype.itemsize
            branch.basket_size = max(branch.basket_size, -(-needed // 512) * 512)

    def _flush(self, end: int) -> None:
        """End every branch's basket at this entry, and the cluster with it."""
        payloads = [branch.joined()[: end - branch.ends[-1]] for branch in self._branches]
        frames = [frames_of(payload) for payload in payloads]
        stored = self._pool.map(self._compressed_frame, [frame for parts in frames for frame in parts])
        for branch, payload, parts in zip(self._branches, payloads, frames, strict=True):
            if len(payload):
                self._write_basket(branch, payload, joined_frames([next(stored) for _ in parts], payload.nbytes))
                branch.drop(len(payload))
        self._start = end

    def _compressed(self, payload: npt.NDArray[Any]) -> bytes | None:
        return joined_frames([self._compressed_frame(frame) for frame in frames_of(payload)], payload.nbytes)

    def _compressed_frame(self, frame: memoryview) -> bytes | None:
        return compressed_frame(frame, self._level)

    def _write_basket(self, branch: Branch, payload: npt.NDArray[Any], stored: bytes | None) -> None:
        size = branch.key_bytes + (payload.nbytes if stored is None else len(stored))
        place = self._tree.allocate(size)
        header = branch.header(len(payload), size, self._date, place=place, directory=self._tree.directory)
        self._tree.write(place, header, payload.tobytes() if stored is None else stored)
        branch.ends.append(branch.ends[-1] + len(payload))
        branch.seeks.append(place)
        branch.sizes.append(size)
        branch.total_bytes += branch.key_bytes + payload.nbytes
        self._zipped += size

    def close(self) -> None:
        """Write the pending entries and the tree's metadata, and give the file its name.

        Raises:
            OutputError: the disk is full, or the place cannot be written any more.
        """
        try:
            with writable(self.path):
                self._flush(self.entries)
                numbers = {
                    "fTotBytes": sum(branch.total_bytes for branch in self._branches),
                    "fZipBytes": self._zipped,
                    "fFlushedBytes": self._flushed_bytes,
                    "fAutoFlush": self._auto_flush,
                }
                self._tree.finish(self._branches, self.entries, numbers, compress=100 + self._level)  # 1: zlib
                self._file.close()
                if self._reproducible:
                    remove_dates(self._part)
        except BaseException:
            self.discard()
            raise
        self._pool.shutdown()
        self._output.close()

    def discard(self) -> None:
        """Give the file up and remove its written part."""
        self._pool.shutdown(cancel_futures=True)
        self._remove()

    def _remove(self) -> None:
        with suppress(OSError):  # a full disk: nothing of the file is wanted
            self._handle.close()
        self._give_up()

    def _give_up(self) -> None:
        self._output.__exit__(GeneratorExit, GeneratorExit(), None)
