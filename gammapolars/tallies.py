"""Counts that grow slice by slice: small tables whose parts add up to the whole."""

import polars as pl

MERGE_ROWS = 2_000_000
"""Parts are added up when this many rows have gathered, to bound memory."""


def count_by(frame: pl.DataFrame, bits: dict[str, int]) -> pl.DataFrame:
    """Rows per combination of integer columns.

    The columns are packed into one 64-bit key, which groups several times faster than the columns side by side.

    Args:
        frame: has the columns, with values of 0 to 2^bits - 1.
        bits: the columns and how many bits each takes, 64 together at most.

    Returns:
        The columns, as they were, and `counts` u32.
    """
    key = pl.lit(0, pl.UInt64)
    for name, width in bits.items():
        key = key * pl.lit(2**width, pl.UInt64) + pl.col(name).cast(pl.UInt64)
    counted = frame.lazy().select(key.alias("_key")).group_by("_key").agg(counts=pl.len())
    columns = {}
    rest = pl.col("_key")
    for name, width in reversed(bits.items()):
        columns[name] = (rest % pl.lit(2**width, pl.UInt64)).cast(frame.schema[name])
        rest = rest // pl.lit(2**width, pl.UInt64)
    return counted.select(*(columns[name].alias(name) for name in bits), "counts").collect()


class Tally:
    """A sum of tables of counts."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self._parts: list[pl.DataFrame] = []
        self._rows = 0

    def add(self, part: pl.DataFrame) -> None:
        """Add a table with the keys and `counts`."""
        if part.is_empty():
            return
        self._parts.append(part.select(*self._keys, pl.col("counts").cast(pl.UInt64)))
        self._rows += part.height
        if len(self._parts) > 64 or self._rows > MERGE_ROWS:
            self._parts = [self.total()]
            self._rows = 0  # what is merged cannot shrink further

    def total(self) -> pl.DataFrame:
        """The keys and `counts` u64, sorted by the keys; no rows and no columns but `counts` if nothing was added."""
        if not self._parts:
            return pl.DataFrame({"counts": []}, {"counts": pl.UInt64})
        return pl.concat(self._parts).group_by(self._keys).agg(pl.col("counts").sum()).sort(self._keys)
