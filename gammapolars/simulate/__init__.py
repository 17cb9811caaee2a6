"""List-mode data with known truth: sources, detectors and a digitizer, hit by hit in order of time."""

from gammapolars.simulate.chunks import simulate
from gammapolars.simulate.correlations import Correlation, parse_correlations
from gammapolars.simulate.digitizer import Chunk
from gammapolars.simulate.drift import GainDrift
from gammapolars.simulate.files import write_run
from gammapolars.simulate.response import SimulatedDetector, around_source
from gammapolars.simulate.run import DEFAULT_DETECTORS, run
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
