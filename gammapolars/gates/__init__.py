"""Gates: stretches of energy with background next to them, as weights that add up to net counts; and polygons."""

from gammapolars.gates.files import load_gates
from gammapolars.gates.gate import Gate, parse_backgrounds
from gammapolars.gates.polygon import PolygonGate

__all__ = ["Gate", "PolygonGate", "load_gates", "parse_backgrounds"]
