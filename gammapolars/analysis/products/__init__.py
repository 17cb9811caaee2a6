"""What one pass over a run counts on its way: each product takes slices, and their sum is the whole run's."""

from gammapolars.analysis.products.ends import Ends
from gammapolars.analysis.products.hits import HitTally
from gammapolars.analysis.products.in_regions import InRegions
from gammapolars.analysis.products.matrix import EnergyMatrix
from gammapolars.analysis.products.pairs import PairTally
from gammapolars.analysis.products.product import Product
from gammapolars.analysis.products.rates import Rates
from gammapolars.analysis.products.spectra import AdcSpectra, RunSpectra
from gammapolars.analysis.products.stops import StopCover
from gammapolars.analysis.products.summed_spectra import SummedSpectra
from gammapolars.analysis.products.time_differences import TimeDifferences

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
