"""Lifetimes of nuclear levels, from the time differences of start and stop."""

from gammapolars.lifetimes.fit import fit_lifetime
from gammapolars.lifetimes.histogram import time_spectrum
from gammapolars.lifetimes.model import NearestStops
from gammapolars.lifetimes.results import Component, LifetimeFit

__all__ = ["Component", "LifetimeFit", "NearestStops", "fit_lifetime", "time_spectrum"]
