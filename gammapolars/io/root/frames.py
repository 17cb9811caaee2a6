"""ROOT's compressed frames: a codec's tag and two lengths in 9 bytes, then the packed bytes."""

from collections.abc import Callable, Iterator
from typing import Any

import deflate


def uncompressed(
    fetch: Callable[[int, int], memoryview | bytes], at: int, end: int, whole: int, low: int, high: int
) -> Iterator[memoryview]:
    """Bytes `low` to `high` of what the frames of one basket hold, frame by frame.

    Args:
        fetch: gives bytes of the basket from (offset, count).
        at: where the first frame begins, behind the key.
        end: where the basket ends.
        whole: uncompressed bytes of the basket; equal to those stored if it is not compressed.
        low: first byte wanted.
        high: end of the bytes wanted.

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
            frame = memoryview(_inflate(tag, fetch(at + 9, packed), size))
            yield frame[max(low - done, 0) : min(high - done, size)]
        at += 9 + packed
        done += size
    if done < high:
        raise ValueError(f"it holds {done} of {whole} bytes")


def _inflate(tag: bytes, packed: Any, size: int) -> bytes | bytearray:
    """One frame's uncompressed bytes; `tag` names the codec."""
    data: bytes | bytearray
    data = deflate.zlib_decompress(packed, size) if tag == b"ZL" else _inflate_by_uproot(tag, bytes(packed), size)
    if len(data) != size:
        raise ValueError(f"a frame holds {len(data)} bytes, not {size}")
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
            raise ValueError("a frame's checksum is another one")
    try:
        return bytes(codecs[tag](1).decompress(packed, uncompressed_bytes=size))  # any level decompresses
    except Exception as error:
        raise ValueError(f"a frame cannot be decompressed: {error}") from None
