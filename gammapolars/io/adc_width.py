"""How wide adc values are: 16 bits as a rule, and more only where a recording has such."""

import polars as pl

from gammapolars.core.schema import DType

PEEKED_HITS = 1_000_000
"""So many of the first hits show whether adc values that are stored in more than 16 bits need them."""

LEAST_SHARE, LEAST_HITS = 0.01, 2
"""They do where so many have values beyond 16 bits, or below 0; fewer are taken for damage, and named."""

UNSIGNED_16 = (pl.UInt8, pl.UInt16)
SIGNED_16 = (pl.Int8, pl.Int16)


def adc_type(table: pl.LazyFrame, name: str, bits: int | None = None) -> DType:
    """What adc values are kept as: 16 bits where these hold them, else whole numbers of 64, or floats.

    Args:
        table: of a file.
        name: the column of adc values.
        bits: that the values have, 16 or 32; None: what the column's type or its first values show.
    """
    dtype = table.collect_schema()[name]
    if dtype.is_float():
        return pl.Float64()
    if bits is not None:
        return pl.Int64() if bits > 16 else pl.UInt16()
    if not dtype.is_integer() or dtype in UNSIGNED_16:
        return pl.UInt16()
    if dtype in SIGNED_16:
        return pl.Int64()
    first = table.select(name).head(PEEKED_HITS).collect().to_series()
    beyond = int((~first.is_between(0, 2**16 - 1)).sum() or 0)
    return pl.Int64() if beyond >= max(LEAST_HITS, LEAST_SHARE * first.count()) else pl.UInt16()
