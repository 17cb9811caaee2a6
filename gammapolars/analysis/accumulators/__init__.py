"""Counting in a pass over runs: accumulators, whose states of consecutive stretches merge to the whole."""

from gammapolars.analysis.accumulators.accumulator import Accumulator as Accumulator
from gammapolars.analysis.accumulators.clock_steps import ClockSteps as ClockSteps
from gammapolars.analysis.accumulators.close_hits import CloseHits as CloseHits
from gammapolars.analysis.accumulators.ends import Ends as Ends
from gammapolars.analysis.accumulators.ends import StopCover as StopCover
from gammapolars.analysis.accumulators.hits import HitTally as HitTally
from gammapolars.analysis.accumulators.matrix import Matrix as Matrix
from gammapolars.analysis.accumulators.pairs import InRegions as InRegions
from gammapolars.analysis.accumulators.pairs import PairTally as PairTally
from gammapolars.analysis.accumulators.pairs import TimeDifferences as TimeDifferences
from gammapolars.analysis.accumulators.pulse_shapes import PulseShapes as PulseShapes
from gammapolars.analysis.accumulators.rates import Rates as Rates
from gammapolars.analysis.accumulators.recorded_time import RecordedTime as RecordedTime
from gammapolars.analysis.accumulators.spectra import AdcSpectra as AdcSpectra
from gammapolars.analysis.accumulators.spectra import RunSpectra as RunSpectra
from gammapolars.analysis.accumulators.summed_spectra import EnergySpectra as EnergySpectra
