"""What one pass over a run counts on its way: each product takes slices, and their sum is the whole run's."""

from typing import Protocol

import polars as pl

from gammapolars.products.hits import HitTally
from gammapolars.products.matrix import EnergyMatrix
from gammapolars.products.pairs import PairTally
from gammapolars.products.rates import Rates
from gammapolars.products.spectra import AdcSpectra, RunSpectra
from gammapolars.products.time_differences import TimeDifferences

__all__ = ["AdcSpectra", "EnergyMatrix", "HitTally", "PairTally", "Product", "Rates", "RunSpectra", "TimeDifferences"]


class Product(Protocol):
    """Something that is summed up over slices; hits and pairs come from two threads, each in order of time."""

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take a slice's own hits, rejected ones too."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take a part of a slice's pairs, calibrated."""
