"""CoMPASS BIN files for tests: hits in every layout, and a plain loop that reads them record by record."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.schema import HITS
from gammapolars.io.compass.bin_layout import FIELDS, HEADERLESS, Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (*HEADERLESS, Layout(("short", "flags")), Layout(("short", "flags", "waveform")))
}
"""All that there are, by name."""


def header_of(layout: Layout) -> int:
    """The number that begins a file of this layout."""
    bits = {"energy": 1, "calibrated": 2, "short": 4, "waveform": 8, "flags": 0}
    return 0xCAE0 | sum(bits[field] for field in layout.fields)


def columns_of(layout: Layout) -> list[str]:
    """The columns that come out, in the order of the table of hits."""
    held = {FIELDS[field][0] for field in layout.fields} | {"board", "channel", "timestamp_ps"}
    return [name for name in (*HITS.columns, *HITS.optional) if name in held]


def made_hits(count: int, seed: int = 1, *, gap_ps: int = 1_000_000) -> pl.DataFrame:
    """Hits with all columns that a BIN file may have, in time order."""
    rng = np.random.default_rng(seed)
    adc = rng.integers(20, 16384, count, np.uint16)
    columns = {
        "board": rng.integers(0, 2, count, np.uint16),
        "channel": rng.integers(0, 16, count, np.uint16),
        "timestamp_ps": np.cumsum(rng.exponential(gap_ps, count).astype(np.int64)) + 5_000_000,
        "adc": adc,
        "flags": rng.choice([0x4000, 0xC000, 0x4400], count, p=[0.9, 0.06, 0.04]).astype(np.uint32),
        "adc_short": (adc * rng.uniform(0.1, 0.9, count)).astype(np.uint16),
        "energy_kev": adc * 0.4 + 3.5,
    }
    return pl.DataFrame(columns)


def encode(hits: pl.DataFrame, layout: Layout, lengths: int | Sequence[int] = 0, *, seed: int = 1) -> bytes:
    """The records of hits, without a header.

    Args:
        hits: with all columns that the layout holds.
        layout: of the records.
        lengths: the number of samples of each waveform, or of all.
        seed: of the samples, which lie around a baseline of 2700.
    """
    heads = np.zeros(len(hits), layout.head)
    for name in layout.head.names or ():
        if name in hits.columns:
            heads[name] = hits[name].to_numpy()
    if not layout.has_waveform or not len(heads):
        return heads.tobytes()
    if not layout.old:
        heads["code"] = 1
    heads["samples"] = lengths
    rng = np.random.default_rng(seed)
    samples = rng.normal(2700, 30, int(heads["samples"].sum())).astype("<u2")
    if len(set(heads["samples"].tolist())) == 1:
        return _with_equal_samples(heads, samples)
    waveforms = np.split(samples, np.cumsum(heads["samples"])[:-1])
    return b"".join(head.tobytes() + wave.tobytes() for head, wave in zip(heads, waveforms, strict=True))


def _with_equal_samples(heads: npt.NDArray[Any], samples: npt.NDArray[Any]) -> bytes:
    records = np.zeros(len(heads), [("head", heads.dtype), ("samples", "<u2", (int(heads["samples"][0]),))])
    records["head"] = heads
    records["samples"] = samples.reshape(len(heads), -1)
    return records.tobytes()


def write_bin(
    path: Path,
    hits: pl.DataFrame,
    layout: Layout,
    lengths: int | Sequence[int] = 0,
    *,
    header: int | None = -1,
    finished: bool = True,
) -> Path:
    """A BIN file of some hits.

    Args:
        path: to write.
        hits: with all columns that the layout holds.
        layout: of its records.
        lengths: of the waveforms, as for `encode`.
        header: the first number; that of the layout if negative, none for None and for the old layout.
        finished: whether it was written long ago.
    """
    first = b"" if header is None or layout.old else struct.pack("<H", header_of(layout) if header < 0 else header)
    return write_bytes(path, first + encode(hits, layout, lengths), finished=finished)


def write_bytes(path: Path, data: bytes, *, finished: bool = True) -> Path:
    """A file of these bytes, written long ago where it is finished."""
    path.write_bytes(data)
    if finished:
        os.utime(path, (10**9, 10**9))
    return path


class Damaged(Exception):
    """The plain loop met something that is no record."""


CODES = {"energy": "<H", "calibrated": "<d", "short": "<H", "flags": "<I"}


def read_plainly(data: bytes, layout: Layout) -> list[dict[str, Any]]:
    """The records, one by one, by nothing but `struct`.

    Raises:
        Damaged: a record is cut short, or cannot be a hit.
    """
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(data):
        begin = at
        try:
            board, channel, timestamp = struct.unpack_from("<HHQ", data, at)
            hit: dict[str, Any] = {"board": board, "channel": channel, "timestamp_ps": timestamp}
            at += 12
            for field in layout.fields:
                if field == "waveform":
                    at += 0 if layout.old else 1
                    samples = struct.unpack_from("<I", data, at)[0]
                    at += 4
                else:
                    hit[FIELDS[field][0]] = struct.unpack_from(CODES[field], data, at)[0]
                    at += struct.calcsize(CODES[field])
        except struct.error:
            raise Damaged from None
        is_empty = not any(data[begin:at])
        at += 2 * samples if layout.has_waveform else 0
        if at > len(data) or max(board, channel) > 255 or timestamp > 2**62 or (is_empty and found):
            raise Damaged
        found.append(hit)
    return found
