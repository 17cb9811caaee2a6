"""List-mode data with known truth: sources, detectors and a digitizer, hit by hit in order of time."""

from gammapolars.simulate.chunks import simulate as simulate
from gammapolars.simulate.digitizer import Chunk as Chunk
from gammapolars.simulate.emission import Correlation as Correlation
from gammapolars.simulate.emission import parse_correlations as parse_correlations
from gammapolars.simulate.response import GainDrift as GainDrift
from gammapolars.simulate.response import SimulatedDetector as SimulatedDetector
from gammapolars.simulate.response import around_source as around_source
from gammapolars.simulate.run import DEFAULT_DETECTORS as DEFAULT_DETECTORS
from gammapolars.simulate.run import run as run
from gammapolars.simulate.run import write_run as write_run
from gammapolars.simulate.sources import NUCLIDES as NUCLIDES
from gammapolars.simulate.sources import Source as Source
from gammapolars.simulate.sources import cascades as cascades
from gammapolars.simulate.sources import parse_sources as parse_sources
