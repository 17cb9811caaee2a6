"""Lifetimes of nuclear levels, from the time differences of start and stop."""

from gammapolars.lifetimes.fit import check_bins, fit_lifetime
from gammapolars.lifetimes.interpretation import Component, LifetimeFit
from gammapolars.lifetimes.model import NearestStops, cut_off_in_bins, in_bins
from gammapolars.lifetimes.spectrum import chance_warning, expected_chance, time_spectrum, width_of, width_warning

__all__ = [
    "Component",
    "LifetimeFit",
    "NearestStops",
    "chance_warning",
    "check_bins",
    "cut_off_in_bins",
    "expected_chance",
    "fit_lifetime",
    "in_bins",
    "time_spectrum",
    "width_of",
    "width_warning",
]
