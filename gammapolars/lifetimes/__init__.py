"""Lifetimes of nuclear levels, from the time differences of start and stop."""

from gammapolars.lifetimes.fit import check_bins as check_bins
from gammapolars.lifetimes.fit import fit_lifetime as fit_lifetime
from gammapolars.lifetimes.interpretation import Component as Component
from gammapolars.lifetimes.interpretation import LifetimeFit as LifetimeFit
from gammapolars.lifetimes.model import NearestStops as NearestStops
from gammapolars.lifetimes.model import cut_off_in_bins as cut_off_in_bins
from gammapolars.lifetimes.model import in_bins as in_bins
from gammapolars.lifetimes.spectrum import chance_warning as chance_warning
from gammapolars.lifetimes.spectrum import expected_chance as expected_chance
from gammapolars.lifetimes.spectrum import time_spectrum as time_spectrum
from gammapolars.lifetimes.spectrum import width_of as width_of
from gammapolars.lifetimes.spectrum import width_warning as width_warning
