"""What the command `gate` does: the net spectrum of what is in coincidence with a line, of whatever input is named."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gammapolars.commands.checks import is_energy
from gammapolars.commands.gate import outputs
from gammapolars.commands.gate.counts import GateSummary, NetCounts
from gammapolars.commands.gate.matrix import StoredMatrix
from gammapolars.commands.gate.pairs import PairsFile, RunPairs
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.commands.gate.triples import RunTriples
from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.io import is_table_of_pairs
from gammapolars.io.matrix_files import is_matrix

OF_HITS = ("--and", "--window", "--random", "--reject")
OF_PAIRS = ("--in", "--polygon")
OF_PARTNERS = ("--partner",)
OF_SPECTRA = ("--bin", "--by-detector")
OF_MATRICES = ("--axis", "--subtract-background")


class Input(Protocol):
    """What can be gated."""

    def count(self) -> NetCounts:
        """The net spectrum, with what else there is to say and to write."""


def gate(options: GateOptions) -> GateSummary:
    """Gate on what is named, whatever it is.

    Raises:
        UsageError: options that do not go with the input, or gates that cannot be.
    """
    source = input_of(options)
    outputs.check(options)
    return outputs.write(source.count(), options)


def input_of(options: GateOptions) -> Input:
    """What the names stand for: a stored matrix, a file of pairs, or the pairs or triples of runs.

    Raises:
        UsageError: options that do not go with it, or gates that cannot be.
    """
    alone = options.names[0] if len(options.names) == 1 else ""
    is_energy(options.unit, "gates")
    if options.second is None and options.second_background:
        raise UsageError("--and-background is beside a second line: name the line with --and")
    if options.partner is None and options.partner_background:
        raise UsageError("--partner-background is beside a line of partners: name the line with --partner")
    if options.peak_region and not options.subtract_background:
        raise UsageError("--peak-region says where the background of --subtract-background has peaks: add that")
    if is_matrix(alone):
        why = f"{alone} is a matrix, in which no hits and pairs can be told apart"
        _refuse(options, [*OF_HITS, *OF_PAIRS, *OF_SPECTRA], why)
        return StoredMatrix(Path(alone), options)
    _refuse(options, OF_MATRICES, f"{alone or 'this'} is no stored matrix")
    of_file = is_table_of_pairs(alone)
    if of_file:
        _refuse(options, OF_HITS, f"{alone} holds pairs as another command made them, and no single hits")
    if options.second is not None:
        _refuse(options, [*OF_PAIRS, *OF_PARTNERS], "--and gates on triples")
        return RunTriples(options)
    return PairsFile(Path(alone), options) if of_file else RunPairs(options)


def _refuse(options: GateOptions, names: Sequence[str], why: str) -> None:
    """Raise where options are given that do not go with the input; the error names all of them."""
    given = {
        "--and": options.second is not None,
        "--in": bool(options.of),
        "--polygon": options.polygon is not None,
        "--window": options.window != defaults.WINDOW,
        "--random": bool(options.random),
        "--reject": options.reject != defaults.REJECT,
        "--bin": options.bin_width is not None,
        "--by-detector": options.by_detector,
        "--axis": options.axis is not None,
        "--subtract-background": options.subtract_background,
        "--partner": options.partner is not None,
    }
    if wrong := [name for name in names if given[name]]:
        raise UsageError(f"{why}: leave {' and '.join(wrong)} out")
