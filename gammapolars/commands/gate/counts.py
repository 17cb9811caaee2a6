"""What each input of the command `gate` gives: a net spectrum, and what is said of it."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import polars as pl

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators.gated import NetSpectra
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import BY_COLUMN
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate
from gammapolars.io import Runs

OpenRuns = Callable[[], AbstractContextManager[tuple[Runs, Progress]]]
"""Opens runs, with what is told how many hits have been read."""

NARROWEST_KEV = 0.001
"""Of narrower bins a spectrum would hold more than it has counts."""

Texts = Callable[[dict[str, Any]], dict[str, str]]
"""Provenance, of a summary."""


class NetCounts(NamedTuple):
    """The net spectrum of what is in coincidence with a line.

    Attributes:
        net: `energy_kev` or `adc`, `counts`, `variance`; of several detectors with `board`, `channel` and `name`.
        total: the same of all pairs without a gate, whose peaks tell how wide they are.
        summary: of the command, so far.
        texts: provenance.
    """

    net: pl.DataFrame
    total: pl.DataFrame
    summary: dict[str, Any]
    texts: dict[str, str]


def net_counts(
    spectra: NetSpectra, detectors: Detectors, summary: dict[str, Any], texts: Texts, *, by_detector: bool
) -> NetCounts:
    """The spectrum, or one for each detector, out of what was counted of pairs or triples."""
    counts, unc = spectra.net()
    unit = BY_COLUMN[spectra.axis].unit
    summary = summary | {"unit": unit, "bin_width": spectra.width, "counts": counts, "counts_unc": unc}
    net = passes.named(spectra.by_detector(), detectors) if by_detector else spectra.summed()
    return NetCounts(net, spectra.total(), summary, texts(summary))


def bin_width_of(asked: float | None, *, calibrated: bool) -> float:
    """The width of a spectrum's bins: 1 keV, or 1 adc, where nothing is asked for.

    Raises:
        UsageError: it is too narrow, or holds no whole adc values.
    """
    width = 1.0 if asked is None else asked
    if calibrated and not NARROWEST_KEV <= width < math.inf:
        raise UsageError(f"bins must be {NARROWEST_KEV:g} keV wide or more, not {width:g}")
    if not calibrated and not (0 < width < math.inf and width == int(width)):
        raise UsageError(f"bins must be wider than 0, and hold whole adc values, not {width:g}")
    return width


def as_dict(gate: Gate) -> dict[str, Any]:
    """A gate in summaries."""
    return {"low": gate.low, "high": gate.high, "background": [list(part) for part in gate.background]}
