"""Spectra of hits that are in memory already, beside boost-histogram filled with two threads."""

from collections.abc import Callable
from typing import Any

import boost_histogram as bh
import numpy as np
import numpy.typing as npt
import polars as pl

import gammapolars as gp
from tests.benchmarks.agreement import DisagreementError
from tests.benchmarks.files import Plan
from tests.benchmarks.measure import Outcome, in_turn, within

TARGET = 2.0
THREADS = 2

CHANNELS = 8
"""Of board 0; the run has fewer."""

ADC = 2**14
KEV = 4000

Floats = npt.NDArray[np.float64]


def binning(plan: Plan) -> list[Outcome]:
    """Spectra in adc and in keV, each detector's and all together; then from raw hits, calibrated on the way.

    Those who fill histograms from raw hits calibrate with numpy; its noise is another than ours, so that these spectra
    agree in their sums alone.
    """
    hits = gp.scan(plan.run()).collect()
    detectors = gp.Detectors(
        tuple(gp.Detector(0, c, energy=(0.1 + c, 0.25 + 0.01 * c, -1e-8)) for c in range(CHANNELS))
    )
    calibrated = hits.lazy().pipe(gp.calibrate, detectors).collect()
    channel, adc, energy = (calibrated[name].to_numpy() for name in ("channel", "adc", "energy_kev"))
    of_adc, of_energy = bh.axis.Integer(0, ADC), bh.axis.Regular(KEV, 0, KEV)
    each = bh.axis.Integer(0, CHANNELS)
    polynomials = np.array([detector.energy for detector in detectors])
    random = np.random.default_rng(1)

    def energies(values: Floats) -> Floats:
        c0, c1, c2 = (polynomials[:, order][channel] for order in range(3))
        return np.asarray((c2 * values + c1) * values + c0, np.float64)

    def dithered() -> Floats:
        return energies(adc + random.random(len(adc)) - 0.5)

    raw, known = hits.lazy(), calibrated.lazy()
    in_adc = ("adc per detector", lambda: gp.spectrum(raw, bin_adc=1), lambda: filled([each, of_adc], channel, adc))
    compared: list[tuple[str, Callable[[], pl.LazyFrame], Callable[[], Any]]] = [
        in_adc,
        ("adc", lambda: gp.spectrum(raw, bin_adc=1, by=()), lambda: filled([of_adc], adc)),
        ("keV per detector", lambda: gp.spectrum(known), lambda: filled([each, of_energy], channel, energy)),
        ("keV", lambda: gp.spectrum(known, by=()), lambda: filled([of_energy], energy)),
        (
            "keV per detector from adc",
            lambda: gp.calibrate(raw, detectors).pipe(gp.spectrum),
            lambda: filled([each, of_energy], channel, energies(adc.astype(np.float64))),
        ),
        (
            "keV per detector from adc with noise",
            lambda: gp.calibrate(raw, detectors, dither=True).pipe(gp.spectrum),
            lambda: filled([each, of_energy], channel, dithered()),
        ),
    ]
    return [_beside(plan, label, ours, theirs, exact="noise" not in label) for label, ours, theirs in compared]


def filled(axes: list[Any], *values: npt.NDArray[Any]) -> Any:
    """A histogram, filled with all threads."""
    return bh.Histogram(*axes).fill(*values, threads=THREADS)


def _beside(
    plan: Plan, label: str, ours: Callable[[], pl.LazyFrame], theirs: Callable[[], Any], *, exact: bool
) -> Outcome:
    _agree(label, ours().collect(), theirs(), exact=exact)
    with_numpy = "numpy and " if "from" in label else ""
    our_side, other = in_turn(
        plan.repeat, {f"spectrum, {label}": lambda: ours().collect(), f"{with_numpy}boost-histogram": theirs}
    )
    return within(f"{plan.hits / 1e6:g}M hits", our_side, other, TARGET)


def _agree(label: str, table: pl.DataFrame, histogram: Any, *, exact: bool) -> None:
    """Raise unless both count the same."""
    axis = "adc" if "adc" in table.columns else "energy_kev"
    place = np.floor(table[axis].to_numpy()).astype(np.int64)
    bins = histogram.shape[-1]
    inside = (place >= 0) & (place < bins)
    channel = table["channel"].to_numpy() if "channel" in table.columns else np.zeros(table.height, np.int64)
    counts = np.zeros((CHANNELS if "channel" in table.columns else 1, bins))
    counts[channel[inside], place[inside]] = table["counts"].to_numpy()[inside]
    found = histogram.values().reshape(counts.shape)
    if not np.array_equal(counts, found) if exact else abs(counts.sum() - found.sum()) > 1e-4 * found.sum():
        raise DisagreementError(f"gammapolars and boost-histogram differ: {label}")
