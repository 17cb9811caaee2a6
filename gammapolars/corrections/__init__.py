"""Corrections of hits: energy polynomials, gain factors, time offsets, walk and clocks; each as expressions."""

from gammapolars.corrections.energy import (
    MAX_TABLE,
    by_detector,
    calibrate,
    dithered_adc,
    dithered_energy,
    dithered_pairs,
    energy_kev,
    gain_corrected_adc,
    hit_energy,
)
from gammapolars.corrections.timing import align, aligned_in_order, corrected_time, spread_ps
from gammapolars.corrections.walk import walk_ps

__all__ = [
    "MAX_TABLE",
    "align",
    "aligned_in_order",
    "by_detector",
    "calibrate",
    "corrected_time",
    "dithered_adc",
    "dithered_energy",
    "dithered_pairs",
    "energy_kev",
    "gain_corrected_adc",
    "hit_energy",
    "spread_ps",
    "walk_ps",
]
