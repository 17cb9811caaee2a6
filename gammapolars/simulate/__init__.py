"""List-mode data with known truth: sources, detectors and a digitizer, hit by hit in order of time."""

from gammapolars.simulate.chunks import simulate
from gammapolars.simulate.digitizer import Chunk
from gammapolars.simulate.emission import Correlation, parse_correlations
from gammapolars.simulate.response import GainDrift, SimulatedDetector, around_source
from gammapolars.simulate.run import DEFAULT_DETECTORS, run, write_run
from gammapolars.simulate.sources import NUCLIDES, Source, parse_sources

__all__ = [
    "DEFAULT_DETECTORS",
    "NUCLIDES",
    "Chunk",
    "Correlation",
    "GainDrift",
    "SimulatedDetector",
    "Source",
    "around_source",
    "parse_correlations",
    "parse_sources",
    "run",
    "simulate",
    "write_run",
]
