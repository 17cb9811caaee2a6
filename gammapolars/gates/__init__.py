"""Gates: stretches of energy with background beside them, as weights that add up to net counts."""

from gammapolars.gates.gate import Gate

__all__ = ["Gate"]
