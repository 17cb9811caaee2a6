"""Aligned hits, batch by batch."""

from collections.abc import Iterable

import polars as pl

from gammapolars.corrections.timing import align, spread_ps
from gammapolars.detectors import Detectors
from gammapolars.streaming.slices import batches_of

ALIGNED_ROWS = 250_000
"""Offsets put hits out of order; smaller batches keep what must be sorted again small."""


def aligned(hits: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame | Iterable[pl.DataFrame]:
    """A run's hits with offsets and walk subtracted, in batches: fewer wait between stages so than in one query.

    Hits come as they are where nothing is to be subtracted.
    """
    if not spread_ps(detectors):
        return hits
    return (align(batch.lazy(), detectors).collect() for batch in batches_of(hits, batch_rows=ALIGNED_ROWS))
