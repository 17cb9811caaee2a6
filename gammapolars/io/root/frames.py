"""The compressed frames that the bytes of a basket are stored in, unpacked as far as they are needed."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import deflate

PREFIX_BYTES = 2**16
"""So much of a frame of which only the beginning is needed is read first; as much as before each further time."""


def uncompressed(
    fetch: Callable[[int, int], memoryview | bytes], at: int, end: int, whole: int, low: int, high: int
) -> Iterator[memoryview]:
    """Bytes `low` to `high` of the `whole` uncompressed ones that a basket's frames hold, frame by frame.

    `fetch` gives bytes of the basket from (offset, count); its frames lie from `at`, after the key, to `end`. Frames
    before and behind are not read, and of the last one only the beginning where less than half of it is needed: its
    checksum is then left to whoever reads the rest.

    Raises:
        ValueError, deflate.DeflateError: a frame is damaged.
    """
    if end - at == whole:
        yield memoryview(fetch(at + low, high - low))
        return
    done = 0
    while at < end and done < high:
        header = bytes(fetch(at, 9))
        tag, packed, size = header[:2], int.from_bytes(header[3:6], "little"), int.from_bytes(header[6:9], "little")
        if packed + 9 > end - at or size > whole - done or not size:
            raise ValueError("a compressed frame is longer than its basket")
        if done + size > low:
            needed = min(high - done, size)
            if tag == b"ZL" and 2 * needed < size:
                frame = memoryview(_inflate_beginning(fetch, at + 9, packed, needed))
            else:
                frame = memoryview(_inflate(tag, fetch(at + 9, packed), size))
            yield frame[max(low - done, 0) : needed]
        at += 9 + packed
        done += size
    if done < high:
        raise ValueError(f"it contains {done} of {whole} bytes")


def _inflate_beginning(fetch: Callable[[int, int], memoryview | bytes], at: int, packed: int, needed: int) -> bytearray:
    """The first `needed` uncompressed bytes of a zlib frame of `packed` bytes at a place, which is read in steps."""
    inflator = zlib.decompressobj()
    data = bytearray()
    done, step = 0, PREFIX_BYTES
    while len(data) < needed and done < packed and not inflator.eof:
        count = min(step, packed - done)
        try:
            data += inflator.decompress(fetch(at + done, count), needed - len(data))
        except zlib.error as error:
            raise ValueError(f"a frame cannot be decompressed: {error}") from None
        done += count
        step = done
    if len(data) < needed:
        raise ValueError(f"a frame contains {len(data)} bytes, of which {needed} are needed")
    return data


def _inflate(tag: bytes, packed: Any, size: int) -> bytes | bytearray:
    """One frame's uncompressed bytes; `tag` names the codec."""
    data: bytes | bytearray
    data = deflate.zlib_decompress(packed, size) if tag == b"ZL" else _inflate_by_uproot(tag, bytes(packed), size)
    if len(data) != size:
        raise ValueError(f"a frame contains {len(data)} bytes, not {size}")
    return data


def _inflate_by_uproot(tag: bytes, packed: bytes, size: int) -> bytes:
    import xxhash
    from uproot.compression import LZ4, LZMA, ZSTD

    codecs = {b"L4": LZ4, b"ZS": ZSTD, b"XZ": LZMA}
    if tag not in codecs:
        raise ValueError(f"a frame has the unknown codec {tag!r}")
    if tag == b"L4":  # ROOT's frames begin with a checksum of the rest
        checksum, packed = packed[:8], packed[8:]
        if xxhash.xxh64(packed).digest() != checksum:
            raise ValueError("the checksum of a frame is wrong")
    try:
        return bytes(codecs[tag](1).decompress(packed, uncompressed_bytes=size))  # any level decompresses
    except Exception as error:
        raise ValueError(f"a frame cannot be decompressed: {error}") from None
