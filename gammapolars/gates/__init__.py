"""Gates: stretches of energy with background next to them, as weights that add up to net counts; and polygons."""

from gammapolars.gates.files import load_gates
from gammapolars.gates.gate import AUTO, DEFAULT_KEV, WIDTH_FWHM, Background, Gate, parse_backgrounds
from gammapolars.gates.polygon import PolygonGate

__all__ = [
    "AUTO",
    "DEFAULT_KEV",
    "WIDTH_FWHM",
    "Background",
    "Gate",
    "PolygonGate",
    "load_gates",
    "parse_backgrounds",
]
