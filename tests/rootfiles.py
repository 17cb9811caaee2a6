"""ROOT files for tests: hits in every layout and codec, and files that are damaged on purpose."""

import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import uproot

from gammapolars.core.schema import HITS
from gammapolars.io.root.writer import HIT_BRANCHES, LARGE, NATIVE, SMALL, Layout, TreeWriter, hit_branches

Arrays = dict[str, npt.NDArray[Any]]

LAYOUTS = {
    "native": NATIVE,
    "small": SMALL,
    "large": LARGE,
    "native_after_60kB": Layout(first_bytes=60_000),
    "every_700": Layout(entries=700),
}
"""Where baskets end; the fourth has 32 kB baskets first and whole clusters behind them, in a small file."""


def made_hits(count: int, seed: int = 1, *, detectors: int = 4, gap_ps: int = 1_000_000) -> pl.DataFrame:
    """A table of hits in time order: random detectors, adc and flags, exponential gaps on a clock of 2 ns.

    Args:
        count: rows.
        seed: of the random numbers.
        detectors: channels 0, 1, … of board 0.
        gap_ps: the mean time between hits.
    """
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(gap_ps / 2000, count).astype(np.int64) * 2000
    flags = rng.choice([0x4000, 0xC000, 0x4400], count, p=[0.9, 0.06, 0.04])
    return pl.DataFrame(
        {
            "board": np.zeros(count, np.uint16),
            "channel": rng.integers(0, detectors, count, np.uint16),
            "timestamp_ps": np.cumsum(gaps) + 5_000_000,
            "adc": rng.integers(0, 16384, count, np.uint16),
            "flags": flags.astype(np.uint32),
        },
        HITS.columns,
    )


def write_hits(path: Path, hits: pl.DataFrame, layout: Layout = NATIVE, *, tree: str = "Data_R") -> Path:
    """Hits in CoMPASS's layout, in the five branches that a file without further firmware has."""
    with TreeWriter(path, HIT_BRANCHES, layout=layout, tree=tree, reproducible=True) as writer:
        writer.extend(hit_branches(hits))
    return path


def write_branches(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], layout: Layout = NATIVE, *, tree: str = "Data_R"
) -> Path:
    """Any branches, with the arrays' own types."""
    types = {name: values.dtype.str[1:] for name, values in arrays.items()}
    with TreeWriter(path, types, layout=layout, tree=tree, reproducible=True) as writer:
        writer.extend(arrays)
    return path


def write_by_uproot(
    path: Path,
    branches: Mapping[str, Any],
    *,
    compression: Any = None,
    tree: str = "Data_R",
    parts: int = 1,
    types: Mapping[str, Any] | None = None,
) -> Path:
    """Branches as uproot itself writes them: one basket per branch and part, in any codec, jagged ones too."""
    with uproot.recreate(path, compression=compression) as file:
        made = file.mktree(tree, dict(types or {name: values.dtype for name, values in branches.items()}))
        length = len(next(iter(branches.values())))
        edges = np.linspace(0, length, parts + 1).astype(int)
        for begin, end in pairwise(edges):
            made.extend({name: values[begin:end] for name, values in branches.items()})
    return path


def baskets_of(path: Path, branch: str, tree: str = "Data_R") -> list[tuple[int, int, int]]:
    """Place, bytes of the key and bytes of each basket of a branch in the file."""
    with uproot.open(path) as file:
        found = file[tree][branch]
        count = found.num_baskets
        places = found.member("fBasketSeek")[:count].tolist()
        sizes = found.member("fBasketBytes")[:count].tolist()
    data = path.read_bytes()
    return [
        (place, struct.unpack_from(">h", data, place + 14)[0], size) for place, size in zip(places, sizes, strict=True)
    ]


def with_bytes(source: Path, path: Path, changes: Mapping[int, int]) -> Path:
    """A copy of a file in which some bytes are xor-ed with a number."""
    data = bytearray(source.read_bytes())
    for place, mask in changes.items():
        data[place] ^= mask
    path.write_bytes(data)
    return path


def cut(source: Path, path: Path, length: int, *, correct_header: bool = False) -> Path:
    """The first bytes of a file; with `correct_header` the header tells the new length, as if nothing were missing."""
    data = bytearray(source.read_bytes()[:length])
    if correct_header:
        large = struct.unpack_from(">i", data, 4)[0] >= 1_000_000
        struct.pack_into(">q" if large else ">i", data, 12, length)
    path.write_bytes(data)
    return path


class Laid(NamedTuple):
    """A basket in a file that was not closed: whose it is, its entries, and where it lies."""

    branch: str
    number: int
    entries: int
    place: int
    end: int


def unclosed(source: Path, path: Path, *, tree: str = "Data_R") -> list[Laid]:
    """A closed file's baskets as they lie in one that is still being written by ROOT.

    ROOT numbers each branch's baskets in their keys. The header tells an end that the file has long passed, and there
    is no list of keys yet.

    Returns:
        The baskets in their order in the file.
    """
    data = source.read_bytes()
    out = bytearray(data[: 100 + struct.unpack_from(">i", data, 100)[0]])
    large = struct.unpack_from(">i", out, 4)[0] >= 1_000_000
    struct.pack_into(">q" if large else ">i", out, 12, len(out))
    folder = 100 + struct.unpack_from(">h", data, 114)[0]
    out[-len(out) + folder + 10 :] = bytes(len(out) - folder - 10)  # whose places of keys are not known yet
    with uproot.open(source) as file:
        found = [
            (place, branch.name, number, int(branch.entry_offsets[number + 1] - branch.entry_offsets[number]))
            for branch in file[tree].branches
            for number, place in enumerate(branch.member("fBasketSeek")[: branch.num_baskets].tolist())
        ]
    laid = []
    for place, name, number, entries in sorted(found):
        basket = bytearray(data[place : place + struct.unpack_from(">i", data, place)[0]])
        struct.pack_into(">Hq", basket, 16, number % 2**16, len(out))
        laid.append(Laid(name, number, entries, len(out), len(out) + len(basket)))
        out += basket
    path.write_bytes(out)
    return laid
