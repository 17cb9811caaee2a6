"""What one pass over a run counts on its way: each product takes slices, and their sum is the whole run's."""

from gammapolars.products.ends import Ends
from gammapolars.products.hits import HitTally
from gammapolars.products.in_regions import InRegions
from gammapolars.products.matrix import EnergyMatrix
from gammapolars.products.pairs import PairTally
from gammapolars.products.product import Product
from gammapolars.products.rates import Rates
from gammapolars.products.spectra import AdcSpectra, RunSpectra
from gammapolars.products.stops import StopCover
from gammapolars.products.summed_spectra import SummedSpectra
from gammapolars.products.time_differences import TimeDifferences

__all__ = [
    "AdcSpectra",
    "Ends",
    "EnergyMatrix",
    "HitTally",
    "InRegions",
    "PairTally",
    "Product",
    "Rates",
    "RunSpectra",
    "StopCover",
    "SummedSpectra",
    "TimeDifferences",
]
