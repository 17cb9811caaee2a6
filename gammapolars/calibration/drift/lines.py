"""Where lines are looked for in a detector's adc."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gammapolars.analysis.accumulators.drift import AdcRange
from gammapolars.detectors import Detector

TOP_ADC = 2**16 - 1

BINS_PER_FWHM = 10
"""Wide lines are counted in bins of several adc values: this many per line width lose nothing."""

SIDE_FWHM = 2.0
"""Beyond the reach of the drift there are this many widths of the line for its background."""

FWHM2_KEV2 = {"hpge": (0.55, 0.00216), "nai": (0.0, 3.2), "labr3": (0.0, 0.557), "cebr3": (0.0, 0.9)}
"""FWHM² = a + b E (keV²) of usual detectors, where none is known of a detector."""

WIDEST = FWHM2_KEV2["nai"]


class TrackedLine(NamedTuple):
    """A line in one detector.

    Attributes:
        energy_kev: of the line.
        expected_adc: where the calibration expects it.
        kev_per_adc: there.
        fwhm_adc: its width; None where nothing is known of it.
        part: the range of adc in which it is counted.
    """

    energy_kev: float
    expected_adc: float
    kev_per_adc: float
    fwhm_adc: float | None
    part: AdcRange


def tracked_lines(detector: Detector, energies_kev: Sequence[float], reach: float) -> list[TrackedLine]:
    """Those lines that lie in a calibrated detector's adc range; `reach` is the largest relative change of the gain."""
    places = []
    for energy_kev in energies_kev:
        adc = adc_at(detector.energy or (), energy_kev)
        if adc is None:
            continue
        slope = sum(order * c * adc ** (order - 1) for order, c in enumerate(detector.energy or ()) if order)
        if slope > 0:
            places.append((energy_kev, adc, slope, _fwhm_kev(detector, energy_kev) or math.nan))
    widths = [width / slope for _, _, slope, width in places if not math.isnan(width)]
    step = max(1, int(min(widths) / BINS_PER_FWHM)) if widths else 1
    lines = []
    for energy_kev, adc, slope, width in places:
        fwhm = None if math.isnan(width) else width / slope
        room = SIDE_FWHM * (fwhm or math.sqrt(WIDEST[0] + WIDEST[1] * energy_kev) / slope)
        first = max(0, int((adc * (1 - reach) - room) // step))
        last = min(TOP_ADC // step, int((adc * (1 + reach) + room) // step))
        if last > first:
            lines.append(TrackedLine(energy_kev, adc, slope, fwhm, AdcRange(first * step, last - first + 1, step)))
    return lines


def adc_at(energy: Sequence[float], energy_kev: float) -> float | None:
    """The lowest adc, not a whole number, at which a polynomial gives an energy; None where it never does."""
    if len(energy) < 2:
        return None
    polynomial = np.polynomial.Polynomial([energy[0] - energy_kev, *energy[1:]])
    roots: list[complex] = polynomial.trim().roots().astype(complex).tolist()
    real = sorted(root.real for root in roots if abs(root.imag) < 1e-6 and 0 < root.real <= TOP_ADC)
    return real[0] if real else None


def _fwhm_kev(detector: Detector, energy_kev: float) -> float | None:
    model = detector.fwhm or FWHM2_KEV2.get(detector.kind.lower())
    square = sum(c * energy_kev**order for order, c in enumerate(model)) if model else 0.0
    return math.sqrt(square) if square > 0 else None
