"""Layouts of the records of CoMPASS BIN files, the form of records of hits, and which layout a file has.

A file of the new format begins with the number 0xCAEx, whose bits give the fields of its records. Later segments of a
recording lack it, older files never had it, and public readers disagree on what it means when both energies are set:
then the records themselves must show which layout fits them, or the user names it.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import InputError, UsageError, readable
from gammapolars.core.schema import HITS, DType
from gammapolars.core.wording import setting
from gammapolars.io.placed_reading import read_at

FIELDS = {
    "energy": ("adc", "<u2"),
    "calibrated": ("energy_kev", "<f8"),
    "short": ("adc_short", "<u2"),
    "flags": ("flags", "<u4"),
    "waveform": ("samples", "<u4"),
}
"""Fields that a record may hold after board, channel and timestamp, in the file's order: our column and its type."""

MAX_NUMBER = 255
"""Boards and channels have smaller numbers than this; larger ones are no hit."""

MAX_FLAGS = 2**24
MAX_TIMESTAMP_PS = 2**62
MAX_STEP_PS = 3600 * 10**12
MAX_ENERGY_KEV = 1e7
MIN_ENERGY_KEV = 1e-6

Heads = npt.NDArray[Any]
"""Records without their samples: a structured array with the columns' names as fields."""


@dataclass(frozen=True)
class Layout:
    """Fields of a record after board, channel and timestamp.

    Attributes:
        fields: some of FIELDS, in their order; flags are in all layouts.
        old: from the time before headers: no byte says which waveform follows.
    """

    fields: tuple[str, ...]
    old: bool = False

    @property
    def name(self) -> str:
        """As `--bin-layout` takes it."""
        return "old" if self.old else ",".join(self.fields)

    @property
    def has_waveform(self) -> bool:
        """Whether each record ends with its own number of samples."""
        return "waveform" in self.fields

    @cached_property
    def head(self) -> np.dtype[Any]:
        """A record without its samples."""
        fields = [("board", "<u2"), ("channel", "<u2"), ("timestamp_ps", "<u8")]
        for name in self.fields:
            if name == "waveform" and not self.old:
                fields.append(("code", "u1"))
            fields.append(FIELDS[name])
        return np.dtype(fields)

    @property
    def columns(self) -> dict[str, DType]:
        """The columns of its hits, in the order of the table of hits."""
        return {
            name: dtype for name, dtype in (HITS.columns | HITS.optional).items() if name in (self.head.names or ())
        }


OLD = Layout(("energy", "short", "flags", "waveform"), old=True)


def layouts_of_header(header: int) -> tuple[Layout, ...]:
    """The layouts that a header may mean: three if both energies are set, as some programs then write but one."""
    energies: tuple[tuple[str, ...], ...] = ((), ("energy",), ("calibrated",))[header & 3 : (header & 3) + 1]
    if header & 3 == 3:
        energies = ("energy", "calibrated"), ("energy",), ("calibrated",)
    short = ("short",) if header & 4 else ()
    waveform = ("waveform",) if header & 8 else ()
    return tuple(Layout((*energy, *short, "flags", *waveform)) for energy in energies)


HEADERLESS = (
    *(layouts_of_header(bits)[0] for bits in range(16) if bits & 7 != 4),
    OLD,
)
"""Layouts of a file without a header. A short energy looks like an energy if it is the only one, and must be named."""


def layouts_named(text: str) -> tuple[Layout, ...]:
    """The layouts that a value of `--bin-layout` names; a UsageError if it is not one."""
    text = text.strip().lower()
    if text == "old":
        return (OLD,)
    if re.fullmatch(r"0xcae[0-9a-f]", text):
        return layouts_of_header(int(text, 16))
    words = [word.strip() for word in text.split(",")]
    if set(words) <= set(FIELDS) and len(set(words)) == len(words) and "flags" in words:
        return (Layout(tuple(field for field in FIELDS if field in words)),)
    raise UsageError(
        f"{setting('--bin-layout', 'bin_layout')} {text}: is not a layout: give a header from 0xCAE0 to 0xCAEF, 'old', "
        f"or the fields of a record ({', '.join(FIELDS)}) separated by commas; flags must be included"
    )


def follow(descriptor: int, layout: Layout, at: int, size: int, count: int) -> Heads:
    """The heads of up to `count` complete records, one after the other, from a byte of the file on."""
    heads: list[bytes] = []
    width = layout.head.itemsize
    while len(heads) < count and at + width <= size:
        head = read_at(descriptor, width, at)
        at += width + 2 * int.from_bytes(head[-4:], "little")
        if at > size or len(head) < width:
            break
        heads.append(head)
    return np.frombuffer(b"".join(heads), layout.head)


def is_hit(heads: Heads) -> npt.NDArray[np.bool_]:
    """Which records have a board and a channel that can be."""
    possible: npt.NDArray[np.bool_] = (heads["board"] <= MAX_NUMBER) & (heads["channel"] <= MAX_NUMBER)
    return possible


def zeros(heads: Heads, *, first: bool) -> npt.NDArray[np.bool_]:
    """Records of nothing but zeros, as crashes leave them; a file's `first` may be a hit at time 0."""
    empty: npt.NDArray[np.bool_] = heads["timestamp_ps"] == 0
    if first:
        empty[:1] = False
    if empty.any():
        empty &= ~np.ascontiguousarray(heads).view(np.uint8).reshape(len(heads), -1).any(axis=1)
    return empty


def consistent(heads: Heads) -> npt.NDArray[np.bool_]:
    """Which records look like hits of one run: in all their fields, and not long before or after the one before."""
    times = heads["timestamp_ps"].astype(np.int64)
    looks: npt.NDArray[np.bool_] = is_hit(heads) & (heads["timestamp_ps"] < MAX_TIMESTAMP_PS)
    looks &= heads["flags"] < MAX_FLAGS
    with np.errstate(over="ignore"):
        step = np.diff(times, prepend=times[:1])
    looks &= (step >= -MAX_STEP_PS) & (step <= MAX_STEP_PS)
    if "energy_kev" in (heads.dtype.names or ()):
        energy = np.abs(heads["energy_kev"])
        looks &= (energy == 0) | ((energy >= MIN_ENERGY_KEV) & (energy <= MAX_ENERGY_KEV))
    return looks


HEADER = 0xCAE0
"""The high bits of a new file's first number; the low four give the fields."""

HEADER_BYTES = 2

SAMPLED_RECORDS = 1000

LEAST_RECORDS = 8
"""With fewer records than this no layout is decided: one could fit by chance."""

LEAST_CONSISTENT = 0.95
"""Part of the records that decides by itself; a reset clock or a damaged record must not hide the layout."""


def how_to_name() -> str:
    """The ways to give the layout."""
    return (
        f"give the layout with {setting('--bin-layout', 'bin_layout')}: a header such as 0xCAE5, 'old', or the fields "
        "of a record, such as energy,calibrated,short,flags,waveform"
    )


@dataclass(frozen=True)
class BinFile:
    """A BIN file whose layout is known, `shown` only by its records, or given, with its bytes when it was opened.

    Attributes:
        begin: the byte where the first record begins.
        consistent: whether its first records look like hits in this layout, so that those which do not are damaged.
        empty_waveforms: whether records without samples are usual in it.
        longest: the most samples of its first records.
    """

    path: Path
    layout: Layout
    begin: int
    size: int
    shown: bool = False
    consistent: bool = True
    empty_waveforms: bool = False
    longest: int = 0

    @property
    def records(self) -> int:
        """How many complete records it has, if they have no waveforms."""
        return (self.size - self.begin) // self.layout.head.itemsize


def open_bin(path: Path, named: str | None = None) -> BinFile:
    """A file with its layout: the one that is named, or that of its header, its first segment or its records.

    Raises:
        InputError: it cannot be read, or the layout cannot be decided.
        UsageError: there is no layout of that name.
    """
    candidates = layouts_named(named) if named is not None else ()
    with readable(path), path.open("rb") as file:
        return _opened(path, file.fileno(), candidates)


def _opened(path: Path, descriptor: int, named: tuple[Layout, ...]) -> BinFile:
    size = os.fstat(descriptor).st_size
    header = int.from_bytes(read_at(descriptor, HEADER_BYTES, 0), "little") if size >= HEADER_BYTES else 0
    has_header = header & 0xFFF0 == HEADER
    records = _Records(descriptor, HEADER_BYTES if has_header else 0, size)
    candidates = named or (layouts_of_header(header) if has_header else ())
    if not candidates and (first := _layout_of_first_segment(path)) and records.mostly_hits(first):
        candidates = (first,)
    candidates = candidates or HEADERLESS
    layout = _decided(path, candidates, records, header if has_header else None)
    consistent = records.mostly_hits(layout)
    if not consistent and not named:
        raise InputError(
            f"{path}: its records do not look like hits in the layout {layout.name} given by its header "
            f"0x{header:04X}: is it damaged? If not, {how_to_name()}"
        )
    lengths = records.waveform_lengths(layout)
    return BinFile(
        path,
        layout,
        records.begin,
        size,
        shown=len(candidates) > 1,
        consistent=consistent,
        empty_waveforms=not lengths.all(),
        longest=int(lengths.max(initial=0)),
    )


def _layout_of_first_segment(path: Path) -> Layout | None:
    """The layout of `run.BIN`, for `run_1.BIN` and so on."""
    stem = re.sub(r"_\d+$", "", path.stem)
    first = path.with_name(stem + path.suffix)
    if stem == path.stem or not first.is_file():
        return None
    try:
        return open_bin(first).layout
    except InputError:
        return None


def _decided(path: Path, candidates: tuple[Layout, ...], records: "_Records", header: int | None) -> Layout:
    """The one layout that fits the records, of several that are possible."""
    if len(candidates) == 1 or (header is not None and records.begin == records.size):
        return candidates[0]
    fitting = [layout for layout in candidates if records.fit(layout)]
    if len(fitting) > 1:
        fitting = [layout for layout in fitting if records.end_with_a_record(layout)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    reason = (
        "it has no header" if header is None else f"its header 0xCAE{header & 15:X} does not say which energies follow"
    )
    names = " and ".join(layout.name for layout in fitting) or "no known layout"
    raise InputError(f"{path}: {reason}, and its records match {names}: {how_to_name()}")


class _Records:
    """Samples of a file's records, read in one layout or another."""

    def __init__(self, descriptor: int, begin: int, size: int) -> None:
        self.begin = begin
        self.size = size
        self._descriptor = descriptor

    def first(self, layout: Layout) -> Heads:
        """The first records that are complete."""
        if layout.has_waveform:
            return follow(self._descriptor, layout, self.begin, self.size, SAMPLED_RECORDS)
        return self._fixed(layout, 0, self._complete(layout))

    def fit(self, layout: Layout) -> bool:
        """Whether the records at the beginning look like a run of hits, and at the end where their places are known."""
        samples = [self.first(layout)]
        if not layout.has_waveform:
            complete = self._complete(layout)
            samples.append(self._fixed(layout, max(complete - SAMPLED_RECORDS, 0), complete))
        return all(len(heads) >= LEAST_RECORDS and consistent(heads).mean() >= LEAST_CONSISTENT for heads in samples)

    def mostly_hits(self, layout: Layout) -> bool:
        """Whether of the first records more look like hits than do not, each taken by itself."""
        heads = self.first(layout)
        return len(heads) == 0 or bool(is_hit(heads).mean() > 0.5)

    def waveform_lengths(self, layout: Layout) -> npt.NDArray[np.uint32]:
        """The numbers of samples of those of the first records that can be hits."""
        if not layout.has_waveform:
            return np.empty(0, np.uint32)
        heads = self.first(layout)
        lengths: npt.NDArray[np.uint32] = heads["samples"][is_hit(heads) & ~zeros(heads, first=True)]
        return lengths

    def end_with_a_record(self, layout: Layout) -> bool:
        """Whether the file may end where a record ends."""
        return layout.has_waveform or (self.size - self.begin) % layout.head.itemsize == 0

    def _complete(self, layout: Layout) -> int:
        return (self.size - self.begin) // layout.head.itemsize

    def _fixed(self, layout: Layout, first: int, last: int) -> Heads:
        size = layout.head.itemsize
        count = min(last - first, SAMPLED_RECORDS)
        data = read_at(self._descriptor, count * size, self.begin + first * size)
        return np.frombuffer(data, layout.head, len(data) // size)
