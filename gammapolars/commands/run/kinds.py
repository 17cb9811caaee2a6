"""The commands that can be steps of an experiment, in the order in which they are done."""

from dataclasses import dataclass
from typing import Literal

from gammapolars.commands.options import OF_SELECTION

ENERGIES = tuple(OF_SELECTION.values())
"""Options that select hits by their energies, which cannot be done where these are only measured."""


@dataclass(frozen=True)
class Kind:
    """A command as a step.

    Attributes:
        output: the usual name of its main output.
        reads: the experiment's runs, or the pairs that the step `coincidences` saved, if there is one.
        measures: whether it writes a detectors.toml, which later steps take.
        without: options that it does not take from those in common.
    """

    output: str
    reads: Literal["runs", "pairs"] = "runs"
    measures: bool = False
    without: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "calibrate": Kind("calibrated.toml", measures=True, without=ENERGIES),
    "align": Kind("aligned.toml", measures=True),
    "drift": Kind("drift.parquet", without=ENERGIES),
    "rates": Kind("rates.csv"),
    "spectrum": Kind("spectra.parquet"),
    "peaks": Kind("peaks.csv"),
    "coincidences": Kind("pairs.parquet"),
    "matrix": Kind("matrix.parquet", reads="pairs"),
    "gate": Kind("gate.csv", reads="pairs"),
    "events": Kind("events.parquet"),
    "lifetime": Kind("lifetime.csv"),
    "angular": Kind("angular.csv"),
    "query": Kind("query.parquet"),
    "report": Kind("report"),
}
"""By the names of the commands."""
