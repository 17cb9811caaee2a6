"""The command line: parse, call, print. One function a command, in the module of its kind."""

# Commands stand in the help in the order in which they are imported.
from gammapolars.cli import runs, products, gate, angular, events, lifetime, rates, energy, drift, timing, activity  # noqa: I001
from gammapolars.cli.process import main, run

__all__ = [
    "activity",
    "angular",
    "drift",
    "energy",
    "events",
    "gate",
    "lifetime",
    "main",
    "products",
    "rates",
    "run",
    "runs",
    "timing",
]
