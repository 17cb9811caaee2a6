"""What is given to the command `gate`, and which options go with it: a run, a file of pairs, or a stored matrix."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gammapolars.coincidences import PairRule
from gammapolars.commands.gate import matrix, pairs, triples
from gammapolars.commands.gate.outputs import GateOutputs
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, load_gates, parse_backgrounds
from gammapolars.io import Runs, is_table_of_pairs
from gammapolars.io.matrix_files import is_matrix

Reading = Callable[[list[str]], AbstractContextManager[tuple[Runs, Callable[[int], None]]]]
"""Opens runs by their names; with what is told how many hits have been read."""


@dataclass(frozen=True)
class Asked:
    """What is to be gated, as the command line tells it.

    Attributes:
        on: the line's energy, or adc.
        width: of the gates.
        background: LOW:HIGH of stretches beside the line.
        second: a second line, of triples; None: none.
        second_background: beside it.
        of: detectors whose hits may lie in the gate.
        polygon: a file of polygons.
        window: of coincidences.
        random: windows that hold chance alone.
        reject: flags that reject a hit.
        bin_width: of the spectrum.
        by_detector: whether each detector gets a spectrum.
        axis: of a matrix, the one that is gated.
    """

    on: float
    width: float
    background: Sequence[str] = ()
    second: float | None = None
    second_background: Sequence[str] = ()
    of: Sequence[str] = ()
    polygon: Path | None = None
    window: str = defaults.WINDOW
    random: Sequence[str] = ()
    reject: str = defaults.REJECT
    bin_width: float | None = None
    by_detector: bool = False
    axis: str | None = None

    def gates(self) -> tuple[Gate, ...]:
        """The gate, or the two."""
        if self.second is None and self.second_background:
            raise UsageError("--and-background is beside a second line: name the line with --and")
        asked = [(self.on, self.background), (self.second, self.second_background)]
        return tuple(
            Gate.on(line, self.width, tuple(parse_backgrounds(beside))) for line, beside in asked if line is not None
        )

    def refuse(self, names: Sequence[str], why: str) -> None:
        """Raise where options are given that do not go with the input.

        Raises:
            UsageError: one is; the message names all of them.
        """
        given = {
            "--and": self.second is not None,
            "--in": bool(self.of),
            "--polygon": self.polygon is not None,
            "--window": self.window != defaults.WINDOW,
            "--random": bool(self.random),
            "--reject": self.reject != defaults.REJECT,
            "--bin": self.bin_width is not None,
            "--by-detector": self.by_detector,
            "--axis": self.axis is not None,
        }
        if wrong := [name for name in names if given[name]]:
            raise UsageError(f"{why}: leave {' and '.join(wrong)} out")


OF_HITS = ("--and", "--window", "--random", "--reject")
OF_PAIRS = ("--in", "--polygon")
OF_MATRICES = ("--axis",)


def gated(
    names: list[str], asked: Asked, outputs: GateOutputs, detectors: Detectors, reading: Reading
) -> dict[str, Any]:
    """Gate on what is named, whatever it is.

    Args:
        names: as on the command line.
        asked: the gates and what goes with them.
        outputs: the files to write.
        detectors: names and calibrations.
        reading: opens the names as runs.

    Returns:
        The summary, as `gammapolars gate --json` prints it.

    Raises:
        UsageError: options that do not go with the input, or gates that cannot be.
    """
    gates, alone = asked.gates(), names[0] if len(names) == 1 else ""
    if is_matrix(alone):
        why = f"{alone} is a matrix, in which no hits and pairs can be told apart"
        asked.refuse([*OF_HITS, *OF_PAIRS, "--bin", "--by-detector"], why)
        return matrix.gate_matrix(Path(alone), gates[0], outputs, side=asked.axis or "x")
    asked.refuse(OF_MATRICES, f"{alone or 'this'} is no stored matrix")
    shared: dict[str, Any] = {
        "detectors": detectors,
        "bin_width": asked.bin_width,
        "by_detector": asked.by_detector,
    }
    of_pairs: dict[str, Any] = {"of": asked.of, "polygons": load_gates(asked.polygon) if asked.polygon else ()}
    if is_table_of_pairs(alone):
        asked.refuse(OF_HITS, f"{alone} holds pairs as another command made them, and no single hits")
        return pairs.gate_pairs(Path(alone), gates[0], outputs, **shared, **of_pairs)
    rule = PairRule(asked.window, reject=asked.reject)
    if len(gates) == 2:
        asked.refuse(OF_PAIRS, "--and gates on triples")
    with reading(names) as (runs, progress):
        shared |= {"random": asked.random, "progress": progress}
        if len(gates) == 2:
            return triples.gate_triples(runs, rule, (gates[0], gates[1]), outputs, **shared)
        return pairs.gate_runs(runs, rule, gates[0], outputs, **shared, **of_pairs)
