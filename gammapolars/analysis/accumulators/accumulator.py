"""What a product is, and of which run are the hits that it takes."""

from typing import Protocol

import polars as pl


class Accumulator(Protocol):
    """Something that is summed up over slices; hits and pairs come from two threads, each in order of time."""

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take a slice's own hits, rejected ones too."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take a part of a slice's pairs, calibrated."""
