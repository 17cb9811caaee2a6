"""What the command `gate` does: the net spectrum of what is in coincidence with a line, of whatever input is named."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gammapolars.coincidences import PairRule
from gammapolars.commands.gate.counts import NetCounts
from gammapolars.commands.gate.matrix import StoredMatrix
from gammapolars.commands.gate.outputs import GateOutputs
from gammapolars.commands.gate.pairs import PairsFile, Partners, RunPairs
from gammapolars.commands.gate.triples import RunTriples
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, load_gates, parse_backgrounds
from gammapolars.io import Runs, is_table_of_pairs
from gammapolars.io.matrix_files import is_matrix

Reading = Callable[[list[str]], AbstractContextManager[tuple[Runs, Progress]]]
"""Opens runs by their names; with what is told how many hits have been read."""


class Input(Protocol):
    """What can be gated."""

    def count(self) -> NetCounts:
        """The net spectrum, with what else there is to say and to write."""


@dataclass(frozen=True)
class Request:
    """What is to be gated, as the command line says it.

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
        lines = [(self.on, self.background), (self.second, self.second_background)]
        return tuple(
            Gate.on(line, self.width, tuple(parse_backgrounds(beside))) for line, beside in lines if line is not None
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
OF_SPECTRA = ("--bin", "--by-detector")
OF_MATRICES = ("--axis",)


def gate(
    names: list[str], request: Request, outputs: GateOutputs, detectors: Detectors, reading: Reading
) -> dict[str, Any]:
    """Gate on what is named, whatever it is.

    Args:
        names: as on the command line.
        request: the gates and what goes with them.
        outputs: the files to write.
        detectors: names, time offsets and calibrations.
        reading: opens the names as runs.

    Returns:
        The summary, as `gammapolars gate --json` prints it.

    Raises:
        UsageError: options that do not go with the input, or gates that cannot be.
    """
    started = time.perf_counter()
    source = input_of(names, request, detectors, reading)
    outputs.check()
    return outputs.write(source.count()) | {"elapsed_s": time.perf_counter() - started}


def input_of(names: list[str], request: Request, detectors: Detectors, reading: Reading) -> Input:
    """What the names stand for: a stored matrix, a file of pairs, or the pairs or triples of runs.

    Raises:
        UsageError: options that do not go with it, or gates that cannot be.
    """
    gates, alone = request.gates(), names[0] if len(names) == 1 else ""
    if is_matrix(alone):
        why = f"{alone} is a matrix, in which no hits and pairs can be told apart"
        request.refuse([*OF_HITS, *OF_PAIRS, *OF_SPECTRA], why)
        return StoredMatrix(Path(alone), gates[0], request.axis or "x")
    request.refuse(OF_MATRICES, f"{alone or 'this'} is no stored matrix")
    of_file = is_table_of_pairs(alone)
    if of_file:
        request.refuse(OF_HITS, f"{alone} holds pairs as another command made them, and no single hits")
    bins = request.bin_width, request.by_detector
    runs = partial(reading, names)
    if len(gates) == 2:
        request.refuse(OF_PAIRS, "--and gates on triples")
        rule = PairRule(request.window, reject=request.reject)
        return RunTriples(runs, rule, request.random, (gates[0], gates[1]), detectors, *bins)
    polygons = load_gates(request.polygon) if request.polygon else ()
    partners = Partners(gates[0], detectors, request.of, polygons, *bins)
    if of_file:
        return PairsFile(Path(alone), partners)
    return RunPairs(runs, PairRule(request.window, reject=request.reject), request.random, partners)
