"""Records of CoMPASS BIN files: the layouts that there are, their names, and what records of hits look like."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import UsageError
from gammapolars.core.schema import HITS, DType

FIELDS = {
    "energy": ("adc", "<u2"),
    "calibrated": ("energy_kev", "<f8"),
    "short": ("adc_short", "<u2"),
    "flags": ("flags", "<u4"),
    "waveform": ("samples", "<u4"),
}
"""What a record may hold behind board, channel and timestamp, in the file's order: our column and its type."""

MAX_NUMBER = 255
"""Boards and channels have smaller numbers than this; what lies above is no hit."""

MAX_FLAGS = 2**24
MAX_TIMESTAMP_PS = 2**62
MAX_STEP_PS = 3600 * 10**12
MAX_ENERGY_KEV = 1e7
MIN_ENERGY_KEV = 1e-6

Heads = npt.NDArray[Any]
"""Records without their samples: a structured array with the columns' names as fields."""


@dataclass(frozen=True)
class Layout:
    """What a record holds behind board, channel and timestamp.

    Attributes:
        fields: some of FIELDS, in their order; flags are in all layouts.
        old: of the time before headers: no byte tells which waveform follows.
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
"""What a file without a header may hold. A short energy alone looks like an energy alone, and must be named."""


def layouts_named(text: str) -> tuple[Layout, ...]:
    """The layouts that a value of `--bin-layout` stands for.

    Raises:
        UsageError: it is no layout.
    """
    text = text.strip().lower()
    if text == "old":
        return (OLD,)
    if re.fullmatch(r"0xcae[0-9a-f]", text):
        return layouts_of_header(int(text, 16))
    words = [word.strip() for word in text.split(",")]
    if set(words) <= set(FIELDS) and len(set(words)) == len(words) and "flags" in words:
        return (Layout(tuple(field for field in FIELDS if field in words)),)
    raise UsageError(
        f"--bin-layout {text}: is no layout: give a header from 0xCAE0 to 0xCAEF, 'old', or the fields of a record "
        f"({', '.join(FIELDS)}) with commas between; flags are always among them"
    )


def follow(descriptor: int, layout: Layout, at: int, size: int, count: int) -> Heads:
    """The heads of up to `count` complete records, one behind the other, from a byte of the file on."""
    heads: list[bytes] = []
    width = layout.head.itemsize
    while len(heads) < count and at + width <= size:
        head = os.pread(descriptor, width, at)
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
    """Records of nothing but zeros, as crashes leave them behind; a file's `first` may be a hit at time 0."""
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
