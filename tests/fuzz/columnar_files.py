"""Parquet and Arrow files: footers tell where everything lies, and nothing in them has a checksum."""

import struct
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gammapolars.io import save
from tests.fuzz.cases import Base, Case
from tests.fuzz.outcomes import Read, Refused, Wrong, differing_columns
from tests.rootfiles import made_hits


def parquet_bases(folder: Path) -> list[Base]:
    """As we write them, and by pyarrow and polars in several codecs, row groups and encodings."""
    hits, path = made_hits(1500), folder / "run.parquet"
    save(hits.lazy(), path, metadata={"gammapolars": "{}"})
    made = [_parquet("own", path, hits)]
    for codec in ("uncompressed", "snappy", "lz4", "gzip"):
        hits.write_parquet(path, compression=codec, row_group_size=400)
        made.append(_parquet(codec, path, hits))
    for version in ("1.0", "2.0"):
        pq.write_table(hits.to_arrow(), path, data_page_version=version, row_group_size=600, data_page_size=500)
        made.append(_parquet(f"pages {version}", path, hits))
    pq.write_table(
        hits.to_arrow(), path, use_dictionary=False, compression="none", column_encoding="DELTA_BINARY_PACKED"
    )
    return [*made, _parquet("delta", path, hits)]


def _parquet(name: str, path: Path, hits: pl.DataFrame) -> Base:
    data = path.read_bytes()
    known = pq.read_metadata(path)
    footer = len(data) - 8 - struct.unpack_from("<i", data, len(data) - 8)[0]
    bare = []
    for group in range(known.num_row_groups):
        for place in range(known.num_columns):
            chunk = known.row_group(group).column(place)
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            bare.append((chunk.path_in_schema, begin, begin + chunk.total_compressed_size))
    pages = [(begin, begin + 40) for _, begin, _ in bare]
    return Base(name, path.name, data, hits, [(footer, len(data))] * len(pages) + pages, bare)


def arrow_bases(folder: Path) -> list[Base]:
    """As we write them, and by pyarrow and polars, in one batch and in several, compressed and not."""
    hits, path = made_hits(1500), folder / "run.arrow"
    save(hits.lazy(), path, metadata={"gammapolars": "{}"})
    made = [_arrow("own", path, hits)]
    for codec in ("uncompressed", "lz4", "zstd"):
        hits.write_ipc(path, compression=codec, record_batch_size=400)
        made.append(_arrow(codec, path, hits))
    table = hits.to_arrow()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, 200)
    return [*made, _arrow("pyarrow", path, hits)]


def _arrow(name: str, path: Path, hits: pl.DataFrame) -> Base:
    data = path.read_bytes()
    footer = len(data) - 10 - struct.unpack_from("<i", data, len(data) - 10)[0]
    return Base(name, path.name, data, hits, [(footer, len(data)), (0, 1000)], [("", 0, footer)])


def oracle(case: Case, read: Read | Refused, keep_going: bool) -> bool:
    """The number of hits is right, and values are, where neither their bytes nor the footer have changed."""
    if isinstance(read, Refused):
        return False
    truth, found = case.base.truth, read.hits
    if found.columns != truth.columns:
        return True
    if found.height + read.lost != truth.height:
        raise Wrong(f"{found.height} hits of {truth.height}")
    if found.height != truth.height:
        return True
    different = set(differing_columns(found, truth))
    footer = max(end for _, _, end in case.base.bare)
    touched = case.touched
    if different - touched and case.data[footer:] == case.base.data[footer:] and touched != {""}:
        raise Wrong(f"{sorted(different)} have other values, though only bytes of {sorted(touched)} have changed")
    return bool(different)
