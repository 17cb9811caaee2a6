"""What a pass over runs counts on its way: accumulators, whose states of consecutive stretches merge to the whole."""

from gammapolars.analysis.accumulators.accumulator import Accumulator
from gammapolars.analysis.accumulators.ends import Ends
from gammapolars.analysis.accumulators.hits import HitTally
from gammapolars.analysis.accumulators.in_regions import InRegions
from gammapolars.analysis.accumulators.matrix import Matrix
from gammapolars.analysis.accumulators.pairs import PairTally
from gammapolars.analysis.accumulators.rates import Rates
from gammapolars.analysis.accumulators.spectra import AdcSpectra, RunSpectra
from gammapolars.analysis.accumulators.stops import StopCover
from gammapolars.analysis.accumulators.summed_spectra import EnergySpectra
from gammapolars.analysis.accumulators.time_differences import TimeDifferences

__all__ = [
    "Accumulator",
    "AdcSpectra",
    "Ends",
    "EnergySpectra",
    "HitTally",
    "InRegions",
    "Matrix",
    "PairTally",
    "Rates",
    "RunSpectra",
    "StopCover",
    "TimeDifferences",
]
