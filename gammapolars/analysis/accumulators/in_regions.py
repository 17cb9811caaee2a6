"""Products of pairs in prompt and random windows, where pairs were looked for beyond them."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.coincidences.regions import Regions


class InRegions(Accumulator):
    """An accumulator that sees only pairs in the prompt and random windows, with their region and weight.

    Args:
        accumulator: what counts them.
        regions: the windows.
    """

    def __init__(self, accumulator: Accumulator, regions: Regions) -> None:
        self._accumulator, self._regions = accumulator, regions

    def add_hits(self, hits: pl.DataFrame) -> None:
        self._accumulator.add_hits(hits)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        self._accumulator.add_pairs(self._regions.weighted(pairs.lazy()).collect())

    def parts(self) -> Mapping[str, Mergeable]:
        return {"in_regions": self._accumulator}
