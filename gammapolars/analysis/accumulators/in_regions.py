"""Products of pairs in prompt and random windows, where pairs were looked for beyond them."""

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator
from gammapolars.coincidences.regions import Regions


class InRegions:
    """A product that sees only pairs in the prompt and random windows, with their region and weight.

    Args:
        product: what counts them.
        regions: the windows.
    """

    def __init__(self, product: Accumulator, regions: Regions) -> None:
        self._product, self._regions = product, regions

    def add_hits(self, hits: pl.DataFrame) -> None:
        self._product.add_hits(hits)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        self._product.add_pairs(self._regions.weighted(pairs.lazy()).collect())
