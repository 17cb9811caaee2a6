"""The command `gate`: the net spectrum in coincidence with a line, of whatever input is named."""

import shlex
from pathlib import Path
from typing import Protocol

from gammapolars.commands.checks import is_energy, refuse
from gammapolars.commands.cluster import OF_CLUSTER
from gammapolars.commands.gate import outputs
from gammapolars.commands.gate.counts import GateSummary, NetCounts
from gammapolars.commands.gate.matrix import StoredMatrix
from gammapolars.commands.gate.pairs import FilePairs, RunPairs
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.commands.gate.triples import RunTriples
from gammapolars.commands.given import is_given
from gammapolars.commands.options import OF_COINCIDENCES, OF_SELECTION
from gammapolars.core.errors import UsageError
from gammapolars.io.matrix_files import is_matrix
from gammapolars.io.pair_files import open_pairs

OF_HITS = {"--and": "second", "--window": "window", **OF_COINCIDENCES}
OF_PAIRS = {"--in": "of", "--polygon": "polygon"}
OF_PARTNERS = {"--partner": "partner"}
OF_SPECTRA = {"--bin": "bin_width", "--by-detector": "by_detector"}
OF_MATRICES = {"--axis": "axis"}

MATRIX = "matrix.parquet"
"""Name of a stored matrix in advice."""


class Input(Protocol):
    """An input that can be gated."""

    def count(self) -> NetCounts:
        """The net spectrum, with further messages and outputs."""


def gate(options: GateOptions) -> GateSummary:
    """Gate on the input named, whatever it is.

    Raises:
        UsageError: options that do not go with the input, or impossible gates.
    """
    source = input_of(options)
    outputs.check(options)
    return outputs.write(source.count(), options)


def by_matrix(options: GateOptions) -> str:
    """Two commands that do the same as `--subtract-background` of runs or pairs."""
    detectors = ("--detectors", str(options.detectors)) if options.detectors else ()
    unit = ("--unit", options.unit) if options.unit != "keV" else ()
    axes = ("--axes", "adc:adc") if options.unit != "keV" else ()
    window = ("--window", str(options.window)) if is_given(options, "window") else ()
    random = [word for stretch in options.random or () for word in ("--random", str(stretch))]
    matrix = ("gammapolars", "matrix", *map(str, options.names), *detectors, *axes, *window, *random, "-o", MATRIX)
    width = ("--width", f"{options.width:g}") if options.width is not None else ()
    gate = ("gammapolars", "gate", MATRIX, "--on", f"{options.on:g}", *unit, *width, "--subtract-background")
    return (
        "--subtract-background takes the background from the projections of a stored matrix: "
        f"first '{shlex.join(matrix)}', then '{shlex.join((*gate, '-o', str(options.output)))}'"
    )


def input_of(options: GateOptions) -> Input:
    """The input that some names mean: a stored matrix, a file of pairs, or the pairs or triples of runs.

    Raises:
        UsageError: options that do not go with it, or impossible gates.
    """
    alone = options.names[0] if len(options.names) == 1 else ""
    is_energy(options.unit, "gates")
    if options.second is None and options.second_background:
        raise UsageError("--and-background is the background of a second line: give that line with --and")
    if options.partner is None and options.partner_background:
        raise UsageError("--partner-background is the background of the coincident line: give that line with --partner")
    if options.peak_region and not options.subtract_background:
        raise UsageError("--peak-region belongs to --subtract-background: add that option")
    if is_matrix(alone):
        why = f"{alone} is a matrix, which no longer contains single hits or pairs"
        refuse(options, OF_HITS | OF_SELECTION | OF_PAIRS | OF_SPECTRA | OF_CLUSTER, why)
        return StoredMatrix(Path(alone), options)
    refuse(options, OF_MATRICES, f"{alone or 'this'} is not a stored matrix")
    if options.subtract_background:
        raise UsageError(by_matrix(options))
    of_files = open_pairs(options.names)
    if of_files:
        refuse(options, OF_HITS | OF_CLUSTER, f"{of_files.name} contains saved pairs, not single hits")
    if options.second is not None:
        refuse(options, OF_PAIRS | OF_PARTNERS, "--and gates on triple coincidences")
        refuse(options, OF_CLUSTER, "triple coincidences are read by one process")
        return RunTriples(options)
    return FilePairs(options) if of_files else RunPairs(options)
