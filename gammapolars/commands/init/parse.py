"""What `gammapolars init` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, RUNS
from gammapolars.commands.notes import argument
from gammapolars.commands.options import Reading, Saving

DETECTORS = "detectors.toml"
"""Where the detectors are described, next to the file of the experiment."""


@command(short_help="Write an experiment.toml: one file for a whole analysis")
class InitOptions(Reading, Saving):
    """Write an experiment.toml for runs: one file that describes a whole analysis, for 'gammapolars run'.

    Sources are recognised in the names of runs (Co-60, 60Co, eu152): these calibrate, the others are the measurement.
    The detectors are described in the detectors.toml next to it, which is written unless there is one.

    Examples:
    gammapolars init DAQ/run_6_Eu152 DAQ/run_7 -o experiment.toml
    gammapolars init DAQ -o experiment.toml
    """

    names: Annotated[
        list[str],
        argument("RUN", "Files, patterns or folders of runs, each a run of its own; or a folder of run folders."),
        RUNS,
    ]
    output: Annotated[Path, "File of the experiment.", OUTPUT] = Path("experiment.toml")

    @property
    def new_detectors(self) -> Path | None:
        """The detectors.toml to be written; None where one is given, or there."""
        path = self.output.parent / DETECTORS
        return None if self.detectors or path.exists() else path

    @property
    def further_outputs(self) -> tuple[Path, ...]:
        """This file."""
        return (self.new_detectors,) if self.new_detectors else ()
