"""What a pass over runs counts on its way: accumulators, whose states of consecutive stretches merge to the whole."""

from gammapolars.analysis.accumulators.accumulator import Accumulator
from gammapolars.analysis.accumulators.ends import Ends, StopCover
from gammapolars.analysis.accumulators.hits import HitTally
from gammapolars.analysis.accumulators.matrix import Matrix
from gammapolars.analysis.accumulators.pairs import InRegions, PairTally, TimeDifferences
from gammapolars.analysis.accumulators.rates import Rates
from gammapolars.analysis.accumulators.spectra import AdcSpectra, RunSpectra
from gammapolars.analysis.accumulators.summed_spectra import EnergySpectra

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
