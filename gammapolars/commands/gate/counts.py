"""Results of the command `gate` for each input: a net spectrum, and its summary."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import polars as pl

from gammapolars.analysis.accounting import HitAccount, Times
from gammapolars.analysis.accumulators.gated import NetSpectra
from gammapolars.analysis.summaries import PairCounts, Summary
from gammapolars.commands.gate.cascades import Cascades
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.commands.net_matrices import MatrixBackground
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import BY_COLUMN
from gammapolars.core.records import Part, optional
from gammapolars.core.summaries import SharedSummary
from gammapolars.core.units import Window
from gammapolars.detectors import named
from gammapolars.gates import Gate

NARROWEST_KEV = 0.001
"""With narrower bins a spectrum would hold more of them than counts."""


@dataclass(frozen=True)
class RandomTriples(Part):
    """Triples in random windows, and all triples with the random ones subtracted.

    Attributes:
        random_ps: the windows, [low, high] each (ps).
        one_random_triples: with one hit in the random windows of the others.
        random_triples: with all three.
        chance_triples: by chance among all triples, as those measure it.
        net_triples: triples less those.
    """

    random_ps: tuple[Window, ...]
    one_random_triples: int
    random_triples: int
    chance_triples: float
    chance_triples_unc: float
    net_triples: float
    net_triples_unc: float


@dataclass(frozen=True)
class TripleCounts(Part):
    """How many triples there are, and how many of them are random.

    Attributes:
        triples: within the window.
        window_ps: [low, high] of each two hits (ps).
        random: the result of random windows, where there are any.
    """

    triples: int
    window_ps: Window
    random: RandomTriples | None = optional()


@dataclass(frozen=True)
class MatrixCounts:
    """The content of a stored matrix.

    Attributes:
        gated_axis: x or y.
        bins: that have counts.
        counts: in all of them.
    """

    gated_axis: str
    bins: int
    counts: float


@dataclass(frozen=True)
class CoincidenceCounts:
    """The coincidences of two lines, net of the background below either.

    Attributes:
        gate: on the second line.
        peak_peak: counts in both gates.
        peak_background: in the first gate and the background of the second, scaled to the gates' widths.
        background_peak: the other way round.
        background_background: in both backgrounds.
        net: coincidences of the two lines, by those four.
        net_unc: one standard deviation.
        net_of_projections: of a matrix net of its background in two dimensions, the same of that.
        net_of_projections_unc: one standard deviation, with what its cells have in common.
    """

    gate: Gate
    peak_peak: float
    peak_background: float
    background_peak: float
    background_background: float
    net: float
    net_unc: float
    net_of_projections: float | None = optional()
    net_of_projections_unc: float | None = optional()

    def beside(self, net: float, unc: float) -> "CoincidenceCounts":
        """The same with the counts there of the matrix net of its background in two dimensions."""
        return replace(self, net_of_projections=net, net_of_projections_unc=unc)


@dataclass(frozen=True, kw_only=True)
class GateSummary(SharedSummary, Summary):
    """The counts in coincidence with a line.

    Attributes:
        account: where every hit went, of runs.
        times: when hits were recorded, of runs.
        of_pairs: how many pairs there are, of runs.
        of_triples: how many triples there are, of runs and two gates.
        matrix: what a stored matrix holds.
        net_of_chance: whether chance is subtracted; null: the file of a matrix does not say.
        asked_gate: of a stored matrix, the gate before its ends were moved to edges of bins.
        gate: on the line; of detectors of several resolutions, the widest.
        gate_width_from: where its width is from: given, 2 FWHM, or no FWHM is known.
        background: what was subtracted of a stored matrix in two dimensions.
        coincidence: with the coincident line, where one is named.
        and_gate: on the second line, of triples.
        gated_detectors: whose hits may lie in the gate; none: all.
        polygons: names of those that pairs lie in.
        unit: of energies, keV or adc.
        bin_width: of the spectrum, in that unit.
        counts: net counts of the spectrum.
        peaks: the evident ones, a row each.
        cascades: what ENSDF knows of them, where nuclides are named.
    """

    account: HitAccount | None = optional()
    times: Times | None = optional()
    of_pairs: PairCounts | None = optional()
    of_triples: TripleCounts | None = optional()
    matrix: MatrixCounts | None = optional()
    net_of_chance: bool | None
    asked_gate: Gate | None = optional()
    gate: Gate
    gate_width_from: str
    background: MatrixBackground | None = optional()
    coincidence: CoincidenceCounts | None = optional()
    and_gate: Gate | None = optional()
    gated_detectors: tuple[str, ...] = ()
    polygons: tuple[str, ...] = ()
    unit: str
    bin_width: float
    counts: float
    counts_unc: float
    peaks: pl.DataFrame | None = optional()
    cascades: Cascades | None = optional()


Texts = Callable[[dict[str, Any]], dict[str, str]]
"""Provenance, of a summary."""


class NetCounts(NamedTuple):
    """The net spectrum in coincidence with a line.

    Attributes:
        net: `energy_kev` or `adc`, `counts`, `variance`; of several detectors with `board`, `channel` and `name`.
        total: the same of all pairs without a gate, whose peaks show their width.
        summary: of the command, so far.
        texts: provenance.
    """

    net: pl.DataFrame
    total: pl.DataFrame
    summary: GateSummary
    texts: dict[str, str]


def net_counts(spectra: NetSpectra, content: dict[str, Any], options: GateOptions, texts: Texts) -> NetCounts:
    """The spectrum, or one for each detector, from the counts of pairs or triples.

    Args:
        spectra: the counts.
        content: facts on the input and on the gates for the summary.
        options: whether each detector gets a spectrum.
        texts: provenance, of the summary.
    """
    counts, unc = spectra.net()
    unit = BY_COLUMN[spectra.axis].unit
    summary = GateSummary(**content, unit=unit, bin_width=spectra.width, counts=counts, counts_unc=unc)
    net = named(spectra.by_detector(), options.known) if options.by_detector else spectra.summed()
    return NetCounts(net, spectra.total(), summary, texts(summary.to_json()))


def bin_width_of(bin_width: float | None, *, calibrated: bool) -> float:
    """The width of a spectrum's bins: 1 keV, or 1 adc, where nothing is asked for.

    Raises:
        UsageError: it is too narrow, or holds no whole adc values.
    """
    width = 1.0 if bin_width is None else bin_width
    if calibrated and not NARROWEST_KEV <= width < math.inf:
        raise UsageError(f"bins must be at least {NARROWEST_KEV:g} keV wide, not {width:g}")
    if not calibrated and not (0 < width < math.inf and width == int(width)):
        raise UsageError(f"bins must be a whole number of ADC channels wide, 1 or more, not {width:g}")
    return width
