"""The command line: a folder for each command, with what it is asked, what it does and what it says."""

from importlib import import_module

from gammapolars.commands.process import main, run

COMMANDS = (
    "info",
    "convert",
    "query",
    "simulate",
    "detectors",
    "coincidences",
    "spectrum",
    "matrix",
    "report",
    "gate",
    "angular",
    "events",
    "lifetime",
    "rates",
    "peaks",
    "calibrate",
    "lines",
    "drift",
    "align",
    "efficiency",
    "activity",
)
"""Their folders, in the order in which the help shows them."""

for _name in COMMANDS:
    import_module(f"{__name__}.{_name}.parse")

__all__ = ["COMMANDS", "main", "run"]
