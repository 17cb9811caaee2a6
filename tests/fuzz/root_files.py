"""ROOT files: what zlib, LZ4 and LZMA frames hold has a checksum, what is stored plain or by ZSTD has none."""

import struct
from pathlib import Path

import polars as pl
import uproot

from gammapolars.io.root.tables import HIT_BRANCHES
from gammapolars.io.root.writer import LARGE, Layout, hit_branches
from tests.fuzz.cases import Base, Case
from tests.fuzz.outcomes import Read, Refused, Wrong, differing_columns
from tests.rootfiles import LAYOUTS, baskets_of, made_hits, unclosed, write_branches, write_by_uproot, write_hits

CODECS = {"plain": None, "lz4": uproot.LZ4(4), "zstd": uproot.ZSTD(3), "lzma": uproot.LZMA(5), "zlib": uproot.ZLIB(1)}

RECOVERED = "read up to the last complete basket"
"""Stands in the note on a file that was not closed, or whose metadata are damaged."""

OPTIONAL = {"adc_short", "energy_kev"}


def bases(folder: Path) -> list[Base]:
    """Native and other layouts, all codecs, all branches, and a file that was not closed."""
    hits = made_hits(9000).unique("timestamp_ps", keep="first", maintain_order=True)
    few = hits.head(800)
    arrays = hit_branches(few)
    made = [
        _base(write_hits(folder / "native.root", hits, LAYOUTS["native"]), hits),
        _base(write_hits(folder / "every_700.root", hits, LAYOUTS["every_700"]), hits),
        _base(write_hits(folder / "large.root", few, LARGE), few),
        _base(write_hits(folder / "few.root", few, Layout(entries=200)), few),
    ]
    for name, codec in CODECS.items():
        made.append(_base(write_by_uproot(folder / f"{name}.root", arrays, compression=codec, parts=4), few))
    every = few.with_columns(adc_short=pl.col("adc") // 2, energy_kev=pl.col("adc") * 0.25)
    more = {branch: every[column].to_numpy() for branch, column in HIT_BRANCHES.items() if column in OPTIONAL}
    path = write_branches(folder / "all.root", arrays | more, Layout(entries=300))
    made.append(_base(path, every.select(_columns(every))))
    return [*made, _unclosed(write_hits(folder / "closed.root", few, Layout(entries=100)), few)]


def _columns(hits: pl.DataFrame) -> list[str]:
    """The columns in the order in which they come out."""
    return [column for column in HIT_BRANCHES.values() if column in hits.columns]


def _base(path: Path, hits: pl.DataFrame) -> Base:
    """A file with its metadata and keys, and with the contents of its baskets that have no checksum."""
    data = path.read_bytes()
    with uproot.open(path) as file:
        tree = file.key("Data_R")
        metadata = [(tree.fSeekKey, tree.fSeekKey + tree.fNbytes), (file.fSeekKeys, file.fSeekKeys + 300), (0, 300)]
    branches = {branch: column for branch, column in HIT_BRANCHES.items() if column in hits.columns}
    baskets = [(column, place) for branch, column in branches.items() for place, _, _ in baskets_of(path, branch)]
    keys, bare = _stretches(data, baskets)
    return Base(path.stem, path.name, data, hits, [*metadata * max(len(keys) // 3, 1), *keys], bare)


def _unclosed(closed: Path, hits: pl.DataFrame) -> Base:
    path = closed.with_name("unclosed.root")
    laid = unclosed(closed, path)
    data = path.read_bytes()
    keys, bare = _stretches(data, [(HIT_BRANCHES[basket.branch], basket.place) for basket in laid])
    return Base(path.stem, path.name, data, hits, keys, bare)


def _stretches(data: bytes, baskets: list[tuple[str, int]]) -> tuple[list[tuple[int, int]], list[tuple[str, int, int]]]:
    """The keys of baskets, and the contents of those without a checksum, from the columns and places of all."""
    keys, bare = [], []
    for column, place in baskets:
        size, plain, key = struct.unpack_from(">i2xi4xh", data, place)
        keys.append((place, place + key))
        if plain == size - key or data[place + key : place + key + 2] == b"ZS":
            bare.append((column, place + key, place + size))
    return keys, bare


def oracle(case: Case, read: Read | Refused, keep_going: bool) -> bool:
    """The hits are the file's own, or its own without some that are counted, or that a note tells of."""
    if isinstance(read, Refused):
        return False
    found, touched = read.hits, case.touched
    missing = [name for name in case.base.truth.columns if name not in found.columns]
    recovered = any(RECOVERED in note for note in read.losses.notes)
    # Of a branch without a single basket left nobody knows; there are hits without adc.
    if not OPTIONAL.issuperset(missing) and not (recovered and {"adc", *OPTIONAL}.issuperset(missing)):
        raise Wrong(f"columns {missing} are missing")
    truth = case.base.truth.drop(missing)
    if recovered:  # the note tells how far
        truth = truth.head(found.height + read.lost)
    if found.height + read.lost != truth.height:
        raise Wrong(f"{found.height} hits and {read.lost} that are left out are not {truth.height}")
    if found.height == truth.height:
        expected = truth
    elif "timestamp_ps" in touched:
        return True  # which hits are missing cannot be told
    else:
        expected = truth.filter(pl.col("timestamp_ps").is_in(found["timestamp_ps"].implode()))
    if found.schema != expected.schema or found.height != expected.height:
        raise Wrong(f"{found.height} hits with {found.schema} are not among the file's")
    different = differing_columns(found, expected)
    if not touched.issuperset(different):
        raise Wrong(f"{different} have other values, though only {sorted(touched)} lack a checksum")
    return bool(different or missing)
