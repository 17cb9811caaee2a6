"""Corrections of hits, as expressions: energies, gain factors, time offsets, walk, clocks; and selections of hits."""

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
from gammapolars.corrections.pulse_shape import dithered_psd
from gammapolars.corrections.selection import Selection, select_hits
from gammapolars.corrections.timing import align, aligned_in_order, corrected_time, spread_ps
from gammapolars.corrections.walk import walk_ps

__all__ = [
    "MAX_TABLE",
    "Selection",
    "align",
    "aligned_in_order",
    "by_detector",
    "calibrate",
    "corrected_time",
    "dithered_adc",
    "dithered_energy",
    "dithered_pairs",
    "dithered_psd",
    "energy_kev",
    "gain_corrected_adc",
    "hit_energy",
    "select_hits",
    "spread_ps",
    "walk_ps",
]
